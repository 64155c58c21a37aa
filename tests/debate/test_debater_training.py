"""Players learn to debate: payoffs, branches, whose reward is whose, both methods, and a training killed midway."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast
from transformers.models.llama import LlamaConfig, LlamaForCausalLM

from forked import Forked

sys.path.append(str(Path(__file__).parents[1] / "training"))
from training_fakes import WHOLE, killed

from gadfly.debate import (
    Bout,
    Branches,
    Branching,
    Player,
    Practice,
    Rules,
    ScriptedJudge,
    Skilled,
    Step,
    contest,
    learn_by_debating,
    learn_from_branches,
    payoff,
    preferences,
    protocol,
    seatings,
)
from gadfly.debate._chairs import Said, Weighed
from gadfly.debate._payoff import LEARNED_FROM
from gadfly.debate._position import Move, Position
from gadfly.debate._practice import contest_of, seats_of
from gadfly.debate._tuning import Heard, _match
from gadfly.errors import CallError, InputError
from gadfly.models import LocalModel, System, model_of
from gadfly.runs import Settings, open_run, run
from gadfly.training import (
    Folder,
    Preferring,
    Reinforcement,
    Trained,
    adapter_digest,
    confidence,
    trainable,
)
from gadfly.training._rollouts import Rollouts
from gadfly.transcripts import Case, Judgement, Transcript, Usage
from tiny_models import SHAPE

ROWS = [{"question": f"What is {n}?", "answers": ["odd", "even"], "correct": n % 2} for n in range(4)]
HELD_OUT = [{"question": f"What is {n}?", "answers": ["odd", "even"]} for n in range(4, 20)]


def brief(words=2, rounds=1, **rules):
    """Both sides say a few words at once; no rule loses unless it is named."""
    told = 'Say why the answer is "{mine}" and not "{other}".'
    step = Step(who=("first", "second"), words=words, told=told)
    settled = Rules(slack=1, **{"loses": (), **rules})
    return protocol("debate").changed(opening=(), round=(step,), closing=(), rounds=rounds, rules=settled)


def good(text):
    """The share of a text's words that the judge likes: w0, w2, w4, …"""
    numbers = [int(word[1:]) for word in text.split() if word.startswith("w")]
    return sum(number % 2 == 0 for number in numbers) / max(1, len(numbers))


@dataclass(frozen=True)
class LikesEven(ScriptedJudge):
    """Believes whoever says more words with an even number; may end its own process when asked too often."""

    name: str = "likes_even"
    dies_at: int = 0
    asked: list[int] = None
    down: bool = False

    async def judge(self, transcripts):
        judged = await super().judge(transcripts)
        return [out_of_reach(one) for one in judged] if self.down else judged

    async def weigh(self, position, seed):
        if self.dies_at:
            self.asked.append(seed)
            if len(self.asked) == self.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
        said = {0: 0.0, 1: 0.0, None: 0.0}
        for one in position.said:
            said[position.sides[one.seat]] += good(one.text)
        p = confidence(said[0], said[1], 4.0)
        return Weighed(p, orders=(p,))


def out_of_reach(judgement):
    """The judgement, had its judge been down."""
    return Judgement.missing(judgement.case_id, judgement.judge, "call_failed:server_error")


@dataclass(frozen=True)
class FailsOn(LikesEven):
    """Is down whenever it is asked about some of the questions."""

    questions: tuple[str, ...] = ()

    def __init__(self, questions):
        super().__init__()
        object.__setattr__(self, "questions", questions)

    async def judge(self, transcripts):
        judged = await super().judge(transcripts)
        asked = [one.case.data["question"] in self.questions for one in transcripts]
        return [out_of_reach(one) if down else one for one, down in zip(judged, asked, strict=True)]


