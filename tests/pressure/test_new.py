"""The scenario that a new one starts from."""

import pytest

from gadfly.errors import InputError
from gadfly.pressure import Setting, new_scenario, scenario


def test_what_one_starts_from_works_as_it_stands(tmp_path):
    made = scenario(new_scenario(tmp_path / "my_exam"))
    assert made.name == "my_exam"
    assert set(made.knob_levels) > {"form", "scratchpad", "ladder", "pressure", "temptation"}
    assert Setting.of(made, made.controls["negative"]).name == "temptation=public"


def test_each_new_scenario_has_a_canary_of_its_own(tmp_path):
    one, other = (scenario(new_scenario(tmp_path / name)).canary for name in ("one.yaml", "other"))
    assert one != other


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    (tmp_path / "mine.yaml").write_text("kept")
    with pytest.raises(InputError, match="is there already"):
        new_scenario(tmp_path / "mine")
    assert (tmp_path / "mine.yaml").read_text() == "kept"


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        new_scenario(tmp_path / "nowhere" / "mine")
