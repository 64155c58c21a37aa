"""From a player's name, as it is typed, to the chair it sits in.

MODEL               a model, gadfly/smollm2, with an adapter gadfly/smollm2+DIR
best_of:N:PLAYER    the draft of N that the judge finds most convincing
refining:MODEL      a model that names the weakest point of its draft and writes it anew
"""

from __future__ import annotations

from inspect_ai.model import GenerateConfig

from gadfly.debate._chairs import BestOf, Chair, JudgeChair, Player, Refining
from gadfly.errors import InputError
from gadfly.models import System, model

__all__ = ["seated"]

_FORMS = "A player is MODEL, best_of:N:PLAYER or refining:MODEL, as in best_of:4:gadfly/smollm2"


def seated(spec: str, judge: JudgeChair | None = None, sampling: GenerateConfig | None = None) -> Chair:
    """The chair that `spec` names. `judge` is whom a `best_of` consults; `sampling` goes before debaters' own.

    Raises `InputError` for a spec of no known form and for a `best_of` without a judge, and what
    `gadfly.models.model` raises for a model that is not there. A local model's weights are found here, and loaded when
    it first speaks.
    """
    word, colon, rest = spec.strip().partition(":")
    if word == "best_of" and colon:
        return _best_of(spec, rest, judge, sampling)
    if word == "refining" and colon:
        return Refining(_player(spec, rest, sampling))
    return _player(spec, spec, sampling)


def _best_of(spec: str, rest: str, judge: JudgeChair | None, sampling: GenerateConfig | None) -> BestOf:
    count, colon, player = rest.partition(":")
    if not (colon and count.strip().isdecimal()):
        raise InputError(f"{_FORMS}; {spec!r} does not say how many drafts of which player.")
    if judge is None:
        raise InputError(f"{spec!r} needs a judge that chooses among its drafts; name one with --judge.")
    return BestOf(seated(player, judge, sampling), int(count), judge)


def _player(spec: str, name: str, sampling: GenerateConfig | None) -> Player:
    """The model alone. Where a provider's name has a colon before its slash, it is a form that nobody knows."""
    if not name.strip() or ":" in name.partition("/")[0]:
        raise InputError(f"{_FORMS}; got {spec!r}.")
    return Player.of(System(model(name.strip()), sampling=sampling or GenerateConfig()))
