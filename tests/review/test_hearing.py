"""Debates with people without a browser: the journal, the drawing of cases, who may take which seat."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hearing_samples import ROWS, Debater, model_judge, numbered, sitting, tolerant
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.debate import (
    DebateJudge,
    Move,
    Position,
    Said,
    ScriptedJudge,
    debate_table,
    known_protocols,
    protocol,
)
from gadfly.errors import CallError, InputError, StoreError
from gadfly.models import System, model_of
from gadfly.review import Store, listen
from gadfly.review._hearing import Hall, Sitting, hear, make_hearing_queue
from gadfly.review._hearing_journal import Journal, Journalled
from gadfly.review._hearing_people import Answered, Attended, Hearing, PersonJudge, Wanted
from gadfly.review._hearing_view import Seen
from gadfly.review._security import Serving
from gadfly.runs import Cases, Run, Settings, run
from gadfly.transcripts import Case, Judgement, Transcript, Usage
from tiny_models import tiny_model

SAID = Said("It is 1874.", Usage(3, 4), seconds=2.5)


def opened(path: Path, case: str = "case") -> Journal:
    journal = Journal()
    journal.open(path)
    journal.take()
    journal.case = case
    return journal


def move(seed: int = 7) -> Move:
    found = protocol("debate")
    case = Case("case", 0, 0, {**ROWS[0], "swapped": False})
    return Move(Position.opening(found, case), "first", found.steps[0], seed)


class Counted(Debater):
    """A chair that says `SAID`, or fails with what it is made with."""

    def __init__(self, error: CallError | None = None) -> None:
        super().__init__()
        self.error = error

    async def say(self, move: Move) -> Said:
        self.asked.append(str(move.seed))
        if self.error:
            raise self.error
        return SAID


async def fails(wanted: Awaitable[Any]) -> str:
    with pytest.raises(CallError) as caught:
        await wanted
    return caught.value.cause


def test_what_was_said_is_said_again_and_nobody_is_asked(tmp_path: Path) -> None:
    chair = Counted()
    for _ in range(3):
        journalled = Journalled(chair, opened(tmp_path / "j"))
        assert asyncio.run(journalled.say(move())) == SAID
    assert chair.asked == ["7"]
    assert journalled.spec() == chair.spec()


def test_another_try_and_another_case_are_asked_anew(tmp_path: Path) -> None:
    chair = Counted()
    for case, seed in (("a", 1), ("a", 2), ("b", 1), ("a", 1)):
        asyncio.run(Journalled(chair, opened(tmp_path / "j", case)).say(move(seed)))
    assert chair.asked == ["1", "2", "1"]


@pytest.mark.parametrize(("cause", "asked"), [("empty_reply", 1), ("server_error", 2)])
def test_a_fault_of_ones_own_is_kept_and_a_service_that_is_down_is_not(
    tmp_path: Path, cause: str, asked: int
) -> None:
    chair = Counted(CallError("No.", cause))
    for _ in range(2):
        assert asyncio.run(fails(Journalled(chair, opened(tmp_path / "j")).say(move()))) == cause
    assert len(chair.asked) == asked


@settings(max_examples=50)  # files
@given(st.integers(min_value=0, max_value=400), st.text(max_size=20))
def test_a_torn_line_is_as_if_it_had_not_been(tmp_path_factory: Any, cut: int, text: str) -> None:
    path = tmp_path_factory.mktemp("torn") / "j"
    journal = opened(path)
    for seed in range(3):
        journal.put("said", "first", seed, outcome={"text": text})
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    again = opened(path)
    known = [again.get("said", "first", seed) for seed in range(3)]
    assert known == sorted(known, key=lambda row: row is None)
    again.put("said", "first", 9, outcome={"text": "new"})
    assert opened(path).get("said", "first", 9) is not None
    assert sum(row is not None for row in known) == path.read_bytes().count(b"\n") - 1


def test_what_another_process_is_writing_is_read_and_never_cut(tmp_path: Path) -> None:
    first, second = opened(tmp_path / "j"), Journal()
    first.put("said", "first", 1, outcome={"text": "whole"})
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole + b'{"case": "ca')
    second.open(tmp_path / "j")
    assert len(second.all("said")) == 1 and (tmp_path / "j").read_bytes() == whole + b'{"case": "ca'
    (tmp_path / "j").write_bytes(whole)
    first.put("said", "first", 2, outcome={"text": "later"})
    second.take()
    assert len(second.all("said")) == 2


@pytest.mark.parametrize("line", ["not json", '{"case": "x"}', "[1]", "7", "null"])
def test_a_journal_that_is_no_journal_is_refused_with_its_path(tmp_path: Path, line: str) -> None:
    (tmp_path / "j").write_text(f"{line}\n")
    with pytest.raises(StoreError, match="move it away"):
        opened(tmp_path / "j")


def others(count: int) -> list[dict[str, Any]]:
    """So many questions that differ."""
    return [{**ROWS[0], "question": f"{n}: {ROWS[0]['question']}"} for n in range(count)]


def test_everybody_meets_each_question_once_and_the_same_way_every_time(tmp_path: Path) -> None:
    found = sitting(tmp_path, rows=others(80))
    ann, ben = found.cases_of("ann"), found.cases_of("ben")
    assert [case["question"] for case in ann] == [row["question"] for row in found.rows]
    assert ann == found.cases_of("ann") != ben
    assert 20 < sum(case["swapped"] for case in ann) < 60


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seat": "third"}, "no seat 'third'"),
        ({"seat": "first"}, "name it with --judge"),
        ({"rows": ()}, "no question"),
        (
            {"protocol": protocol("cross_examination"), "seat": "first", "judge": model_judge()},
            "no person can",
        ),
        (
            {"protocol": protocol("cross_examination"), "seat": "first_copy", "judge": model_judge()},
            "no seat 'first_copy' for a person",
        ),
    ],
)
def test_what_cannot_be_heard_is_said_before_the_page_opens(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        sitting(tmp_path, **changes)


class Sat:
    """A person who answers whatever they are asked at once, through all of a case."""

    GIVES = Answered("Why?", p=0.7, confidence=0.5, seconds=1.0)

    def __init__(self, found: Sitting) -> None:
        self.hearing, game = found.hearing("ann")
        self.wanted: list[str] = []
        [first, *_] = Cases.of(game, found.cases_of("ann"), 0)
        self.transcript = asyncio.run(self.plays(game, first))

    async def plays(self, game: Attended, case: Case) -> Transcript:
        playing = asyncio.create_task(game.play(case))
        while not playing.done():
            wanted = self.hearing.wanted
            if wanted is not None and not wanted.answer.done():
                self.wanted.append(wanted.kind)
                await self.hearing.give(wanted, self.GIVES)
            await asyncio.sleep(0)
        return playing.result()


@pytest.mark.parametrize("name", known_protocols())
def test_a_person_can_judge_by_every_protocol_that_ships(tmp_path: Path, name: str) -> None:
    sat = Sat(sitting(tmp_path, protocol=tolerant(name)))
    assert sat.transcript.outcome == "completed"
    assert sat.transcript.metadata["verdict"]["p"] == 0.7
    assert (sat.wanted[0], sat.wanted[-1]) == ("begin", "verdict")
    assert not any(getattr(entry, "private", False) for entry in sat.hearing.entries)


@pytest.mark.parametrize(("seat", "told"), [("prover", True), ("estimator", False)])
def test_what_an_estimate_earns_does_not_tell_which_answer_is_right(
    tmp_path: Path, seat: str, told: bool
) -> None:
    class Estimating(Sat):
        GIVES = Answered("80%, as it says.", seconds=1.0)

    sat = Estimating(
        sitting(tmp_path, protocol=tolerant("prover_estimator"), seat=seat, judge=model_judge("A"))
    )
    sat.hearing.judgement = Judgement("c", "judge:m", 0.3, metadata={"p": 0.7})
    assert ("You earn" in Seen(sat.hearing).ending) == told
    assert "You earn" in Seen(sat.hearing, reveal=True).ending


def test_a_page_without_scripts_waits_for_the_verdict(tmp_path: Path) -> None:
    sat = Sat(sitting(tmp_path, protocol=tolerant("debate"), seat="first", judge=model_judge("A")))
    hearing = sat.hearing
    hearing.wanted = None
    assert Seen(hearing).waits
    hearing.judgement = Judgement("c", "judge:m", 0.3, metadata={"p": 0.7})
    assert "judge decides for A" in Seen(hearing).ending


def test_two_who_poll_the_judge_at_once_ask_once_and_the_judge_hears_of_neither(tmp_path: Path) -> None:
    class Polling(Debater):
        async def say(self, move: Move) -> Said:
            return Said("1") if move.step.does == "poll" else await super().say(move)

    sat = Sat(sitting(tmp_path, Polling(), protocol=tolerant("polling_debate")))
    polls = [one for one in sat.transcript.metadata["moves"] if one["does"] == "poll"]
    steps = {one["step"] for one in polls}
    assert len(polls) == 2 * len(steps) > 0
    assert sat.wanted.count("lean") == len(steps)
    assert not any(getattr(entry, "does", "") == "poll" for entry in sat.hearing.entries)


async def told(hearing: Hearing, game: Attended, case: Case, *gives: str) -> str:
    """What stands in the box of a person who has given this, when the server goes down."""
    playing = asyncio.create_task(game.play(case))
    for text in gives:
        while hearing.wanted is None or hearing.wanted.answer.done():
            await asyncio.sleep(0)
        await hearing.give(hearing.wanted, Answered(text))
    await asyncio.sleep(0.05)
    assert hearing.wanted is not None and hearing.wanted.move is not None
    playing.cancel()
    return hearing.wanted.move.tried


def test_what_was_refused_is_in_the_box_again_after_a_restart(tmp_path: Path) -> None:
    found = sitting(tmp_path, protocol=protocol("debate"), seat="first", judge=ScriptedJudge())
    for gives in (("", "so " * 200), ()):
        hearing, game = found.hearing("ann")
        [case, *_] = Cases.of(game, found.cases_of("ann"), 0)
        assert asyncio.run(told(hearing, game, case, *gives)) == "so " * 200


def test_two_peoples_runs_differ_and_name_them(tmp_path: Path) -> None:
    found = sitting(tmp_path)
    specs = [found.hearing(name)[1].spec()["judge"] for name in ("ann", "ben")]
    assert specs == [{"person": "ann"}, {"person": "ben"}]
    assert len(list((tmp_path / "runs").iterdir())) == 2


async def heard(found: Sitting, name: str, text: str = "Why?") -> Run:
    """A person's whole run, who answers whatever they are asked at once."""
    hearing, game = found.hearing(name)
    settings = Settings(found.output, concurrency=1, progress=False)
    playing = asyncio.create_task(run(game, found.cases_of(name), found.judges(), settings=settings))
    while not playing.done():
        if hearing.wanted is not None and not hearing.wanted.answer.done():
            await hearing.give(hearing.wanted, replace(Sat.GIVES, text=text))
        await asyncio.sleep(0)
    return playing.result()


