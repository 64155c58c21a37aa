"""The questions of a run: a file of them, read strictly, and the cases they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from gadfly.corpora import Form
from gadfly.documents import Document, json_lines
from gadfly.errors import InputError

__all__ = ["cases_of", "read_questions"]


def _as_words(value: Any) -> Any:
    """A number as it is written; anything else as it is."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("there are no words")
    return text


def _can_be_held(text: str) -> str:
    try:
        Form(claim=text)
    except InputError as error:
        raise ValueError(str(error).rstrip(".")) from error
    return text


Words = Annotated[str, BeforeValidator(_as_words), AfterValidator(_not_blank)]


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    question: Words
    answers: list[Words] = Field(default_factory=list)
    claim: Annotated[Words, AfterValidator(_can_be_held)] = ""
    without: list[Words] = Field(default_factory=list)
    unanswerable: bool = False


def read_questions(path: str | Path) -> list[dict[str, Any]]:
    """The questions of a .jsonl file, one object a line: {"question": "…"} with, where known, "answers" (short ones, a
    list), "claim" (look for its evidence), "without" (ids of documents to leave out), "unanswerable" (true).

    Numbers are read as they are written. Raises `InputError`, which names the line and for an unknown key the nearest;
    also for a file without a question.
    """
    rows = [
        Document(row, {(): number}, str(path)).validated(_Question).model_dump(exclude_unset=True)
        for number, row in json_lines(path)
    ]
    if not rows:
        raise InputError(f'{str(path)!r} holds no question: write {{"question": "…"}}, one a line.')
    return rows


def cases_of(questions: Sequence[Mapping[str, Any]], samples: int) -> list[dict[str, Any]]:
    """The cases of a run: `samples` for each question (as `read_questions` gives them), a question's side by side.

    Raises `InputError` for a question without words.
    """
    cases = []
    for number, row in enumerate(questions):
        if not str(row.get("question", "")).strip():
            raise InputError(f"Question {number + 1} has no words.")
        cases += [{**row, "of": number, "sample": n} for n in range(samples)]
    return cases
