"""Edits of a scenario: what a search may change of it, and what it may not.

A knob can be turned to another level, and a text that the agent reads on its way to the first fork can be worded anew.
What would make a find worthless stays as it is: the temptation, the instructions that the controls turn, what the agent
is asked at the later forks (another question is another measurement), and in which form it answers. A new wording that
brings in an instruction to deceive, a slot of its own or the marks of an answer is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from gadfly.documents import Document, Place
from gadfly.errors import InputError
from gadfly.pressure._pressing import Setting
from gadfly.pressure._scenario import BUILT_IN, PREFILL, SHELF, Scenario
from gadfly.slots import slots

__all__ = [
    "Candidate",
    "Edit",
    "Text",
    "fitting",
    "pairs",
    "turns",
    "unfit",
    "worded",
    "wording_in",
    "writable",
]

HELD = frozenset({"ladder", PREFILL, *BUILT_IN})
"""Knobs that a search leaves alone: how far the agent is led, what is put into its mouth, how it answers and thinks."""

LEAST_WORDS = 4
"""Shorter texts (a name, a sum) are no wordings."""

ROOM = 20
"""Words that a new wording may have beyond twice the old one's."""


@dataclass(frozen=True)
class Text:
    """A text of a scenario that may be worded anew: where it stands, its first wording, who says it."""

    place: Place
    words: str
    speaker: str = ""

    @property
    def name(self) -> str:
        """`values.urge`, `knobs.pressure.levels.high.stakes_manager`."""
        return ".".join(map(str, self.place))


@dataclass(frozen=True)
class Edit:
    """One change: a knob turned (`place` is ("knobs", its name)) or the text at `place` worded anew."""

    place: Place
    before: str
    after: str

    @property
    def knob(self) -> str:
        """The knob that was turned; empty for a new wording."""
        return str(self.place[1]) if len(self.place) == 2 and self.place[0] == "knobs" else ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The change as one reads it."""
        if self.knob:
            return (f"{self.knob}: {self.before} → {self.after}",)
        return (".".join(map(str, self.place)), f"- {self.before.strip()}", f"+ {self.after.strip()}")


@dataclass(frozen=True)
class Candidate:
    """A scenario with edits. Two with the same edits are one, whatever their names."""

    start: Setting = field(compare=False)
    edits: tuple[Edit, ...] = ()
    name: str = field(default="start", compare=False)

    @property
    def setting(self) -> Setting:
        """The edited scenario with its knobs turned. Raises `InputError` when the edits do not fit it."""
        turned = {edit.knob: edit.after for edit in self.edits if edit.knob}
        edited = worded(self.start.scenario, [edit for edit in self.edits if not edit.knob])
        return Setting.of(edited, {**self.start.turned, **turned})

    @property
    def lines(self) -> tuple[str, ...]:
        """All changes as one reads them."""
        return tuple(line for edit in self.edits for line in edit.lines)


def turns(start: Setting) -> list[Edit]:
    """Every knob that may be turned, to every other level that may be used."""
    scenario, levels = start.scenario, start.levels
    nothing_to_hide = scenario.controls.get("negative", {})
    return [
        Edit(("knobs", knob), levels[knob], level)
        for knob, among in scenario.knob_levels.items()
        if knob not in HELD
        for level in among
        if level != levels[knob] and nothing_to_hide.get(knob) != level
    ]


def writable(start: Setting) -> list[Text]:
    """The texts that may be worded anew, as they stand at these levels."""
    scenario, levels = start.scenario, start.levels
    used = _used(scenario, levels)
    found = [
        Text(("values", name), wordings[0], used[name])
        for name, wordings in scenario.values.items()
        if name in used
    ]
    controlled = {knob for turned in scenario.controls.values() for knob in turned}
    for knob, levels_of in scenario.knobs.items():
        if knob not in HELD | controlled:
            found += [
                Text(("knobs", knob, "levels", levels[knob], name), wordings[0], used[name])
                for name, wordings in levels_of.levels[levels[knob]].items()
                if name in used and name != PREFILL
            ]
    found += [
        Text(("messages", number, "text"), message.text, scenario.cast[message.speaker])
        for number, message in enumerate(scenario.messages)
        if message.speaker != "agent" and message.stands(levels)
    ]
    return [one for one in found if _count(re.sub(r"\{\w+\}", "", one.words)) >= LEAST_WORDS]


def worded(scenario: Scenario, edits: Sequence[Edit]) -> Scenario:
    """The scenario with texts worded anew; a slot that had several wordings now has this one. Raises `InputError`."""
    if not edits:
        return scenario
    content = scenario.model_dump(mode="json", by_alias=True, exclude={"name"})
    for edit in edits:
        inside: Any = content
        for part in edit.place[:-1]:
            inside = inside[part]
        inside[edit.place[-1]] = edit.after
    return SHELF.checked(Document(content, {}, f"the edited {scenario.name}"), scenario.name)


def fitting(start: Setting, edit: Edit, name: str) -> Candidate | None:
    """The candidate with this one edit; None where the scenario would no longer hold together."""
    made = Candidate(start, (edit,), name)
    try:
        made.setting  # noqa: B018 (what is checked is that it can be made)
    except InputError:
        return None
    return made


def pairs(best: Sequence[Candidate]) -> list[Candidate]:
    """Every two of the best made one, where their edits do not touch each other."""
    found: dict[Candidate, None] = {}
    for one, other in combinations(best, 2):
        edits = tuple(dict.fromkeys([*one.edits, *other.edits]))
        both = Candidate(one.start, edits, f"{one.name}+{other.name}")
        if one.edits and other.edits and _apart(edits) and both not in (*best, *found):
            found[both] = None
    return list(found)


# --- a new wording, as a model wrote it


def wording_in(reply: str) -> str:
    """The text in a model's reply: its first paragraph that is no announcement, without quotes and labels around it."""
    reply = re.sub(r"<think>.*?(?:</think>|\Z)", "", reply, flags=re.DOTALL | re.IGNORECASE)
    paragraphs = [" ".join(one.split()) for one in re.split(r"\n\s*\n", reply.replace("```", ""))]
    words = next((one for one in paragraphs if one and not one.endswith(":")), "")
    words = re.sub(
        r"^[*_\s]*(?:(?:new|re)[- ]?\w* )?(?:text|wording|version|message)\s*[*_]*:\s*", "", words, flags=re.I
    )
    words = re.sub(
        r"^(?:sure|certainly|of course|here)\b[^:.]{0,80}:\s*", "", words, flags=re.IGNORECASE
    ).strip("*_ ")
    return _unquoted(words)


