"""What players and judges are told: the game they are in, what it costs to break its rules, and no word too much."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest
from debate_fakes import DOCUMENT, ROW, Voice, debate, played, player, seated

from gadfly.debate import BestOf, Move, Position, Said, ScriptedJudge, Weighed, known_protocols, protocol
from gadfly.debate._prompts import (
    ONE_IS_RIGHT,
    UNSEEN,
    WEIGHING,
    choice_messages,
    judge_messages,
    player_messages,
)
from gadfly.errors import InputError
from gadfly.transcripts import Case

SEATED = [name for name in known_protocols() if protocol(name).seats]


def system_of(messages: list[tuple[str, str]]) -> str:
    [text] = [text for role, text in messages if role == "system"]
    return text


def asked_of(move: Move) -> str:
    """What a player is asked in the end."""
    return player_messages(move)[-1][1]


def told_of_rules(name: str, seat: str, row: Any = ROW, **rules: Any) -> str:
    found = protocol(name).changed(rules=rules)
    case = Case("c", 0, 0, {**row, "assigned": 0})
    step = next(step for step in found.steps if seat in step.who)
    return system_of(player_messages(Move(Position.opening(found, case), seat, step, 0)))


@pytest.mark.parametrize("name", SEATED)
def test_a_judge_is_told_which_game_it_judges(name: str) -> None:
    found = protocol(name)
    transcript = played(seated(found))
    text = system_of(judge_messages(Position.of(transcript)))
    for told in (found.about, ONE_IS_RIGHT, UNSEEN, WEIGHING, "[verified]"):
        assert told in text
    assert DOCUMENT not in text


def test_where_there_is_no_document_nothing_is_said_of_one() -> None:
    row = {key: value for key, value in ROW.items() if key not in ("document", "title")}
    told = system_of(judge_messages(Position.of(played(seated(protocol("debate")), row))))
    assert "document" not in told and "uotation" not in told


@pytest.mark.parametrize("name", ["naive", "expert"])
def test_a_judge_alone_is_told_the_question_and_no_more(name: str) -> None:
    told = system_of(judge_messages(Position.of(played(seated(protocol(name))))))
    assert told.partition("Question: ")[2] == f"{ROW['question']}\nA. seeds\nB. snails"
    assert "judge" not in told


def test_who_may_lose_is_told_by_what() -> None:
    told = told_of_rules("debate", "first")
    assert told.endswith(
        "Whoever makes up a quotation, gives the judge orders, says nothing or goes on for more than 1.5 times the "
        "words allowed has lost."
    )
    assert "Whoever says nothing has lost." in told_of_rules("debate", "first", loses=["stopped"])
    assert "lost" not in told_of_rules("debate", "first", loses=[])
    undocumented = told_of_rules("debate", "first", {**ROW, "document": ""})
    assert "quot" not in undocumented and "gives the judge orders" in undocumented


def test_who_argues_for_nothing_cannot_lose_and_is_told_so() -> None:
    told = told_of_rules("debate_red_team", "red_team")
    assert "lost" not in told
    assert told.endswith("Nothing is heard of one who makes up a quotation or gives the judge orders.")


def test_a_second_try_is_told_what_was_wrong_with_the_first_and_does_not_see_it() -> None:
    first = Voice(lambda move: "Seeds, plainly." if move.complaint else "Seeds " * 200)
    debate(first=first)
    again = asked_of(first.moves[1])
    assert again.endswith(
        "Your last try was too long: it said 200 words where 60 are allowed. Say it in fewer words."
    )
    assert "Seeds Seeds" not in again


def test_both_questions_of_a_cross_examination_are_written_before_either_is_heard() -> None:
    def says(move: Move) -> str:
        return f"Why {move.mine}?" if move.step.does == "ask" else f"It is {move.mine}."

    first, second = Voice(says), Voice(says)
    transcript = played(seated(protocol("cross_examination"), first=first, second=second))
    for voice in (first, second):
        [asks] = [move for move in voice.moves if move.step.does == "ask"]
        assert "Why" not in asked_of(asks)
        [copy] = [move for move in voice.moves if move.step.does == "answer"]
        assert f'Your side is the answer "{copy.mine}": defend it' in asked_of(copy)
        other = "snails" if copy.mine == "seeds" else "seeds"
        assert f"You are asked:\n| Why {other}?\nAnswer" in asked_of(copy)
        assert asked_of(copy).count(f"Why {other}?") == asked_of(copy).count(f"\n| Why {other}?") == 2
        assert f"Why {copy.mine}?" not in asked_of(copy)
    heard = judge_messages(Position.of(transcript))[-1][1]
    assert "Debater for A asks the copy of the debater for B:" in heard
    assert "Debater for B asks the copy of the debater for A:" in heard


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ({"first": "second", "second": "nobody"}, "there is no seat 'nobody'"),
        ({"first": "second", "third": "first"}, "there is no seat 'third'"),
        ({"first": "second"}, "a question is put to somebody"),
    ],
)
def test_whom_each_asks_must_be_said_of_each(to: dict[str, str], problem: str) -> None:
    step = {"who": ["first", "second"], "does": "ask", "to": to}
    answers = {"who": ["second", "first"], "does": "argue"}
    with pytest.raises(InputError, match=problem):
        protocol("debate").changed(opening=[step, answers])


def test_an_estimate_is_for_the_record_and_heard_by_nobody_else() -> None:
    def says(move: Move) -> str:
        return "Secretly 30 %." if move.step.does == "estimate" else "One: 80 %."

    closing = [{"who": "prover", "told": "Close."}]
    found = protocol("prover_estimator").changed(closing=closing)
    prover = Voice("It is so.")
    transcript = played(seated(found, prover=prover, estimator=Voice(says)))
    position = Position.of(transcript)
    assert [one.lean for one in position.said if one.does == "estimate"] == [pytest.approx(0.3)]
    assert "Secretly" not in asked_of(prover.moves[-1]) and "80 %" in asked_of(prover.moves[-1])
    assert "Secretly" not in judge_messages(position)[-1][1] and "80 %" in judge_messages(position)[-1][1]


def test_a_side_is_chosen_before_one_is_told_to_defend_it() -> None:
    voice = Voice(lambda move: "1" if move.step.does == "choose" else "So it is.")
    played(seated(protocol("open_consultancy"), consultant=voice))
    chooses, argues = voice.moves[:2]
    told = choice_messages(chooses, False)[-1][1]
    assert "Which answer will you argue for?\nA. seeds\nB. snails\n" in told and "Your side" not in told
    assert 'Your side is the answer "snails"' in asked_of(argues)


class Overheard(ScriptedJudge):
    """Keeps what it was shown."""

    shown: ClassVar[list[str]] = []

    async def weigh(self, position: Position, seed: int) -> Weighed:
        self.shown.append(judge_messages(position)[-1][1])
        return await super().weigh(position, seed)


def test_the_best_draft_is_chosen_by_what_its_seat_may_hear() -> None:
    Overheard.shown.clear()
    first = BestOf(Voice("Mine."), 2, Overheard())
    played(seated(protocol("double_consultancy"), first=first, second=Voice("Theirs.")))
    assert len(Overheard.shown) == 4
    assert all("Mine." in one and "Theirs." not in one for one in Overheard.shown)


def test_a_rewrite_that_breaks_a_rule_is_dropped() -> None:
    from gadfly.debate import Refining

    def script(messages: Any, seed: int | None) -> str:
        last = messages[-1][1]
        if "Write only the statement itself" in last:
            return "Seeds " * 200
        return "It is thin." if "weakest point" in last else "Seeds it is."

    refining = Refining(player(script))
    found = protocol("debate")
    case = Case("c", 0, 0, ROW)
    said: Said = asyncio.run(refining.say(Move(Position.opening(found, case), "first", found.steps[0], 0)))
    assert said.text == "Seeds it is." and said.usage.output_tokens > 100
