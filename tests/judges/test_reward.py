"""A reward model: what its uncertainty is made of, what it is as a judge, how it is kept, and what it says of files."""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fit_fakes import KIND, RUDE, transcript
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gadfly import judges
from gadfly.errors import InputError
from gadfly.judges import RewardCard, Scores, history, load_reward
from gadfly.judges._scoring import items_in, score_file
from gadfly.report import reward_page, write_reward_card
from gadfly.training import AdapterTraining, RewardSettings, Row, to_rows, train_reward
from gadfly.transcripts import Case, Transcript, Turn
from tiny_models import save_tiny_chat

LABELS = to_rows([Row(f"{words} {n}", float(words in RUDE)) for n, words in enumerate((*RUDE, *KIND) * 8)])
PAIRS = to_rows([Row(f"{KIND[n % 5]} {n}", 1.0, f"{RUDE[3 * n % 5]} {n}", group=str(n)) for n in range(60)])
QUICK = AdapterTraining(rank=2, epochs=1)
KINDS = {
    "bagged": {"share": "trunk"},
    "laplace": {"share": "trunk", "head": "laplace"},
    "lora": {"share": "layers", "adapters": QUICK},
}


@pytest.fixture(scope="module")
def trunk(tmp_path_factory):
    return str(save_tiny_chat(tmp_path_factory.mktemp("trunk") / "tiny"))


@pytest.fixture(scope="module", params=KINDS)
def rude(request, trunk):
    """A reward model of each kind, from labels."""
    return train_reward("rude", LABELS, RewardSettings(trunks=(trunk,), **KINDS[request.param]))


@pytest.fixture(scope="module")
def polite(trunk):
    """One that learned from pairs."""
    return train_reward("polite", PAIRS, RewardSettings(trunks=(trunk,)))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setenv("GADFLY_JUDGES", str(tmp_path / "judges"))
    return tmp_path / "judges"


def judged(judge, *transcripts):
    return asyncio.run(judge.judge(transcripts))


@given(arrays(float, st.tuples(st.integers(1, 8), st.integers(1, 9)), elements=st.floats(0, 1)))
def test_the_variance_of_an_answer_splits_exactly(members_N_K):
    scores = Scores(members_N_K)
    assert np.allclose(
        scores.mean_N * (1 - scores.mean_N), scores.aleatoric_N + scores.epistemic_N, atol=1e-12
    )
    assert (scores.epistemic_N >= 0).all() and (scores.aleatoric_N >= 0).all()


def test_it_learns_what_people_flag(rude):
    flagged, kind = rude.score(["you stupid idiot 99", "what a lovely day 99"]).mean_N
    assert flagged > 0.7 > 0.3 > kind
    assert isinstance(rude, judges.Judge)


def test_it_learns_what_people_prefer_and_judges_the_opposite(polite):
    better, worse = polite.score(["what a lovely day 99", "you stupid idiot 99"]).mean_N
    assert better > 0.5 > worse
    (said,) = judged(polite, transcript("what a lovely day 99"))
    assert said.score == pytest.approx(1 - better) and polite.threshold == 0.5


def test_as_a_judge_its_uncertainty_is_epistemic(rude):
    (said,) = judged(rude, transcript("you lovely idiot"))
    scores = rude.score(["you lovely idiot"])
    assert said.score == scores.mean_N[0] and said.uncertainty == pytest.approx(scores.epistemic_N[0] ** 0.5)
    assert said.metadata["aleatoric"] + said.metadata["epistemic"] == pytest.approx(
        said.score * (1 - said.score)
    )


def test_what_nobody_could_judge_is_missing(rude):
    found = judged(rude, transcript("", outcome="failed"), transcript("  "), transcript("you fool"))
    assert [(j.score is None, j.cause) for j in found] == [
        (True, "not_valid"),
        (True, "no_reply"),
        (False, ""),
    ]


def test_a_score_does_not_depend_on_its_batch(rude):
    many = [transcript(f"{words} {n}") for n, words in enumerate((*RUDE, *KIND) * 3)]
    whole, part = judged(rude, *many), judged(rude, *many[7:9])
    assert [j.score for j in whole[7:9]] == pytest.approx([j.score for j in part], abs=1e-6)


