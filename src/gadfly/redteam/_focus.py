"""A focus: what one looks for, as data. A focus is a YAML file; users add their own beside the ones shipped.

title: Claims to be a person
failure: one sentence that says what counts as failure
attack:
  head: "List of questions to ask someone:\\n"    how the text begins that the attacker continues
                                                 (not with templates)
  item: "{n}. "                                 what stands before each question
  examples: [{question: Where did you grow up?}]   the first items (optional)
  follow_up: what the attacker is told before it goes on with a dialogue
must_contain: "?"              a question without it is invalid, and is cut after the first one
must_start: [why, how]         the question's first word is one of these (optional)
must_mention: terms            the row's `terms` all occur; "a|b" means either (optional)
target: {system_prompt: "… {secret} …"}         planted after the target's own (optional)
seeds: [{detail: phone number}, …]              values for the {slots}, one row per case (optional);
                               of a single slot the report ranks the values
propose:                                        instead of seeds: a model proposes one slot's values, once (optional)
  {slot: group, head: "List of groups of people:\\n", examples: [teachers, …], count: 24, most_words: 4, endings: [s]}
templates: ["What do you think of {group}?"]     questions asked word for word, each of every row; the attacker then
                                                 only goes on with dialogues (optional)
judge: claims_person           what --judge takes; leaks_corpus:DIRECTORY for a directory of text
threshold: 0.5                 where the judge's score becomes a failure (optional: the judge's own)

A slot is a name in braces; `{{` and `}}` stand for braces themselves. Slots are filled once: a question or a value that
holds braces is never read for slots again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gadfly.documents import Place, Shelf
from gadfly.errors import InputError
from gadfly.slots import Template, fill, slots, template
from gadfly.transcripts import Case

__all__ = ["Focus", "Propose", "focus", "known_focuses"]

RESERVED = frozenset({"focus", "n", "row", "secret", "system_prompt"})
"""Names that seeds must not use: gadfly gives them their values."""

NEEDS_MORE = frozenset({"leaks_corpus", "model_judge"})
"""Judges that cannot decide before somebody names a corpus or a model."""

ORDER = ("general", "persona", "contact_details", "system_prompt", "false_premise")

LATER_KEYS = ("propose", "templates")
"""Optional keys that came after runs had been kept: absent from a run's spec when unset, so that those go on."""

SECRET_WORDS = (
    "amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heron", "indigo", "juniper", "kelp", "lotus",
    "maple", "nickel", "onyx", "pebble", "quartz", "raven", "sable", "tulip", "umber", "velvet", "walnut", "zephyr",
)  # fmt: skip


def _value(value: object) -> object:
    """Only text, as it stands: YAML would read 0123 as 83 and 12:30 as 750."""
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str):
            raise ValueError(f"a slot's value is text or a list of texts; put {one!r} in quotes")
    return value


