"""gadfly judge curves as a user types it."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "judges"))
from fit_fakes import KIND, RUDE, write_embedding_model

SHORT = ("--seeds", 2, "--start", 20, "--end", 30, "--step", 10)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return write_embedding_model(tmp_path_factory.mktemp("embedding") / "tiny")


@pytest.fixture
def texts(tmp_path):
    rows = [{"text": f"{(RUDE, KIND)[i % 2][i % 5]} {i}", "label": 1 - i % 2} for i in range(100)]
    return written(tmp_path / "texts.jsonl", rows)


def written(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_curves_are_drawn_tabled_and_kept(gadfly, texts, reader, tmp_path):
    words = ("judge", "curves", texts, "--model", reader, *SHORT, "--policy", "top-total")
    said = gadfly(*words)
    assert said.code == 0 and "top-total" in said.out and "The curves: curves.html" in said.out
    assert "uniform (grey)" in (tmp_path / "curves.html").read_text()
    before = (tmp_path / "curves.jsonl").read_text()
    assert before.count("\n") == 4
    assert gadfly(*words).out == said.out and (tmp_path / "curves.jsonl").read_text() == before


def test_a_reward_model_learns_from_pairs(gadfly, reader, tmp_path):
    rows = [{"chosen": f"{KIND[i % 5]} {i}", "rejected": f"{RUDE[i % 4]} {i}"} for i in range(90)]
    words = ("--learner", "reward", "--model", reader, *SHORT, "--policy", "epistemic!", "-o", "p.html")
    said = gadfly("judge", "curves", written(tmp_path / "pairs.jsonl", rows), *words)
    assert said.code == 0 and (tmp_path / "p.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name one of them"),
        (("texts.jsonl", "--labels", "q"), "name one of them"),
        (("--labels", "q"), "There are no labels in"),
        (("nowhere.jsonl",), "cannot be read"),
        (("texts.jsonl", "--learner", "rewrad"), "Did you mean 'reward'?"),
        (("texts.jsonl", "--policy", "epistemc!"), "Did you mean 'epistemic'?"),
        (("texts.jsonl", "--model", "a", "--model", "b"), "one embedding model"),
        (("texts.jsonl", "-o", "."), "is a directory"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(gadfly, texts, words, said):
    ended = gadfly("judge", "curves", *words)
    assert ended.code == 2 and said in ended.err and ended.err.strip().count("\n") == 0


@pytest.mark.parametrize(
    ("rows", "words", "said"),
    [
        ([{"text": f"so {i}", "label": 0} for i in range(100)], (), "All 100 labels are not flagged"),
        ([{"text": f"so {i}", "label": i < 4} for i in range(100)], (), "4 of 100 labels are flagged"),
        ([{"text": f"so {i}", "label": i % 2} for i in range(40)], (), "40 labels leave a pool of 26"),
        ([{"text": f"so {i}", "label": i % 2} for i in range(100)], ("--end", 90), "which cannot give 90"),
        ([{"chosen": "a", "rejected": "b"}] * 100, (), "add --learner reward"),
    ],
)
def test_labels_that_cannot_tell_are_one_sentence(gadfly, reader, tmp_path, rows, words, said):
    ended = gadfly("judge", "curves", written(tmp_path / "rows.jsonl", rows), "--model", reader, *words)
    assert ended.code == 2 and said in ended.err and ended.err.strip().count("\n") == 0
