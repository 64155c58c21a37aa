"""A judge that is not the judge it was is asked again; a call that failed is made again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from runs_fakes import Asking, Even, failing, play

from gadfly.runs import Settings, run
from gadfly.transcripts import Judgement, Transcript

pytestmark = pytest.mark.anyio


@dataclass
class Versioned:
    """Scores everything alike, and says which version of it did."""

    score: float
    version: int
    name: str = "versioned"
    threshold: float = 0.5

    def spec(self) -> dict[str, Any]:
        return {"version": self.version}

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        return [Judgement(t.case.id, self.name, self.score) for t in transcripts]


def scores(run):
    return [judgement.score for judgement in run.judgements("versioned")]


async def test_a_judge_with_another_spec_judges_anew(tmp_path):
    await play(tmp_path, 5, [Versioned(0.1, version=1)])
    again = await play(tmp_path, 5, [Versioned(0.9, version=2)])
    assert scores(again) == [0.9] * 5


async def test_a_judge_with_another_threshold_does_not(tmp_path):
    await play(tmp_path, 5, [Versioned(0.1, version=1)])
    again = await play(tmp_path, 5, [Versioned(0.9, version=1, threshold=0.05)])
    assert scores(again) == [0.1] * 5
    assert again.info["judges"]["versioned"]["threshold"] == 0.05


async def test_asking_for_fewer_cases_leaves_a_complete_run_complete(tmp_path):
    await play(tmp_path, 9)
    assert (await play(tmp_path, 4)).status == "complete"


async def test_a_new_judge_of_fewer_cases_leaves_the_others_to_be_judged(tmp_path):
    await play(tmp_path, 9)
    assert (await play(tmp_path, 4, [Versioned(0.1, version=1)])).status == "interrupted"
    assert (await play(tmp_path, 9, [Versioned(0.1, version=1)])).status == "complete"


@dataclass
class Unreachable:
    """A judge whose model does not answer while `down`."""

    down: bool
    name: str = "unreachable"
    threshold: float = 0.5

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        if self.down:
            return [Judgement.missing(t.case.id, self.name, "call_failed:timeout") for t in transcripts]
        return [Judgement(t.case.id, self.name, 1.0) for t in transcripts]


async def test_who_has_cases_played_again_left_to_judge_is_named_and_keeps_the_rest(tmp_path, capsys):
    down = Asking(before=failing("timeout", lambda index: index == 3))
    await play(tmp_path, 5, [Unreachable(down=True)], game=down)
    again = await run(Asking(), 5, [Even()], settings=Settings(tmp_path, retry_failed=True))
    said = "The cases played again wait for unreachable too: give the command with that judge again."
    assert said in capsys.readouterr().err
    kept = [judgement.cause for judgement in again.judgements("unreachable")]
    assert kept == ["call_failed:timeout"] * 4
    assert len(list(again.judgements("even"))) == 5


async def test_a_judges_failed_calls_are_made_again_when_asked(tmp_path):
    await play(tmp_path, 5, [Unreachable(down=True)])
    again = await play(tmp_path, 5, [Unreachable(down=False)], retry_failed=True)
    assert [judgement.score for judgement in again.judgements()] == [1.0] * 5