def base(count=12, more=()):
    """A random model of a few words, each a token: what it says and what it is shown read back as they were. With
    more words it seldom says nothing.
    """
    words = [
        "<bos>",
        "<eos>",
        "<unk>",
        *['"', "odd", "even", "answer", "is", "and", "not"],
        *(f"w{n}" for n in range(count)),
        *more,
    ]
    inner = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = Whitespace()
    special = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, **special)
    tokenizer.chat_template = "{% for m in messages %}<bos>{{ m.content }}<eos>{% endfor %}<bos>"
    shape = {"vocab_size": len(words), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    torch.manual_seed(0)
    weights = LlamaForCausalLM(LlamaConfig(**SHAPE | shape | {"initializer_range": 0.2}))
    return LocalModel(weights, tokenizer, name="tiny-words")


def practice(**changes):
    return Practice(
        **{"rows": ROWS, "protocol": brief(), "judge": LikesEven(), "held_out": HELD_OUT, **changes}
    )


def preferring(**changes):
    usual = {"epochs": 4, "batch": 8, "learning_rate": 3e-2, "alpha": 0.0, "lora": WHOLE}
    return Preferring(**{**usual, **changes})


# --- what a debate is worth


def over(sides=(0, 1), lost=(), price=0.0, outcome="completed"):
    facts = {
        "sides": {"first": sides[0], "second": sides[1]},
        "lost": [{"seat": seat} for seat in lost],
        "spent": {"first": {"price": price}},
        "correct": 0,
        "moves": [],
        "protocol": protocol("prover_estimator").spec(),
    }
    return Transcript(Case("c", 0, 0), (), outcome, "", {}, facts)


def judged(p):
    return Judgement(
        "c", "j", None if p is None else 1 - p, "" if p is not None else "no_parse", metadata={"p": p}
    )


@pytest.mark.parametrize(
    ("transcript", "p", "first", "second"),
    [
        (over(), 0.8, 0.8, 0.2),
        (over(sides=(1, 0)), 0.8, 0.2, 0.8),
        (over(price=0.3), 0.8, 0.5, 0.2),
        (over(price=0.9), 0.8, 0.0, 0.2),
        (over(lost=["first"]), None, 0.0, 1.0),
        (over(lost=["second"], price=0.3), None, 0.7, 0.0),
        (over(lost=["first", "second"], price=0.3), None, 0.0, 0.0),
        (over(lost=["first", "second"]), None, 0.0, 0.0),
        (over(lost=["critic"]), None, 0.0, 0.0),
        (over(lost=["critic", "second"]), None, 0.0, 0.0),
        (over(), None, None, None),
        (over(outcome="failed"), 0.8, None, None),
        (over(sides=(0, None)), 0.8, 0.8, None),
    ],
)
def test_a_payoff_is_the_belief_in_ones_own_side_less_what_was_spent_and_rules_decide_first(
    transcript, p, first, second
):
    for seat, worth in (("first", first), ("second", second)):
        assert payoff(transcript, judged(p), seat) == (worth if worth is None else pytest.approx(worth))


def test_what_ones_copy_spends_is_ones_own():
    facts = {
        "protocol": protocol("cross_examination").spec(),
        "spent": {"first": {"price": 0.1}, "first_copy": {"price": 0.2}},
    }
    transcript = replace(over(), metadata=over().metadata | facts)
    assert payoff(transcript, judged(0.8), "first") == pytest.approx(0.5)
    assert payoff(transcript, judged(0.8), "second") == pytest.approx(0.2)


def test_a_judge_without_a_probability_pays_by_its_score_which_is_that_of_the_wrong_answer():
    assert payoff(over(), Judgement("c", "j", 0.1), "first") == pytest.approx(0.9)
    assert payoff(over(), Judgement("c", "j", 0.1), "second") == pytest.approx(0.1)


# --- who sits where


def test_each_question_is_debated_from_either_seat_and_for_either_answer():
    cases = seatings(ROWS, brief())
    argued = {(c["of"], c["answers"][(c["seat"] == "second") ^ c["swapped"]]) for c in cases}
    assert len(cases) == 8 and len(argued) == 8
    alone = seatings(ROWS, protocol("consultancy"))
    assert {(c["of"], c["assigned"]) for c in alone} == {(n, a) for n in range(4) for a in (0, 1)}


def test_whether_the_right_answer_is_listed_first_is_drawn_however_the_set_lists_it():
    for pattern in (lambda n: n % 2, lambda n: 0):
        rows = [{**ROWS[0], "question": f"Question {n}?", "correct": pattern(n)} for n in range(400)]
        drawn = [[c["correct"] ^ c["swapped"] for c in seatings(rows, brief(), seed)[::2]] for seed in (0, 1)]
        assert all(160 < sum(first) < 240 for first in drawn) and drawn[0] != drawn[1]


def test_reinforcement_plays_every_question_in_either_order():
    model = base()
    cases = _match(model, practice(), None).game(System(model_of(model))).cases
    met = {(case["of"], case["seat"], case["swapped"]) for case in cases}
    assert len(met) == len(cases) == 2 * 2 * len(practice().rows)


def test_the_seed_is_that_of_every_statement(tmp_path):
    def seeds(seed):
        heard = []

        class Noting(Skilled):
            async def say(self, move):
                heard.append(move.seed)
                return await super().say(move)

        game = Bout(brief(rounds=2, words=20), Noting(1.0), Noting(0.0), ScriptedJudge())
        cases = seatings(ROWS, game.protocol, seed)
        asyncio.run(run(game, cases, settings=Settings(tmp_path / str(len(kept)), progress=False)))
        kept.append(set(heard))

    kept = []
    for seed in (1, 1, 2):
        seeds(seed)
    once, again, other = kept
    assert once == again and once.isdisjoint(other) and len(once) == 16


def test_a_protocol_in_which_nobody_argues_teaches_nothing():
    with pytest.raises(InputError, match="nobody argues for an answer"):
        practice(protocol=protocol("naive"))


def test_a_player_wins_exactly_half_against_itself(tmp_path):
    same = System(model_of(base()))
    found = asyncio.run(contest(same, same, ROWS, brief(), LikesEven(), tmp_path))
    assert found.wins.point == 0.5 and found.wins.n == 8 and found.wins.clusters == 4


def test_the_stronger_player_wins_from_either_seat(tmp_path):
    game = Bout(brief(rounds=2, words=20), Skilled(2.0, "good"), Skilled(0.0, "bad"), ScriptedJudge())
    made = asyncio.run(run(game, seatings(ROWS, game.protocol), [game.judge], settings=Settings(tmp_path)))
    worth = [payoff(one, judgements[0], one.metadata["player"]) for one, judgements in made.judged()]
    assert worth == pytest.approx([0.8808] * 8, abs=1e-3)


def test_what_a_players_copy_breaks_is_the_players_loss(tmp_path):
    class Copied(Skilled):
        async def say(self, move):
            return Said("word " * 500) if move.seat.endswith("_copy") else await super().say(move)

    game = Bout(protocol("cross_examination"), Copied(1.0), Skilled(1.0), ScriptedJudge())
    made = asyncio.run(
        run(game, seatings(ROWS, game.protocol), [game.judge], settings=Settings(tmp_path, progress=False))
    )
    found = contest_of(made, game.judge.name)
    assert (found.wins.point, found.broke.point, found.opponent_broke.point) == (0, 1, 0)


def test_a_player_that_wins_one_debate_of_each_question_is_known_to_win_half(tmp_path):
    game = Bout(brief(rounds=2, words=20), Skilled(0.0, "one"), Skilled(0.0, "two"), ScriptedJudge(truth=9.0))
    rows = [{**ROWS[n % 2], "question": f"What is {n}?"} for n in range(25)]
    made = asyncio.run(
        run(game, seatings(rows, game.protocol), [game.judge], settings=Settings(tmp_path, progress=False))
    )
    found = contest_of(made, game.judge.name)
    assert (found.wins.point, found.argued.point, found.wins.n) == (0.5, 0.5, 50)
    assert found.wins.high - found.wins.low < 0.2 and found.argued.high - found.argued.low < 0.2


# --- branches


@pytest.fixture(scope="module")
def branched(tmp_path_factory):
    player = Player.of(System(model_of(base())))
    game = Branching(Bout(brief(rounds=2), player, player, LikesEven()), alternatives=3)
    settings = Settings(tmp_path_factory.mktemp("branches"))
    made = asyncio.run(run(game, seatings(ROWS, game.bout.protocol), settings=settings))
    assert sum("branches" in one.metadata for one in made.transcripts()) > 5
    return made


def branching(made):
    """The cases with branches: a random model says nothing now and then, and has lost before it said anything."""
    return [one for one in made.transcripts() if "branches" in one.metadata]


def test_branches_differ_in_one_statement_and_each_is_paid_for_its_own_end(branched):
    for one in branching(branched):
        texts = [branch["text"] for branch in one.metadata["branches"]]
        assert len(set(texts)) == len(texts) > 1
        assert one.metadata["prompt"].endswith("<bos>")
        assert all(0 <= branch["payoffs"][0] <= 1 for branch in one.metadata["branches"])


def test_the_branch_that_was_played_is_paid_what_the_judge_makes_of_the_debate_itself(branched):
    for one in branching(branched):
        [judgement] = asyncio.run(LikesEven().judge([one]))
        first = one.metadata["branches"][0]["payoffs"][0]
        assert first == pytest.approx(payoff(one, judgement, one.metadata["player"]))


def test_statements_of_all_rounds_and_both_seats_are_drawn(branched):
    drawn = {(one.case.data["seat"], one.metadata["drawn"]) for one in branching(branched)}
    assert {number // 2 for _, number in drawn} == {0, 1}
    assert all((number % 2 == 1) == (seat == "second") for seat, number in drawn)


def test_the_better_branch_is_preferred_as_surely_as_the_payoffs_differ(branched):
    found = preferences(branched)
    assert len(found) > 8
    assert all(one.p > 0.5 for one in found)
    paid = [{b["text"]: b["payoffs"][0] for b in t.metadata["branches"]} for t in branching(branched)]
    for one in found:  # to a random model of few words several cases may look the same
        own = [worth for worth in paid if {one.first, one.second} <= worth.keys()]
        sure = [confidence(worth[one.first], worth[one.second]) for worth in own]
        assert any(one.p == pytest.approx(p) for p in sure)


def test_a_statement_that_breaks_a_rule_has_lost_its_branch(tmp_path):
    player = Player.of(System(model_of(base())))
    strict = brief(loses=("overran",), tries=3)
    game = Branching(Bout(strict, player, player, LikesEven()))
    made = asyncio.run(run(game, seatings(ROWS, strict), settings=Settings(tmp_path)))
    paid = [
        (len(branch["text"].replace("<eos>", "")), branch["payoffs"][0])
        for one in branching(made)
        for branch in one.metadata["branches"]
        if "<eos>" not in branch["text"]
    ]
    assert paid and all(worth == 0 for _, worth in paid)


def test_silence_is_a_branch_that_has_lost(tmp_path):
    player = Player.of(System(model_of(base())))
    strict = brief(loses=("stopped",), tries=2)
    game = Branching(Bout(strict, player, player, LikesEven()), alternatives=3)
    made = asyncio.run(run(game, seatings(ROWS * 4, strict), settings=Settings(tmp_path)))
    silent = [
        branch["payoffs"][0]
        for one in branching(made)
        for branch in one.metadata["branches"]
        if branch["text"] == "<eos>"
    ]
    assert silent and not any(silent)
    pairs = preferences(made)
    assert any(pair.second == "<eos>" for pair in pairs) and all(pair.first != "<eos>" for pair in pairs)


def test_second_tries_are_not_learned_from(tmp_path):
    player = Player.of(System(model_of(base())))
    game = Branching(Bout(brief(loses=("overran", "stopped"), tries=3), player, player, LikesEven()))
    made = asyncio.run(run(game, seatings(ROWS * 2, game.bout.protocol), settings=Settings(tmp_path)))
    shown = {one.metadata["prompt"] for one in branching(made)}
    assert any(one.metadata["breaches"] for one in branching(made))
    assert len({len(prompt.split()) for prompt in shown}) == 1  # nothing said before, no try and no complaint


class Replying(Skilled):
    """Says whom it heard; as the estimator it makes up a quotation until it is complained about, or says nothing."""

    first = "<quote>words that nobody wrote</quote> 10 %"

    async def say(self, move):
        if move.step.does == "estimate":
            return Said("60 %")
        if move.seat == "estimator":
            return Said("Claim 1: 77 %." if move.complaint else self.first)
        heard = [one.text for one in move.position.heard(move.seat) if one.seat == "estimator"]
        return Said(f"Reply to {heard}.")


@pytest.mark.parametrize("first", [Replying.first, ""])
def test_what_comes_after_a_statement_that_is_not_heard_is_said_anew(tmp_path, monkeypatch, first):
    """Nobody answers what was said in the debate as it was played and not in the branch."""
    monkeypatch.setattr(Replying, "first", first)
    monkeypatch.setattr("gadfly.debate._branching._text", lambda one: ("prompt", one.text or "-"))
    shipped = protocol("prover_estimator")
    ends = []
    end = Branching._end

    async def kept(self, path, rollout):
        ends.append((path, await end(self, path, rollout)))
        return ends[-1][1]

    monkeypatch.setattr(Branching, "_end", kept)
    game = Branching(Bout(shipped, Replying(0.0), Replying(0.0), ScriptedJudge()))
    cases = [case for case in seatings(ROWS, shipped) if case["seat"] == "estimator"]
    asyncio.run(run(game, cases, settings=Settings(tmp_path)))
    doubted = [end for path, end in ends if path.drawn.move.step.does != "estimate" and not path.is_main]
    assert doubted
    for played in doubted:
        said = [(turn.speaker, turn.text) for turn in played.turns]
        assert ("estimator", "Claim 1: 77 %.") not in said
        assert not any("77" in text for _, text in said)


def test_rollouts_of_one_branch_go_on_differently(tmp_path):
    player = Player.of(System(model_of(base())))
    game = Branching(Bout(brief(rounds=2), player, player, LikesEven()), rollouts=3)
    made = asyncio.run(run(game, seatings(ROWS * 2, game.bout.protocol), settings=Settings(tmp_path)))
    paid = [branch["payoffs"] for one in branching(made) for branch in one.metadata["branches"]]
    assert all(len(one) == 3 for one in paid) and any(len(set(one)) > 1 for one in paid)


class Seeded(Skilled):
    """Says something else for each seed; its service fails once it has spoken in a whole debate."""

    said, most = 0, 99

    async def say(self, move):
        self.__dict__["said"] = self.said + 1
        if self.said > self.most:
            raise CallError("It is down.", "server_error")
        return Said(f"w{move.seed % 1_000}")


async def branched_once(judge, most=99):
    """One case, with how many tasks it leaves behind."""
    player = Seeded(0.0)
    player.__dict__["most"] = most
    game = Branching(Bout(brief(), player, Seeded(0.0), judge), alternatives=3)
    played = await game.play(Case("c", 0, 0, seatings(ROWS, brief())[0]))
    return played, len(asyncio.all_tasks()) - 1


def test_a_branch_that_fails_leaves_no_other_under_way():
    class FirstDown(ScriptedJudge):
        asked: ClassVar = []

        async def judge(self, transcripts):
            self.asked.append(transcripts)
            await asyncio.sleep(0.01 if len(self.asked) == 1 else 3_600)
            return [out_of_reach(one) for one in await super().judge(transcripts)]

    judge = FirstDown()
    played, left = asyncio.run(branched_once(judge))
    assert (played.outcome, played.cause, left) == ("failed", "server_error", 0) and len(judge.asked) > 1


def test_a_debate_of_which_a_service_made_no_other_statement_has_failed():
    played, left = asyncio.run(branched_once(LikesEven(), most=1))
    assert (played.outcome, played.cause, left) == ("failed", "server_error", 0)


def test_a_debate_whose_judge_was_out_of_reach_has_failed_and_is_played_again(tmp_path):
    with pytest.raises(InputError, match=r"8 of 8 debates .* failed \(server_error 8\)"):
        small(tmp_path / "out", LikesEven(down=True))
    assert small(tmp_path / "out").curve == small(tmp_path / "whole").curve


def test_a_contest_that_nobody_judged_is_not_kept_and_is_judged_again(tmp_path):
    how = Branches(iterations=1, preferring=preferring(epochs=1))
    judge = FailsOn(tuple(row["question"] for row in HELD_OUT))
    assert learn_from_branches(base(), practice(judge=judge), tmp_path / "out", how).curve
    assert not (tmp_path / "out" / "wins.jsonl").exists()
    learn_from_branches(base(), practice(), tmp_path / "out", how)
    [wins] = _wins(tmp_path / "out")
    assert wins["wins"]["n"] == 2 * len(HELD_OUT)


def test_a_contest_that_was_judged_in_part_is_judged_again(tmp_path):
    how = Branches(iterations=1, preferring=preferring(epochs=1))
    judge = FailsOn(tuple(row["question"] for row in HELD_OUT[1:]))
    learn_from_branches(base(), practice(judge=judge), tmp_path / "out", how)
    assert not (tmp_path / "out" / "wins.jsonl").exists()


def test_branches_stay_as_they_are_once_they_are_learned_from(tmp_path, monkeypatch):
    """A judge that was down for one question, and a kill before the iteration's row is written."""
    whole = small(tmp_path / "whole", FailsOn((ROWS[0]["question"],)))
    assert whole.curve[0]["failed"] == 2

    class Killed(BaseException):
        pass

    def dies(folder, table, rows):
        if table == "curve" and folder.path.name == "out":
            raise Killed
        return append(folder, table, rows)

    append = Folder.append
    monkeypatch.setattr(Folder, "append", dies)
    with pytest.raises(Killed):
        small(tmp_path / "out", FailsOn((ROWS[0]["question"],)))
    monkeypatch.undo()
    assert small(tmp_path / "out").curve == whole.curve


@dataclass(frozen=True)
class Knowing(ScriptedJudge):
    """Learned from every question it is asked about."""

    async def judge(self, transcripts):
        judged = await super().judge(transcripts)
        return [replace(one, score=None, cause=LEARNED_FROM) for one in judged]


def test_what_a_judge_learned_from_counts_in_no_contest_but_is_what_a_player_earns(tmp_path):
    game = Bout(brief(rounds=2, words=20), Skilled(2.0, "good"), Skilled(0.0, "bad"), Knowing())
    settings = Settings(tmp_path, progress=False)
    made = asyncio.run(run(game, seatings(ROWS, game.protocol), [game.judge], settings=settings))
    found = contest_of(made, game.judge.name)
    assert (found.wins.point, found.wins.missing, found.argued.missing) == (None, 8, 8)
    worth = [payoff(one, judgements[0], one.metadata["player"]) for one, judgements in made.judged()]
    assert worth == pytest.approx([0.8808] * 8, abs=1e-3)


# --- whose reward is whose


class Mute:
    """Says nothing at first, and something when asked again."""

    def __init__(self):
        self.asked, self.systems = 0, {}

    def spec(self):
        return {}

    async def say(self, move):
        self.asked += 1
        if self.asked == 1:
            raise CallError("It said nothing.", "empty_reply", usage=Usage(output_tokens=1))
        return Said("w0", usage=Usage(output_tokens=1))


def test_a_player_in_training_is_heard_once_be_it_silent():
    async def hears(chair, times):
        case = Case("c", 0, 0, seatings(ROWS, brief())[0])
        heard, heard_before = Heard(chair, "first"), []
        move = Move(Position.opening(brief(), case), "first", brief().steps[0], 1, 0)
        for _ in range(times):
            try:
                heard_before.append((await heard.say(move)).text)
            except CallError as error:
                heard_before.append(error.cause)
        return heard_before

    silent, speaking = Mute(), Mute()
    assert asyncio.run(hears(silent, 3)) == ["empty_reply"] * 3 and silent.asked == 1
    speaking.asked = 1
    assert asyncio.run(hears(speaking, 3)) == ["w0"] * 3 and speaking.asked == 2


def test_only_the_statements_of_the_seat_that_is_paid_are_learned_from():
    model = base()
    match = _match(model, practice(protocol=brief(rounds=2)), None)
    with Rollouts(model, match, 0) as rollouts:
        played = rollouts.play([0] * 4 + [1] * 4)
    cases = match.game(System(model_of(model))).cases
    argued = [case["answers"][(case["seat"] == "second") ^ case["swapped"]] for case in cases[:2]]
    asked = [model.tokenizer.decode(one.prompt) for one in played]
    assert all(f'answer is " {argued[0]} " and not' in text for text in asked[:4])
    assert all(f'answer is " {argued[1]} " and not' in text for text in asked[4:])
    assert set(argued) == {"odd", "even"}
    assert len({one.reward for one in played}) > 2


@dataclass(frozen=True)
class BelievesFirst(ScriptedJudge):
    """Believes the answer listed first, whatever is said."""

    name: str = "believes_first"

    async def weigh(self, position, seed):
        return Weighed(0.9, orders=(0.9,))


def test_a_zero_sum_reward_goes_to_the_right_seat():
    model = base(200)
    with Rollouts(model, _match(model, practice(judge=BelievesFirst()), None), 0) as rollouts:
        rewards = [one.reward for one in rollouts.play([0, 1, 2, 3])]
    assert rewards == pytest.approx(
        [0.9, 0.1, 0.9, 0.1]
    )  # cases 0 and 2 train the first seat, 1 and 3 the second


# --- one who estimates


def estimated():
    """A prover with an assigned answer, and one who says how likely it is, at the same time."""
    shipped = protocol("prover_estimator")
    argues = Step(who=("prover",), words=2, told='Say why the answer is "{mine}" and not "{other}".')
    estimates = Step(
        who=("estimator",), does="estimate", to="prover", words=2, told="Say how likely it is in per cent."
    )
    settled = Rules(slack=1, loses=())
    return shipped.changed(opening=(), round=(argues, estimates), closing=(), rounds=1, rules=settled)


def test_who_estimates_learns_too_from_what_is_true(tmp_path):
    game = estimated()
    assert seats_of(game) == ("prover", "estimator")
    model = base(
        2, more=("50%", "100%")
    )  # half is worth 0.75 whichever answer it is about, the other 0.5 on average
    how = Reinforcement(steps=60, batch=16, group=8, kl=0.0, learning_rate=3e-2, collapse=0.0, lora=WHOLE)
    trained = learn_by_debating(model, practice(protocol=game), tmp_path / "rl", how, every=200)
    rewards = [row["reward"] for row in Folder(trained.path).read("rollouts")]
    told = np.reshape(rewards, (60, 2, 8))[:, 1].ravel()  # of a step's two groups the prover's comes first
    assert np.mean(told[:80]) < 0.67 and np.mean(told[-80:]) > 0.71


def test_an_estimate_without_a_percentage_is_worth_nothing():
    def told(lean, correct=0):
        moves = [{"seat": "second", "does": "estimate", "lean": lean}]
        transcript = over(sides=(0, None))
        return replace(transcript, metadata={**transcript.metadata, "moves": moves, "correct": correct})

    said = judged(0.5)
    assert [payoff(told(lean), said, "second") for lean in (1.0, 0.5, None)] == [1.0, 0.75, 0.0]
    assert payoff(told(1.0, None), said, "second") is None


@pytest.mark.parametrize(
    ("said", "worth"),
    [
        ("60 %", {0.84, 0.64}),
        ("It may be.", {0.0}),
        ("", {0.0}),
        ("<quote>no such words</quote> 60 %", {0.0}),
    ],
)
def test_an_estimate_of_which_nothing_is_heard_is_worth_nothing(said, worth):
    class Estimator(Skilled):
        async def say(self, move):
            return Said(said if move.step.does == "estimate" else "Claim 1 is weak.")

    bout = Bout(protocol("prover_estimator"), Estimator(0.0), Skilled(0.0), ScriptedJudge())
    cases = [case for case in seatings(ROWS[:1], bout.protocol) if case["seat"] == "estimator"]
    played = [asyncio.run(bout.play(Case("c", n, 5, case))) for n, case in enumerate(cases)]
    assert not any(one.metadata["lost"] for one in played)
    assert {payoff(one, judged(0.5), "estimator") for one in played} == worth
    assert payoff(replace(played[0], outcome="failed"), judged(0.5), "estimator") is None


def test_no_case_is_of_an_estimate_where_nobody_knows_what_is_right():
    unknown = {key: value for key, value in ROWS[1].items() if key != "correct"}
    cases = seatings([ROWS[0], unknown], protocol("prover_estimator"))
    assert [case["seat"] for case in cases] == ["prover", "estimator"] * 2 + ["prover"] * 2


def assigned_alike():
    """Two seats that argue for the same answer."""
    shipped = protocol("consultancy")
    [(name, seat)] = shipped.own.items()
    step = Step(who=(name, "second"), words=5, told='Say why it is "{mine}".')
    return shipped.changed(seats={name: seat, "second": seat}, opening=(), round=(step,), closing=())


@pytest.mark.parametrize("game", [lambda: estimated(), assigned_alike])
def test_who_argues_against_nobody_is_measured_against_nobody(tmp_path, game):
    assert not practice(protocol=game()).measured
    with pytest.raises(InputError, match="no two seats argue against each other"):
        asyncio.run(contest(Skilled(0.0), Skilled(0.0), ROWS, game(), LikesEven(), tmp_path))


# --- learning


def test_a_debater_learns_from_branches_to_say_what_the_judge_likes(tmp_path):
    how = Branches(iterations=1, branches=4, preferring=preferring())
    rows = [{"question": f"Is {n}?", "answers": ["odd", "even"], "correct": n % 2} for n in range(8)]
    trained = learn_from_branches(base(), practice(rows=rows), tmp_path / "out", how)
    assert [row["step"] for row in trained.curve] == [1]
    [wins] = _wins(tmp_path / "out")
    assert wins["step"] == 1 and wins["wins"]["low"] > 0.5
    assert contested(tmp_path / "out" / "contests" / "1") == {row["question"] for row in HELD_OUT}
    assert (tmp_path / "out" / "adapter_model.safetensors").exists()


def test_a_debater_learns_by_debating_to_say_what_the_judge_likes(tmp_path):
    settings = Reinforcement(
        steps=10, batch=16, group=8, learning_rate=2e-2, kl=0.02, save_every=5, lora=WHOLE
    )
    learn_by_debating(base(), practice(), tmp_path / "out", settings, every=5)
    wins = _wins(tmp_path / "out")
    assert [row["step"] for row in wins] == [5, 10] and wins[-1]["wins"]["low"] > 0.5
    assert contested(tmp_path / "out" / "contests" / "10") == {row["question"] for row in HELD_OUT}
    learn_by_debating(base(), practice(held_out=HELD_OUT[:4]), tmp_path / "out", settings, every=5)
    last = _wins(tmp_path / "out")[-1]
    assert (last["step"], last["wins"]["n"]) == (10, 8)  # other questions, measured anew


def small(output, judge=None, iterations=1, **changes):
    how = Branches(iterations=iterations, preferring=preferring(epochs=2, save_every=1))
    task = practice(judge=judge or LikesEven(), **{"held_out": (), **changes})
    return learn_from_branches(base(), task, output, how)


def dying(output):
    small(output, LikesEven(dies_at=10, asked=[]))


def died(output):
    """How `dying` ended, in a process of its own."""
    code = f"from {__name__} import dying; from pathlib import Path; dying(Path({str(output)!r}))"
    return Forked(code).ended()[0]


def test_a_training_killed_among_its_branches_or_its_steps_goes_on_to_the_same_curve(tmp_path):
    whole = small(tmp_path / "whole")
    assert died(tmp_path / "branching") == -9
    assert killed(small, tmp_path / "training", "curve.jsonl", 2) == -9
    for stopped in ("branching", "training"):
        assert small(tmp_path / stopped).curve == whole.curve
        [made] = (tmp_path / stopped / "branches-1").iterdir()
        assert sorted(t.case.index for t in open_run(made).transcripts()) == list(range(8))


def test_a_second_iteration_goes_on_from_the_first_wherever_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    longer = {"iterations": 2, "protocol": brief(rounds=2)}
    whole = small(Path("here"), **longer)
    small(Path("there/first"), protocol=brief(rounds=2))
    (tmp_path / "there" / "first").rename(tmp_path / "moved")
    assert small(tmp_path / "moved", **longer).curve == whole.curve
    assert Folder(Path("here/iteration-2")).info["spec"]["start"] == adapter_digest("here/iteration-1")
    weights = {
        name: open_run(next(Path(f"here/branches-{name}").iterdir())).info["players"]["player"][
            "weights_sha256"
        ]
        for name in (1, 2)
    }
    assert weights[1] == base().weights_sha256 != weights[2]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """An adapter that somebody trained before."""
    where = tmp_path_factory.mktemp("start")
    policy = trainable(base(), WHOLE, seed=7)
    for name, weight in policy.weights.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    policy.weights.save_pretrained(where, save_embedding_layers=False)
    return where


@pytest.mark.parametrize("begins", ["afresh", "from an adapter"])
def test_the_frozen_opponent_is_the_start_and_the_trained_player_is_not(begins, start):
    model = base()
    before = start if begins == "from an adapter" else None
    match = _match(model, practice(opponent="frozen"), before)
    policy = trainable(model, WHOLE, before)
    players = match.game(System(model_of(policy))).players
    assert players["player"].model.api.local is policy
    opponent = players["opponent"].model.api.local
    assert (opponent is model) == (before is None) and opponent is not policy
    assert opponent.adapter == before


def test_branches_are_played_against_the_frozen_start(tmp_path, start):
    how = Branches(iterations=2, preferring=preferring(epochs=1))
    task = practice(opponent="frozen", held_out=())
    learn_from_branches(base(), task, tmp_path / "out", how, start=start)
    seats = [open_run(next((tmp_path / "out" / f"branches-{n}").iterdir())).info["players"] for n in (1, 2)]
    player, opponent = ([one[who]["weights_sha256"] for one in seats] for who in ("player", "opponent"))
    assert opponent == [player[0]] * 2 and player[1] != player[0] != base().weights_sha256


def test_a_training_that_collapsed_is_over_and_was_measured_where_it_ended(tmp_path, monkeypatch):
    called = []

    def reinforce(base, match, output, settings, **_):
        """A training that collapses at step 30, by the rules of the real one."""
        folder = Folder(output)
        if not (folder.done and folder.info["steps"] >= settings.steps):
            called.append(settings.steps)
            end, why = (30, "collapsed") if settings.steps >= 30 else (settings.steps, "")
            (folder.checkpoints / f"checkpoint-{end}").mkdir(parents=True)
            (folder.path / "adapter_model.safetensors").touch()
            folder.append("curve", [{"step": end}])
            folder.note(status="ended" if why else "complete", steps=settings.steps, ended=why)
        return Trained(folder.path, list(folder.read("curve")), folder.info["ended"])

    measured = []
    monkeypatch.setattr("gadfly.training.reinforce", reinforce)
    monkeypatch.setattr("gadfly.debate._tuning._match", lambda *_: None)
    monkeypatch.setattr("gadfly.debate._tuning._measured", lambda folder, step, *_: measured.append(step))
    (tmp_path / "out").mkdir()
    for _ in range(2):
        found = learn_by_debating(
            base(), practice(), tmp_path / "out", Reinforcement(steps=100, batch=4, group=4)
        )
        assert found.ended == "collapsed"
    assert (called, measured) == ([25, 50], [25, 30, 30])


def test_both_methods_train_where_an_event_loop_runs_already(tmp_path):
    async def cell():
        how = Branches(iterations=1, branches=4, preferring=preferring())
        steps = Reinforcement(steps=2, batch=4, group=2)
        return (
            learn_from_branches(base(), practice(), tmp_path / "dpo", how),
            learn_by_debating(base(), practice(), tmp_path / "rl", steps),
        )

    assert [len(trained.curve) for trained in asyncio.run(cell())] == [1, 2]


def test_settings_that_teach_the_wrong_thing_are_refused(tmp_path):
    with pytest.raises(InputError, match="gamma is above 0"):
        Branches(gamma=-7.0)
    with pytest.raises(InputError, match="every is 1 or more"):
        learn_by_debating(base(), practice(), tmp_path, every=0)


def test_branches_that_differ_by_rounding_are_no_pair():
    def made(*payoffs):
        branches = [{"text": f"t{n}", "payoffs": [one]} for n, one in enumerate(payoffs)]
        return Transcript(Case("c", 0, 0), (), metadata={"prompt": "p", "branches": branches})

    run = SimpleNamespace(transcripts=lambda: [made(0.1 + 0.2, 0.3), made(0.3, 0.4)])
    assert [(one.first, one.second) for one in preferences(run)] == [("t1", "t0")]


@pytest.mark.parametrize("method", ["dpo", "rl"])
def test_a_debater_is_trained_from_the_command_line(gadfly, tmp_path, tiny_agent_dir, method):
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    how = ("--iterations", 1, "--branches", 3) if method == "dpo" else ("--steps", 1, "--batch", 4)
    hard = (*how, "--rounds", 1, "--words", 40, "-o", "out")
    words = (
        "train",
        "debater",
        "set.jsonl",
        "--model",
        f"gadfly/{tiny_agent_dir}@float32",
        "--method",
        method,
        *hard,
    )
    said = gadfly(*words)
    assert said.code == 0, said.err
    assert "has not learned from: gadfly debate eval out/held-out.jsonl --debaters gadfly/" in said.out
    held_out = [json.loads(line) for line in (tmp_path / "out" / "held-out.jsonl").read_text().splitlines()]
    assert [row["question"] for row in held_out] == [ROWS[-1]["question"]]
    assert gadfly(*words).out == said.out


def test_nothing_is_held_out_that_was_learned_from_before(gadfly, tmp_path, tiny_agent_dir):
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    how = ("--method", "rl", "--steps", 1, "--batch", 4, "--rounds", 1, "--words", 40)
    words = ("train", "debater", "set.jsonl", *how)
    model = f"gadfly/{tiny_agent_dir}@float32"
    first = gadfly(*words, "--model", model, "--held-out", 0.25, "-o", "one")
    assert first.code == 0, first.err
    second = gadfly(*words, "--model", f"{model}+one", "--held-out", 0.5, "-o", "two")
    assert second.code == 0, second.err
    assert "1 of 2 questions held out were learned from before, and are left out." in second.err
    held_out = [json.loads(line)["question"] for line in (tmp_path / "two" / "held-out.jsonl").open()]
    assert held_out == [ROWS[-1]["question"]]
    third = gadfly(*words, "--model", f"{model}+two", "--held-out", 0.1, "-o", "three")
    assert third.code == 0 and "learned from before" not in third.err
    assert len(Folder(tmp_path / "three").info["learned"]) == 3


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ("--method", "dpo", "--steps", 7, "--kl", 9),
            "--steps and --kl: only for --method rl; this is dpo.",
        ),
        (("--method", "rl", "--rollouts", 4), "--rollouts: only for --method dpo; this is rl."),
        (("--method", "rl", "--batch", 5), "--batch is even"),
        (("--judge", "reward:mine", "--orders", 1), "leave out --orders"),
    ],
)
def test_options_that_would_be_ignored_are_refused(gadfly, tmp_path, words, complaint):
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    said = gadfly("train", "debater", "set.jsonl", *words)
    assert said.code == 2 and complaint in said.err


def contested(path):
    """The questions that a player was measured on."""
    [made] = path.iterdir()
    return {one.case.data["question"] for one in open_run(made).transcripts()}


def _wins(path):
    return [json.loads(line) for line in (path / "wins.jsonl").read_text().splitlines()]
