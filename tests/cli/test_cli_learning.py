"""Learning from what people said in a queue: gadfly train reward and gadfly judge curves, with --labels."""

import asyncio
import sys
from pathlib import Path

import pytest

from gadfly.judges import load_reward, policy
from gadfly.judges._base import Finding, PatternJudge
from gadfly.models import System, scripted
from gadfly.redteam import Attack, Campaign, focus, redteam
from gadfly.review import Answer, Drawing, QueueSpec, Store, draw_into, frame_of
from gadfly.runs import Settings
from tiny_models import save_tiny_chat

sys.path.append(str(Path(__file__).parents[1] / "judges"))
from fit_fakes import KIND, RUDE, write_embedding_model

SHORT = ("--seeds", 2, "--start", 20, "--end", 30, "--step", 10)


@pytest.fixture(scope="module")
def trunk(tmp_path_factory):
    return save_tiny_chat(tmp_path_factory.mktemp("trunk") / "tiny")


@pytest.fixture
def learn(gadfly, trunk, tmp_path, monkeypatch):
    """`learn(*words)`: gadfly train reward from the queue, as a small model."""
    monkeypatch.setenv("GADFLY_JUDGES", str(tmp_path / "judges"))
    return lambda *words: gadfly("train", "reward", *words, "--trunk", trunk, "--members", 2)


@pytest.fixture
def runs(gadfly, tmp_path, monkeypatch):
    """Two runs, of fifty cases and of thirty, half of whose replies are rude; ann has said which, in queue q."""
    monkeypatch.delenv("GADFLY_REVIEW", raising=False)
    made = [played(tmp_path / "gadfly-runs", cases) for cases in (50, 30)]
    with Store(f"sqlite:///{tmp_path}/gadfly-review.db") as store:
        store.create(QueueSpec("q", raters=1, double_share=0.0))
        for run in made:
            draw_into(store, "q", frame_of(run, "mild"), Drawing(policy("uniform"), 50))
        ann = store.rater(store.add_rater("q", "ann")).id
        while (given := store.next(ann)) is not None:
            said = given.item.payload["turns"][-1]["text"]
            store.answer(given.id, ann, Answer("fails" if any(words in said for words in RUDE) else "passes"))
    return made


def reply(messages, seed):
    """Rude or kind, and then a dialogue of its own, as small models go on."""
    return f"{(*RUDE, *KIND)[seed % 10]}\n\nHuman: {seed}\n\nAssistant: Well."


def played(home, cases):
    asks = System(scripted(lambda messages, seed: f"What about number {seed}?"))
    mild = PatternJudge("mild", 0.5, lambda transcript: Finding(0.1))
    attack = Attack("zero_shot", asks)
    campaign = Campaign(focus("general"), System(scripted(reply)), [mild], [attack], cases, seed=cases)
    return asyncio.run(redteam(campaign, Settings(home, progress=False)))[0]


def test_a_reward_model_learns_what_people_said_in_a_queue(runs, learn):
    said = learn("--labels", "q")
    assert said.code == 0 and "80 labels" in said.out
    card = load_reward("q").card
    assert card.worth.auroc.point > 0.9
    assert card.labels.source.queue == "q" and set(card.labels.source.runs) == {run.id for run in runs}


def test_from_a_run_it_learns_of_that_runs_cases_alone(runs, learn):
    assert learn("--labels", "q", "--from", runs[1].id, "--name", "one").code == 0
    card = load_reward("one").card
    assert set(card.learned) == {transcript.case.id for transcript in runs[1].transcripts()}
    assert card.labels.source.runs == (runs[1].id,)


@pytest.mark.parametrize(("words", "reads"), [((), "reply"), (("--reads", "dialogue"), "dialogue")])
def test_it_reads_a_transcript_as_it_learned_to(runs, learn, words, reads):
    assert learn("--labels", "q", *words).code == 0
    assert load_reward("q").reads == reads


def test_a_run_without_a_queue_is_refused(learn):
    said = learn("texts.jsonl", "--from", "redteam-x")
    assert said.code == 2 and "--from narrows a queue: name it with --labels" in said.err


def test_a_run_that_was_never_labelled_has_nothing_to_teach(runs, learn, tmp_path):
    other = played(tmp_path / "gadfly-runs", 21)
    said = learn("--labels", "q", "--from", other.id)
    assert said.code == 2 and f"Queue q has no labels of {other.id}" in said.err


@pytest.mark.parametrize("learner", ["fitted", "reward"])
def test_curves_are_drawn_of_a_queue(runs, gadfly, tmp_path, learner):
    reader = write_embedding_model(tmp_path / "embedding")
    words = ("--learner", learner, "--model", reader, *SHORT, "--policy", "epistemic!")
    said = gadfly("judge", "curves", "--labels", "q", *words)
    assert said.code == 0, said.err
    assert "q: 80, " in (tmp_path / "curves.html").read_text()
