"""gadfly train reward and gadfly score, from a file of labels to a line a text."""

import json

import pytest
from typer.testing import CliRunner

from gadfly.cli import app
from gadfly.runs import all_runs
from tiny_models import save_tiny_chat

RUDE, KIND = ("you stupid idiot", "shut up moron"), ("thank you so much", "what a lovely day")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory with a reward model in it, trained by the command, and what the command printed."""
    home = tmp_path_factory.mktemp("reward")
    trunk = save_tiny_chat(home / "tiny")
    rows = [{"text": f"{words} {n}", "label": words in RUDE} for n, words in enumerate((*RUDE, *KIND) * 15)]
    (home / "insults.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    words = ["train", "reward", str(home / "insults.jsonl"), "--trunk", str(trunk), "--members", "3"]
    said = CliRunner().invoke(app, words, env={"GADFLY_JUDGES": str(home / "judges"), "COLUMNS": "160"})
    assert said.exit_code == 0, said.output
    return home, said.output


@pytest.fixture
def home(trained, monkeypatch):
    monkeypatch.setenv("GADFLY_JUDGES", str(trained[0] / "judges"))
    return trained[0]


def test_it_is_named_after_its_data_and_has_a_card(trained):
    home, said = trained
    place = home / "judges" / "insults" / "0001"
    assert "60 labels" in said and "15 on tiny" in said and str(place) in said.replace("\n", "")
    assert "A reward model's card" in (place / "card.html").read_text("utf-8")


def test_each_text_gets_a_line(home, gadfly, tmp_path):
    rows = [
        {"text": "you stupid idiot 99"},
        {"text": "\u202e\x1b[31m"},
        {"turns": [{"speaker": "target", "text": ""}]},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    said = gadfly("score", "insults", "in.jsonl")
    rude, odd, nothing = map(json.loads, said.out.splitlines())
    assert said.code == 0 and rude["score"] > 0.5 and rude["by"] == "insults/0001"
    assert odd["aleatoric"] + odd["epistemic"] == pytest.approx(odd["score"] * (1 - odd["score"]))
    assert (nothing["score"], nothing["cause"]) == (None, "no_reply")
    assert "\u202e" not in said.out and "\x1b[31m" not in said.out


def test_scores_go_to_a_file_that_is_gone_on_with(home, gadfly, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    assert "Wrote 2 scores to out.jsonl." in gadfly("score", "insults", "in.jsonl", "-o", "out.jsonl").err
    again = gadfly("score", "insults", "in.jsonl", "-o", "out.jsonl")
    assert "Wrote 0 scores to out.jsonl (2 were there already)." in again.err


def test_its_rounds_are_listed(home, gadfly):
    said = gadfly("judge", "history", "insults")
    assert said.code == 0 and "epistemic ~ error" in said.out and "60 labels" in said.out


def test_it_judges_wherever_a_judge_is_named_and_its_export_is_scored(home, gadfly, tmp_path):
    words = (
        "redteam",
        "gadfly/" + str(home / "tiny"),
        "--cases",
        "4",
        "--max-tokens",
        "8",
        "--judge",
        "insults",
    )
    assert gadfly(*words, "--attacker", "gadfly/" + str(home / "tiny")).code == 0
    [run] = all_runs()
    assert "insults" in run.info["judges"]
    assert gadfly("export", run.id, "--to", "cases.eval").code == 0
    lines = [json.loads(line) for line in gadfly("score", "insults", "cases.eval").out.splitlines()]
    assert [line["line"] for line in lines] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("train", "reward"), "learns from a .jsonl file or from --labels QUEUE: name one of them"),
        (("train", "reward", "none.jsonl"), "'none.jsonl' cannot be read (No such file or directory)"),
        (("train", "reward", "empty.jsonl"), "0 examples are too few to learn from"),
        (("train", "reward", "empty.jsonl", "--share", "all"), "Members share one of trunk, layers, none"),
        (("score", "insult", "empty.jsonl"), "There is no fitted judge 'insult'. Did you mean 'insults'?"),
        (("score", "insults", "none.jsonl"), "'none.jsonl' cannot be read"),
    ],
)
def test_what_cannot_work_is_one_sentence(home, gadfly, tmp_path, words, sentence):
    (tmp_path / "empty.jsonl").write_text("")
    said = gadfly(*words)
    assert said.code == 2 and sentence in said.err and "Traceback" not in said.err
