"""A judge whose probabilities come true: the scale is found, kept, and changes how sure it is and nothing else."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from debate_samples import Leaning, Person, judged_by, played

from gadfly.debate import DebateJudge, calibrated, debate_table, judge, keep_scale, scale_of
from gadfly.debate._chairs import Weighed
from gadfly.debate._verdict import settled, verdict_of
from gadfly.errors import InputError, StoreError, UnknownNameError
from gadfly.judges import fitted_names
from gadfly.judges._rounds import check_name
from gadfly.transcripts import Judgement, Transcript

TRUE_SLOPE = 3.0


@dataclass(frozen=True)
class Timid(Leaning):
    """Is right as often as `shy` times its log-odds say; a model, by its spec."""

    model: str = "gadfly/smollm2"
    shy: float = TRUE_SLOPE
    sure: float = 2.0
    wrong: bool = False

    def spec(self) -> dict[str, Any]:
        """As a model judge's."""
        return {"judge": {"model": self.model}, "orders": 2}

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """Each transcript's verdict."""
        return [settled(one, self.name) or self._drawn(one) for one in transcripts]

    def _drawn(self, transcript: Transcript) -> Judgement:
        rng = random.Random(transcript.case.seed)
        odds = abs(rng.gauss(0, self.sure))
        right = self.wrong ^ (rng.random() < 1 / (1 + math.exp(-odds)))
        towards_0 = odds if right == (transcript.metadata["correct"] == 0) else -odds
        p = 1 / (1 + math.exp(-towards_0 / self.shy))
        return verdict_of(transcript, self.name, Weighed(p, orders=(p, p)))


def test_the_scale_is_found(tmp_path: Path) -> None:
    made = played(tmp_path, judge=Timid(), n=600)
    scale = scale_of(made)
    assert debate_table([made]).judge == "gadfly/smollm2"  # as readers know it
    assert scale.slope == pytest.approx(TRUE_SLOPE, rel=0.15)
    assert (scale.judge, scale.orders, scale.verdicts, scale.questions) == ("gadfly/smollm2", 2, 1200, 600)
    assert scale.of(0.5) == 0.5 and scale.of(0.6) == pytest.approx(1 / (1 + 1.5**-scale.slope))


def test_it_is_kept_and_sits_where_a_judge_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GADFLY_JUDGES", str(tmp_path / "judges"))
    scale = scale_of(played(tmp_path, judge=Timid(model="mockllm/model"), n=40))
    place = keep_scale("mine", scale)
    found = judge("calibrated:mine")
    assert isinstance(found, DebateJudge)
    assert (found.name, found.slope, found.orders) == ("calibrated:mine", scale.slope, 2)
    assert len(found.learned) == 40 and found.learned == set(scale.learned)
    (place / "scale.json").write_text("{")
    with pytest.raises(StoreError, match="Calibrate the judge anew"):
        calibrated("mine")
    with pytest.raises(UnknownNameError):
        calibrated("other")


def test_what_cannot_be_calibrated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model that is asked as it is"):
        scale_of(played(tmp_path, judge=Leaning(), n=30))
    with pytest.raises(InputError, match=r"has 12 questions .* takes 20"):
        scale_of(played(tmp_path, judge=Timid(), n=12))


def test_a_person_is_not_calibrated(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ann decided run .* with --judge"):
        scale_of(judged_by(tmp_path, Person("ann"), n=30))


def test_the_interval_of_the_scale_narrows(tmp_path: Path) -> None:
    few, many = (scale_of(played(tmp_path, judge=Timid(), n=n)) for n in (25, 200))
    widths = [np.log(one.interval[1] / one.interval[0]) for one in (few, many)]
    assert widths[1] < 0.6 * widths[0]


def test_what_is_hardly_known_and_never_certain_is_said_so(
    tmp_path: Path, gadfly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GADFLY_JUDGES", str(tmp_path / "judges"))
    even = played(tmp_path / "runs", judge=Timid(shy=100.0), n=24)
    said = gadfly("debate", "calibrate", even.path, "--name", "mine")
    assert "99% or more" in said.out and "becomes 100%" not in said.out
    guesses = played(tmp_path / "others", judge=Timid(sure=0.2), n=24)
    assert "hardly known" in gadfly("debate", "calibrate", guesses.path, "--name", "mine").out
    lost = gadfly("debate", "eval", "sample", "--judge", "calibrated:nope", "--debaters", "scripted/x")
    assert lost.code == 2 and "mine" in lost.err and "gadfly debate calibrate" in lost.err


def test_from_the_command_line(tmp_path: Path, gadfly: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GADFLY_JUDGES", str(tmp_path / "judges"))
    made = played(tmp_path / "runs", judge=Timid(), n=60)
    said = gadfly("debate", "calibrate", made.path, "--name", "mine")
    assert said.code == 0, said.err
    assert "By 120 verdicts on 60 questions" in said.out and "--judge calibrated:mine" in said.out
    kept = json.loads((tmp_path / "judges" / "mine" / "0001" / "scale.json").read_text())
    assert kept["run"] == made.id and "takes its place" not in said.out
    assert "takes its place" in gadfly("debate", "calibrate", made.path, "--name", "mine").out


def test_a_name_belongs_to_one_kind_of_judge(
    tmp_path: Path, gadfly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GADFLY_JUDGES", str(tmp_path / "judges"))
    made = played(tmp_path / "runs", judge=Timid(), n=40)
    other = tmp_path / "judges" / "two" / "0001"
    other.mkdir(parents=True)
    (other / "card.json").write_text("{}")
    with pytest.raises(InputError, match="'two' is a judge that learned"):
        keep_scale("two", scale_of(made))
    keep_scale("sure", scale_of(made))
    refused = gadfly("debate", "learn", made.path, "--name", "sure")
    assert refused.code == 2 and "'sure' is a calibrated judge" in refused.err


def test_a_calibrated_judge_is_none_that_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GADFLY_JUDGES", str(tmp_path / "judges"))
    keep_scale("sure", scale_of(played(tmp_path / "runs", judge=Timid(), n=40)))
    assert fitted_names() == []
    with pytest.raises(InputError, match="'sure' is a calibrated judge"):
        check_name("sure", ())


def test_a_judge_that_favours_nothing_cannot_be_calibrated(tmp_path: Path) -> None:
    """As one that names what is listed first whichever way round it is asked."""
    with pytest.raises(InputError, match="0 questions with a verdict in probabilities for either answer"):
        scale_of(played(tmp_path, judge=Timid(sure=0.0), n=24))


def test_how_shy_a_judge_is_makes_its_scale_no_less_known(tmp_path: Path) -> None:
    shy = scale_of(played(tmp_path / "shy", judge=Timid(shy=300.0), n=400))
    assert shy.interval[0] < 300 < shy.interval[1] and not shy.loose
    assert scale_of(played(tmp_path / "few", judge=Timid(sure=0.3), n=25)).loose


def test_who_is_right_less_often_the_surer_it_is_becomes_one_who_cannot_tell(tmp_path: Path) -> None:
    scale = scale_of(played(tmp_path, judge=Timid(wrong=True), n=60))
    assert scale.slope == 0.01 and scale.loose and 0.5 < scale.of(0.9) < 0.51