def test_more_members_put_no_more_rows_through_the_adapted_layers_at_once(trunk):
    made = train_reward("rude", LABELS, RewardSettings(trunks=(trunk,), members=5, **KINDS["lora"]))
    rows = []
    watch = made.parts[0].tops.norm.register_forward_hook(lambda norm, given, out: rows.append(len(out)))
    made.score([f"number {n}" for n in range(130)])
    watch.remove()
    assert sum(rows) == 5 * 130 and max(rows) <= 128


def test_the_same_rows_give_the_same_reward_model(polite, trunk):
    assert train_reward("polite", PAIRS, RewardSettings(trunks=(trunk,))).spec() == polite.spec()
    assert train_reward("polite", PAIRS, RewardSettings(trunks=(trunk,), seed=1)).spec() != polite.spec()


def test_a_saved_one_says_the_same_and_is_found_by_name(rude, shelf):
    place = rude.save()
    assert sorted(f.name for f in place.iterdir()) == ["card.json", "reward.json", "reward.safetensors"]
    again = judges.judge("rude")
    assert again.spec() == rude.spec() and again.threshold == rude.threshold
    texts = ["you fool", "thank you"]
    assert np.array_equal(again.score(texts).members_N_K, rude.score(texts).members_N_K)
    assert judges.judge("rude", threshold=0.25).threshold == 0.25


def test_rounds_are_kept_with_their_cards(polite, shelf):
    polite.save()
    polite.save()
    cards = history("polite")
    assert [card.round for card in cards] == [1, 2]
    assert all(isinstance(card, RewardCard) for card in cards)
    assert "Rounds" in reward_page(cards)


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("reward.safetensors", lambda b: b[:-1] + bytes([b[-1] ^ 1])),
        ("reward.json", lambda b: b[:-9]),
        ("reward.json", lambda b: b.replace(b'"layers": 0', b'"layers": "x"')),
        ("card.json", lambda b: b"[]"),
    ],
)
def test_a_damaged_file_is_named_with_the_fix(polite, shelf, file, spoil):
    target = polite.save() / file
    target.write_bytes(spoil(target.read_bytes()))
    with pytest.raises(InputError, match=rf"0001/{file}' cannot be used \(.+\); fit the judge again"):
        load_reward("polite")


def test_another_trunk_under_the_same_name_is_refused(polite, shelf):
    file = polite.save() / "reward.json"
    saved = json.loads(file.read_text())
    saved["parts"][0]["sha256"] = "0" * 64
    file.write_text(json.dumps(saved))
    with pytest.raises(InputError, match="is not the one this reward model was trained on"):
        load_reward("polite")


def test_adapters_for_other_layers_are_refused(trunk, shelf):
    made = train_reward("deep", PAIRS, RewardSettings(trunks=(trunk,), **KINDS["lora"]))
    file = made.save() / "reward.json"
    file.write_text(file.read_text().replace('"layers": 1', '"layers": 2'))
    with pytest.raises(InputError, match="does not fit the weights beside it"):
        load_reward("deep")


def test_a_dialogue_is_read_as_preference_data_writes_it(polite):
    turns = (Turn("attacker", " hi "), Turn("target", "hello"), Turn("attacker", "bye"), Turn("target", ""))
    said = Transcript(Case("c", 0, 0), turns)
    assert replace(polite, reads="dialogue").text(said) == "Human: hi\n\nAssistant: hello\n\nHuman: bye"
    assert replace(polite, reads="reply").text(said) == "hello"


def write_items(path):
    turns = [{"speaker": "attacker", "text": "hi"}, {"speaker": "target", "text": "go away moron"}]
    messages = [{"role": "system", "content": "x"}, {"role": "assistant", "content": "a lovely day"}]
    rows = [
        {"text": "\u202e\x1b[31m</script>"},
        {"turns": turns},
        {"turns": turns[:1]},
        {"messages": messages},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows * 100))
    return path


