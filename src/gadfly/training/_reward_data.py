"""What a reward model learns from: pairs of texts of which one was preferred, texts with a label, or both.

Both are rows of one linear model: a pair is the difference of two texts, a labelled text stands alone with an
intercept. A tie is a pair whose target is one half, which pulls the two rewards together (cross-entropy at maximum
entropy, as Menick et al. 2022 train on ties); soft labels are targets between.

Axes: R rows (pairs and labelled texts), N distinct texts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gadfly.documents import json_lines
from gadfly.errors import InputError
from gadfly.judges import Example, Source
from gadfly.judges._record import question_keys
from gadfly.judges._reward_record import Learned

__all__ = ["LEAST_ROWS", "Row", "Rows", "read_rows", "rows_of", "to_rows"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

LEAST_ROWS = 20
_QUESTION = 10  # characters that two texts must share before the turn in which they differ


@dataclass(frozen=True, slots=True)
class Row:
    """`text` with its `target` in [0, 1], or, with `other`, the chance that people prefer `text` to it (a tie is 0.5).

    Rows of one `group` are one fact and never stand on both sides of a check. `case` is the id of the case it came
    from, where it came from one.
    """

    text: str
    target: float
    other: str | None = None
    weight: float = 1.0
    group: str = ""
    case: str = ""


@dataclass(frozen=True)
class Rows:
    """Rows as arrays over distinct `texts`. `right_R` is -1 for a labelled text. `questions` are the keys of those that
    the texts answer, as far as they are known.
    """

    texts: tuple[str, ...]
    left_R: Ints
    right_R: Ints
    target_R: Floats
    weights_R: Floats
    groups_R: Ints
    cases: tuple[str, ...]
    source: Source = Source()  # noqa: RUF009 - frozen
    questions: tuple[str, ...] = ()

    @property
    def pairs(self) -> NDArray[np.bool_]:
        """Which rows are pairs."""
        return np.asarray(self.right_R >= 0)

    @property
    def kind(self) -> Learned:
        return "pairs" if self.pairs.all() else "both" if self.pairs.any() else "labels"

    @property
    def digest(self) -> str:
        """A sha256 over texts and targets."""
        sides = zip(self.left_R, self.right_R, strict=True)
        told = [[self.texts[a], self.texts[b] if b >= 0 else None] for a, b in sides]
        rows = [told, self.target_R.tolist(), self.weights_R.tolist()]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.left_R)

    def __getitem__(self, rows: Ints) -> Rows:
        """Some rows, over the same texts."""
        return replace(
            self,
            left_R=self.left_R[rows],
            right_R=self.right_R[rows],
            target_R=self.target_R[rows],
            weights_R=self.weights_R[rows],
            groups_R=self.groups_R[rows],
            cases=tuple(self.cases[r] for r in rows),
        )


def to_rows(rows: Sequence[Row], source: Source | None = None) -> Rows:
    """Rows as arrays, weights with mean 1.

    Raises `InputError` for fewer than 20, for targets that are no number in [0, 1], for nothing but ties, and for
    labels all alike.
    """
    if len(rows) < LEAST_ROWS:
        raise InputError(
            f"{len(rows)} examples are too few to learn from; give at least {LEAST_ROWS}, better 500."
        )
    for number, row in enumerate(rows, 1):
        if not 0.0 <= row.target <= 1.0:  # NaN is not
            raise InputError(f"A label or preference lies in [0, 1]; example {number} has {row.target!r}.")
        if not row.weight > 0 or row.weight == float("inf"):
            raise InputError(f"A weight is positive and finite; example {number} has {row.weight!r}.")
    _both_kinds(rows)
    texts = list(dict.fromkeys(text for row in rows for text in (row.text, row.other) if text is not None))
    place = {text: n for n, text in enumerate(texts)}
    weights_R = np.array([row.weight for row in rows], float)
    return Rows(
        tuple(texts),
        np.array([place[row.text] for row in rows]),
        np.array([-1 if row.other is None else place[row.other] for row in rows]),
        np.array([row.target for row in rows], float),
        weights_R / weights_R.mean(),
        np.unique([_group(row) for row in rows], return_inverse=True)[1],
        tuple(row.case for row in rows),
        source or Source(),
        question_keys(question for row in rows for question in (row.group, _asked(row.text))),
    )


def _both_kinds(rows: Sequence[Row]) -> None:
    """Refuse what holds no information: pairs that are all ties, labels that are all alike."""
    pairs = [row.target for row in rows if row.other is not None]
    labels = [row.target for row in rows if row.other is None]
    if pairs and all(target == 0.5 for target in pairs):
        raise InputError(
            f"All {len(pairs)} pairs are ties; a reward model needs pairs of which one is preferred."
        )
    if labels and len({target >= 0.5 for target in labels}) == 1:
        said = "flagged" if labels[0] >= 0.5 else "not flagged"
        raise InputError(f"All {len(labels)} labels are {said}; a reward model needs examples of both kinds.")


def _asked(text: str) -> str:
    """The first question of a dialogue; empty for a text that is none."""
    asked, _, answered = text.partition("\n\nAssistant:")
    return asked.removeprefix("Human:") if answered and asked.startswith("Human:") else ""


def _group(row: Row) -> str:
    """The group as given, else a pair's common question, else the text itself."""
    if row.group:
        return f"g{row.group}"
    if row.other is None:
        return f"t{row.text}"
    same = next((n for n, (a, b) in enumerate(zip(row.text, row.other, strict=False)) if a != b), 0)
    question = row.text[:same].rpartition("\n\n")[0]  # up to where the turn begins in which they differ
    return f"p{question}" if len(question) >= _QUESTION else f"t{row.text}\0{row.other}"


