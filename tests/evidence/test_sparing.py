"""Judges that cost much are asked only about the answers that some choice picks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gadfly.corpora import Document, in_memory
from gadfly.errors import InputError
from gadfly.evidence import NOT_CHOSEN, Quoting, answers, cases_of, judge_chosen, table_of, unquoted, wrong
from gadfly.models import System, scripted
from gadfly.runs import Run, Settings, rejudge
from gadfly.runs import run as play
from gadfly.transcripts import Judgement, Transcript

pytestmark = pytest.mark.anyio

PAGE = "The Halden Bridge was opened in 1911. It is 300 metres long."
RIGHT = "%<It opened in 1911.>%(bridge)%[The Halden Bridge was opened in 1911.]%"
NO_QUOTE = "%<It opened in 1911.>%(bridge)%[It was opened long ago.]%"


@dataclass
class Dear:
    """Counts what it is asked; finds everything supported."""

    name: str = "unsupported"
    threshold: float = 0.5
    asked: list[str] = field(default_factory=list)

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        self.asked += [one.case.id for one in transcripts]
        return [Judgement(one.case.id, self.name, 0.0) for one in transcripts]


async def played(directory: Path, **more: object) -> Run:
    """Ten questions, four samples each; `more` is known of each question."""

    def reply(messages: object, seed: int | None) -> str:
        return RIGHT if (seed or 0) % 3 == 0 else NO_QUOTE

    game = Quoting(
        in_memory([Document("bridge", "bridge", PAGE, "b.md")]), System(scripted(reply)), retries=0
    )
    rows = [{"question": f"when was bridge {n} opened", "answers": ["1911"], **more} for n in range(10)]
    settings = Settings(directory, progress=False)
    return await play(game, cases_of(rows, 4), [wrong(), unquoted()], settings=settings)


async def test_only_what_is_chosen_is_asked_about_and_the_table_has_it_all(tmp_path: Path) -> None:
    run, dear = await played(tmp_path), Dear()
    choices = ["first", "unquoted"]
    run = await judge_chosen(run, [dear], choices, progress=False)
    wanted = {one.transcript.case.id for choice in choices for one in answers(run, choice)}
    assert sorted(dear.asked) == sorted(wanted)
    assert 10 < len(wanted) <= 20
    said = {one.case_id: one for one in run.judgements() if one.judge == "unsupported"}
    assert {case for case, one in said.items() if one.cause == NOT_CHOSEN} == said.keys() - wanted
    assert len(said) == 40
    assert [line.rates["supported"].n for line in table_of(run, choices).lines if line.share == 1.0] == [
        10,
        10,
    ]


async def test_what_is_picked_of_questions_without_an_answer_is_asked_about_too(tmp_path: Path) -> None:
    run, dear = await played(tmp_path, unanswerable=True), Dear()
    await judge_chosen(run, [dear], ["first"], progress=False)
    assert (len(dear.asked), answers(run, "first")) == (10, [])


async def test_the_same_again_asks_nothing_and_other_choices_ask_anew(tmp_path: Path) -> None:
    run, dear = await played(tmp_path), Dear()
    run = await judge_chosen(run, [dear], ["first"], progress=False)
    run = await judge_chosen(run, [dear], ["first"], progress=False)
    assert len(dear.asked) == 10
    run = await judge_chosen(run, [dear], ["unquoted"], progress=False)
    assert len(dear.asked) == 20
    await rejudge(run, [dear], progress=False)
    assert len(dear.asked) == 60


async def test_a_choice_by_a_judge_that_has_not_judged_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'nobody' has not judged run"):
        await judge_chosen(await played(tmp_path), [Dear()], ["nobody"])
