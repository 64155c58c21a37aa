"""The wide runner: every case once, whatever stops it, and every stop says how to go on."""

import asyncio
from pathlib import Path

import pytest
from runs_fakes import Asking, Broken, Even, LocalAsking, Rounds, failing, play, rows

from gadfly.errors import CallError, InputError, StoreError
from gadfly.models import System, scripted
from gadfly.runs import open_run
from gadfly.runs._judging import BLOCK, JUDGE_BATCH
from gadfly.runs._runner import HOPELESS

pytestmark = pytest.mark.anyio


async def test_every_case_is_played_and_judged_once(tmp_path: Path) -> None:
    run = await play(tmp_path, 300, [Even()])
    transcripts, judgements = rows(run)
    assert [t.case.index for t in transcripts] == list(range(300))
    assert {j.case_id for j in judgements} == {t.case.id for t in transcripts}
    assert len(judgements) == 300
    assert run.status == run.info["status"] == "complete"


async def test_the_same_seed_gives_the_same_rows_at_any_concurrency(tmp_path: Path) -> None:
    one = await play(tmp_path / "a", 80, [Even()], concurrency=1)
    many = await play(tmp_path / "b", 80, [Even()], concurrency=64)
    assert rows(one) == rows(many)
    other = await play(tmp_path / "a", 80, [Even()], seed=1)
    assert {t.case.id for t in other.transcripts()}.isdisjoint(t.case.id for t in one.transcripts())


async def test_the_same_call_again_plays_and_judges_nothing(tmp_path: Path) -> None:
    before = rows(await play(tmp_path, 20, [Even()]))
    judge, game = Even(), Asking(before=failing("played_again", lambda index: True))
    assert rows(await play(tmp_path, 20, [judge], game=game)) == before
    assert judge.seen == []


async def test_a_longer_run_begins_with_the_cases_of_the_shorter_one(tmp_path: Path) -> None:
    short = rows(await play(tmp_path, 20, [Even()]))
    judge = Even()
    run = await play(tmp_path, 50, [judge])
    assert rows(run)[0][:20] == short[0]
    assert len(judge.seen) == 30
    assert rows(run) == rows(await play(tmp_path / "fresh", 50, [Even()]))


async def test_a_new_judge_judges_what_an_old_run_holds_without_playing_it_again(tmp_path: Path) -> None:
    await play(tmp_path, 40, [Even()])
    game = Asking(before=failing("played_again", lambda index: True))
    run = await play(tmp_path, 40, [Even(), Even(name="second")], game=game)
    assert len(list(run.judgements("second"))) == len(list(run.judgements("even"))) == 40
    assert set(run.info["judges"]) == {"even", "second"}


async def test_cases_can_bring_data(tmp_path: Path) -> None:
    run = await play(tmp_path, [{"question": "Who?"}, {"question": "Why?"}])
    assert [t.question for t in rows(run)[0]] == ["Who?", "Why?"]
    other = await play(tmp_path, [{"question": "Who?"}, {"question": "How?"}])
    assert other.id != run.id


async def test_no_cases_make_an_empty_run(tmp_path: Path) -> None:
    run = await play(tmp_path, 0, [Even()])
    assert rows(run) == ([], [])
    assert run.status == "complete"
    assert run.frame().empty


async def test_a_failed_call_is_a_row_with_its_cause(tmp_path: Path) -> None:
    run = await play(tmp_path, 9, [Even()], game=Asking(before=failing("server_error", lambda i: i == 4)))
    transcripts, judgements = rows(run)
    assert [(t.case.index, t.cause) for t in transcripts if t.outcome == "failed"] == [(4, "server_error")]
    assert [j.cause for j in judgements if j.case_id == transcripts[4].case.id] == ["not_valid"]


async def test_failed_cases_are_played_again_only_when_asked(tmp_path: Path) -> None:
    whole = rows(await play(tmp_path / "whole", 60, [Even()]))
    await play(tmp_path, 60, [Even()], game=Asking(before=failing("timeout", lambda i: i % 7 == 0)))
    assert sum(t.outcome == "failed" for t in (await play(tmp_path, 60, [Even()])).transcripts()) == 9
    judge = Even()
    assert rows(await play(tmp_path, 60, [judge], retry_failed=True)) == whole
    assert len(judge.seen) == 9


async def test_a_refused_key_stops_the_run_and_keeps_what_was_in_flight(tmp_path: Path) -> None:
    refused = Asking(before=failing("unauthorized", lambda i: i == 30, fatal=True), pause=0.001)
    with pytest.raises(CallError, match="unauthorized"):
        await play(tmp_path, 500, [Even()], game=refused, concurrency=10)
    [run] = [open_run(path) for path in tmp_path.iterdir()]
    played = {t.case.index for t in run.transcripts()}
    assert set(range(30)) <= played
    assert 30 not in played
    assert run.status == "stopped"
    whole = await play(tmp_path / "whole", 500, [Even()])
    assert rows(await play(tmp_path, 500, [Even()])) == rows(whole)


