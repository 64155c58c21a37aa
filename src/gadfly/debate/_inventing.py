"""A set from a question-answering set: a model writes the wrong answer, one that somebody might believe."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gadfly.corpora import Library
from gadfly.debate._chairs import FAULTS
from gadfly.debate._prompts import one_line
from gadfly.debate._rules import orders_in
from gadfly.debate._sets import alike, document_for, text_of
from gadfly.documents import json_lines
from gadfly.errors import CallError, InputError
from gadfly.judges import holds_answer
from gadfly.models import Reply, System
from gadfly.runs import Run, paired_seed
from gadfly.transcripts import Case, Transcript, Turn, Usage
from gadfly.words import word_count

__all__ = ["Inventing", "made_set", "read_answered"]

_TASK = (
    "For a quiz, write a wrong answer that sounds right to somebody who has not looked it up: the same kind of thing "
    "as the right answer, as short and as specific, but clearly something else. Write only the wrong answer."
)
_EXAMPLES = (
    ("who wrote the opera about the moth and the lamp", "Halvor Dee", "Anton Reiss"),
    ("when did the coast line open to passengers", "12 May 1911", "3 September 1908"),
    ("what do marsh pipits eat in the winter", "seeds", "snails"),
)
_LONGEST = 120
_DRESS = " .\"'“”"


@dataclass(frozen=True)
class Inventing:
    """The game: one wrong answer for a question whose right ones are known.

    A reply is usable where it came to its end and is one short line that neither holds a right answer nor is held by
    one, and gives nobody orders, for it will stand in the prompts of players and judge; `tries` replies are asked for
    before a case is invalid, `no_wrong_answer`, an empty one among them. It gets the right answer's full stop and
    quotation marks, or none, so that neither is told by its form. A question without a document gets the passage that
    is found first in `library`, where there is one.
    """

    inventor: System
    tries: int = 4
    library: Library | None = None

    @property
    def name(self) -> str:
        """The readable part of a run's id."""
        return f"inventing-{self.inventor.slug}"

    @property
    def players(self) -> Mapping[str, System]:
        """The one who invents."""
        return {"target": self.inventor}

    def spec(self) -> dict[str, Any]:
        """All that decides a transcript."""
        found = {} if self.library is None else {"library": self.library.spec()}
        return {
            "game": "inventing",
            "inventor": self.inventor.fingerprint(),
            "tries": self.tries,
            "task": _TASK,
            **found,
        }

    async def play(self, case: Case) -> Transcript:
        """One question. A call that fails ends it as failed; a fatal `CallError` is raised."""
        question, right = str(case.data["question"]), [str(answer) for answer in case.data["answers"]]
        asked, usage = Turn("user", f"{question}\nRight: {right[0]}"), Usage()
        try:
            if wrong := str(case.data.get("wrong", "")):
                shown = await asyncio.to_thread(document_for, case.data, self.library)
                return Transcript(case, (asked,), metadata={"wrong": wrong, **shown})
            for attempt in range(self.tries):
                reply = await self._reply(question, right[0], paired_seed(case.seed, attempt))
                usage += reply.usage
                if wrong := "" if reply.stop == "length" else _usable(reply.text, right):
                    shown = await asyncio.to_thread(document_for, case.data, self.library)
                    said = (asked, Turn("target", wrong))
                    return Transcript(case, said, usage={"target": usage}, metadata={"wrong": wrong, **shown})
        except CallError as error:
            if error.fatal:
                raise
            usage += error.usage or Usage()
            return Transcript(case, (asked,), "failed", error.cause, {"target": usage})
        return Transcript(case, (asked,), "invalid", "no_wrong_answer", {"target": usage})

    async def _reply(self, question: str, right: str, seed: int) -> Reply:
        """One try, an empty one where the model said nothing: another may well do."""
        try:
            return await self.inventor.reply(_asked(question, right), seed=seed)
        except CallError as error:
            if error.fatal or error.cause not in FAULTS:
                raise
            return Reply("", usage=error.usage or Usage())


def _asked(question: str, right: str) -> list[tuple[str, str]]:
    messages = [("system", _TASK)]
    for one, answer, wrong in _EXAMPLES:
        messages += [("user", f"Question: {one}\nRight answer: {answer}"), ("assistant", wrong)]
    return [*messages, ("user", f"Question: {one_line(question)}\nRight answer: {one_line(right)}")]


