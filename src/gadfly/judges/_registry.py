"""Judges by name: what a command line, a focus or a saved run says instead of calling a factory."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gadfly.errors import GadflyError, InputError, UnknownNameError
from gadfly.judges._base import Judge
from gadfly.judges._contact import contact_details
from gadfly.judges._fitted import load_fitted
from gadfly.judges._leakage import leaks_corpus
from gadfly.judges._model import model_judge
from gadfly.judges._offensive import offends_group, offensive
from gadfly.judges._person import claims_person
from gadfly.judges._premise import goes_along
from gadfly.judges._refusal import refusal
from gadfly.judges._reward import REWARD, load_reward
from gadfly.judges._rounds import fitted_names, place_of
from gadfly.judges._secret import leaks_secret

__all__ = ["About", "about", "judge", "known"]

_FACTORIES: dict[str, Callable[..., Judge]] = {
    "claims_person": claims_person,
    "contact_details": contact_details,
    "goes_along": goes_along,
    "leaks_corpus": leaks_corpus,
    "leaks_secret": leaks_secret,
    "model_judge": model_judge,
    "offends_group": offends_group,
    "offensive": offensive,
    "refusal": refusal,
}


def known() -> list[str]:
    """The built-in judges, sorted; those that learned from labels are in `fitted_names`."""
    return sorted(_FACTORIES)


@dataclass(frozen=True, slots=True)
class About:
    """A judge in a list: what it `flags`, in a sentence, and where; `threshold` None for one that needs options."""

    name: str
    flags: str
    threshold: float | None


def about(name: str) -> About:
    """What the judge called `name` flags: the first sentence of its factory's docstring.

    One that cannot be made without options, or not at all, has no threshold.
    """
    flags = " ".join((inspect.getdoc(_factory(name)) or "").split("\n\n")[0].split())
    try:
        threshold: float | None = judge(name).threshold
    except GadflyError:
        threshold = None
    return About(name, re.split(r"(?<=\.)\s", flags)[0], threshold)


def judge(name: str, **options: Any) -> Judge:
    """The judge called `name` with its factory's options (`threshold=0.2`).

    After the built-in ones come those that learned (by `fit` or `train_reward`), with the options `threshold` and
    `round`.
    `package.module:factory` names a user's own: the factory is imported and called, and what it returns must
    have a `name`, a `threshold` and `judge`. `UnknownNameError` names the nearest; `InputError` an option
    the judge lacks.
    """
    factory = _factory(name)
    try:
        inspect.signature(factory).bind(**options)
    except TypeError as wrong:
        raise InputError(f"Judge {name!r} cannot be made so: {wrong}.") from None
    made = factory(**options)
    if not isinstance(made, Judge):
        raise InputError(
            f"{name!r} made {type(made).__name__}, which is no judge: it needs name, threshold and judge()."
        )
    return made


def _factory(name: str) -> Callable[..., Judge]:
    factory = _imported(name) if ":" in name else _FACTORIES.get(name)
    if factory is None and name in fitted_names():
        factory = _learned(name)
    if factory is None:
        known_now = [*known(), *fitted_names()]
        raise UnknownNameError("judge", name, known_now, "Your own is named package.module:factory.")
    return factory


def _learned(name: str) -> Callable[..., Judge]:
    def factory(round: int | None = None, threshold: float | None = None) -> Judge:  # noqa: A002
        """Like what people flagged in the labels it was fitted on."""
        load = load_reward if (place_of(name, round, None) / REWARD).is_file() else load_fitted
        return load(name, round, threshold)

    return factory


def _imported(path: str) -> Callable[..., Any]:
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as missing:
        raise InputError(
            f"The judge {path!r} cannot be imported: {missing}. Is it on PYTHONPATH?"
        ) from missing
    if not callable(found):
        raise InputError(f"{path!r} is no factory: it cannot be called.")
    return found  # type: ignore[no-any-return]