async def test_a_run_in_which_nothing_works_stops_and_says_how_to_go_on(tmp_path: Path) -> None:
    broken = Asking(before=failing("server_error", lambda i: i > 20))
    with pytest.raises(CallError, match="mend that") as caught:
        await play(tmp_path, 10_000, [Even()], game=broken)
    assert caught.value.__notes__[0].endswith("--retry-failed`.")
    [run] = [open_run(path) for path in tmp_path.iterdir()]
    assert HOPELESS <= sum(t.outcome == "failed" for t in run.transcripts()) < HOPELESS + 200


async def test_a_run_that_plays_failed_cases_again_says_the_same_command(tmp_path: Path) -> None:
    broken = Asking(before=failing("server_error", lambda i: i > 20))
    with pytest.raises(CallError, match="mend that") as caught:
        await play(tmp_path, 10_000, [Even()], game=broken, retry_failed=True)
    assert caught.value.__notes__ == ["What the run has finished is kept; then give the same command again."]


async def test_a_judge_with_a_bug_keeps_its_traceback_and_loses_no_transcript(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip") as caught:
        await play(tmp_path, 400, [Broken()])
    assert "_judge" in {entry.name for entry in caught.traceback}
    [run] = [open_run(path) for path in tmp_path.iterdir()]
    assert len(list(run.transcripts())) > 0
    assert list(run.judgements()) == []
    assert rows(await play(tmp_path, 400, [Even()])) == rows(await play(tmp_path / "whole", 400, [Even()]))


async def test_a_game_with_a_bug_stops_the_run_after_what_is_in_flight(tmp_path: Path) -> None:
    def bug(case: object) -> None:
        if getattr(case, "index", 0) == 25:
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await play(tmp_path, 100, [Even()], game=Asking(before=bug))
    assert rows(await play(tmp_path, 100, [Even()])) == rows(await play(tmp_path / "whole", 100, [Even()]))


async def test_a_slow_judge_slows_the_feed_instead_of_filling_memory(tmp_path: Path) -> None:
    played: list[int] = []
    judge, waiting = Even(pause=0.002), []

    async def watch() -> None:
        while True:
            waiting.append(len(played) - len(judge.seen))
            await asyncio.sleep(0.001)

    watching = asyncio.create_task(watch())
    await play(tmp_path, 4_000, [judge], game=Asking(before=lambda case: played.append(case.index)))
    watching.cancel()
    assert max(waiting) <= 2 * JUDGE_BATCH + 64 + 1


async def test_two_judges_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="even, even"):
        await play(tmp_path, 5, [Even(), Even()])


async def test_two_processes_cannot_run_one_run(tmp_path: Path) -> None:
    run = await play(tmp_path, 5)
    held = run.lock()
    with pytest.raises(StoreError, match=f"{run.id} is being run by another process"):
        await play(tmp_path, 5)
    held.release()
    await play(tmp_path, 5)


async def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"Nothing can be written in .*/file/asking"):
        await play(tmp_path / "file", 5)


async def test_fewer_cases_than_before_do_not_complete_an_unfinished_run(tmp_path: Path) -> None:
    with pytest.raises(CallError):
        await play(tmp_path, 50, game=Asking(before=failing("unauthorized", lambda i: i == 20, fatal=True)))
    run = await play(tmp_path, 10)
    assert (run.status, run.info["cases"]) == ("interrupted", 50)
    assert (await play(tmp_path, 50)).status == "complete"


async def test_hostile_text_survives_the_disk(tmp_path: Path) -> None:
    said = {
        0: "a\x00b",
        1: "lone \ud800 surrogate",
        2: "x" * 1_000_000,
        3: "\u2028\r\n\t\x1b[31m",
        4: "🜁" * 10,
    }
    target = System(scripted(lambda messages, seed: said[int(messages[-1][1].split()[-1])]))
    run = await play(tmp_path, 5, [Even()], game=Asking(target))
    replies = [t.said_by("target")[0].text for t in rows(run)[0]]
    assert replies == [said[0], "lone ? surrogate", said[2], said[3], said[4]]
    assert list(run.frame()["reply"]) == replies


async def test_local_players_play_whole_blocks_and_keep_what_they_had(tmp_path: Path) -> None:
    entered = Rounds.entered
    whole = await play(tmp_path / "whole", 2 * BLOCK + 10, [Even()], game=LocalAsking())
    assert Rounds.entered == entered + 3 * 2  # each block afresh, and its judge
    stopped = LocalAsking(before=failing("unauthorized", lambda i: i == BLOCK + 50, fatal=True))
    with pytest.raises(CallError):
        await play(tmp_path, 2 * BLOCK + 10, [Even()], game=stopped)
    [run] = [open_run(path) for path in tmp_path.glob("asking*")]
    assert len(list(run.transcripts())) == 2 * BLOCK - 1
    played: list[int] = []
    again = LocalAsking(before=lambda case: played.append(case.index))
    assert rows(await play(tmp_path, 2 * BLOCK + 10, [Even()], game=again)) == rows(whole)
    assert played == list(range(BLOCK, 2 * BLOCK + 10))


async def test_a_new_judge_on_local_players_plays_nothing(tmp_path: Path) -> None:
    before = rows(await play(tmp_path, BLOCK + 10, game=LocalAsking()))[0]
    game = LocalAsking(before=failing("played_again", lambda index: True))
    run = await play(tmp_path, BLOCK + 10, [Even()], game=game)
    assert rows(run)[0] == before
    assert len(list(run.judgements())) == BLOCK + 10
