"""Judging an existing run: every transcript once, whatever stops it, and nothing of it is played."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from runs_fakes import Asking, Broken, Even, LocalAsking, failing, play, rows, script
from test_run_judges import Versioned, scores

from gadfly.errors import CallError, InputError, StoreError, UnknownNameError
from gadfly.models import System
from gadfly.runs import Run, open_run, rejudge
from gadfly.runs._judging import BLOCK
from gadfly.transcripts import Judgement, Transcript

pytestmark = pytest.mark.anyio


@dataclass
class Tiring(Even):
    """Gives up at its `after`-th batch."""

    after: int = 2

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        self.after -= 1
        if self.after < 0:
            raise CallError("The judge's model is down.", "unreachable", fatal=True)
        return await super().judge(transcripts)


@dataclass
class LocalEven(Even):
    """Judges with weights we hold, or looks as if it did."""

    players: dict[str, System] = field(default_factory=lambda: dict(LocalAsking().players))
    batches: list[int] = field(default_factory=list)

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        self.batches.append(len(transcripts))
        return await super().judge(transcripts)


async def quietly(run: Run, *judges: object, **options: bool) -> Run:
    return await rejudge(run, judges, progress=False, **options)  # type: ignore[arg-type]


async def test_a_new_judge_judges_every_case_as_it_would_have_while_they_were_played(tmp_path: Path) -> None:
    bare = await play(tmp_path, 1_000)
    judge = Even()
    run = await quietly(bare, judge)
    assert rows(run) == rows(await play(tmp_path / "other", 1_000, [Even()]))
    assert len(judge.seen) == 1_000


async def test_a_judge_that_is_done_judges_nothing(tmp_path: Path) -> None:
    before = await play(tmp_path, 20, [Even()])
    judge = Even()
    assert rows(await quietly(before, judge)) == rows(before)
    assert judge.seen == []


async def test_a_judge_with_another_spec_judges_anew_and_others_stay(tmp_path: Path) -> None:
    before = await play(tmp_path, 5, [Versioned(0.1, version=1), Even()])
    run = await quietly(before, Versioned(0.9, version=2))
    assert scores(run) == [0.9] * 5
    assert list(run.judgements("even")) == list(before.judgements("even"))
    assert open_run(run.path).info["judges"]["versioned"]["spec"] == {"version": 2}


async def test_a_judge_that_judges_nothing_decides_nothing_and_one_that_does_does(tmp_path: Path) -> None:
    before = await play(tmp_path, 5, [Even()])
    with pytest.raises(CallError):
        await play(tmp_path, 5, [Tiring(name="tired", after=0)])
    assert open_run(before.path).info["verdict"] == "even"
    assert (await play(tmp_path, 5, [Even(name="second")])).info["verdict"] == "second"
    assert (await play(tmp_path, 5, [Even()])).info["verdict"] == "even"


async def test_only_the_verdict_asked_for_changes_and_nothing_else_in_run_json(tmp_path: Path) -> None:
    before = (await play(tmp_path, 5, [Even()])).info
    run = await quietly(open_run(tmp_path / before["id"]), Even(name="second", threshold=0.7))
    second = {"second": {"threshold": 0.7, "spec": {}}}
    assert open_run(run.path).info == before | {"judges": before["judges"] | second}
    assert (await quietly(run, Even(name="second"), verdict=True)).info["verdict"] == "second"


async def test_a_judge_that_gives_up_midway_goes_on_where_it_stopped(tmp_path: Path) -> None:
    before = await play(tmp_path, 1_000)
    with pytest.raises(CallError, match="model is down"):
        await quietly(before, Tiring())
    kept = len(list(before.judgements()))
    judge = Even()
    assert rows(await quietly(before, judge)) == rows(await play(tmp_path / "whole", 1_000, [Even()]))
    assert (kept > 0, len(judge.seen)) == (True, 1_000 - kept)


async def test_a_changed_judge_that_gives_up_midway_leaves_nothing_of_its_old_self(tmp_path: Path) -> None:
    before = await play(tmp_path, 600, [Versioned(0.1, version=1)])

    class Weak(Versioned):
        async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
            raise CallError("The judge's model is down.", "unreachable", fatal=True)

    with pytest.raises(CallError):
        await quietly(before, Weak(0.9, version=2))
    assert scores(before) == []
    assert scores(await quietly(before, Versioned(0.9, version=2))) == [0.9] * 600


async def test_a_judge_on_local_weights_judges_in_the_blocks_of_a_run(tmp_path: Path) -> None:
    bare = await play(tmp_path, 2 * BLOCK + 10, concurrency=7)
    judge = LocalEven()
    run = await quietly(bare, judge)
    assert judge.batches == [BLOCK, BLOCK, 10]
    assert judge.seen == [transcript.case.id for transcript, _ in run.judged()]


async def some_judgements(run: Run, more_than: int) -> None:
    """Return once whoever judges `run` has put that many judgements on disk."""
    while sum(1 for _ in run.judgements()) <= more_than:
        await asyncio.sleep(0.01)


KILLED = """
    import asyncio, sys
    from runs_fakes import Even
    from gadfly.runs import open_run, rejudge

    asyncio.run(rejudge(open_run(sys.argv[1]), [Even(name="slow", pause=0.05)], progress=False))
"""


async def test_killed_rejudging_goes_on_to_the_judgements_of_an_uninterrupted_one(tmp_path: Path) -> None:
    run = await play(tmp_path, 5_000)
    for kill in range(3):
        process = script(KILLED, run.path)
        await some_judgements(run, more_than=500 * kill)
        process.kill()
    left = Even(name="slow")
    assert rows(await quietly(run, left)) == rows(await play(tmp_path / "b", 5_000, [Even(name="slow")]))
    assert 0 < len(left.seen) < 4_000


async def test_a_judge_with_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    run = await play(tmp_path, 300)
    with pytest.raises(ValueError, match="zip"):
        await quietly(run, Broken())
    assert list(run.judgements()) == []


async def test_an_empty_run_has_nothing_to_judge(tmp_path: Path) -> None:
    run = await quietly(await play(tmp_path, 0), Even())
    assert (list(run.judgements()), set(run.info["judges"])) == ([], {"even"})


async def test_an_unfinished_run_is_judged_as_far_as_it_goes_and_stays_unfinished(tmp_path: Path) -> None:
    with pytest.raises(CallError):
        await play(tmp_path, 50, game=Asking(before=failing("unauthorized", lambda i: i == 20, fatal=True)))
    [cut] = [open_run(path) for path in tmp_path.iterdir()]
    run = await quietly(cut, Even())
    transcripts, judgements = rows(run)
    assert len(transcripts) == len(judgements) < 50
    assert run.status == "stopped"


async def test_a_run_at_work_elsewhere_is_not_judged(tmp_path: Path) -> None:
    run = await play(tmp_path, 5)
    held = run.lock()
    with pytest.raises(StoreError, match="is being run by another process"):
        await quietly(run, Even())
    held.release()


async def test_a_run_that_is_not_there_and_judges_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        await quietly(Run(tmp_path / "gone", {}), Even())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="even, even"):
        await quietly(await play(tmp_path, 5), Even(), Even())


async def test_the_line_of_progress_counts_judgements(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = await play(tmp_path, 30)
    await rejudge(run, [Even(), Even(name="second")])
    assert f"judging {run.id} 60/60 " in capsys.readouterr().err
