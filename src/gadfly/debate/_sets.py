"""Sets: questions with two answers and a document that the judge does not see, and the cases they are played as."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gadfly.corpora import Library
from gadfly.debate._protocol import Protocol
from gadfly.debate._rules import orders_in
from gadfly.documents import json_lines
from gadfly.errors import InputError
from gadfly.models import inert
from gadfly.stats import normalise_question

__all__ = ["alike", "asked_key", "cases", "document_for", "question_numbers", "read_set", "split", "text_of"]

SAMPLE = Path(__file__).parent / "sets" / "sample.jsonl"
"""A dozen questions about a place that does not exist, with documents that say what is so."""

LINE = '{"question": "…", "answers": ["…", "…"], "correct": 0, "document": "…"}'
"""A line of a set."""

_TEXTS = ("question", "document", "passage", "title")
_KNOWN = ("question", "document", "title", "answers", "correct")
_MEANT = re.compile("corr?ect|label|gold|right|answer|target|truth|solution", re.IGNORECASE)
"""In what other sets call the number of the right answer."""


def read_set(
    path: str | Path,
    told: Callable[[str], None] = lambda sentence: None,
    limit: int | None = None,
    library: Library | None = None,
) -> list[dict[str, Any]]:
    """The questions of a .jsonl file (or .jsonl.gz), one object a line: {"question": "…", "answers": ["…", "…"]} with,
    where known, "correct" (0 or 1, which answer is right), "document" or "passage" (what debaters see), "title"; or
    those of `sample`, the set that ships.

    `limit` takes the first so many; of these who have no document get the passage found first in `library`. `told`
    hears how many questions have no document or no known answer, if any have none. Raises `InputError`, which names the
    line, for a question that is asked again with another right answer, and for a file without a question, and
    `CallError` where the library is a search engine that fails.
    """
    given = dict(json_lines(SAMPLE if str(path) == "sample" and not Path(path).exists() else path))
    if not given:
        raise InputError(f"{str(path)!r} holds no question: name a set that gadfly debate make wrote.")
    rows = [_row(row, number) for number, row in given.items()]
    _agree(list(given), rows)
    given = dict(list(given.items())[:limit])
    rows = [row | document_for(row, library) for row in rows[:limit]]
    if bare := sum("document" not in row for row in rows):
        told(
            f'{bare:,} of {len(rows):,} rows have no "document": there debaters have nothing to quote, and an expert '
            f"sees no more than the judge alone.{_misspelt(given.values())}"
        )
    if unknown := [row for row in given.values() if row.get("correct") is None]:
        told(_unknown(unknown, len(rows)))
    return rows


def _misspelt(rows: Iterable[Mapping[str, Any]]) -> str:
    """A question about a key that looks like a document's; empty where there is none."""
    keys = (key for row in rows for key in row if key not in _TEXTS)
    near = next((key for key in keys if get_close_matches(key, ("document", "passage"), 1, 0.75)), "")
    return f' They have {near!r}: did you mean "document"?' if near else ""


def _unknown(lacking: Sequence[Mapping[str, Any]], of: int) -> str:
    """What to say of rows that do not tell which answer is right."""
    said = f'{len(lacking):,} of {of:,} rows have no "correct", so whether a verdict on them is right is not known'
    meant = next((key for key in lacking[0] if key not in _KNOWN and _MEANT.search(key)), "")
    if not meant:
        return f"{said}."
    return (
        f'{said}. They have {meant!r}: if that is the number of the right answer, 0 or 1, call it "correct".'
    )