def test_what_two_people_decided_is_told_under_their_names_and_together(tmp_path: Path) -> None:
    found = sitting(tmp_path, protocol=tolerant())
    table = debate_table([asyncio.run(heard(found, name)) for name in ("ann", "ben")])
    names = ["interactive_debate", "interactive_debate (ann)", "interactive_debate (ben)"]
    assert (table.judge, [line.name for line in table.lines]) == ("ann and ben", names)
    assert [line.cases for line in table.lines] == [4, 2, 2]
    assert table.lines[0].leaning.listed_first is not None


def test_a_consultants_debates_before_a_model_of_this_machine_come_one_after_the_other(
    tmp_path: Path,
) -> None:
    judge = DebateJudge.of(System(model_of(tiny_model(chat=True))))
    found = sitting(
        tmp_path, protocol=tolerant("consultancy"), seat="consultant", judge=judge, rows=others(4)
    )
    made = asyncio.run(asyncio.wait_for(heard(found, "ann"), 60))
    assert (made.status, len(list(made.judgements(judge.name)))) == ("complete", 4)


class Down(Debater):
    """A debater whose service is down from the second round on."""

    async def say(self, move: Move) -> Said:
        if move.number >= 2:
            raise CallError("It is down.", "server_error")
        return await super().say(move)


