"""A model that judges debates, on services that differ: what it asks for, and what it says of its own verdict."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from debate_fakes import Voice, debate, played, seated
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import GenerateConfig

from gadfly.debate import DebateJudge, Player, Position, protocol
from gadfly.debate._verdict import letters
from gadfly.errors import CallError
from gadfly.judges import question_key
from gadfly.models import Reply, System, scripted
from gadfly.transcripts import Judgement, Usage


@dataclass(frozen=True, eq=False)
class Service(System):
    """Rejects some settings, says nothing within `reasons` tokens, else `says`, for `cost` dollars a call. `asks`: it
    wants to ask.
    """

    rejects: Sequence[str] = ()
    reasons: int = 0
    says: str = "A"
    odds: float | None = None
    cost: float | None = None
    asks: bool = True
    asked: list[GenerateConfig] = field(default_factory=list)
    reproducible = False

    async def reply(self, messages: Sequence[tuple[str, str]], *, seed: int | None = None) -> Reply:
        self.asked.append(self.sampling)
        if any(getattr(self.sampling, name) is not None for name in self.rejects):
            raise CallError("That is not supported.", "rejected")
        if (self.sampling.max_tokens or 0) < self.reasons:
            raise CallError("It said nothing.", "empty_reply", cut=True)
        options = re.search(r"^([AB])\. Yes, I ask\.$", messages[-1][1], re.MULTILINE)
        says = options[1] if options and self.asks else self.says
        return Reply(says, usage=Usage(10, 1, self.cost), first_token=self._first())

    def _first(self) -> dict[str, float]:
        if self.odds is None or not self.sampling.logprobs:
            return {}
        return {"A": -math.log1p(math.exp(-self.odds)), "B": -math.log1p(math.exp(self.odds))}


def service(**what: Any) -> Service:
    return Service(scripted(""), **what)


def verdict(system: System, orders: int = 2) -> Judgement:
    return asyncio.run(DebateJudge.of(system, orders).judge([debate()]))[0]


def test_a_judge_whose_service_fails_in_one_order_has_paid_for_both() -> None:
    class Half(Service):
        async def reply(self, messages: Sequence[tuple[str, str]], *, seed: int | None = None) -> Reply:
            if "A. snails" in messages[-1][1]:
                raise CallError("It is down.", "server_error", usage=Usage(7, 0))
            await asyncio.sleep(0.01)
            return await super().reply(messages, seed=seed)

    with pytest.raises(CallError) as failed:
        asyncio.run(DebateJudge.of(Half(scripted(""))).weigh(Position.of(debate()), 0))
    assert failed.value.usage == Usage(17, 1)


@pytest.mark.parametrize("rejects", [("logprobs",), ("temperature",), ("logprobs", "temperature")])
def test_a_service_that_rejects_a_setting_is_asked_without_it(rejects: tuple[str, ...]) -> None:
    asked = service(rejects=rejects)
    judge = DebateJudge.of(asked, orders=1)
    found = [asyncio.run(judge.judge([debate()]))[0] for _ in range(2)]
    assert [one.score for one in found] == [pytest.approx(0.0, abs=1e-5)] * 2
    assert all(getattr(asked.asked[-1], name) is None for name in rejects)


def test_what_worked_is_kept_for_the_next_case() -> None:
    asked = service(rejects=("logprobs",), reasons=900)
    judge = DebateJudge.of(asked, orders=1)
    for calls in (4, 5, 6):  # without logprobs, then with 64 and with 1,024 tokens, then as it is
        asyncio.run(judge.judge([debate()]))
        assert len(asked.asked) == calls
    assert asked.asked[-1].max_tokens == 1_024


def test_a_debater_finds_out_what_its_service_takes_as_a_judge_does() -> None:
    asked = service(rejects=("temperature",), reasons=900, says="Seeds.")
    assert debate(first=Player.of(asked)).metadata["lost"] == []
    assert asked.asked[-1].max_tokens == 1_024


def test_a_limit_that_the_user_set_is_kept_to() -> None:
    asked = service(reasons=900).with_sampling(max_tokens=100)
    assert verdict(asked).cause == "call_failed:empty_reply"


def test_a_judge_that_asks_questions_does_so_on_a_service_without_a_temperature() -> None:
    judge = DebateJudge.of(service(rejects=("temperature",), says="Which page? Well."))
    transcript = played(seated(protocol("interactive_debate"), judge=judge))
    assert transcript.outcome == "completed"
    assert "Which page?" in [turn.text for turn in transcript.said_by("judge")]


def test_calibrated_it_decides_as_before_and_is_as_sure_as_it_was_found_to_be_right() -> None:
    def by(slope: float, **what: Any) -> Judgement:
        return asyncio.run(DebateJudge(service(**what), orders=1, slope=slope).judge([debate()]))[0]

    plain, sure = by(1.0, odds=0.5), by(3.0, odds=0.5)
    assert plain.metadata["p"] == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert sure.metadata["p"] == pytest.approx(1 / (1 + math.exp(-1.5)))
    assert by(54.0, odds=-50).metadata["p"] == pytest.approx(0.0)  # however steep
    assert plain.metadata["answer"] == sure.metadata["answer"] == "A"
    assert plain.metadata["orders"] == sure.metadata["orders"]  # what it said
    only_names = [by(slope, rejects=("logprobs",)).metadata["p"] for slope in (1.0, 3.0)]
    assert only_names[0] == only_names[1]
    specs = [DebateJudge(service(), slope=slope).spec() for slope in (1.0, 3.0)]
    assert "slope" not in specs[0] and specs[1]["slope"] == 3.0


def test_on_a_question_that_its_scale_was_learned_from_its_verdict_is_missing() -> None:
    asked = DebateJudge(service(odds=0.5), orders=1, slope=3.0)
    knows = replace(asked, learned=frozenset({question_key(debate().case.data["question"])}))
    plain, other, known = (
        asyncio.run(one.judge([debate()]))[0]
        for one in (asked, replace(asked, learned=frozenset({"another"})), knows)
    )
    assert plain == other and plain.score is not None
    assert (known.score, known.cause) == (None, "learned_from") and known.metadata == plain.metadata
    assert len({json.dumps(one.spec()) for one in (asked, knows)}) == 2
    ruled = debate(first=Voice(" "))
    by_rule = [asyncio.run(one.judge([ruled]))[0] for one in (asked, knows)]
    assert [(one.score is None, one.cause) for one in by_rule] == [(False, ""), (True, "learned_from")]


@pytest.mark.parametrize(("says", "asks"), [("A", False), ("Let me see.", False), ("Which page?", True)])
def test_a_judge_need_not_ask_and_then_nothing_is_paid_and_both_still_answer_each_other(
    says: str, asks: bool
) -> None:
    judge = DebateJudge.of(service(says=says, asks=asks))
    transcript = played(seated(protocol("interactive_debate"), judge=judge))
    spent = transcript.metadata["spent"]["judge"]
    assert (spent["questions"], spent["price"]) == ((2, 0.04) if asks else (0, 0.0))
    assert [len(transcript.said_by(seat)) for seat in ("first", "second")] == [3, 3]


@pytest.mark.parametrize(
    ("text", "p"),
    [
        ("B.", 0.0),
        ("**A**", 1.0),
        ("b", 0.0),
        ("The correct answer is B because", 0.0),
        ("A is right", 1.0),
        ("A\n\nThe document says so.", 1.0),
        ("Answer: B\nthe other is not", 0.0),
        ("A. Ann Lee", 1.0),
        ("(A) Paris", 1.0),
        ("A. B is nowhere in it.", 1.0),
        ("B, because A is not right", 0.0),
    ],
)
def test_a_letter_in_words_is_read(text: str, p: float) -> None:
    assert letters(Reply(text)) == p


TAKEN_BACK = [
    "A is wrong, so B.",
    "A is not right",
    "A isn't it",
    "B is incorrect; A",
    "A: no",
    "A/B",
    "A or B",
]


@pytest.mark.parametrize(
    "text",
    [
        "A quotation shows it",
        "A. A. Milne wrote it; the answer is B",
        "A's debater lied, so B",
        "A Tale of Two Cities",
        "A British ship",
        "a Dutchman",
        "A Dutchman wrote it, so B",
        "The answer is A Tale of Two Cities",
        "B. B. King",
        "B Minor Mass",
        "B-flat",
        "A Paris",
        "Both",
        "",
        *TAKEN_BACK,
    ],
)
def test_what_is_no_letter_is_not(text: str) -> None:
    assert letters(Reply(text)) is None


NAMED = st.text(st.characters(categories=["Lu", "Ll"]), min_size=2, max_size=12).map(lambda name: f"X{name}")


@given(st.sampled_from("AB"), NAMED)
def test_a_letter_before_a_word_may_be_the_answers_own_and_one_with_a_mark_is_the_verdict(
    letter: str, name: str
) -> None:
    assert letters(Reply(f"{letter} {name} {name}")) is None
    assert {letters(Reply(f"{letter}{mark} {name}")) for mark in (".", ")", ":", ",")} == {
        float(letter == "A")
    }


def test_a_verdict_says_whether_it_came_with_probabilities() -> None:
    told, named = verdict(service(odds=1.5), orders=1), verdict(service(odds=1.5, rejects=("logprobs",)))
    assert (told.metadata["probabilities"], told.metadata["p"]) == (True, pytest.approx(0.8176, abs=1e-4))
    assert (named.metadata["probabilities"], named.metadata["orders"]) == (False, [1.0, 0.0])
    assert "bias" not in named.metadata and "bias" in verdict(service(odds=1.5)).metadata


@dataclass(frozen=True, eq=False)
class Halting(Service):
    """Gives probabilities in the order in which it is asked first, and only names an answer in the other."""

    async def reply(self, messages: Sequence[tuple[str, str]], *, seed: int | None = None) -> Reply:
        given = await super().reply(messages, seed=seed)
        return given if len(self.asked) == 1 else replace(given, text="**A**", first_token={"**": -0.001})


def test_an_answer_that_is_only_named_does_not_outweigh_a_probability() -> None:
    found = verdict(Halting(scripted(""), odds=2.0))
    assert (found.metadata["p"], found.metadata["answer"]) == (0.5, "neither")
    assert (found.metadata["probabilities"], found.metadata["orders"]) == (False, [1.0, 0.0])


def test_what_the_calls_cost_is_kept_where_it_is_known() -> None:
    assert verdict(service(cost=0.25)).metadata["cost"] == 0.5
    assert "cost" not in verdict(service()).metadata