def _agree(numbers: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> None:
    """Raises `InputError` where a question is asked again, and an answer that is right is wrong another time."""
    said: dict[tuple[int, str], tuple[bool, int]] = {}
    for number, row, of in zip(numbers, rows, question_numbers(rows), strict=True):
        for place, answer in enumerate(row["answers"]):
            if "correct" not in row:
                continue
            right = place == row["correct"]
            before, line = said.setdefault((of, _plain(answer)), (right, number))
            if before != right:
                raise InputError(
                    f"Line {number} asks what line {line} asks, and another answer is right there: mend one of them, "
                    "or take it out."
                )


def _row(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    for key in _TEXTS:
        if not isinstance(row.get(key, ""), str | None):
            raise InputError(f'Line {number}: "{key}" is text, got {type(row[key]).__name__}.')
    if not (row.get("question") or "").strip():
        raise InputError(f'Line {number} has no words under "question".')
    answers = row.get("answers")
    if (
        not isinstance(answers, list)
        or len(answers) != 2
        or not all(isinstance(a, str) and _plain(a) for a in answers)
    ):
        raise InputError(
            f'Line {number}: "answers" holds two texts. A line is {LINE}; gadfly debate make writes such sets.'
        )
    if alike(*answers):
        raise InputError(f"Line {number}: the two answers are the same, so there is nothing to decide.")
    if order := next(filter(None, (orders_in(inert(answer)) for answer in answers)), ""):
        raise InputError(
            f"Line {number}: an answer gives orders or poses as the system, and would stand in the judge's prompt: "
            f"take {order[:80]!r} out."
        )
    correct = row.get("correct")
    if correct is not None and (isinstance(correct, bool) or correct not in (0, 1)):
        raise InputError(
            f'Line {number}: "correct" is 0 or 1, the number of the right answer; got {correct!r}.'
        )
    given = {**row, "document": text_of(row, "document") or text_of(row, "passage")}
    kept = {key: given[key] for key in _KNOWN if given.get(key) not in (None, "")}
    return kept if correct is None else {**kept, "correct": int(correct)}


def text_of(row: Mapping[str, Any], key: str) -> str:
    """The text under a key; empty where there are no words in it."""
    text = row.get(key) or ""
    return text if text.strip() else ""


def document_for(row: Mapping[str, Any], library: Library | None) -> dict[str, str]:
    """The row's document with its title, or else the passage found first for its question; empty where there is none.

    Raises `CallError` where the library is a search engine that fails.
    """
    if row.get("document") or library is None:
        return {key: str(row[key]) for key in ("document", "title") if row.get(key)}
    hits = library.search(str(row["question"]), 1)
    return {"document": hits[0].passage.text, "title": hits[0].passage.title} if hits else {}


def alike(one: str, other: str) -> bool:
    """Whether two answers differ in nothing but case, white space, and what looks the same."""
    return _plain(one) == _plain(other)


def _plain(text: str) -> str:
    seen = (char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return " ".join("".join(seen).casefold().split())


def _asked(row: Mapping[str, Any]) -> str:
    """A row's question in whatever case and punctuation."""
    return normalise_question(row["question"]) or _plain(row["question"])


def question_numbers(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The number of each row's question: its own, or that of the first row that asks the same, in whatever case and
    punctuation, of the same document, whichever answers it offers.
    """
    seen: dict[tuple[str, str], int] = {}
    keys = ((_asked(row), _plain(row.get("document", ""))) for row in rows)
    return [seen.setdefault(key, number) for number, key in enumerate(keys)]


def asked_key(question: str, answers: Sequence[str], document: str = "") -> tuple[str, ...]:
    """The same for what differs in nothing but case, white space and the order of the answers."""
    return (_plain(question), *sorted(map(_plain, answers)), _plain(document))


def split(rows: Sequence[Mapping[str, Any]], share: float) -> tuple[list[Any], list[Any]]:
    """The rows to learn from and at least `share` of them, in [0, 1], to measure on, from the end on: whole documents
    with all that is asked about them, so that nothing is measured on a text that was learned from.

    Where all rows are about one document whole questions are held out, and none of a single question: something is left
    to learn from.
    """
    numbers = question_numbers(rows)
    documents = [_plain(row.get("document", "")) or of for row, of in zip(rows, numbers, strict=True)]
    keys: list[Any] = documents if len(set(documents)) > 1 else list(numbers)
    sizes, held, taken = Counter(keys), set[Any](), 0
    for key in dict.fromkeys(reversed(keys)):
        if taken < math.ceil(share * len(rows) - 1e-9) and len(held) + 1 < len(sizes):
            held.add(key)
            taken += sizes[key]
    parts: tuple[list[Any], list[Any]] = ([], [])
    for row, key in zip(rows, keys, strict=True):
        parts[key in held].append(row)
    return parts


def cases(rows: Sequence[Mapping[str, Any]], protocol: Protocol) -> list[dict[str, Any]]:
    """The cases of a run: two for each row, side by side; `of` is the number of its question (`question_numbers`).

    The answers change places between them. Where an answer is assigned, each is argued for once, and which comes
    listed first changes from question to question, so that it is the assigned one half of the time.
    """
    found = []
    for number, (row, of) in enumerate(zip(rows, question_numbers(rows), strict=True)):
        for turn in (0, 1):
            swapped = bool(turn)
            case: dict[str, Any] = {**row, "of": of, "swapped": swapped}
            if protocol.assigns:
                case |= {"assigned": turn, "swapped": bool((turn + number) % 2)}
            found.append(case)
    return found
