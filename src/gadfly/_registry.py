"""What Inspect finds through its entry point: our model providers and our tasks."""

from __future__ import annotations

from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig, get_model

from gadfly.errors import InputError
from gadfly.models import System, _providers

__all__ = ["_providers", "redteam"]


@task
def redteam(
    focus: str = "general", cases: int = 100, turns: int = 1, seed: int = 0, max_tokens: int = 128
) -> Task:
    """Red teaming as an Inspect task: `inspect eval gadfly/redteam --model MODEL -T focus=persona`.

    The model under evaluation is the target. The attacker is the model role `attacker`
    (`--model-role attacker=gadfly/smollm2`), and the target itself without one.
    """
    from gadfly.redteam import Attacker, Questioning, attacker_system, judges_for
    from gadfly.redteam import focus as named
    from gadfly.runs import as_task

    looked_for = named(focus)
    if looked_for.unresolved:
        raise InputError(
            f"A model has yet to propose the rows of {focus}: use gadfly redteam, or a .yaml with seeds."
        )
    target = System(get_model(), sampling=GenerateConfig(temperature=1.0, top_p=0.8, max_tokens=max_tokens))
    attacker = System(get_model(role="attacker", default=get_model()))
    game = Questioning(looked_for, Attacker(attacker_system(attacker)), target, turns)
    return as_task(game, cases, judges_for(looked_for), seed=seed)