def test_the_right_answer_of_a_debate_that_may_be_played_again_is_not_told(tmp_path: Path) -> None:
    sat = Sat(sitting(tmp_path, Down(), protocol=tolerant("debate"), reveal=True))
    seen = Seen(sat.hearing, reveal=True)
    assert "could not be finished" in seen.ending and seen.revealed == ""


def test_one_who_argues_for_nothing_is_told_that_words_are_cut(tmp_path: Path) -> None:
    found = sitting(tmp_path, protocol=protocol("debate_red_team"), seat="red_team", judge=ScriptedJudge())
    sat = Sat(found)
    assert not Seen(sat.hearing).may_lose
    assert Seen(Sat(replace(found, seat="first", output=tmp_path / "other")).hearing).may_lose


class Looked(Sat):
    """A person of whom it is kept what the page says of the words they may use."""

    GIVES = Answered("It is as I say.", p=0.7, confidence=0.5, seconds=1.0)

    async def plays(self, game: Attended, case: Case) -> Transcript:
        self.told = set[str]()
        playing = asyncio.create_task(game.play(case))
        while not playing.done():
            wanted = self.hearing.wanted
            if wanted is not None and not wanted.answer.done():
                self.told |= {Seen(self.hearing).beyond}
                await self.hearing.give(wanted, self.GIVES)
            await asyncio.sleep(0)
        return playing.result()


