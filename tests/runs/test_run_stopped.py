"""A run stopped from outside, in a process of its own: Ctrl-C, a full disk, `kill -9`."""

import asyncio
import signal
from pathlib import Path

import pytest
from runs_fakes import Even, play, rows, script

from gadfly.runs import Run, open_run

pytestmark = pytest.mark.anyio

SLOW = """
    import asyncio, sys
    from pathlib import Path
    from runs_fakes import Asking, Even, play

    async def main():
        print("begun", flush=True)
        game = Asking(pause=float(sys.argv[3]))
        return await play(Path(sys.argv[1]), int(sys.argv[2]), [Even()], game=game)

    sys.exit(0 if asyncio.run(main()).status == "complete" else 130)
"""

FULL = """
    import asyncio, resource, sys
    from pathlib import Path
    from gadfly.errors import StoreError
    from runs_fakes import Even, play

    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    try:
        asyncio.run(play(Path(sys.argv[1]), 500, [Even()]))
    except StoreError as error:
        sys.exit(str(error))
"""


async def some_rows(directory: Path, more_than: int = 0) -> None:
    """Return once the run under way in `directory` has put that many cases on disk."""
    while True:
        await asyncio.sleep(0.01)
        for path in directory.glob("asking*/run.json"):
            if sum(1 for _ in Run(path.parent, {}).transcripts()) > more_than:
                return


async def whole(tmp_path: Path, cases: int) -> object:
    return rows(await play(tmp_path / "whole", cases, [Even()]))


async def test_ctrl_c_finishes_what_is_in_flight_and_says_how_to_resume(tmp_path: Path) -> None:
    process = script(SLOW, tmp_path / "run", 5_000, 0.01)
    await some_rows(tmp_path / "run")
    process.interrupt()
    ended, said = process.ended()
    [run] = [open_run(path) for path in (tmp_path / "run").iterdir()]
    transcripts, judgements = rows(run)
    assert (ended, run.status) == (130, "interrupted"), said
    assert f"gadfly resume {run.path}" in said
    assert "Traceback" not in said
    assert 0 < len(transcripts) == len(judgements) < 5_000


async def test_a_second_ctrl_c_drops_what_is_in_flight_and_no_finished_case(tmp_path: Path) -> None:
    process = script(SLOW, tmp_path / "run", 300, 600.0)
    await some_rows(tmp_path / "run", more_than=10)
    process.interrupt()
    while "Ctrl-C again" not in process.out.readline():
        pass
    process.interrupt()
    ended, _ = process.ended()
    [run] = [open_run(path) for path in (tmp_path / "run").iterdir()]
    assert ended in (130, -signal.SIGINT)
    assert run.status == "interrupted"
    assert len(list(run.transcripts())) > 10
    assert rows(await play(tmp_path / "run", 300, [Even()])) == await whole(tmp_path, 300)


async def test_a_full_disk_is_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    _, said = script(FULL, tmp_path / "run").ended()
    [run] = [open_run(path) for path in (tmp_path / "run").iterdir()]
    kept = rows(run)[0]
    assert said.startswith(
        f"The disk is full: {run.path}/transcripts. Every finished case is kept. Free some"
    )
    assert f"`gadfly resume {run.id}`" in said
    assert len(kept) > 50
    again = rows(await play(tmp_path / "run", 500, [Even()]))
    assert [transcript for transcript in again[0] if transcript in kept] == kept
    assert again == await whole(tmp_path, 500)


async def test_killed_runs_resume_to_the_rows_of_an_uninterrupted_one(tmp_path: Path) -> None:
    for kill in range(3):
        process = script(SLOW, tmp_path / "run", 400, 0.03)
        await some_rows(tmp_path / "run", more_than=90 * kill)
        process.kill()
    assert open_run(next((tmp_path / "run").iterdir())).status == "interrupted"
    assert rows(await play(tmp_path / "run", 400, [Even()])) == await whole(tmp_path, 400)