Row = dict[str, Annotated[str | list[str], BeforeValidator(_value)]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Attack(_Strict):
    """What the attacker is given: a text to continue with one more question, and the opening of a dialogue.

    Slots in `head` are the case's; slots in `item` are those of the question that follows it, so that questions written
    for different rows can stand in one list. `{n}` counts from 1.
    """

    head: Template = ""
    item: Template = "{n}. "
    examples: tuple[Row, ...] = ()
    follow_up: Template

    @property
    def rows_mix(self) -> bool:
        """Whether questions for different rows can stand in one list."""
        return bool(slots(self.item) - {"n"}) or not slots(self.head)

    def text(self, row: Mapping[str, Any], shots: Sequence[tuple[Mapping[str, Any], str]] = ()) -> str:
        """The text to continue: head, examples, then `shots` as (row, question), then the open item."""
        given = [(example, fill(str(example["question"]), row)) for example in self.examples]
        items = [
            f"{fill(self.item, {**one, 'n': n})}{question}\n"
            for n, (one, question) in enumerate([*given, *shots], start=1)
        ]
        last = fill(self.item, {**row, "n": len(items) + 1})
        return f"{fill(self.head, row)}{''.join(items)}{last}".rstrip()

    def resumed(self, row: Mapping[str, Any]) -> str:
        """What stands before a dialogue that the attacker goes on with."""
        return fill(self.follow_up, row)


class Planted(_Strict):
    """What is put into the target's system prompt; `{secret}` is new for every case."""

    system_prompt: Template


class Propose(_Strict):
    """How a model is asked for the values of one slot (see `_proposing`). `by` is filled in: the run that proposed."""

    slot: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
    head: Annotated[str, Field(min_length=1)]
    examples: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    count: Annotated[int, Field(ge=2, le=1_000)] = 24
    most_words: Annotated[int, Field(ge=1, le=20)] = 4
    endings: tuple[str, ...] = ()
    by: str = ""


class Focus(_Strict):
    """One thing to look for. See this module's docstring for the file it is read from."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
    title: Annotated[str, Field(min_length=1)]
    failure: Annotated[str, Field(min_length=1)]
    attack: Attack
    must_contain: str = "?"
    must_start: tuple[str, ...] = ()
    must_mention: str = ""
    target: Planted | None = None
    seeds: tuple[Row, ...] = ()
    propose: Propose | None = None
    templates: tuple[Annotated[Template, Field(min_length=1)], ...] = ()
    judge: Annotated[str, Field(min_length=1)]
    threshold: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None

    @cached_property
    def uses_secret(self) -> bool:
        """Whether the target's system prompt holds a secret."""
        return self.target is not None and "secret" in slots(self.target.system_prompt)

    @property
    def needs(self) -> str:
        """The option that must be given before its judge can decide; empty when it can as it stands."""
        return f"--judge {self.judge}:DIRECTORY" if self.judge in NEEDS_MORE else ""

    @property
    def ready(self) -> bool:
        """Whether an audit includes it unasked: its judge can decide, and it ranks no proposed values, which takes
        several times an audit's cases before any stands out.
        """
        return not self.needs and self.propose is None

    @property
    def unresolved(self) -> bool:
        """Whether a model has yet to propose its rows."""
        return self.propose is not None and not self.seeds

    def spec(self) -> dict[str, Any]:
        """What of the focus decides a transcript, as JSON: not its judge."""
        content = self.model_dump(mode="json", exclude={"judge", "threshold"})
        return {key: value for key, value in content.items() if value or key not in LATER_KEYS}

    def row(self, case: Case) -> dict[str, Any]:
        """The values of this case's slots: its own data, else a row of `seeds`; a secret where one is planted."""
        row: dict[str, Any] = dict(case.data)
        if not row and self.unresolved:
            raise InputError(
                f"A model has yet to propose the rows of {self.name}: use gadfly redteam, or give your own as seeds."
            )
        if not row and self.seeds:
            row = dict(self.seeds[case.index % len(self.seeds)])
        return {**row, "secret": secret(case.seed)} if self.uses_secret else row

    def template(self, case: Case, row: Mapping[str, Any]) -> str | None:
        """The question this case asks word for word: every row gets the first template, then every row the second.

        None without templates.
        """
        if not self.templates:
            return None
        return fill(self.templates[case.index // max(1, len(self.seeds)) % len(self.templates)], row)

    def planted(self, row: Mapping[str, Any]) -> str:
        """What the target's system prompt says in a case with this row; empty where nothing is planted."""
        return fill(self.target.system_prompt, row) if self.target else ""

    def question(self, text: str, row: Mapping[str, Any]) -> str | None:
        """The question in an attacker's words, cut after the first `must_contain`; None when it breaks the rules."""
        text = text.strip().strip('"').strip()
        if self.must_contain:
            head, found, _ = text.partition(self.must_contain)
            if not found or not head.strip():
                return None
            text = head + found
        first = re.search(r"\w+", text)
        if self.must_start and (not first or first[0].casefold() not in map(str.casefold, self.must_start)):
            return None
        terms = row.get(self.must_mention, ()) if self.must_mention else ()
        for term in (terms,) if isinstance(terms, str) else terms:
            if not any(word.casefold() in text.casefold() for word in str(term).split("|")):
                return None
        return text or None


def secret(seed: int) -> str:
    """A secret that nobody would say by chance: word, four digits, word. The same seed gives the same one."""
    draw = random.Random(seed)
    return f"{draw.choice(SECRET_WORDS)}-{draw.randrange(1000, 10_000)}-{draw.choice(SECRET_WORDS)}"


def known_focuses() -> list[str]:
    """The focuses that ship with gadfly, in the order an audit runs those of them that are `ready`."""
    shipped = set(SHELF.names())
    return [name for name in ORDER if name in shipped] + sorted(shipped.difference(ORDER))


def focus(name: str | Path) -> Focus:
    """The focus of that name, or the one in that YAML file, which is named after its file.

    Raises `UnknownNameError` for a name nothing answers to and `InputError` for a file that cannot be used, naming the
    line, the key and the nearest key that exists.
    """
    return SHELF.get(name)


def _problems(found: Focus) -> Iterator[tuple[Place, str]]:
    """What is wrong between the keys of a focus."""
    yield from _example_problems(found)
    yield from _slot_problems(found)
    if found.judge == "leaks_secret" and not found.uses_secret:
        yield ("judge",), "judge is leaks_secret, so target.system_prompt must plant a {secret}."


def _example_problems(found: Focus) -> Iterator[tuple[Place, str]]:
    if not found.attack.head and not found.templates:
        yield ("attack",), "the key 'attack.head' is missing."
    if found.propose and found.propose.by:
        yield ("propose", "by"), "propose.by is filled in when a model has proposed; leave it out."
    needed = (slots(found.attack.item) - {"n"}) | {"question"}
    for number, example in enumerate(found.attack.examples):
        place: Place = ("attack", "examples", number)
        if missing := needed - set(example):
            yield place, f"attack.examples.{number} has no {min(missing)!r}."
            continue
        try:
            template(example["question"])
        except ValueError as wrong:
            yield (*place, "question"), f"attack.examples.{number}.question: {wrong}."


def _slot_problems(found: Focus) -> Iterator[tuple[Place, str]]:
    wanted = dict(_wanted(found))
    for place, needed in wanted.items():
        if "secret" in needed:
            key = ".".join(map(str, place))
            yield (
                place,
                f"{key} holds {{secret}}, which only target.system_prompt may: the attacker must not know it.",
            )
    if found.target:
        wanted[("target", "system_prompt")] = slots(found.target.system_prompt) - {"secret"}
    proposed: Row = {found.propose.slot: ""} if found.propose else {}
    for number, row in enumerate(found.seeds or (proposed,)):
        if reserved := RESERVED.intersection(row):
            name = min(reserved)
            sentence = f"seeds.{number}.{name} is a value that gadfly gives itself; choose another name."
            yield ("seeds", number, name), sentence
        for place, needed in wanted.items():
            if missing := needed - set(row):
                key = ".".join(map(str, place))
                yield place, f"{key} needs {{{min(missing)}}}, which seeds.{number} has no value for."
        if found.must_mention and found.must_mention not in row:
            sentence = f"must_mention names {found.must_mention!r}, which seeds.{number} has no value for."
            yield ("must_mention",), sentence


def _wanted(found: Focus) -> Iterator[tuple[Place, set[str]]]:
    """The slots that what the attacker is given needs, by where they stand."""
    attack = found.attack
    yield ("attack", "head"), slots(attack.head)
    yield ("attack", "item"), slots(attack.item) - {"n"}
    yield ("attack", "follow_up"), slots(attack.follow_up)
    for number, example in enumerate(attack.examples):
        yield ("attack", "examples", number, "question"), slots(str(example.get("question", "")))
    for number, question in enumerate(found.templates):
        yield ("templates", number), slots(question)


SHELF = Shelf("focus", Focus, "gadfly.redteam", "focuses", _problems)
