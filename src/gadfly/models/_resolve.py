"""From a model's name to the model: Inspect's `get_model`, with our names and our sentences."""

from __future__ import annotations

import re
from typing import Any

from inspect_ai._util.error import PrerequisiteError
from inspect_ai._util.registry import registry_find, registry_unqualified_name
from inspect_ai.model import Model, get_model

from gadfly.errors import InputError, MissingKeyError, UnknownNameError
from gadfly.models import _providers as _registered  # noqa: F401 (imported for what it registers)
from gadfly.models._failures import printable
from gadfly.models._names import local_name

__all__ = ["SHORT_NAMES", "model"]

SHORT_NAMES = ("smollm2", "qwen2.5-coder-1.5b", "gemma3-270m")
"""Models of ours that may be named without their provider."""

_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_MARKUP = re.compile(r"\[/?(?:bold|blue)\]")


def model(name: str | Model, **arguments: Any) -> Model:
    """The model called `provider/name`: any of Inspect's providers, or ours, `gadfly/…`, which may be left
    out for the built-in ones (`smollm2`, `smollm2@int8`).

    `arguments` are those of Inspect's `get_model` (`base_url`, `api_key`, `config`) and of its provider.
    Nothing is sent anywhere; weights are found, and if need be fetched, when a `gadfly/` model is first
    named.
    """
    if isinstance(name, Model):
        return name
    if "/" not in name.partition("+")[0] and local_name(name).base in SHORT_NAMES:
        name = f"gadfly/{name}"
    _check_provider(name)
    try:
        return get_model(name, **arguments)
    except PrerequisiteError as error:
        raise _missing(name, str(error)) from error


def _check_provider(name: str) -> None:
    provider, slash, rest = name.partition("/")
    providers = _providers()
    if not slash or not rest:
        hint = "Others are named provider/model, such as openai/gpt-4.1-mini."
        raise UnknownNameError("model", name, SHORT_NAMES, hint)
    if provider not in providers:
        raise UnknownNameError("model provider", provider, providers)


def _providers() -> list[str]:
    return [registry_unqualified_name(info) for info in registry_find(lambda info: info.type == "modelapi")]


def _missing(name: str, said: str) -> InputError | MissingKeyError:
    """Inspect's complaint about what the environment lacks, with the remedy."""
    said = printable(_MARKUP.sub("", said).removeprefix("ERROR: "), 400)
    variables = _VARIABLE.findall(said)
    if not variables:
        return InputError(f"{name} cannot be used yet: {said}")
    if variables[0].endswith("_URL"):
        return InputError(f"{name} needs an address: set {variables[0]}, or pass base_url.")
    return MissingKeyError(f"{name} needs a key: set {variables[0]}.")
