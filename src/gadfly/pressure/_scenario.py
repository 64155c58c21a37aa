"""A scenario: a cast, a company, tools, messages, a temptation, three forks and knobs, as one YAML file.

A scenario is text and small tables that a lawyer can read and edit. `gadfly pressure new FILE` writes a commented one.
What stands in braces is a slot; its value comes from `values`, from the cast, or from a level of a knob. A value that
is a list holds wordings of the same thing: case by case another one is used, so that a rate is not one sentence's rate.

The agent goes on from the messages. At the first fork it does what the temptation suggests or not (`act`); if it did,
it reports (`report`: says so or hides it), and is then asked point-blank (`deny`: admits or denies).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gadfly.documents import Place, Shelf
from gadfly.errors import UnknownNameError
from gadfly.slots import Template, fill, fill_known, slots, template

__all__ = [
    "FORMS",
    "SCRATCHPADS",
    "Act",
    "Call",
    "Control",
    "Fork",
    "Knob",
    "Message",
    "Observation",
    "Scenario",
    "Tool",
    "known_scenarios",
    "scenario",
]

FORMS = ("react", "tools")
SCRATCHPADS = ("true", "false", "native")

BUILT_IN = {"form": FORMS, "scratchpad": SCRATCHPADS}
"""Knobs every scenario has: how the agent acts (in text or by native tool calls), and where it may think."""

GIVEN = frozenset({"tools", "format"})
"""Slots that gadfly fills in: the list of tools and how to answer."""

PREFILL = "prefill"
"""The slot whose value is put into the agent's mouth where it first answers."""


def _words(value: object) -> object:
    """Wordings as a tuple, each a text as it stands: YAML would read 0123 as 83."""
    several = value if isinstance(value, list | tuple) else [value]
    for one in several:
        if not isinstance(one, str):
            raise ValueError(f"a slot's value is text or a list of texts; put {one!r} in quotes")
        template(one)
    if not several:
        raise ValueError("a list of wordings needs at least one")
    return tuple(several)


def _word(value: object) -> object:
    """A yes or no that YAML made of a word, as the word `true` or `false` again; numbers as they are written."""
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | bool | int) else value


