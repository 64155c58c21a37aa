"""What a reward model learned from it neither sets a threshold on nor counts in a table."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from evidence_samples import RIGHT, quoting

from gadfly.errors import InputError
from gadfly.evidence import as_one, cases_of, fabricated, table_of, tune, wrong
from gadfly.judges import Source, judge, question_key, questions_learned
from gadfly.report import from_evidence
from gadfly.runs import Run, Settings, run
from gadfly.training import RewardSettings, to_rows, train_reward
from tiny_models import save_tiny_chat


def say(messages, seed):
    return RIGHT if seed % 2 else RIGHT.replace("1911.>", "1907.>")


def question(number: int) -> str:
    return f"when was the halden bridge opened {number}"


def played(folder: Path, questions: list[str], judges: tuple[str, ...] = ("supported",)) -> Run:
    """The questions answered, by the toss of a coin rightly, and judged."""
    rows = [{"question": one, "answers": ["1911"]} for one in questions]
    settings, by = Settings(folder, progress=False), [wrong(), *map(judge, judges)]
    return asyncio.run(run(quoting(say), cases_of(rows, 1), by, settings=settings))


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Where a reward model is kept that learned from forty questions."""
    home = tmp_path_factory.mktemp("judges")
    source = played(home / "runs", [question(n) for n in range(40)], ())
    rows = to_rows(fabricated(list(source.transcripts())), Source("", (source.id,)))
    settings = RewardSettings(trunks=(str(save_tiny_chat(home / "tiny")),), members=2, reads="dialogue")
    train_reward("supported", rows, settings).save(home / "judges")
    return home / "judges"


@pytest.fixture(autouse=True)
def _at_home(kept, monkeypatch):
    monkeypatch.setenv("GADFLY_JUDGES", str(kept))


def test_a_reward_models_card_knows_its_questions_in_any_case():
    keys = questions_learned("supported")
    assert len(keys) == 40
    assert question_key("When was the Halden Bridge opened 3?") in keys
    assert question_key(question(40)) not in keys


def test_no_threshold_is_set_on_questions_that_were_learned_from_in_another_run_either(tmp_path):
    again = played(tmp_path, [f"{question(n).title()}?" for n in range(40)])
    with pytest.raises(InputError, match="learned from every question"):
        tune(again, "supported", 0.4)
    with pytest.raises(InputError, match="learned from every question"):
        table_of(again, ["supported"])


def test_questions_that_were_learned_from_are_left_out_and_counted(tmp_path):
    mixed = played(tmp_path, [question(n) for n in range(30, 60)])
    made = tune(mixed, "supported", 0.4)
    assert (made.learned, made.first.n) == (10, 20)
    found = table_of(mixed, ["first", "supported"], "supported")
    assert (found.left_out, found.unknown) == ({"supported": 10}, ())
    assert [(line.choice, line.questions) for line in found.lines if line.share == 1.0] == [
        ("first", 30),
        ("supported", 20),
    ]
    assert found.line("first", 1.0).causes["supported"] == {"learned_from": 10}
    assert found.line("supported", 1.0).gains["matches"].n == 20


def test_the_report_says_what_was_left_out(tmp_path):
    mixed = played(tmp_path, [question(n) for n in range(30, 60)])
    mixed = mixed.save(evidence={"choose": ["first", "supported"], "supported": ""})
    [section] = from_evidence(mixed).sections
    assert any("10 questions are left out, which it learned from" in said for said in section.findings)


def test_without_its_card_nothing_is_promised(tmp_path, monkeypatch):
    made = played(tmp_path, [question(n) for n in range(40, 60)])
    monkeypatch.setenv("GADFLY_JUDGES", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="Set GADFLY_JUDGES"):
        tune(made, "supported", 0.4)
    assert table_of(made, ["first", "supported"]).unknown == ("supported",)


def test_a_question_asked_again_has_the_number_it_had():
    rows = [{"question": "Who?"}, {"question": "why"}, {"question": "who"}]
    assert [one["of"] for one in as_one(cases_of(rows, 2))] == [0, 0, 1, 1, 0, 0]
