"""The same game in Inspect, and a run's cases as an Inspect log."""

import asyncio
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import inspect_ai
import pytest
from inspect_ai.log import EvalLog, read_eval_log
from runs_fakes import Asking, Even, failing, play, rows

from gadfly.errors import InputError
from gadfly.models import System, scripted
from gadfly.runs import as_task, export
from gadfly.runs._inspect import KEY
from gadfly.runs._store import transcript_from_row
from gadfly.transcripts import Case, Judgement, Transcript


@dataclass(frozen=True)
class Planting(Asking):
    """Plants a secret in the system prompt of every case."""

    async def play(self, case: Case) -> Transcript:
        played = await super().play(case)
        planted = {"system_prompt": f"The secret is {case.index}.", "secret": case.index}
        return Transcript(played.case, played.turns, usage=played.usage, metadata=planted)


def evaluate(tmp_path: Path, game: Any, cases: int, judges: list[Any]) -> EvalLog:
    [log] = inspect_ai.eval(
        as_task(game, cases, judges), log_dir=str(tmp_path / "logs"), display="none", fail_on_error=False
    )
    return read_eval_log(log.location)


def samples(log: EvalLog) -> list[Any]:
    assert log.samples is not None
    return sorted(log.samples, key=lambda sample: sample.metadata["index"])


def test_both_runners_give_the_same_transcripts_and_scores(tmp_path: Path) -> None:
    log = evaluate(tmp_path, Planting(), 12, [Even()])
    wide = rows(asyncio.run(play(tmp_path, 12, [Even()], game=Planting())))
    assert log.status == "success"
    assert [transcript_from_row(sample.store[KEY]) for sample in samples(log)] == wide[0]
    scores = {sample.id: sample.scores["even"].value for sample in samples(log)}
    assert all(
        scores[j.case_id] == j.score if j.score is not None else math.isnan(scores[j.case_id])
        for j in wide[1]
    )


def test_a_missing_judgement_is_left_out_of_the_mean(tmp_path: Path) -> None:
    log = evaluate(tmp_path, Asking(), 10, [Even()])
    told = [s.scores["even"].value for s in samples(log) if not math.isnan(s.scores["even"].value)]
    assert len(told) == 8
    assert log.results is not None
    assert log.results.scores[0].metrics["mean"].value == pytest.approx(sum(told) / len(told))
    failing = sum(score >= 0.5 for score in told) / len(told)
    assert log.results.scores[0].metrics["failure_rate"].value == pytest.approx(failing)
    assert samples(log)[0].scores["even"].reason == "no_parse"


@pytest.mark.parametrize("named", [True, False])
def test_samples_of_one_question_are_one_fact(tmp_path: Path, named: bool) -> None:
    """Each of two questions asked twice, with the same score both times: as sure as two samples are, not four."""
    cases = [{"question": str(n // 2), **({"of": n // 2} if named else {})} for n in range(4)]

    class Alike(Even):
        async def judge(self, transcripts: Any) -> list[Any]:
            return [Judgement(t.case.id, self.name, float(t.question)) for t in transcripts]

    [log] = inspect_ai.eval(
        as_task(Asking(), cases, [Alike()]), log_dir=str(tmp_path / "logs"), display="none"
    )
    assert log.results is not None
    n = 2 if named else 4
    assert log.results.scores[0].metrics["stderr"].value == pytest.approx(0.5 / math.sqrt(n - 1))


def test_a_sample_holds_what_was_said_and_planted(tmp_path: Path) -> None:
    game = Planting(System(scripted("Certainly."), system_prompt="Be kind."))
    sample = samples(evaluate(tmp_path, game, 3, [Even()]))[2]
    assert [(m.role, m.text) for m in sample.messages] == [
        ("system", "Be kind.\n\nThe secret is 2."),
        ("user", "number 2"),
        ("assistant", "Certainly."),
    ]
    assert (sample.metadata["secret"], sample.metadata["outcome"]) == (2, "completed")
    assert sample.scores["even"].metadata["evidence"] == ["Certainly."]


def test_a_failed_call_is_unscored_and_a_refused_key_is_the_samples_error(tmp_path: Path) -> None:
    failed = samples(evaluate(tmp_path, Asking(before=failing("timeout", lambda i: i == 1)), 3, [Even()]))[1]
    assert (failed.metadata["cause"], failed.scores["even"].reason) == ("timeout", "not_valid")
    refused = Asking(before=failing("unauthorized", lambda i: i == 1, fatal=True))
    errors = [sample.error for sample in samples(evaluate(tmp_path, refused, 3, [Even()]))]
    assert "unauthorized" in errors[1].message
    assert errors[0] is errors[2] is None


def test_an_exported_run_opens_in_inspect(tmp_path: Path) -> None:
    run = asyncio.run(play(tmp_path, 9, [Even(), Even(name="second")], game=Planting()))
    assert export(run, tmp_path / "out" / "all.eval") == 9
    log = read_eval_log(tmp_path / "out" / "all.eval")
    assert [s.id for s in samples(log)] == [t.case.id for t, _ in run.judged()]
    sample = samples(log)[3]
    assert [m.role for m in sample.messages] == ["system", "user", "assistant"]
    assert set(sample.scores) == {"even", "second"}
    assert math.isnan(samples(log)[5].scores["even"].value)
    assert (sample.metadata["secret"], sample.input) == (3, "number 3")
    assert log.eval.metadata is not None
    assert log.eval.metadata["spec"] == run.info["spec"]
    assert sample.role_usage["target"] == sample.model_usage["scripted/model"]
    assert sample.role_usage["target"].total_cost == pytest.approx(0.001)
    assert log.stats.completed_at >= log.stats.started_at > ""


def test_only_what_is_kept_is_exported(tmp_path: Path) -> None:
    run = asyncio.run(play(tmp_path, 20, [Even()]))
    count = export(run, tmp_path / "failures.eval", lambda transcript, judgements: judgements[0].score == 1.0)
    assert count == int(run.sql("select count(*) as n from judgements where score = 1")["n"][0])
    assert {s.scores["even"].value for s in samples(read_eval_log(tmp_path / "failures.eval"))} == {1.0}


def test_an_export_that_cannot_be_says_why(tmp_path: Path) -> None:
    run = asyncio.run(play(tmp_path, 3))
    with pytest.raises(InputError, match="no case of that kind"):
        export(run, tmp_path / "none.eval", lambda transcript, judgements: False)
    with pytest.raises(InputError, match=r"must end in \.eval"):
        export(run, tmp_path / "failures.json")
    assert not (tmp_path / "none.eval").exists()
