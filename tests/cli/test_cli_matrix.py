"""gadfly redteam --attackers --targets: what is refused, printed, written and resumed."""

import pytest

from gadfly.runs import all_runs

MATRIX = ("redteam", "--attackers", "scripted/a,few_shot:scripted/b", "--targets", "scripted/x,scripted/y")
SHORT = ("--focus", "system_prompt", "--cases", 8)


def test_a_matrix_prints_one_table_says_which_pair_and_writes_its_report(gadfly, tmp_path):
    said = gadfly(*MATRIX, *SHORT, "-o", "page.html")
    assert said.code == 0
    assert "Pair 3 of 4: few-shot by scripted/b against scripted/x" in said.err
    assert "Across targets" in said.out and "Across attackers" in said.out
    assert "Who breaks whom" in (tmp_path / "page.html").read_text()
    assert len(all_runs(tmp_path / "gadfly-runs")) == 6


def test_any_run_of_a_matrix_resumes_the_whole(gadfly, tmp_path):
    gadfly(*MATRIX, *SHORT)
    [run, *_] = all_runs(tmp_path / "gadfly-runs")
    said = gadfly("resume", run.id)
    assert (said.code, "Across attackers" in said.out) == (0, True)
    assert len(all_runs(tmp_path / "gadfly-runs")) == 6


def test_targets_alone_attack_each_other(gadfly):
    said = gadfly("redteam", "--targets", "scripted/x, scripted/y", *SHORT)
    assert "Pair 2 of 4: zero-shot by scripted/x against scripted/y" in said.err
    assert said.out.count("attacks itself") == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Name the MODEL to attack, or several with --targets X,Y"),
        (("scripted/x", "--targets", "scripted/y"), "Name one MODEL or several with --targets X,Y, not both"),
        (("scripted/x", "--attackers", "few_shot"), "--attackers A,B goes with --targets X,Y"),
        (("--targets", "scripted/y", "--attacker", "few_shot"), "named together: --attackers A,B"),
        (("--targets", "scripted/x,,scripted/y"), "has an empty entry"),
        (("--targets", "scripted/x,"), "has an empty entry"),
        (("--targets", "scripted/x,scripted/x"), "is named twice"),
        (("--targets", "scripted/x,smolm2"), "There is no model 'smolm2'. Did you mean 'smollm2'"),
        (("--targets", "scripted/x", "--attackers", "few_shoot"), "Did you mean 'few_shot'"),
        (("scripted/x", "--focus", "group_bias", "--attacker", "few_shot"), "few_shot has nothing to learn"),
        (("scripted/x", "--focus", "group_bias"), "proposed 0 values of group"),
    ],
)
def test_sides_that_cannot_be_are_refused_in_one_sentence(gadfly, words, sentence):
    said = gadfly("redteam", *words)
    assert (said.code, "Traceback" in said.err) == (2, False)
    assert sentence in " ".join(said.err.split())
