"""The judge's accuracy against the debaters' skill, where the truth is known."""

import pytest
from debate_samples import Honest, Leaning, played

from gadfly.debate import skill_slope
from gadfly.errors import InputError


def at(directory, edge):
    """A run whose honest side argues by so much better."""
    return edge, played(directory, "debate", Leaning(), Honest(edge), n=40)


def test_debaters_who_argue_better_for_the_truth_lift_the_judge(tmp_path):
    found = skill_slope([at(tmp_path, edge) for edge in (0.0, 1.0, 3.0)])
    assert found.log_odds.low > 0
    assert (found.over, found.gain.low > 0.1) == ((0.0, 3.0), True)
    assert (found.gain.n, found.gain.clusters) == (240, 40)


def test_only_questions_that_count_in_every_run_are_compared(tmp_path):
    few, many = (played(tmp_path, "debate", Leaning(), Honest(1.0), n=n) for n in (10, 40))
    found = skill_slope([(0.0, few), (1.0, many)])
    assert (found.gain.n, found.gain.clusters) == (40, 10)
    assert found.gain.point == pytest.approx(0.0, abs=0.2)


def test_one_skill_has_no_slope(tmp_path):
    with pytest.raises(InputError, match="two skills"):
        skill_slope([at(tmp_path, 1.0)])


def test_runs_of_different_questions_have_no_slope(tmp_path):
    other = played(tmp_path, "debate", n=3, what="bridge")
    with pytest.raises(InputError, match="different questions"):
        skill_slope([at(tmp_path, 1.0), (2.0, other)])


def test_a_slope_is_of_one_judges_verdicts(tmp_path):
    runs = [(0.0, played(tmp_path, judge=Leaning())), (1.0, played(tmp_path, judge=Leaning(name="other")))]
    with pytest.raises(InputError, match="judged by different judges"):
        skill_slope(runs)


def test_only_debaters_have_a_skill(tmp_path):
    alone = [played(tmp_path, "naive", n=10, seed=seed) for seed in (0, 1)]
    with pytest.raises(InputError, match="Nobody argues in protocol naive"):
        skill_slope(list(enumerate(alone)))
    with pytest.raises(InputError, match="different protocols"):
        skill_slope([(0.0, played(tmp_path, n=10)), (1.0, played(tmp_path, "quoted_debate", n=10))])
    with pytest.raises(InputError, match="named twice"):
        skill_slope([(0.0, alone[0]), (1.0, alone[0])])


def test_a_slope_from_the_command_line(tmp_path, gadfly):
    runs = [at(tmp_path / "runs", edge) for edge in (0.0, 3.0)]
    said = gadfly("debate", "slope", *(f"{skill:g}:{run.path}" for skill, run in runs))
    assert said.code == 0, said.err
    first, second = said.out.splitlines()
    assert first.startswith("Where no rule decided: accuracy +") and "from skill 0 to 3" in first
    assert second.startswith("With those that a rule decided")
    centred = gadfly("debate", "slope", f"-60:{runs[0][1].path}", f"60:{runs[1][1].path}")
    assert centred.code == 0 and "from skill -60 to 60" in centred.out
    refused = gadfly("debate", "slope", f"best:{runs[0][1].path}")
    assert refused.code == 2 and "write SKILL:RUN" in refused.err


def test_debates_that_a_rule_decided_say_nothing_of_skill_unless_asked_for(tmp_path):
    runs = [(0.0, played(tmp_path, chair=Honest(0.0, lies=2))), (1.0, played(tmp_path, chair=Honest(0.0)))]
    without, whole = skill_slope(runs), skill_slope(runs, rules=True)
    assert without.gain.n < whole.gain.n == 240
    assert without.gain.low < 0 < without.gain.high and whole.gain.high < 0.0