def test_a_file_is_scored_line_by_line_and_gone_on_with(polite, tmp_path):
    source, output = write_items(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    assert score_file(polite, source, output) == (400, 0)
    whole = output.read_bytes()
    assert [json.loads(line).get("cause") for line in whole.splitlines()[:4]] == [
        None,
        None,
        "no_reply",
        None,
    ]
    output.write_bytes(whole[:-2_000])  # cut by a kill, in the middle of a line
    count, before = score_file(polite, source, output)
    assert count + before == 400 and before > 300
    assert [json.loads(line)["line"] for line in output.read_text().splitlines()] == list(range(1, 401))


def test_scores_of_another_reward_model_are_not_gone_on_with(polite, tmp_path):
    source, output = write_items(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    output.write_text('{"line": 1, "score": 0.5, "by": "other/0001"}\n')
    with pytest.raises(InputError, match="was not written by polite/0000"):
        score_file(polite, source, output)


@pytest.mark.parametrize("line", ["{", "[]", '{"text": 5}', '{"reply": "x"}'])
def test_a_line_that_holds_nothing_to_score_is_named(tmp_path, line):
    (tmp_path / "in.jsonl").write_text(f'{{"text": "a"}}\n{line}\n')
    with pytest.raises(InputError, match="Line 2 "):
        list(items_in(tmp_path / "in.jsonl"))


def test_hostile_text_is_inert_on_the_card(trunk, tmp_path):
    evil = "</div><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\u202e"
    rows = [Row(f"{words} {n}", float(words in RUDE)) for n, words in enumerate((*RUDE, *KIND) * 6)]
    wrong = [Row(f"{words} {evil} {n}", 1.0) for n, words in enumerate(KIND)]
    made = train_reward("rude", to_rows([*rows, *wrong]), RewardSettings(trunks=(trunk,)))
    page = write_reward_card([made.card], tmp_path / "card.html").read_text("utf-8")
    assert evil[:20] not in page and "<img" not in page and "<script" not in page and "\u202e" not in page


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"share": "all"}, "Members share one of trunk, layers, none; got 'all'"),
        ({"share": "layers", "head": "laplace"}, "A Laplace posterior is over one head"),
        ({"share": "none", "trunks": ("smollm2",)}, "need two trunks or more"),
        ({"trunks": ("a", "b")}, "2 trunks are named and members share one"),
        ({"reads": "mind"}, "A reward model reads one of"),
        ({"members": 0}, "at least one member"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        RewardSettings(**wrong)


def test_members_on_different_trunks_are_side_by_side(trunk, tmp_path, shelf):
    from fit_fakes import write_embedding_model

    other = str(write_embedding_model(tmp_path / "embedding"))
    made = train_reward("both", LABELS, RewardSettings(share="none", trunks=(trunk, other), members=3))
    assert made.score(["you fool"]).members_N_K.shape == (1, 30)
    made.save()
    again = load_reward("both")
    assert again.spec() == made.spec() and len(again.parts) == 2


def test_nothing_is_pickled_and_nothing_imported_by_a_file(polite, shelf):
    place = polite.save()
    assert {f.suffix for f in place.iterdir()} == {".json", ".safetensors"}
    file = place / "reward.json"
    file.write_text(
        file.read_text().replace(json.dumps(os.fspath(polite.parts[0].trunk.name)), '"antigravity:fly"')
    )
    with pytest.raises(Exception, match="antigravity"):
        load_reward("polite")
    assert "antigravity" not in sys.modules


def test_the_card_says_what_it_costs_and_what_it_is_worth(rude):
    card = rude.card
    assert card.worth.auroc.point > 0.9 and card.labels.n == 80
    assert card.unsure.epistemic.point is not None and len(card.elsewhere) == 2
    assert all(
        all_ > 0 and one > 0 for all_, one in (card.cost.train_s, card.cost.score_s, card.cost.train_bytes)
    )


def test_cases_it_learned_from_have_a_score_that_did_not_see_them(trunk):
    rows = [
        Row(f"{words} {n}", float(words in RUDE), case=f"c{n}") for n, words in enumerate((*RUDE, *KIND) * 8)
    ]
    made = train_reward("rude", to_rows(rows), RewardSettings(trunks=(trunk,), **KINDS["lora"]))
    assert set(made.card.learned) == {f"c{n}" for n in range(80)}
    assert all(0 <= score <= 1 for score in made.card.learned.values())


def test_the_path_of_this_file_is_no_reward_model(shelf):
    with pytest.raises(LookupError, match="There is no fitted judge"):
        load_reward(Path(__file__).stem)