def rows_of(examples: Sequence[Example], text: Any) -> Iterator[Row]:
    """Labelled transcripts as rows; `text` says what is read of a transcript."""
    for e in examples:
        yield Row(text(e.transcript), e.label, weight=e.weight, group=e.group, case=e.transcript.case.id)


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a .jsonl (or .jsonl.gz) file: {"chosen", "rejected"[, "p"]} or {"text", "label"}, with an optional
    "weight" and "group" each. `p` is the chance that "chosen" is preferred, 1 where absent; 0.5 is a tie.

    Raises `InputError` naming the line for what cannot be read. An empty file gives no rows.
    """
    return [_row(told, number) for number, told in json_lines(path)]


def _row(told: Mapping[str, Any], number: int) -> Row:
    weight, group = _number(told, "weight", number, 1.0), str(told.get("group", ""))
    if "chosen" in told or "rejected" in told:
        chosen, rejected = _text(told, "chosen", number), _text(told, "rejected", number)
        return Row(chosen, _number(told, "p", number, 1.0), rejected, weight, group)
    return Row(_text(told, "text", number), _number(told, "label", number), None, weight, group)


def _text(told: Mapping[str, Any], key: str, number: int) -> str:
    if key not in told:
        raise InputError(
            f'Line {number} has no "{key}": a line holds "chosen" and "rejected", or "text" and "label".'
        )
    if not isinstance(told[key], str) or not told[key].strip():
        raise InputError(
            f'Line {number}: "{key}" must be a text that is not empty, got {str(told[key])[:40]!r}.'
        )
    return str(told[key]).strip()


def _number(told: Mapping[str, Any], key: str, number: int, default: float | None = None) -> float:
    """A number, `default` where the key is absent."""
    value = told.get(key, default)
    if value is None:
        raise InputError(
            f'Line {number} has no "{key}": a line holds "chosen" and "rejected", or "text" and "label".'
        )
    if not isinstance(value, bool | int | float) or value != value or not 0 <= value < float("inf"):
        raise InputError(f'Line {number}: "{key}" must be a number, 0 or more, got {str(value)[:40]!r}.')
    if key != "weight" and value > 1:
        raise InputError(f'Line {number}: "{key}" lies in [0, 1], got {value!r}.')
    return float(value)
