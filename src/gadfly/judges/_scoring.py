"""A file of texts or transcripts through a reward model: a line in, a line out, in constant memory.

What is read: {"text"} rows; transcripts as rows with "turns" ({"speaker", "text"}) or "messages" ({"role", "content"});
and the .eval logs that `gadfly export` writes. What is written names the line it answers, so that a file half done is
gone on with.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from gadfly.documents import cut_half_a_line
from gadfly.errors import InputError, StoreError
from gadfly.judges._base import unjudgeable
from gadfly.judges._reward import Reward
from gadfly.transcripts import Case, Transcript, Turn

__all__ = ["items_in", "score_file", "scored"]

_SLICE = 256  # lines read and scored at once

Item = str | Transcript


def score_file(
    reward: Reward, path: Path, output: Path | None, told: Callable[[int], None] | None = None
) -> tuple[int, int]:
    """Score what is in `path`, into `output` (standard output for None); returns how many lines were written now and
    how many were there already. `told` hears of items done.

    Each line is {"line", "score", "aleatoric", "epistemic", "by"}; what cannot be judged has a null score and a
    "cause". With `output`, a file that another run left half done is gone on with. Raises `InputError` for what cannot
    be read, naming its line, and `StoreError` where nothing can be written: what was scored before it is kept.
    """
    by = f"{reward.name}/{reward.card.round:04}"
    if output is None:
        return sum(_write(sys.stdout, lines, told) for lines in scored(reward, items_in(path), 0)), 0
    try:
        done = _already(output, by)
        with output.open("a", encoding="utf-8") as file:
            count = sum(_write(file, lines, told) for lines in scored(reward, items_in(path), done))
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{str(output)!r} cannot be written ({error.strerror or error}).") from error
    return count, done


def scored(reward: Reward, items: Iterable[Item], skip: int) -> Iterator[list[dict[str, Any]]]:
    """A slice of answers at a time, for items from number `skip` on."""
    by = f"{reward.name}/{reward.card.round:04}"
    numbered = itertools.islice(enumerate(items, 1), skip, None)
    while piece := list(itertools.islice(numbered, _SLICE)):
        causes = [unjudgeable(item) if isinstance(item, Transcript) else "" for _, item in piece]
        texts = [_text(reward, item) for (_, item), cause in zip(piece, causes, strict=True) if not cause]
        scores = reward.score(texts)
        values = zip(scores.mean_N, scores.aleatoric_N, scores.epistemic_N, strict=True)
        lines: list[dict[str, Any]] = []
        for (line, _), cause in zip(piece, causes, strict=True):
            if cause:
                lines.append({"line": line, "score": None, "cause": cause, "by": by})
                continue
            score, aleatoric, epistemic = map(float, next(values))
            lines.append(
                {"line": line, "score": score, "aleatoric": aleatoric, "epistemic": epistemic, "by": by}
            )
        yield lines


def _text(reward: Reward, item: Item) -> str:
    return item if isinstance(item, str) else reward.text(item)


def _write(file: TextIO, lines: list[dict[str, Any]], told: Callable[[int], None] | None) -> int:
    file.writelines(json.dumps(line) + "\n" for line in lines)
    file.flush()
    if told:
        told(len(lines))
    return len(lines)


def _already(output: Path, by: str) -> int:
    """How many lines are there; a last one cut short by a kill is taken away. They must be this reward model's."""
    if not output.exists():
        return 0
    with output.open("r+b") as file:
        cut_half_a_line(file)
        file.seek(0)
        count, last = 0, b""
        for count, last in enumerate(file, 1):  # noqa: B007
            pass
    try:
        kept = json.loads(last)["by"] if last else by
    except (ValueError, KeyError, TypeError):
        kept = ""
    if kept != by:
        raise InputError(
            f"{str(output)!r} was not written by {by}, so it is not gone on with; name another file with --output."
        )
    return count


def items_in(path: Path) -> Iterator[Item]:
    """The texts and transcripts of a .jsonl (or .jsonl.gz) file, or of an .eval log, one at a time."""
    if path.suffix == ".eval":
        yield from _samples(path)
        return
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                yield _item(line, number)
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not text in UTF-8; save it as UTF-8.") from error
    except (OSError, EOFError) as error:
        raise InputError(
            f"{str(path)!r} cannot be read ({_why(error)}); name a .jsonl or .eval file."
        ) from error


def _item(line: str, number: int) -> Item:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"Line {number} is not JSON ({error}); write one object a line.") from error
    if isinstance(row, Mapping):
        if isinstance(row.get("text"), str):
            return str(row["text"])
        if isinstance(row.get("turns"), list):
            return _transcript(row["turns"], "speaker", "text", str(row.get("outcome", "completed")))
        if isinstance(row.get("messages"), list):
            return _transcript(row["messages"], "role", "content")
    raise InputError(f'Line {number} holds neither "text", nor "turns", nor "messages".')


_SPEAKERS = {"assistant": "target", "target": "target", "system": ""}


def _transcript(turns: list[Any], who: str, what: str, outcome: str = "completed") -> Transcript:
    """Turns as a transcript: the assistant is the target, everyone else the attacker, system prompts left out."""
    told = [turn for turn in turns if isinstance(turn, Mapping)]
    named = [(_SPEAKERS.get(str(turn.get(who)), "attacker"), str(turn.get(what) or "")) for turn in told]
    said = tuple(Turn(speaker, text) for speaker, text in named if speaker)
    kept = outcome if outcome in ("completed", "invalid", "failed") else "failed"
    return Transcript(Case("line", 0, 0), said, kept)  # type: ignore[arg-type]


def _samples(path: Path) -> Iterator[Transcript]:
    from inspect_ai.log import read_eval_log_samples

    if not path.is_file():
        raise InputError(f"{str(path)!r} cannot be read (no such file); name a .jsonl or .eval file.")
    try:
        for sample in read_eval_log_samples(os.fspath(path), all_samples_required=False):
            outcome = str((sample.metadata or {}).get("outcome", "completed"))
            messages = [{"role": m.role, "content": m.text} for m in sample.messages]
            yield _transcript(messages, "role", "content", outcome)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{str(path)!r} cannot be read as an Inspect log ({_why(error)}); export it anew."
        ) from error


def _why(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