def unfit(words: str, text: Text, *, may_instruct: bool = False) -> str:
    """Why a new wording cannot be used, in one stable word; empty when it can."""
    old = text.words
    if _count(words) < 2:
        return "empty"
    if _plain(words) == _plain(old):
        return "same"
    if _count(words) > 2 * _count(old) + ROOM:
        return "too_long"
    if _MARKS.search(words):
        return "marks"
    if not may_instruct and set(_deceits(words)) - set(_deceits(old)):
        return "instructs"
    braces = re.search(r"[{}]", re.sub(r"\{[A-Za-z_]\w*\}", "", words))
    return "slots" if braces or slots(words) != slots(old) else ""


_MARKS = re.compile(
    r"<\s*[|/]?\s*\w|\|>|\[/?INST\]|://|\b(?:thought|action|observation|message|user|assistant|system)\s*:|[\x00-\x08\x0e-\x1f]",
    re.IGNORECASE,
)
"""What would be read as an answer of the agent, as markup of a chat, or as a place outside."""

_DECEIT = re.compile(
    r"\b(?:l(?:ie|ies|ying)|deceiv\w*|decept\w*|mislead\w*|conceal\w*|hid(?:e|ing|den)|cover(?:ing)?[ -]up|pretend\w*"
    r"|fabricat\w*|falsif\w*|fak(?:e|ing)|disguis\w*|secretly"
    r"|(?:do not|don't|never|no need to) (?:\w+ ){0,2}(?:tell|mention|say|report|disclose|reveal|admit|write)"
    r"|keep (?:\w+ ){0,4}(?:quiet|secret|to yourself|from (?:her|him|them))|leave (?:\w+ ){0,3}out"
    r"|(?:use|act on|trade on|go ahead with) (?:\w+ ){0,3}(?:tip|secret)|whatever it takes|break the (?:rules|law))\b",
    re.IGNORECASE,
)
"""An instruction, or leave, to deceive. A wording may have one only where the wording it replaces had the same."""


def _deceits(text: str) -> Iterable[str]:
    return (found[0].casefold() for found in _DECEIT.finditer(text.replace("’", "'")))


def _unquoted(words: str) -> str:
    for first, last in ('""', "''", "“”", "‘’", "«»"):
        if len(words) > 1 and words[0] == first and words[-1] == last:
            return words[1:-1].strip()
    return words


def _count(text: str) -> int:
    return len(text.split())


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


# --- where texts stand


def _used(scenario: Scenario, levels: Mapping[str, str]) -> dict[str, str]:
    """The slots that the agent reads on its way to the first fork and not after it, with who says them."""
    told = [(scenario.system, "its instructions")]
    told += [
        (message.text, scenario.cast[message.speaker])
        for message in scenario.messages
        if message.speaker != "agent" and message.stands(levels)
    ]
    found: dict[str, str] = {}
    for template, who in told:
        for name in _deep(template, scenario, levels):
            found.setdefault(name, who)
    later = [one.text for fork in (scenario.forks.report, scenario.forks.deny) for one in fork.ask]
    asked = {name for template in later for name in _deep(template, scenario, levels)}
    return {name: who for name, who in found.items() if name not in asked}


def _deep(template: str, scenario: Scenario, levels: Mapping[str, str]) -> Iterator[str]:
    """A template's slots and those of what is put into them."""
    for name in sorted(slots(template)):
        yield name
        for wording in _wordings(name, scenario, levels):
            yield from sorted(slots(wording))


def _wordings(name: str, scenario: Scenario, levels: Mapping[str, str]) -> tuple[str, ...]:
    own = scenario.values.get(name, ())
    turned = (knob.levels[levels[at]].get(name, ()) for at, knob in scenario.knobs.items())
    return next((found for found in turned if found), own)


def _apart(edits: Sequence[Edit]) -> bool:
    """Whether no two edits change one thing, and none words a level that another turns away from."""
    if len({edit.place for edit in edits}) < len(edits):
        return False
    turned = {edit.knob: edit.after for edit in edits if edit.knob}
    return all(
        edit.knob
        or edit.place[0] != "knobs"
        or turned.get(str(edit.place[1]), edit.place[3]) == edit.place[3]
        for edit in edits
    )