@pytest.mark.parametrize(
    ("name", "seat", "loses", "told", "start"),
    [
        ("debate", "first", ("overran",), "more than 90 loses", "Whoever goes on for more than 1.5 times"),
        ("debate", "first", ("stopped",), "more than 90 is noted", "Whoever says nothing has lost."),
        ("debate", "first", (), "more than 90 is noted", ""),
        ("debate_red_team", "red_team", ("overran",), "what is beyond 90 is cut", ""),
        ("debate_red_team", "red_team", (), "more than 90 is noted", ""),
        ("interactive_debate", "judge", (), "what is beyond 60 is cut", ""),
    ],
)
def test_a_person_is_told_what_too_many_words_cost_by_this_protocols_rules(
    tmp_path: Path, name: str, seat: str, loses: tuple[str, ...], told: str, start: str
) -> None:
    judge = None if seat == "judge" else ScriptedJudge()
    found = sitting(tmp_path, protocol=tolerant(name, *loses), seat=seat, judge=judge)
    assert Looked(found).told == {"", told}
    assert found.rules.startswith(start) and bool(found.rules) == bool(start)


def hall(found: Sitting, *invited: str) -> Hall:
    store = Store(f"sqlite:///{found.output.parent / 'people.db'}")
    make_hearing_queue(store, "debates")
    return Hall(store, "debates", found, Serving(), invited)


def test_who_is_invited_has_debates_before_there_is_a_link(tmp_path: Path) -> None:
    opened = hall(sitting(tmp_path), "ben", "ann")
    assert list(opened.hearings) == ["ben", "ann"]
    assert opened.store.raters("debates") == []


def test_it_is_said_whose_debates_begin_anew_because_something_changed(tmp_path: Path) -> None:
    found = sitting(tmp_path, protocol=tolerant())
    before = asyncio.run(heard(replace(found, rows=ROWS[:1]), "ann", ""))
    assert hall(found, "ann", "ben").elsewhere() == {"ann": before.path}
    assert hall(replace(found, rows=ROWS[:1]), "ann", "ben").elsewhere() == {}
    assert hall(replace(found, protocol=tolerant("debate")), "ann").elsewhere() == {}


def test_what_ends_the_server_is_raised_and_no_address_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("no more sockets")

    monkeypatch.setattr("uvicorn.Server.run", broken)
    told = list[str]()
    with listen("127.0.0.1", 0) as listener, pytest.raises(OSError, match="no more sockets"):
        hear(hall(sitting(tmp_path)), listener, told.append)
    assert told == []


def test_the_time_of_who_has_no_question_counts_and_reading_ones_own_does_not(tmp_path: Path) -> None:
    silent = sitting(tmp_path, protocol=tolerant(), rows=ROWS[:1])
    asks = replace(silent, output=tmp_path / "asks")
    none, some = (
        asyncio.run(heard(one, "ann", text)) for one, text in ((silent, ""), (asks, "Why is it so?"))
    )
    quiet, curious = (debate_table([one]).lines[0].effort for one in (none, some))
    leans_asks_and_verdict = 5.0
    for effort in (quiet, curious):
        assert effort.seconds is not None and effort.seconds.point == leans_asks_and_verdict
        assert effort.read.point == effort.words.point
    assert (quiet.questions.point, curious.questions.point) == (0, 2)


@pytest.mark.parametrize("text", ["", "Why is it so?"])
def test_a_time_of_which_a_part_is_not_known_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    said = PersonJudge.say

    async def untimed(self: PersonJudge, move: Move) -> Said:
        return replace(await said(self, move), seconds=None)

    monkeypatch.setattr(PersonJudge, "say", untimed)
    made = asyncio.run(heard(sitting(tmp_path, protocol=tolerant(), rows=ROWS[:1]), "ann", text))
    assert debate_table([made]).lines[0].effort.seconds is None


class Mute(Debater):
    """Its calls come to nothing, and are paid for."""

    async def say(self, move: Move) -> Said:
        raise CallError("It said nothing.", "empty_reply", usage=Usage(1_000, 500))