def _usable(text: str, right: Sequence[str]) -> str:
    """The wrong answer in a reply, dressed as the right one is; empty where there is none."""
    first = next((line for line in text.strip().splitlines() if line.strip()), "")
    answer = one_line(first.removeprefix("Wrong answer:")).strip(_DRESS)
    worded = word_count(answer) or not word_count(right[0])
    if not answer or not worded or len(answer) > _LONGEST or holds_answer(answer, right) or orders_in(answer):
        return ""
    if any(holds_answer(one, [answer]) for one in right):
        return ""
    bare = right[0].strip(_DRESS) or right[0]
    before, after = right[0].split(bare, 1)
    return f"{before.lstrip()}{answer}{after.rstrip()}"


def _given(text: str, right: Sequence[str]) -> str:
    """A wrong answer that was given, as it is; empty for one that is a right one, articles apart, or gives orders."""
    answer = one_line(text)
    same = any(
        alike(answer, one) or (holds_answer(answer, [one]) and holds_answer(one, [answer])) for one in right
    )
    return "" if not answer or same or orders_in(answer) else answer


def made_set(run: Run) -> list[dict[str, Any]]:
    """The set that a run of `Inventing` made, by case: the right answer is listed first in every other one."""
    rows = []
    for transcript in sorted(run.transcripts(), key=lambda one: one.case.index):
        data, wrong = transcript.case.data, transcript.metadata.get("wrong")
        if transcript.outcome != "completed" or wrong is None:
            continue
        correct = transcript.case.index % 2
        right = str(data["answers"][0])
        answers = [wrong, right] if correct else [right, wrong]
        texts = {key: transcript.metadata[key] for key in ("document", "title") if key in transcript.metadata}
        rows.append({"question": data["question"], "answers": answers, "correct": correct, **texts})
    return rows


def read_answered(path: str) -> list[dict[str, Any]]:
    """The questions of a question-answering .jsonl: {"question": "…", "answers": ["short", …]} with, where known,
    "document" (or "passage") and "title". All answers are right ones, but where "correct" is the number of the one that
    is. The first of those under "wrong", or of the others, is then the wrong one as it stands, and none is invented.

    Raises `InputError`, which names the line, and for a file without a question. So does a line of whose wrong answers
    each is a right one too, is empty, or gives orders.
    """
    rows = [_answered(row, number) for number, row in json_lines(path)]
    if not rows:
        raise InputError(f"{path!r} holds no question with its answer.")
    return rows


def _answered(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    question, answers = row.get("question"), row.get("answers")
    if (
        not _is_text(question)
        or not isinstance(answers, list)
        or not answers
        or not all(map(_is_text, answers))
    ):
        raise InputError(
            f'Line {number}: write {{"question": "…", "answers": ["right", …]}}, every one of them a text that is not '
            "empty."
        )
    correct, others = row.get("correct"), row.get("wrong") or []
    others = [others] if isinstance(others, str) else others
    if not isinstance(others, list) or not all(map(_is_text, others)):
        raise InputError(f'Line {number}: "wrong" is a text that is not empty, or several; got {others!r}.')
    if correct is not None:
        if isinstance(correct, bool) or not isinstance(correct, int) or not 0 <= correct < len(answers):
            raise InputError(f'Line {number}: "correct" is the number of an answer, from 0; got {correct!r}.')
        others = [*others, *(one for n, one in enumerate(answers) if n != correct)]
        answers = [answers[correct]]
    wrong = next(filter(None, (_given(one, answers) for one in others)), "")
    if others and not wrong:
        raise InputError(
            f"Line {number}: none of the wrong answers can be used, for each is a right one too or gives orders; "
            f"got {', '.join(map(repr, others[:3]))}."
        )
    for key in ("document", "passage", "title"):
        if not isinstance(row.get(key, ""), str | None):
            raise InputError(f'Line {number}: "{key}" is text, got {type(row[key]).__name__}.')
    shown = text_of(row, "document") or text_of(row, "passage")
    texts = {"document": shown, "title": row.get("title"), "wrong": wrong}
    return {"question": question, "answers": answers, **{key: text for key, text in texts.items() if text}}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
