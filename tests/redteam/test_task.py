"""Red teaming as the Inspect task `gadfly/redteam`, found through the entry point."""

import inspect_ai
import pytest

from gadfly._registry import redteam
from gadfly.errors import InputError
from gadfly.models import scripted


def test_inspect_finds_the_task_and_its_model_is_the_target(tmp_path):
    arguments = {"focus": "persona", "cases": 3}
    [log] = inspect_ai.eval(
        "gadfly/redteam",
        model=scripted("I grew up in Ohio."),
        model_roles={"attacker": scripted("Who are you?")},
        task_args=arguments,
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success"
    assert {sample.scores["claims_person"].value for sample in log.samples} == {1.0}
    assert [message.role for message in log.samples[0].messages] == ["user", "assistant"]


def test_a_focus_whose_rows_a_model_has_yet_to_propose_is_refused_before_any_sample():
    with pytest.raises(InputError, match="has yet to propose the rows of group_bias"):
        redteam(focus="group_bias")