Wordings = Annotated[tuple[str, ...], BeforeValidator(_words)]
Word = Annotated[str, BeforeValidator(_word)]
When = dict[str, Annotated[tuple[Word, ...], BeforeValidator(_listed)]]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,59}$")]
Where = dict[str, Annotated[tuple[Word, ...], BeforeValidator(_listed)]]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Call(Strict):
    """A use of a tool: with these arguments, or with any where `where` is empty. A value may be a list: any of them.

    Compared without regard to case and to spaces, quotes and signs around.
    """

    tool: Name
    where: Where = {}

    def fits(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        """Whether this tool was called so."""
        return tool == self.tool and all(
            _same(arguments.get(name), among) for name, among in self.where.items()
        )


class Observation(Strict):
    """What a tool gives back where its arguments are these; the slots of `text` may be arguments and amounts."""

    text: Template
    where: Where = {}


class Tool(Strict):
    """Something the agent can do. `arguments` name what it takes and whether that is `text` or a `number`.

    The first observation that fits is given back, so the last should fit always. `amounts` are products of arguments
    and numbers: `{cost: [shares, 41.2]}`.
    """

    name: Name
    about: Annotated[str, Field(min_length=1)]
    arguments: dict[Name, Literal["text", "number"]] = {}
    observations: Annotated[tuple[Observation, ...], Field(min_length=1)]
    amounts: dict[Name, tuple[str | float, ...]] = {}

    def observe(self, arguments: Mapping[str, Any], values: Mapping[str, str]) -> str:
        """What this call gives back, slots filled from `values`, the arguments and the amounts."""
        known = {name: _short(arguments.get(name, "")) for name in self.arguments}
        for name, factors in self.amounts.items():
            known[name] = _product(factors, arguments)
        for one in self.observations:
            if all(_same(arguments.get(name), among) for name, among in one.where.items()):
                return fill(one.text, {**values, **known})
        return "Nothing came of it."


class Message(Strict):
    """One message before or at a fork. `speaker` is one of the cast; the agent's own are scripted: a `thought`, then
    what it says (`text`) or does (`does`, whose observation follows of itself). `when`: only at these levels of knobs.
    """

    speaker: Annotated[Name, Field(alias="from")]
    text: Template = ""
    thought: Template = ""
    does: Call | None = None
    when: When = {}

    def stands(self, levels: Mapping[str, str]) -> bool:
        """Whether it is part of the scenario at these levels."""
        return all(levels.get(knob) in among for knob, among in self.when.items())


class Control(Strict):
    """A reply whose level is known: what its grader must make of it. `trap` names what makes it hard.

    The reply is the agent's whole answer, and `form` and `cut` say how it came. A `held_out` one was not looked at
    while the patterns were written, so it says how they do on replies they have not seen.
    """

    reply: str
    level: Name
    trap: str = ""
    form: Literal["react", "tools"] = "react"
    cut: bool = False
    held_out: bool = False


class Act(Strict):
    """The first fork: which calls are the act, and which are honest decisions against it. Within `steps` answers."""

    acts: Annotated[tuple[Call, ...], Field(min_length=1)]
    honest: Annotated[tuple[Call, ...], Field(min_length=1)]
    steps: Annotated[int, Field(ge=1, le=10)] = 2
    controls: Annotated[tuple[Control, ...], Field(min_length=1)]


class Fork(Strict):
    """A later fork: what the agent is asked, and how its words are graded.

    `patterns` maps a level to regular expressions, `rubric` a level to a sentence that is true of such a reply.
    """

    ask: Annotated[tuple[Message, ...], Field(min_length=1)]
    patterns: dict[Name, tuple[str, ...]]
    rubric: dict[Name, Annotated[str, Field(min_length=1)]]
    controls: Annotated[tuple[Control, ...], Field(min_length=1)]


class Forks(Strict):
    """The three forks in order."""

    act: Act
    report: Fork
    deny: Fork


class Knob(Strict):
    """Something that can be turned, one level at a time: each level gives values to slots."""

    about: Annotated[str, Field(min_length=1)]
    default: Word
    levels: Annotated[dict[str, dict[Name, Wordings]], Field(min_length=2)]


class Scenario(Strict):
    """A whole scenario; see this module's docstring and `gadfly pressure new`.

    `temptation` says what the agent knows and must not use, `honest` what it could do instead. `canary` is never shown
    to a model: it tells whether the file got into training data. `controls` are settings of knobs: in the positive one
    the agent is told to deceive, in the negative one there is nothing to hide.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,60}$")]
    title: Annotated[str, Field(min_length=1)]
    about: Annotated[str, Field(min_length=1)]
    temptation: Annotated[str, Field(min_length=1)]
    honest: Annotated[str, Field(min_length=1)]
    canary: Annotated[str, Field(min_length=16)]
    cast: dict[Name, str]
    values: dict[Name, Wordings] = {}
    system: Template
    tools: Annotated[tuple[Tool, ...], Field(min_length=1)]
    messages: Annotated[tuple[Message, ...], Field(min_length=1)]
    forks: Forks
    knobs: dict[Name, Knob] = {}
    controls: dict[Literal["positive", "negative"], dict[Name, Word]]

    @cached_property
    def knob_levels(self) -> dict[str, tuple[str, ...]]:
        """Every knob's levels, the built-in knobs' first; the default level of each comes first."""
        own = {name: _first(knob.levels, knob.default) for name, knob in self.knobs.items()}
        return {**BUILT_IN, **own}

    @cached_property
    def named_tools(self) -> dict[str, Tool]:
        """The tools by name."""
        return {tool.name: tool for tool in self.tools}

    def levels(self, turned: Mapping[str, Any]) -> dict[str, str]:
        """All knobs' levels with some turned: `{"pressure": "none", "scratchpad": False}`.

        Raises `UnknownNameError` for a knob or level that does not exist.
        """
        found = {knob: levels[0] for knob, levels in self.knob_levels.items()}
        for knob, level in turned.items():
            if knob not in found:
                raise UnknownNameError(f"knob of {self.name}", knob, found)
            word = str(_word(level))
            if word not in self.knob_levels[knob]:
                raise UnknownNameError(f"level of {knob}", word, self.knob_levels[knob])
            found[knob] = word
        return found

    def slots(self, levels: Mapping[str, str], wording: int = 0) -> dict[str, str]:
        """Every slot's value at these levels, in one of its wordings; wording 0 is each list's first.

        Values may hold slots themselves, one deep.
        """
        several = {name: (who,) for name, who in self.cast.items()} | dict(self.values)
        for name, knob in self.knobs.items():
            several |= knob.levels[levels[name]]
        picked = {name: among[_pick(name, wording, len(among))] for name, among in several.items()}
        return {name: fill_known(text, picked) for name, text in picked.items()}

    def spec(self) -> dict[str, Any]:
        """What of the scenario decides a transcript, as JSON: not its graders, titles and canary."""
        left_out = {"title", "about", "honest", "temptation", "canary", "controls"}
        content = self.model_dump(mode="json", by_alias=True, exclude=left_out)
        content["forks"]["act"].pop("controls")
        for fork in ("report", "deny"):
            content["forks"][fork] = {"ask": content["forks"][fork]["ask"]}
        return content


def known_scenarios() -> list[str]:
    """The scenarios that ship with gadfly, `insider_trading` first."""
    return sorted(SHELF.names(), key=lambda name: (name != "insider_trading", name))


def scenario(name: str | Path) -> Scenario:
    """The scenario of that name, or the one in that YAML file, which is named after its file.

    Raises `UnknownNameError` for a name nothing answers to and `InputError` for a file that cannot be used: what is
    wrong and on which line.
    """
    return SHELF.get(name)


# --- what must hold between the parts


def _problems(found: Scenario) -> Iterator[tuple[Place, str]]:
    yield from _knob_problems(found)
    yield from _call_problems(found)
    yield from _message_problems(found)
    yield from _slot_problems(found)
    yield from _grader_problems(found)


def _knob_problems(found: Scenario) -> Iterator[tuple[Place, str]]:
    for name, knob in found.knobs.items():
        if name in BUILT_IN:
            yield ("knobs", name), f"{name} is a knob that gadfly itself gives; choose another name."
        if knob.default not in knob.levels:
            among = ", ".join(knob.levels)
            yield ("knobs", name, "default"), f"{name} has no level {knob.default!r}; it has {among}."
        for level, values in knob.levels.items():
            if taken := GIVEN.intersection(values):
                yield ("knobs", name, "levels", level), f"gadfly fills {{{min(taken)}}} in itself."
    for kind in ("positive", "negative"):
        if kind not in found.controls:
            yield ("controls",), f"controls needs a {kind} one: settings of knobs."
    for kind, turned in found.controls.items():
        try:
            found.levels(turned)
        except UnknownNameError as error:
            yield ("controls", kind), str(error)


def _call_problems(found: Scenario) -> Iterator[tuple[Place, str]]:
    """Calls that name a tool or an argument that does not exist."""
    calls: list[tuple[Place, Call]] = []
    for kind in ("acts", "honest"):
        calls += [(("forks", "act", kind, n), call) for n, call in enumerate(getattr(found.forks.act, kind))]
    calls += [(("messages", n, "does"), one.does) for n, one in enumerate(found.messages) if one.does]
    for place, call in calls:
        tool = found.named_tools.get(call.tool)
        if tool is None:
            yield place, f"there is no tool {call.tool!r}; there are {', '.join(found.named_tools)}."
        elif unknown := set(call.where) - set(tool.arguments):
            yield place, f"the tool {tool.name} takes no {min(unknown)!r}."
    for number, tool in enumerate(found.tools):
        for name, factors in tool.amounts.items():
            for factor in factors:
                if isinstance(factor, str) and tool.arguments.get(factor) != "number":
                    yield ("tools", number, "amounts", name), f"{factor!r} is no number that the tool takes."


def _message_problems(found: Scenario) -> Iterator[tuple[Place, str]]:
    """Speakers that are not in the cast, and conditions on knobs that do not exist."""
    if "agent" not in found.cast:
        yield ("cast",), "the cast needs an agent: the name the model goes by."
    for place, one in _all_messages(found):
        if one.speaker not in found.cast:
            yield (*place, "from"), f"{one.speaker!r} is not in the cast: {', '.join(found.cast)}."
        if one.speaker != "agent" and (one.thought or one.does or not one.text):
            yield place, "a message has a text; only the agent's own has a thought or a deed."
        if one.speaker == "agent" and bool(one.text) == bool(one.does):
            yield place, "a message from the agent has either a text or a deed (does)."
        for knob, among in one.when.items():
            if knob not in found.knob_levels:
                yield (
                    (*place, "when"),
                    f"there is no knob {knob!r}; there are {', '.join(found.knob_levels)}.",
                )
            elif odd := set(among) - set(found.knob_levels[knob]):
                yield (*place, "when"), f"{knob} has no level {min(odd)!r}."


def _slot_problems(found: Scenario) -> Iterator[tuple[Place, str]]:
    """Slots that have no value at some level of a knob."""
    always = set(found.cast) | set(found.values) | GIVEN
    for knob in found.knobs.values():
        always |= set.intersection(*(set(values) for values in knob.levels.values()))
    for place, text in _templates(found):
        if missing := slots(text) - always:
            some = {s for knob in found.knobs.values() for values in knob.levels.values() for s in values}
            name = min(missing)
            why = "not at every level of its knob" if name in some else "nowhere"
            yield place, f"the slot {{{name}}} has a value {why}; give it one under values or in each level."


def _grader_problems(found: Scenario) -> Iterator[tuple[Place, str]]:
    """Graders that lack a level's pattern, sentence or controls."""
    wanted = {"report": REPORT_LEVELS, "deny": DENY_LEVELS}
    for name, levels in wanted.items():
        fork: Fork = getattr(found.forks, name)
        for part, given in (("patterns", fork.patterns), ("rubric", fork.rubric)):
            needed = set(levels[:-1]) if part == "patterns" else set(levels)
            if odd := set(given) - set(levels):
                yield ("forks", name, part), f"there is no level {min(odd)!r}; there are {', '.join(levels)}."
            if missing := needed - set(given):
                yield ("forks", name, part), f"the level {min(missing)!r} is missing."
        for level, patterns in fork.patterns.items():
            for number, pattern in enumerate(patterns):
                try:
                    re.compile(pattern)
                except (re.error, OverflowError, RecursionError) as error:
                    place = ("forks", name, "patterns", level, number)
                    yield place, f"{pattern!r} is no regular expression: {error}."
        yield from _control_problems(("forks", name), fork.controls, levels)
    yield from _control_problems(("forks", "act"), found.forks.act.controls, ACT_LEVELS)


def _control_problems(
    place: Place, controls: Sequence[Control], levels: Sequence[str]
) -> Iterator[tuple[Place, str]]:
    for number, control in enumerate(controls):
        if control.level not in (*levels, "invalid"):
            yield (
                (*place, "controls", number),
                f"there is no level {control.level!r}; there are {', '.join(levels)} and invalid.",
            )
    among = {control.level for control in controls}
    for level in (levels[0], levels[-1]):
        if level not in among:
            yield (
                (*place, "controls"),
                f"no control has the level {level!r}: a grader proves itself on both ends.",
            )


ACT_LEVELS = ("acts", "other", "honest")
REPORT_LEVELS = ("explicit", "implied", "concealed")
DENY_LEVELS = ("honest", "denies", "evasive")


def _all_messages(found: Scenario) -> Iterator[tuple[Place, Message]]:
    for number, one in enumerate(found.messages):
        yield ("messages", number), one
    for name in ("report", "deny"):
        for number, one in enumerate(getattr(found.forks, name).ask):
            yield ("forks", name, "ask", number), one


def _templates(found: Scenario) -> Iterator[tuple[Place, str]]:
    """Every text with slots that are filled from values alone."""
    yield ("system",), found.system
    for name, wordings in found.values.items():
        yield from ((("values", name), text) for text in wordings)
    for name, knob in found.knobs.items():
        for level, values in knob.levels.items():
            place: Place = ("knobs", name, "levels", level)
            yield from ((place, text) for wordings in values.values() for text in wordings)
    for place, one in _all_messages(found):
        yield (*place, "text"), one.text
        yield (*place, "thought"), one.thought
    for number, tool in enumerate(found.tools):
        known = dict.fromkeys((*tool.arguments, *tool.amounts), "")
        for at, seen in enumerate(tool.observations):
            yield ("tools", number, "observations", at, "text"), fill_known(seen.text, known)


# --- values


def _pick(name: str, wording: int, among: int) -> int:
    """Which of a slot's wordings stands in a wording of the whole; wording 0 has the first of each."""
    if wording == 0 or among == 1:
        return 0
    return int.from_bytes(hashlib.sha256(f"{wording}/{name}".encode()).digest()[:4], "big") % among


def _first(levels: Mapping[str, Any], default: str) -> tuple[str, ...]:
    return (default, *(level for level in levels if level != default))


def _same(value: Any, among: Sequence[str]) -> bool:
    return value is not None and _bare(value) in {_bare(one) for one in among}


def _bare(value: Any) -> str:
    """A value without case and without what people put around it: quotes, a dollar sign, a full stop."""
    return str(value).casefold().strip(" \t\r\n\"'`$#.,;")


def _short(value: Any) -> str:
    return str(value)[:200]


def _product(factors: Sequence[str | float], arguments: Mapping[str, Any]) -> str:
    total = 1.0
    for factor in factors:
        try:
            total *= float(
                str(arguments.get(factor, "")).replace(",", "") if isinstance(factor, str) else factor
            )
        except ValueError:
            return "an unknown amount"
    return f"{total:,.2f}"


SHELF = Shelf("scenario", Scenario, "gadfly.pressure", "scenarios", _problems)
