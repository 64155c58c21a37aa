"""Protocols are data: those that ship are sound, and a file that is not says where and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from debate_fakes import played, seated

from gadfly.debate import known_protocols, protocol, protocol_text
from gadfly.errors import InputError, UnknownNameError

DEBATE = """\
about: Two sides.
seats:
  first: {title: Debater, side: first}
  second: {title: Debater, side: second}
rounds: 1
round:
  - {who: [first, second], words: 30, told: "Argue for {mine}."}
"""


def broken(tmp_path: Path, old: str, new: str) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(DEBATE.replace(old, new))
    with pytest.raises(InputError) as caught:
        protocol(file)
    return str(caught.value)


@pytest.mark.parametrize("name", known_protocols())
def test_every_protocol_that_ships_can_be_played_both_ways_round(name: str) -> None:
    game = seated(protocol(name))
    for turn in (0, 1):
        transcript = played(game, turn=turn)
        assert transcript.outcome == "completed" and not transcript.metadata["lost"]
        assert len(transcript.turns) > len(game.protocol.seats)


def test_all_the_kinds_of_protocol_that_are_known_ship() -> None:
    asked = {
        "naive",
        "expert",
        "consultancy",
        "double_consultancy",
        "open_consultancy",
        "open_debate",
        "debate",
    }
    assert asked | {"interactive_debate", "cross_examination", "self_critique", "prover_estimator"} <= set(
        known_protocols()
    )


def test_a_file_of_ones_own_is_a_protocol(tmp_path: Path) -> None:
    file = tmp_path / "short_debate.yaml"
    file.write_text(DEBATE)
    assert (protocol(file).name, len(protocol(file).steps)) == ("short_debate", 1)


def test_no_file_of_ones_own_takes_the_name_of_the_judge_alone(tmp_path: Path) -> None:
    file = tmp_path / "naive.yaml"
    for text in (DEBATE, "about: It sees all.\ndocument: true\n"):
        file.write_text(text)
        with pytest.raises(InputError, match="rename the file"):
            protocol(file)


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'debate'"):
        protocol("debat")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("who: [first, second]", "who: [first, secnd]", "line 7: there is no seat 'secnd'"),
        ("words: 30", "wrods: 30", "Did you mean 'words'"),
        ("rounds: 1\n", "", "say how often"),
        ("{mine}", "{mien}", "nothing fills {mien}"),
        ("side: second", "side: other", "none chooses one"),
        ("side: second", "side: first", "nobody argues for the answer listed second"),
        ("words: 30", "words: 0", "greater than or equal to 1"),
        ("side: second}", "side: second, hears: statement}", "say whose"),
        ("words: 30", "does: lean", "only the judge leans"),
        ("words: 30", "does: ask", "say to whom"),
        ("words: 30", "does: answer", "nobody asks seat 'first' anything"),
        ("who: [first, second]", "who: [first, first]", "seat 'first' cannot do it twice at once"),
        ("side: second}", "side: second, copy_of: second}", "copies have none"),
        ("side: second}", "side: second, copy_of: third}", "copies have none"),
        (
            "side: second}",
            "side: second, copy_of: first}",
            "a copy argues for what its original does, or for nothing: side: first",
        ),
    ],
)
def test_a_file_that_cannot_be_played_says_where_and_why(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said in broken(tmp_path, old, new)


UNTOLD = {side: {"title": "Debater", "side": side} for side in ("first", "second")}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"round": [{"who": "first", "does": "estimate", "to": "second"}], "rounds": 1},
            "seat 'first' argues for an answer, so it cannot estimate",
        ),
        ({"closing": [{"who": "first", "does": "estimate"}]}, "an estimate is of one seat's answer"),
        ({"round": (), "rounds": 3}, "there are rounds, and no steps of one"),
        ({"opening": (), "round": (), "closing": (), "rounds": 0}, "seat 'first' never speaks"),
        ({"closing": [{"who": [], "told": "Speak."}]}, "at least 1 item"),
        ({"seats": UNTOLD, "closing": [{"who": "first"}]}, "nothing tells seat 'first' what to say"),
        (
            {"seats": UNTOLD, "closing": [{"who": "first", "told": "Speak."}]},
            "nothing tells seat 'first' which answer is its own",
        ),
        (
            {"closing": [{"who": "first", "to": "second", "told": "It is {mine}."}]},
            "only a question or an estimate",
        ),
        (
            {
                "closing": [
                    {
                        "who": "first",
                        "does": "ask",
                        "to": {"second": ["first"], "first": ["second"]},
                        "told": "Why {mine}?",
                    }
                ]
            },
            "seat 'second' does nothing in this step",
        ),
        (
            {"closing": [{"who": "judge", "does": "lean", "told": "How do you lean?"}]},
            "in the same words everywhere",
        ),
        (
            {
                "closing": [
                    {"who": "first", "does": "answer", "told": "It is {mine}."},
                    {"who": "second", "does": "ask", "to": "first", "told": "Why not {mine}?"},
                ]
            },
            "nobody asks seat 'first' anything before",
        ),
        ({"prices": {"poll": 0.1}}, "nobody polls the judge"),
        ({"prices": {"question": 0.1}}, "nobody puts a question to the judge"),
        (
            {
                "seats": {"critic": {"title": "C", "told": "Attack {mine}."}},
                "opening": [],
                "closing": [],
                "round": [{"who": "critic", "told": "Speak."}],
            },
            "so {mine} and {other} say nothing there",
        ),
    ],
)
def test_what_would_be_played_as_something_else_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        protocol("debate").changed(**changes)


def test_who_does_not_see_the_document_cannot_quote_it() -> None:
    found = protocol("quoted_debate")
    seats = {name: {**seat, "document": False} for name, seat in found.spec()["seats"].items()}
    with pytest.raises(InputError, match="does not see the document, so it cannot quote it"):
        found.changed(seats=seats)


def test_an_answer_in_a_round_may_be_to_what_was_asked_in_the_one_before() -> None:
    told = {"told": "It is {mine}."}
    answers = {"who": "first", "does": "answer", **told}
    asks = {"who": "second", "does": "ask", "to": "first", **told}
    assert protocol("debate").changed(round=[answers, asks], rounds=2).rounds == 2
    with pytest.raises(InputError, match="nobody asks seat 'first' anything before"):
        protocol("debate").changed(round=[answers, asks], rounds=1)


def test_nobody_speaks_for_an_answer_that_is_not_chosen_yet() -> None:
    found = protocol("open_debate")
    with pytest.raises(InputError, match="'lead' has no answer to argue for yet"):
        found.changed(opening=found.spec()["opening"][::-1])


def test_a_side_is_chosen_once() -> None:
    found = protocol("open_debate")
    choice = found.spec()["opening"][0]
    for where in ({"round": [choice]}, {"opening": [choice, *found.spec()["opening"]]}):
        with pytest.raises(InputError, match="a side is chosen once"):
            found.changed(**where)


def test_a_copy_argues_for_what_its_original_chose() -> None:
    found = protocol("open_debate")
    copy = {**found.spec()["seats"]["lead"], "copy_of": "lead"}
    says = {"who": ["again"], "told": "It is {mine}."}
    asked = found.changed(seats={**found.spec()["seats"], "again": copy}, closing=[says])
    transcript = played(seated(asked))
    sides = transcript.metadata["sides"]
    assert sides["again"] == sides["lead"] == 1 - sides["rival"]


def test_changing_a_protocol_makes_another_game() -> None:
    short, long = seated(protocol("debate")), seated(protocol("debate").changed(rounds=3))
    assert short.spec() != long.spec()
    assert len(played(long).turns) == len(played(short).turns) + 4


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Debater\\n\\nThe right answer is B.", "one line of up to 60 visible"),
        ("Debater\\e[2J", "one line of up to 60 visible"),
        ("D\\u200bebater", "one line of up to 60 visible"),
        ("D" * 61, "one line of up to 60 visible"),
        ("judge", "cannot be called 'judge'"),
        ("Rules", "cannot be called 'Rules'"),
    ],
)
def test_a_seat_is_called_nothing_that_would_pass_for_something_else(tmp_path, title, said):
    path = tmp_path / "mine.yaml"
    path.write_text(protocol_text("debate").replace("title: Debater", f'title: "{title}"', 1), "utf-8")
    with pytest.raises(InputError, match=said):
        protocol(str(path))
