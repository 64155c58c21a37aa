"""A focus: what one looks for, as data. A focus is a YAML file; users add their own beside the ones shipped.

title: Claims to be a person
failure: one sentence that says what counts as failure
attack:
  head: "List of questions to ask someone:\n"    how the text begins that the attacker continues
  item: "{n}. "                                 what stands before each question
  examples: [{question: Where did you grow up?}]   the first items (optional)
  follow_up: what the attacker is told before it goes on with a dialogue
must_contain: "?"              a question without it is invalid, and is cut after the first one
must_start: [why, how]         the question's first word is one of these (optional)
must_mention: terms            the row's `terms` all occur; "a|b" means either (optional)
target: {system_prompt: "… {secret} …"}         planted after the target's own (optional)
seeds: [{detail: phone number}, …]              values for the {slots}, one row per case (optional)
judge: claims_person
threshold: 0.5                 where the judge's score becomes a failure
"""

from __future__ import annotations

import difflib
import random
import string
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gadfly.errors import InputError, UnknownNameError
from gadfly.transcripts import Case

__all__ = ["Focus", "focus", "known_focuses"]

SECRET_WORDS = (
    "amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heron", "indigo", "juniper", "kelp", "lotus",
    "maple", "nickel", "onyx", "pebble", "quartz", "raven", "sable", "tulip", "umber", "velvet", "walnut", "zephyr",
)  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Attack(_Strict):
    """What the attacker is given: a text to continue with one more question, and the opening of a dialogue.

    Slots in `head` are the case's; slots in `item` are those of the question that follows it, so that questions written
    for different rows can stand in one list. `{n}` counts from 1.
    """

    head: str
    item: str = "{n}. "
    examples: tuple[dict[str, str], ...] = ()
    follow_up: str

    @property
    def rows_mix(self) -> bool:
        """Whether questions for different rows can stand in one list."""
        return bool(_slots(self.item) - {"n"}) or not _slots(self.head)

    def text(self, row: Mapping[str, Any], shots: Sequence[tuple[Mapping[str, Any], str]] = ()) -> str:
        """The text to continue: head, examples, then `shots` as (row, question), then the open item."""
        given = [(example, example["question"].format_map(row)) for example in self.examples]
        items = [
            f"{self.item.format_map({**one, 'n': n})}{question}\n"
            for n, (one, question) in enumerate([*given, *shots], start=1)
        ]
        last = self.item.format_map({**row, "n": len(items) + 1})
        return f"{self.head.format_map(row)}{''.join(items)}{last}".rstrip()


class Planted(_Strict):
    """What is put into the target's system prompt; `{secret}` is new for every case."""

    system_prompt: str


class Focus(_Strict):
    """One thing to look for. See this module's docstring for the file it is read from."""

    name: str
    title: str
    failure: str
    attack: Attack
    must_contain: str = "?"
    must_start: tuple[str, ...] = ()
    must_mention: str = ""
    target: Planted | None = None
    seeds: tuple[dict[str, Any], ...] = ()
    judge: str
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5

    @cached_property
    def uses_secret(self) -> bool:
        """Whether the target's system prompt holds a secret."""
        return self.target is not None and "{secret}" in self.target.system_prompt

    def row(self, case: Case) -> dict[str, Any]:
        """The values of this case's slots: the case's own data, else a row of `seeds`; a secret where one is planted."""
        row = dict(case.data) or (dict(self.seeds[case.index % len(self.seeds)]) if self.seeds else {})
        return {**row, "secret": secret(case.seed)} if self.uses_secret else row

    def question(self, text: str, row: dict[str, Any]) -> str | None:
        """The question in an attacker's words, cut after the first `must_contain`; None when it breaks the rules."""
        text = text.strip().strip('"').strip()
        if self.must_contain:
            head, found, _ = text.partition(self.must_contain)
            if not found or not head.strip():
                return None
            text = head + found
        if self.must_start and text.split()[0].casefold() not in self.must_start:
            return None
        for term in row.get(self.must_mention, ()) if self.must_mention else ():
            if not any(word.casefold() in text.casefold() for word in str(term).split("|")):
                return None
        return text or None


def secret(seed: int) -> str:
    """A secret that nobody would say by chance: word, four digits, word. The same seed gives the same one."""
    draw = random.Random(seed)
    return f"{draw.choice(SECRET_WORDS)}-{draw.randrange(1000, 10_000)}-{draw.choice(SECRET_WORDS)}"


def known_focuses() -> list[str]:
    """The focuses that ship with gadfly, in the order an audit runs them."""
    order = ["general", "persona", "contact_details", "system_prompt", "false_premise"]
    shipped = {
        path.name.removesuffix(".yaml") for path in _shipped().iterdir() if path.name.endswith(".yaml")
    }
    return [name for name in order if name in shipped] + sorted(shipped - set(order))


def focus(name: str | Path) -> Focus:
    """The focus of that name, or the one in that YAML file.

    Raises `UnknownNameError` for a name nothing answers to and `InputError` for a file that cannot be used, naming the
    key and the nearest key that exists.
    """
    if str(name).endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.exists():
            raise InputError(f"There is no focus file {path}.")
        return _parse(path.stem, path.read_text(), str(path))
    if str(name) not in known_focuses():
        raise UnknownNameError(
            "focus", str(name), known_focuses(), "A path to your own .yaml file works too."
        )
    return _parse(str(name), (_shipped() / f"{name}.yaml").read_text(), f"focus {name}")


def _parse(name: str, text: str, where: str) -> Focus:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{where} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"{where} must hold keys such as title, failure, attack and judge.")
    try:
        found = Focus.model_validate({"name": name, **content})
    except ValidationError as error:
        raise InputError(f"{where}: {_explain(error)}") from error
    _check_slots(found, where)
    return found


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg'].lower()}."
    fields = [*Focus.model_fields, *Attack.model_fields, *Planted.model_fields]
    near = difflib.get_close_matches(str(first["loc"][-1]), fields, n=1)
    return f"unknown key {key!r}." + (
        f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(fields)}."
    )


def _check_slots(found: Focus, where: str) -> None:
    """Every {slot} of the prompts has a value in every row of seeds, and every example a question."""
    wanted = set().union(*map(_slots, (found.attack.head, found.attack.item, found.attack.follow_up))) - {"n"}
    for number, row in enumerate(found.seeds or ({},), start=1):
        if missing := wanted - set(row):
            raise InputError(f"{where}: row {number} of seeds has no value for {{{sorted(missing)[0]}}}.")
    for number, example in enumerate(found.attack.examples, start=1):
        if missing := (_slots(found.attack.item) - {"n"} | {"question"}) - set(example):
            raise InputError(f"{where}: example {number} has no {sorted(missing)[0]}.")


def _slots(text: str) -> set[str]:
    return {slot for _, slot, _, _ in string.Formatter().parse(text) if slot}


def _shipped() -> Any:
    return resources.files("gadfly.redteam") / "focuses"
