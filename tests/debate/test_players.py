"""From a player's name to its chair."""

import pytest
from inspect_ai.model import GenerateConfig

from gadfly.debate import BestOf, Player, Refining, ScriptedJudge, seated
from gadfly.errors import InputError, UnknownNameError
from gadfly.models import System, model

MODEL = "mockllm/model"


def test_a_model_sits_down_with_a_debaters_sampling() -> None:
    chair = seated(f" {MODEL} ")
    assert isinstance(chair, Player)
    assert (chair.system.name, chair.system.sampling.temperature) == (MODEL, 0.8)


def test_sampling_that_was_asked_for_goes_before_the_debaters_own() -> None:
    chair = Player.of(System(model(MODEL), sampling=GenerateConfig(temperature=0.2)))
    assert (chair.system.sampling.temperature, chair.system.sampling.top_p) == (0.2, 0.95)


def test_the_best_of_four_consults_the_judge() -> None:
    chair = seated(f"best_of:4:{MODEL}", ScriptedJudge())
    assert isinstance(chair, BestOf)
    assert (chair.count, chair.taste) == (4, ScriptedJudge())
    assert isinstance(chair.chair, Player)


def test_forms_nest() -> None:
    chair = seated(f"best_of:2:refining:{MODEL}", ScriptedJudge())
    assert isinstance(chair, BestOf) and isinstance(chair.chair, Refining)


def test_a_model_whose_own_name_has_a_colon_is_a_model() -> None:
    chair = seated("refining:mockllm/llama3:8b")
    assert isinstance(chair, Refining) and chair.player.system.name == "mockllm/llama3:8b"


def test_the_best_of_drafts_without_a_judge_is_refused() -> None:
    with pytest.raises(InputError, match="needs a judge"):
        seated(f"best_of:4:{MODEL}")


@pytest.mark.parametrize("spec", ["", " ", "best_of:four:m/m", "best_of:4", "refining:", "worst_of:4:m/m"])
def test_a_form_that_nobody_knows_is_refused_with_those_there_are(spec: str) -> None:
    with pytest.raises(InputError, match=r"MODEL, best_of:N:PLAYER or refining:MODEL"):
        seated(spec, ScriptedJudge())


def test_one_draft_is_no_choice() -> None:
    with pytest.raises(InputError, match="2 drafts or more"):
        seated(f"best_of:1:{MODEL}", ScriptedJudge())


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownNameError, match="smollm2"):
        seated("smolm2")