def test_what_a_fault_took_is_counted_on_the_page_too(tmp_path: Path) -> None:
    transcript = Sat(sitting(tmp_path, Mute(), protocol=protocol("debate"))).transcript
    tries = protocol("debate").rules.tries
    assert transcript.usage["first"] == Usage(1_000 * tries, 500 * tries)


def test_a_question_with_several_wrong_answers_is_met_once(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "answers": [ROWS[0]["answers"][0], wrong]} for wrong in ("1901", "1799", "1850")]
    found = sitting(tmp_path, rows=[*rows, ROWS[1]])
    assert [case["of"] for case in found.cases_of("ann")] == [0, 3]
    assert found.hearing("ann")[0].count == 2
    assert len({found.cases_of(f"person-{n}")[0]["answers"][1] for n in range(20)}) == 3


def test_what_cannot_be_kept_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hearing, game = sitting(tmp_path).hearing("ann")
    [case, *_] = Cases.of(game, sitting(tmp_path / "other").cases_of("ann"), 0)

    async def gives() -> None:
        playing = asyncio.create_task(game.play(case))
        while hearing.wanted is None:
            await asyncio.sleep(0)
        monkeypatch.setattr("os.write", full)
        with pytest.raises(StoreError, match="cannot be written"):
            await hearing.give(hearing.wanted, Answered("Why?"))
        assert not hearing.wanted.answer.done()
        monkeypatch.undo()
        await hearing.give(hearing.wanted, Answered("Why?"))
        playing.cancel()

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    asyncio.run(gives())


async def asked(hearing: Hearing, kind: str) -> Wanted:
    """What the page asks for, once it is this."""
    async with asyncio.timeout(10):
        while hearing.wanted is None or (hearing.wanted.kind, hearing.panel) != (kind, hearing.wanted.key):
            await asyncio.sleep(0.005)
    return hearing.wanted


async def gave(hearing: Hearing, kind: str, **answer: Any) -> None:
    """Answer, once this is asked for."""
    await hearing.give(await asked(hearing, kind), Answered(seconds=1.0, **answer))


class Once(Debater):
    """Is down the first time it is asked."""

    async def say(self, move: Move) -> Said:
        if not self.asked:
            self.asked.append("")
            raise CallError("It is down.", "server_error")
        return await super().say(move)


def test_the_end_of_a_debate_that_is_played_again_stays_though_the_next_had_begun(tmp_path: Path) -> None:
    made = hall(sitting(tmp_path, Once(numbered), protocol=tolerant("debate")), "ann")

    async def fails_and_goes_on() -> None:
        async with made.under_way():
            await gave(made.hearings["ann"], "begin")
            await gave(made.hearings["ann"], "begin")
            await asked(made.hearings["ann"], "verdict")

    async def comes_back() -> None:
        again = Hall(made.store, "debates", made.sitting, Serving(), ["ann"])
        ann = again.hearings["ann"]
        async with again.under_way():
            await gave(ann, "verdict", p=0.8, confidence=0.5)
            assert (await asked(ann, "begin")).key == "begin-1-1"
            assert ann.place == "0" and ann.transcript is not None
            await gave(ann, "begin")
            await asked(ann, "verdict")
            assert ann.place == "1"

    asyncio.run(fails_and_goes_on())
    asyncio.run(comes_back())


def test_what_was_said_while_a_page_waited_for_the_run_is_known_to_it(tmp_path: Path) -> None:
    found = sitting(tmp_path, Debater(numbered), protocol=tolerant("debate"))
    first = hall(found, "ann")

    async def both() -> None:
        async with first.under_way():
            await gave(first.hearings["ann"], "begin")
            second = Hall(first.store, "debates", found, Serving(), ["ann"])
            await gave(first.hearings["ann"], "verdict", p=0.9, confidence=0.5)
        async with second.under_way():
            assert (await asked(second.hearings["ann"], "begin")).key == "begin-1"
            assert second.hearings["ann"].done == 1

    asyncio.run(both())


def test_a_debate_that_failed_is_not_counted_as_done(tmp_path: Path) -> None:
    assert Sat(sitting(tmp_path, Down(), protocol=tolerant("debate"))).hearing.done == 0
    hearing = Sat(sitting(tmp_path, protocol=tolerant("debate"))).hearing
    assert (hearing.done, hearing.count) == (1, 2)
    assert sitting(tmp_path, protocol=tolerant("debate")).hearing("ann")[0].done == 1
