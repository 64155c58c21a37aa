"""Players learn to debate: payoffs, branches, whose reward is whose, both methods, and a training killed midway."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

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
from gadfly.debate._practice import contest_of
from gadfly.debate._tuning import _match
from gadfly.errors import InputError
from gadfly.models import LocalModel, System, model_of
from gadfly.runs import Settings, open_run, run
from gadfly.training import Folder, Preferring, Reinforcement, Trained, confidence, trainable
from gadfly.training._rollouts import Rollouts
from gadfly.transcripts import Case, Judgement, Transcript
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

    async def weigh(self, position, seed):
        if self.dies_at:
            self.asked.append(seed)
            if len(self.asked) == self.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
        said = {0: 0.0, 1: 0.0}
        for one in position.said:
            said[position.sides[one.seat]] += good(one.text)
        p = confidence(said[0], said[1], 4.0)
        return Weighed(p, orders=(p,))


def base(count=12):
    """A random model of a few words, each a token: what it says and what it is shown read back as they were. With
    more words it seldom says nothing.
    """
    words = [
        "<bos>",
        "<eos>",
        "<unk>",
        *['"', "odd", "even", "answer", "is", "and", "not"],
        *(f"w{n}" for n in range(count)),
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
        (over(lost=["second"], price=0.3), None, 1.0, 0.0),
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


def test_a_judge_without_a_probability_pays_by_its_score_which_is_that_of_the_wrong_answer():
    assert payoff(over(), Judgement("c", "j", 0.1), "first") == pytest.approx(0.9)
    assert payoff(over(), Judgement("c", "j", 0.1), "second") == pytest.approx(0.1)


# --- who sits where


def test_each_question_is_debated_from_either_seat_and_for_either_answer():
    cases = seatings(ROWS, brief())
    argued = {(c["of"], c["answers"][(c["seat"] == "second") ^ c["swapped"]]) for c in cases}
    assert len(cases) == 8 and len(argued) == 8
    assert {c["swapped"] for c in cases if c["seat"] == "first"} == {False, True}
    alone = seatings(ROWS, protocol("consultancy"))
    assert {(c["of"], c["assigned"]) for c in alone} == {(n, a) for n in range(4) for a in (0, 1)}


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


# --- whose reward is whose


def test_only_the_statements_of_the_seat_that_is_paid_are_learned_from():
    model = base()
    match = _match(model, practice(protocol=brief(rounds=2)), None)
    with Rollouts(model, match, 0) as rollouts:
        played = rollouts.play([0] * 4 + [1] * 4)
    asked = [model.tokenizer.decode(one.prompt) for one in played]
    assert all('answer is " odd " and not' in text for text in asked[:4])
    assert all('answer is " even " and not' in text for text in asked[4:])
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


# --- learning


def test_a_debater_learns_from_branches_to_say_what_the_judge_likes(tmp_path):
    how = Branches(iterations=1, branches=4, preferring=preferring())
    rows = [{"question": f"Is {n}?", "answers": ["odd", "even"], "correct": n % 2} for n in range(8)]
    trained = learn_from_branches(base(), practice(rows=rows), tmp_path / "out", how)
    assert [row["step"] for row in trained.curve] == [1]
    [wins] = _wins(tmp_path / "out")
    assert wins["step"] == 1 and wins["wins"][1] > 0.5
    assert (tmp_path / "out" / "adapter_model.safetensors").exists()


def test_a_debater_learns_by_debating_to_say_what_the_judge_likes(tmp_path):
    settings = Reinforcement(
        steps=10, batch=16, group=8, learning_rate=2e-2, kl=0.02, save_every=5, lora=WHOLE
    )
    learn_by_debating(base(), practice(), tmp_path / "out", settings, every=5)
    wins = _wins(tmp_path / "out")
    assert [row["step"] for row in wins] == [5, 10] and wins[-1]["wins"][1] > 0.5


def small(output, judge=None):
    how = Branches(iterations=1, preferring=preferring(epochs=2, save_every=1))
    return learn_from_branches(base(), practice(judge=judge or LikesEven(), held_out=()), output, how)


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


def test_the_frozen_opponent_is_the_start_and_the_trained_player_is_not():
    model = base()
    match = _match(model, practice(opponent="frozen"), None)
    policy = trainable(model, WHOLE)
    players = match.game(System(model_of(policy))).players
    assert players["player"].model.api.local is policy
    assert players["opponent"].model.api.local is model


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
            folder.note(status="collapsed" if why else "complete", steps=settings.steps, ended=why)
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


@pytest.mark.parametrize("method", ["dpo", "rl"])
def test_a_debater_is_trained_from_the_command_line(gadfly, tmp_path, tiny_agent_dir, method):
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    hard = ("--iterations", 1, "--steps", 1, "--batch", 4, "--rounds", 1, "--words", 12, "-o", "out")
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
    assert "To debate with it: gadfly debate eval set.jsonl --debaters gadfly/" in said.out
    assert gadfly(*words).out == said.out


def _wins(path):
    return [json.loads(line) for line in (path / "wins.jsonl").read_text().splitlines()]
