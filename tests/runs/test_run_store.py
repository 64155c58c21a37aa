"""A run on disk: found by name, asked in SQL, and honest about what is damaged."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from runs_fakes import Asking, Even, failing, play, rows

from gadfly.errors import InputError, StoreError, UnknownNameError
from gadfly.runs import Run, all_runs, open_run, provenance

pytestmark = pytest.mark.anyio


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("GADFLY_RUNS", str(tmp_path))
    return await play(tmp_path, 50, [Even()], game=Asking(before=failing("timeout", lambda i: i == 7)))


async def test_a_run_is_found_by_path_id_or_the_start_of_its_id(run: Run) -> None:
    for name in (run.path, run.id, run.id[:-3]):
        assert open_run(name).info == run.info


async def test_an_unknown_run_names_the_nearest(run: Run) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean '{run.id}'"):
        open_run(run.id.replace("asking", "azking"))


async def test_a_start_that_fits_two_runs_names_both(run: Run) -> None:
    other = await play(run.path.parent, 1, seed=5)
    with pytest.raises(InputError, match=f"could be .*{other.id}"):
        open_run("asking")


async def test_a_run_written_by_a_newer_version_says_upgrade(run: Run) -> None:
    run.save(format=99)
    with pytest.raises(StoreError, match=r"format 99; this one reads up to 1\. Upgrade"):
        open_run(run.path)
    with pytest.raises(StoreError, match="Upgrade"):
        await play(run.path.parent, 50)


@pytest.mark.parametrize("content", ['{"format": 1', "[]", "{}", "\x00"])
async def test_an_unreadable_run_json_is_named_and_hides_no_other_run(run: Run, content: str) -> None:
    other = await play(run.path.parent, 1, seed=5)
    (run.path / "run.json").write_text(content)
    with pytest.raises(StoreError, match=r"run\.json cannot be read as a run"):
        open_run(run.path)
    assert [found.id for found in all_runs()] == [other.id]


async def test_run_json_is_replaced_whole_or_not_at_all(run: Run) -> None:
    (run.path / "run.json.tmp").write_text('{"torn')
    assert open_run(run.path).info == run.info
    assert run.save(note="x").info == json.loads((run.path / "run.json").read_text())


async def test_a_run_that_was_cut_short_stays_so_when_something_is_noted(run: Run) -> None:
    assert replace(run, cut=True).save(note="x").cut


async def test_run_json_says_where_the_rows_came_from(run: Run) -> None:
    info = open_run(run.path).info
    assert info["players"]["target"]["model"] == "scripted/model"
    assert (info["seed"], info["cases"], info["reproducible"]) == (0, 50, True)
    assert {"versions", "git", "command", "spec", "started", "wall_s"} <= set(info)


async def test_a_git_that_does_not_answer_keeps_no_run_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(command: list[str], **_: object) -> object:
        raise subprocess.TimeoutExpired(command, 10)

    monkeypatch.setattr(subprocess, "run", slow)
    assert provenance()["git"] == {"commit": "", "changed": False}


async def test_a_run_whose_process_is_gone_counts_as_interrupted(run: Run) -> None:
    left = run.save(status="running")
    assert left.status == "interrupted"
    held = left.lock()
    assert left.status == "running"
    held.release()


async def test_frame_has_one_row_per_case_and_judge(run: Run) -> None:
    frame = run.frame()
    assert list(frame["index"]) == list(range(50))
    assert frame.loc[7, "cause"] == "timeout"
    assert frame.loc[7, "missing"] == "not_valid"
    assert frame.loc[3, "reply"].startswith(frame.loc[3, "question"])


async def test_sql_counts_what_is_sealed_and_what_is_not(run: Run) -> None:
    table = run.transcript_table
    table.recover()
    [sealed] = [batch.to_pylist() for batch in table.batches()]
    table.append([sealed[0] | {"index": 50}])
    counted = run.sql("select count(*) as n, sum(usage[1].cost) as cost from transcripts")
    assert counted["n"][0] == 51
    assert counted["cost"][0] == pytest.approx(0.05)


@pytest.mark.parametrize("query", ["select nothing from nowhere", "selec", "", "select cast('x' as int)"])
async def test_a_wrong_query_is_the_users_to_mend(run: Run, query: str) -> None:
    with pytest.raises(InputError, match="query"):
        run.sql(query)


async def test_transcripts_come_with_their_judgements_by_index(run: Run) -> None:
    await play(run.path.parent, 50, [Even(name="second")])
    pairs = list(run.judged())
    assert [t.case.index for t, _ in pairs] == list(range(50))
    assert all({j.judge for j in js} == {"even", "second"} for _, js in pairs)
    assert all(j.case_id == t.case.id for t, js in pairs for j in js)


async def test_transcripts_without_judgements_are_judged_by_nobody(tmp_path: Path) -> None:
    run = await play(tmp_path, 3)
    assert [judgements for _, judgements in run.judged()] == [[], [], []]


async def damage(run: Run, table: str) -> Path:
    [part] = (run.path / table).glob("*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    for read in (run.frame, lambda: rows(run), lambda: list(run.judged())):
        with pytest.raises(StoreError, match=f"{part.name} is corrupt"):
            read()
    with pytest.raises(StoreError, match=f"{part.name} is corrupt"):
        await play(run.path.parent, 50, [Even()])
    return part


async def test_without_its_corrupt_transcripts_only_their_cases_are_made_again(tmp_path: Path) -> None:
    first = await play(tmp_path, 20, [Even()])
    part = await damage(first, "transcripts")
    part.rename(part.with_suffix(".bad"))
    judge = Even()
    run = await play(tmp_path, 50, [judge])
    assert rows(run) == rows(await play(tmp_path / "whole", 50, [Even()]))
    assert len(judge.seen) == 50


async def test_without_its_corrupt_judgements_cases_are_only_judged_again(tmp_path: Path) -> None:
    before = rows(await play(tmp_path, 50, [Even()]))
    part = await damage(open_run(next(tmp_path.glob("asking*"))), "judgements")
    part.unlink()
    game = Asking(before=failing("played_again", lambda index: True))
    assert rows(await play(tmp_path, 50, [Even()], game=game)) == before


async def test_a_judgement_of_a_lost_transcript_is_not_kept_for_its_replay(tmp_path: Path) -> None:
    run = await play(tmp_path, 50, [Even()])
    for part in (run.path / "transcripts").glob("*.parquet"):
        part.unlink()
    again = await play(tmp_path, 10, [Even()])
    transcripts, judgements = rows(again)
    known = {t.case.id for t in transcripts}
    assert len(known) == 10
    assert [j.case_id for j in judgements if j.case_id in known] == sorted(known)
