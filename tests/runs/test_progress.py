"""What a person sees of a run: a bar on a terminal, a line now and then elsewhere, nothing when asked."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from runs_fakes import Asking, Even, failing, play, rows

from gadfly.runs._progress import Tally
from gadfly.runs._recovery import recover
from gadfly.transcripts import Case, Judgement, Transcript, Usage


def shown(*, terminal: bool, is_shown: bool = True, every_s: float = 0.0) -> str:
    cases = 30
    console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
    with Tally("asking", cases, {"even": 0.5}, console, is_shown, every_s) as tally:
        for index in range(cases):
            case = Case(str(index), index, index)
            outcome = "failed" if index % 10 == 0 else "completed"
            tally.played(Transcript(case, (), outcome, usage={"target": Usage(cost=0.5)}))
            tally.judged([Judgement(case.id, "even", 1.0), Judgement.missing(case.id, "odd", "no_parse")])
            tally.judged([Judgement.missing(case.id, "third", "not_valid")])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_counts_money_and_time_left() -> None:
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown(terminal=True))
    for part in ("30/30", "30 flagged", "3 failed", "30 missing", "$15.00", "/s", "0:00:00"):
        assert part in text


def test_elsewhere_a_line_comes_now_and_then() -> None:
    assert shown(terminal=False, every_s=60.0) == ""
    lines = shown(terminal=False).splitlines()
    assert len(lines) == 30
    assert lines[-1].startswith("asking 30/30 ")
    assert "\x1b" not in lines[-1]


def test_a_run_asked_to_be_quiet_is() -> None:
    assert shown(terminal=True, is_shown=False) == shown(terminal=False, is_shown=False) == ""


@pytest.mark.anyio
async def test_a_resumed_run_counts_what_it_already_has(tmp_path: Path) -> None:
    game = Asking(before=failing("timeout", lambda i: i == 3))
    run = await play(tmp_path, 40, [Even()], game=game)
    tally = Tally("asking", 40, {"even": 0.5})
    done = recover(run.transcript_table, run.judgement_table, ["even"], tally)
    _, judgements = rows(run)
    assert done.all()
    assert (tally.done, tally.failed, tally.cost) == (40, 1, pytest.approx(0.039))
    assert tally.flagged == sum(j.score == 1.0 for j in judgements)
    assert tally.missing == sum(j.cause == "no_parse" for j in judgements)
