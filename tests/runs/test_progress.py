"""What a person sees of a run: a bar on a terminal, a line now and then elsewhere, nothing when asked."""

import io
import re
from itertools import chain, repeat
from pathlib import Path

import pytest
from rich.console import Console
from runs_fakes import Asking, Even, failing, play, rows

from gadfly.runs._progress import Aside, Tally
from gadfly.runs._recovery import Done, recover
from gadfly.transcripts import Case, Judgement, Transcript, Usage


def shown(*, terminal: bool, is_shown: bool = True, every_s: float = 0.0) -> str:
    cases = 30
    console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
    with Tally("asking", cases, {"even": 0.5}, console, is_shown, every_s) as tally:
        for index in range(cases):
            case = Case(str(index), index, index)
            outcome = "failed" if index % 10 == 0 else "completed"
            tally.played(Transcript(case, (), outcome, usage={"target": Usage(cost=0.5)}))
            tally.judged([Judgement(case.id, "even", 1.0), Judgement.missing(case.id, "even", "no_parse")])
            tally.judged([Judgement.missing(case.id, "even", "not_valid"), Judgement(case.id, "other", 1.0)])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_counts_money_and_time_left() -> None:
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown(terminal=True))
    for part in ("30/30", "30 flagged", "3 failed", "30 missing", "$15.00", "/s", "0:00:00"):
        assert part in text


def test_elsewhere_a_line_comes_now_and_then_and_one_at_the_end() -> None:
    [last] = shown(terminal=False, every_s=60.0).splitlines()
    assert last.startswith("asking 30/30 ")
    assert "\x1b" not in last
    assert len(shown(terminal=False).splitlines()) == 31


def test_tokens_are_shown_while_no_case_has_finished() -> None:
    console = Console(file=io.StringIO(), width=200)
    with Tally("asking", 5, {}, console, every_s=0.0) as tally:
        tally.sampling(1234)
    assert isinstance(console.file, io.StringIO)
    assert "asking 0/5 1,234 tokens sampled" in console.file.getvalue()


def test_within_a_block_tokens_stand_for_the_cases_they_will_become() -> None:
    with Tally("asking", 10, {}, shown=False) as tally:
        tally.sampling(700)
        assert tally.progress == 0  # how many tokens a case takes is not known yet
        for index in range(5):
            usage = {"target": Usage(output_tokens=100)}
            tally.played(Transcript(Case(str(index), index, index), (), usage=usage))
        assert (tally.done, tally.progress) == (5, 7)
        tally.sampling(750)
        assert (tally.done, tally.progress) == (5, 7.5)


def test_nothing_is_said_of_the_time_left_where_what_is_begun_takes_longer_than_what_finished() -> None:
    console = Console(file=io.StringIO(), width=200)
    with Tally("debate", 3, {}, console, every_s=0.0) as tally:
        tally.played(Transcript(Case("0", 0, 0), (), usage={"target": Usage(output_tokens=100)}))
        tally.sampling(10_000)
        assert tally.progress == 3
    assert isinstance(console.file, io.StringIO)
    assert "left" not in console.file.getvalue().splitlines()[-1]


def test_what_takes_minutes_a_case_says_how_many_an_hour_and_how_long_the_rest_takes() -> None:
    clock = chain([0.0], repeat(1800.0))
    console = Console(file=io.StringIO(), width=200)
    with Tally("debate", 40, {}, console, clock=lambda: next(clock)) as tally:
        for index in range(8):
            tally.played(Transcript(Case(str(index), index, index), ()))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines()[-1] == "debate 8/40 16.0/h · 2:00:00 left"


def test_how_fast_it_goes_is_said_once_one_case_was_done_in_this_session() -> None:
    clock = chain([0.0], repeat(60.0))
    console = Console(file=io.StringIO(), width=200)
    tally = Tally("debate", 10, {}, console, every_s=0.0, clock=lambda: next(clock), done=4, tokens=400)
    with tally:
        tally.sampling(2)
        tally.sampling(200)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines()[:2] == [
        "debate 4/10 2 tokens sampled",
        "debate 4/10 2.0/min · 200 tokens sampled · 0:02:00 left",
    ]


@pytest.mark.parametrize(
    "error", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left on device")]
)
@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_that_nobody_can_watch_any_more_goes_on(error: OSError, terminal: bool) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise error

    console = Aside(file=Gone(), force_terminal=terminal)
    with Tally("asking", 5, {}, console, every_s=0.0) as tally:
        tally.sampling(1234)
        tally.played(Transcript(Case("0", 0, 0), ()))
    assert tally.done == 1 and console.quiet


def test_a_run_asked_to_be_quiet_is() -> None:
    assert shown(terminal=True, is_shown=False) == shown(terminal=False, is_shown=False) == ""


@pytest.mark.anyio
async def test_a_resumed_run_counts_what_it_already_has(tmp_path: Path) -> None:
    game = Asking(before=failing("timeout", lambda i: i == 3))
    run = await play(tmp_path, 40, [Even()], game=game)
    tally = Tally("asking", 40, {"even": 0.5})
    done = Done.nothing(40, ["even"])
    recover(run.transcript_table, run.judgement_table, done, 40, tally)
    _, judgements = rows(run)
    assert done.all()
    assert (tally.done, tally.failed, tally.cost) == (40, 1, pytest.approx(0.039))
    assert tally.flagged == sum(j.score == 1.0 for j in judgements)
    assert tally.missing == sum(j.cause == "no_parse" for j in judgements)


def test_of_a_judge_between_two_answers_verdicts_are_wrong_and_ties_are_not():
    console = Console(file=io.StringIO(), width=100)
    with Tally("debate", 3, {"judge": 0.5}, console, every_s=0.0, between_two=True) as tally:
        tally.judged([Judgement(str(n), "judge", score) for n, score in enumerate((0.9, 0.5, 0.1))])
    assert "1 wrong" in console.file.getvalue() and "flagged" not in console.file.getvalue()
