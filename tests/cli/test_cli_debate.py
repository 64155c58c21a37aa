"""gadfly debate: what is printed, kept and refused."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from gadfly.cli import app
from gadfly.corpora import build
from gadfly.debate import briefings, known_protocols, protocol, protocol_text
from gadfly.errors import InputError


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A corpus of one text."""
    (tmp_path / "pipits.txt").write_text("Marsh pipits eat seeds.")
    monkeypatch.setenv("GADFLY_CORPORA", str(tmp_path / "corpora"))
    build("birds", [tmp_path / "pipits.txt"])
    return "birds"


def test_debates_look_their_documents_up(questions: Path, birds: str) -> None:
    row = {"question": "What do marsh pipits eat?", "answers": ["seeds", "snails"], "correct": 0}
    questions.write_text(json.dumps(row) + "\n")
    shown = said("eval", str(questions), *MODELS, "--protocols", "expert", "--corpus", birds)
    assert "have no" not in shown and "Words that the judge hears or reads" in shown


@pytest.fixture
def questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GADFLY_RUNS", str(tmp_path / "runs"))
    row = {
        "question": "What does it eat?",
        "answers": ["seeds", "snails"],
        "correct": 0,
        "document": "It eats seeds.",
    }
    file = tmp_path / "set.jsonl"
    file.write_text(
        "".join(json.dumps({**row, "question": f"{n}: what does it eat?"}) + "\n" for n in range(3))
    )
    return file


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["debate", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_a_protocol_is_checked_and_shown_without_a_model(gadfly: Any, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text("utf-8")
    (tmp_path / "mine.yaml").write_text(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0], "utf-8")
    said = gadfly("debate", "check", "mine.yaml", "--show")
    assert said.code == 0, said.err
    assert 'why the answer is "1874" and not "1901"' in said.out and "system: as before" in said.out
    assert said.out.rstrip().splitlines()[-1] == (
        "mine can be played. A debate takes 9 moves, the verdict among them, and up to 360 words from its players."
    )
    (tmp_path / "mine.yaml").write_text("about: x\nseats: {a: {title: A}}\n")
    refused = gadfly("debate", "check", "mine.yaml")
    assert refused.code == 2 and "seat 'a' never speaks" in refused.err


@pytest.mark.parametrize("name", known_protocols())
def test_what_everybody_is_told_can_be_read_of_every_protocol(name: str) -> None:
    told = asyncio.run(briefings(protocol(name)))
    assert (told[-1].who, told[-1].does) == ("Judge", "decide")
    assert all(text.strip() for one in told for _, text in one.messages)


MODELS = ("--debaters", "scripted/model", "--judge", "scripted/model")
TALKERS = ("--debaters", "scripted/talker", "--judge", "scripted/talker")


def test_a_debate_can_be_watched(questions: Path, talker: None) -> None:
    shown = said(
        "play", "What does it eat?", "--answers", "seeds,snails", *TALKERS, "--protocol", "interactive_debate"
    )
    assert "Debater for A" in shown and "The judge leans" in shown and "No verdict" in shown
    assert "being thought of" not in shown  # in a terminal alone


def test_answers_with_commas_are_given_one_by_one(questions: Path) -> None:
    two = ("--answers", "Paris, France", "--answers", "Rome, Italy")
    shown = said("play", "Where?", *two, "--debaters", "scripted/model", "--judge", "scripted/model")
    assert "Debater for B" in shown


def test_a_set_that_says_nowhere_what_is_right_and_an_empty_one_are_told_of(questions: Path) -> None:
    questions.write_text(questions.read_text().replace('"correct"', '"label"'))
    shown = said("eval", str(questions), *MODELS, "--protocols", "naive")
    assert '3 of 3 rows have no "correct"' in shown and "They have 'label'" in shown
    questions.write_text("")
    result = CliRunner().invoke(app, ["debate", "eval", str(questions), *MODELS])
    assert "holds no question" in str(result.exception)


def test_protocols_are_listed_and_one_is_printed_to_begin_with() -> None:
    assert "cross_examination" in said("protocols")
    assert "seats:" in said("protocols", "--show", "debate")


def test_a_protocol_of_ones_own_is_not_printed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(said("protocols", "--show", "debate"))
    result = CliRunner().invoke(app, ["debate", "protocols", "--show", str(mine)])
    assert "There is no protocol" in str(result.exception) and "polling_debate" in str(result.exception)
    assert "your own" not in str(result.exception)


def test_a_set_is_made_from_questions_with_answers(tmp_path: Path, questions: Path, talker: None) -> None:
    qa, out = tmp_path / "qa.jsonl", tmp_path / "made.jsonl"
    qa.write_text('{"question": "Who?", "answers": ["Ann"], "document": "Ann did."}\n')
    assert "1 of 1 questions" in said("make", str(qa), "--model", "scripted/talker", "-o", str(out))
    assert json.loads(out.read_text())["document"] == "Ann did."


def test_a_set_of_debates_keeps_its_answers_when_it_is_made_anew(tmp_path: Path, questions: Path) -> None:
    qa, out = tmp_path / "qa.jsonl", tmp_path / "made" / "set.jsonl"
    qa.write_text('{"question": "Who?", "answers": ["Ann", "Bob"], "correct": 1}\n')
    told = said("make", str(qa), "--model", "scripted/model", "-o", str(out))
    row = json.loads(out.read_text())
    assert row["answers"][row["correct"]] == "Bob" and row["answers"][1 - row["correct"]] == "Ann"
    assert "1 of 1 questions" in told and "1 had a wrong answer already" in told


@pytest.mark.parametrize(
    ("output", "complaint"),
    [("qa.jsonl", "holds what is read here"), ("made.jsonl", "No question of 1 got a wrong")],
)
def test_making_a_set_destroys_nothing(tmp_path: Path, questions: Path, output: str, complaint: str) -> None:
    qa, out = tmp_path / "qa.jsonl", tmp_path / output
    out.write_text("precious\n")
    qa.write_text('{"question": "Who?", "answers": ["…"]}\n')  # which is what a scripted model says
    result = CliRunner().invoke(app, ["debate", "make", str(qa), "--model", "scripted/model", "-o", str(out)])
    assert complaint in str(result.exception) and out.read_text() in ("precious\n", qa.read_text())


def test_the_statements_of_a_debate_cannot_pose_as_what_gadfly_prints(questions: Path, talker: None) -> None:
    lines = said("play", "Who?", "--answers", "a,b", *TALKERS).splitlines()
    at = lines.index("Debater for A")
    assert lines[at + 1].startswith("| ")


def test_what_was_played_says_how_to_see_it_again(questions: Path, talker: None) -> None:
    shown = said("eval", str(questions), *MODELS, "--protocols", "naive,debate")
    [line] = [line for line in shown.splitlines() if line.startswith("gadfly report debate-naive-")]
    written = CliRunner().invoke(app, [*line.split()[1:], "-o", str(questions.parent / "seen.html")])
    assert written.exit_code == 0 and (questions.parent / "seen.html").exists()
    result = CliRunner().invoke(app, ["show", line.split()[3]])
    assert result.output.endswith(f"gadfly show {line.split()[3]} --judge judge:model\n")


def test_a_report_goes_nowhere_that_is_read(tmp_path: Path, questions: Path, talker: None) -> None:
    whole, mine = questions.read_text(), tmp_path / "mine.yaml"
    mine.write_text(protocol_text("debate"))
    for words in (
        ("eval", str(questions), *MODELS, "--protocols", "naive", "-o", str(questions)),
        ("eval", str(questions), *MODELS, "--protocols", f"naive,{mine}", "-o", str(mine)),
        (
            "tournament",
            str(questions),
            "--players",
            "scripted/x,scripted/y",
            *MODELS[2:],
            "-o",
            str(questions),
        ),
    ):
        refused = CliRunner().invoke(app, ["debate", *words])
        assert isinstance(refused.exception, InputError) and "holds what is read here" in str(
            refused.exception
        )
    assert (questions.read_text(), mine.read_text()) == (whole, protocol_text("debate"))


def test_a_run_that_nobody_judges_is_reported(tmp_path: Path, questions: Path, talker: None) -> None:
    qa = tmp_path / "qa.jsonl"
    qa.write_text('{"question": "Who?", "answers": ["Ann"], "document": "Ann did."}\n')
    said("make", str(qa), "--model", "scripted/talker", "-o", str(tmp_path / "made.jsonl"))
    [run] = (tmp_path / "runs").iterdir()
    result = CliRunner().invoke(app, ["show", run.name], env={"COLUMNS": "200"})
    assert result.exit_code == 0 and "Nobody judges these cases: completed 1." in result.output


def test_a_question_without_a_document_gets_the_passage_that_a_search_of_ones_choice_finds(
    tmp_path: Path, questions: Path, monkeypatch: pytest.MonkeyPatch, talker: None
) -> None:
    monkeypatch.setenv("GADFLY_CORPORA", str(tmp_path / "corpora"))
    (tmp_path / "birds.txt").write_text("The tawny owl hunts voles at night.")
    (tmp_path / "boats.txt").write_text("The ferry sails at noon.")
    build("notes", [tmp_path / "birds.txt", tmp_path / "boats.txt"])
    qa, out = tmp_path / "qa.jsonl", tmp_path / "made.jsonl"
    rows = [
        {"question": "What does the owl hunt?", "answers": ["voles"]},
        {"question": "Zzz?", "answers": ["z"]},
    ]
    qa.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said("make", str(qa), "--model", "scripted/talker", "--corpus", "notes", "-o", str(out))
    found, without = map(json.loads, out.read_text().splitlines())
    assert (found["title"], found["document"]) == ("birds", "The tawny owl hunts voles at night.")
    assert "document" not in without
    asked = ("play", "What does the owl hunt?", "--answers", "voles,noon", *MODELS, "--corpus", "notes")
    refused = CliRunner().invoke(app, ["debate", *asked, "--search", "embeddings"])
    assert "built without embeddings" in str(refused.exception)


def test_a_second_debater_without_a_seat_is_told_of(questions: Path) -> None:
    two = ("--debaters", "scripted/a,scripted/b", "--judge", "scripted/model", "--limit", "1")
    told = said("eval", str(questions), *two, "--protocols", "naive,consultancy,debate")
    assert "scripted/b has no seat in consultancy: there scripted/a argues alone." in " ".join(told.split())
    result = CliRunner().invoke(app, ["debate", "eval", str(questions), *two, "--protocols", "consultancy"])
    assert "no seat for a second player" in str(result.exception)


@pytest.mark.parametrize(
    "verb",
    [
        ("debate", "play", "Q?", "--answers", "a,b"),
        ("debate", "eval", "SET"),
        ("debate", "serve", "SET", "--debate-as", "first"),
        ("debate", "tournament", "SET", "--players", "scripted/a,scripted/b"),
        ("train", "debater", "SET"),
    ],
)
def test_wherever_a_judge_is_named_it_may_be_one_that_learned(questions: Path, verb: tuple[str, ...]) -> None:
    words = [str(questions) if word == "SET" else word for word in verb]
    more = [] if verb[1] in ("tournament", "debater") else ["--debaters", "scripted/a"]
    result = CliRunner().invoke(app, [*words, *more, "--judge", "reward:never_made"])
    assert "'never_made'" in str(result.exception), result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("play", "Q?", "--answers", "one", *MODELS), "two different answers"),
        (("play", "Q?", "--answers", "one,one", *MODELS), "two different answers"),
        (("play", "Q?", "--answers", "yes,Yes", *MODELS), "two different answers"),
        (("play", "Q?", "--answers", "Paris, France,Rome, Italy", *MODELS), "give it twice"),
        (("play", "Q?", "--answers", "a", "--answers", "", *MODELS), "two different answers"),
        (("play", "Q?", "--answers", "a,b", "--debaters", "scripted/a,scripted/b,scripted/c", "--judge", "scripted/m"),
         "one player or two"),
        (("play", "Q?", "--answers", "a,b", *MODELS, "--protocol", "debat"), "Did you mean 'debate'"),
        (("play", "Q?", "--answers", "a,b", *MODELS, "--document", "/nowhere/x.txt"), "There is no file"),
        (("play", " ", "--answers", "a,b", *MODELS), "There is no question"),
        (("eval", "sample", *MODELS, "--corpus", "web:tavily"), "debate make --corpus web:tavily"),
        (("play", "Q?", "--answers", "a,b", *MODELS, "--search", "fusion"), "--search fusion searches nothing"),
        (("play", "Q?", "--answers", "a,b", *MODELS, "--assigned", "2"), "leave out --assigned"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused_in_one_sentence(arguments: tuple[str, ...], complaint: str) -> None:
    result = CliRunner().invoke(app, ["debate", *arguments])
    assert result.exit_code != 0 and complaint in str(result.exception)


def test_a_place_that_cannot_be_written_is_told_before_anything_is_asked(questions: Path) -> None:
    output = str(questions.parent / ("x" * 300 + ".html"))
    result = CliRunner().invoke(app, ["debate", "eval", str(questions), *MODELS, "-o", output])
    assert isinstance(result.exception, InputError) and "name another place" in str(result.exception)


def test_what_cannot_be_written_in_the_end_leaves_nothing_half_written(tmp_path: Path) -> None:
    from gadfly.cli._options import put

    (tmp_path / "set.jsonl").mkdir()
    with pytest.raises(InputError, match="could not be written"):
        put(tmp_path / "set.jsonl", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.jsonl"]


def test_a_set_that_is_there_survives_ctrl_c(questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut(*_: Any, **__: Any) -> Any:
        return SimpleNamespace(cut=True, transcripts=list, id="cut")

    monkeypatch.setattr("gadfly.runs.run", cut)
    monkeypatch.setattr("gadfly.debate.made_set", lambda made: [{"question": "One?"}])
    before, source = questions.read_text(), questions.with_name("qa.jsonl")
    source.write_text('{"question": "Who?", "answers": ["Ann"]}\n')
    arguments = ["debate", "make", str(source), "--model", "scripted/x", "-o"]
    result = CliRunner().invoke(app, [*arguments, str(questions)])
    assert (result.exit_code, questions.read_text()) == (130, before) and "is as it was" in result.output
    fresh = questions.with_name("fresh.jsonl")
    CliRunner().invoke(app, [*arguments, str(fresh)])
    assert json.loads(fresh.read_text()) == {"question": "One?"}
