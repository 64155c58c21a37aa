"""A protocol: who sits where, who speaks when and of what length, what each may see, who may be asked, what it costs.

It is one YAML file, and the only thing that tells one protocol from another: there is no code for any of them. Seats
argue for an answer or for none; steps say what they do, all seats of one step at once, so that none hears the others'
words of that step. What stands in braces is filled in: `{mine}` and `{other}` are the answer a seat argues for and the
other one, `{words}` the step's limit, `{me}` the seat's title.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gadfly.documents import Place, Shelf
from gadfly.errors import InputError
from gadfly.models import inert
from gadfly.slots import Template, slots

__all__ = [
    "CHOSEN",
    "JUDGE",
    "NAIVE",
    "Breach",
    "Prices",
    "Protocol",
    "Rules",
    "Seat",
    "Side",
    "Step",
    "both_argued",
    "known_protocols",
    "protocol",
]

JUDGE = "judge"
"""The seat of the one who decides: in every protocol, and in no file."""

NAIVE = "naive"
"""The protocol of the judge alone, which the others are compared with."""

CHOSEN = ("chosen", "other")
"""Sides that are known once one was chosen."""

Side = Literal["first", "second", "assigned", "chosen", "other", "none"]
"""What a seat argues for: the answer listed first or second, the one the case assigns, the one the seat chooses itself,
the one that the choosing seat left over, or none.
"""

Does = Literal["argue", "quote", "ask", "answer", "estimate", "lean", "poll", "choose"]
"""What a step is. `argue`: say something in up to `words` words. `quote`: words of the document that show `{mine}`.
`ask`: put one question to the seats in `to`. `answer`: answer the questions put to one. `estimate`: one who argues for
nothing says, in words that hold a percentage, how likely the answer of the seat in `to` is; it is for the record, and
nobody else hears it. `lean`: the judge says how likely each answer is. `poll`: learn that in private; where it has a
price, who wants to. `choose`: take a side.
"""

Breach = Literal["overran", "fabricated", "addressed_judge", "stopped"]
"""Rules that a seat can break: too many words; a quotation that is not in the document; orders to the judge, or words
that pose as the system's; no answer.
"""

GIVEN = frozenset({"mine", "other", "words", "me", "to"})


LONGEST_TITLE = 60


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _listed_by_seat(value: object) -> object:
    return (
        {seat: _listed(one) for seat, one in value.items()} if isinstance(value, Mapping) else _listed(value)
    )


def _title(value: str) -> str:
    """As it may stand before what its player says. `ValueError` for one that would pass for something else."""
    if value.casefold().strip() in ("judge", "you", "rules", "question"):
        raise ValueError(f"a seat cannot be called {value!r}, which others are; give it another title")
    if not value.strip() or len(value) > LONGEST_TITLE or value != " ".join(inert(value).split()):
        raise ValueError(
            f"a title is one line of up to {LONGEST_TITLE} visible characters, such as Debater; got {value[:80]!r}"
        )
    return value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Seat(_Part):
    """One chair. `hears`: everything said in public; only its `own` words; or, for a copy, only what stood when the
    `statement` it is asked about had been made. `copy_of` names the seat whose player sits here without its memory.
    """

    title: Annotated[str, AfterValidator(_title)]
    side: Side = "none"
    document: bool = True
    hears: Literal["all", "own", "statement"] = "all"
    copy_of: str = ""
    told: Template = ""


class Step(_Part):
    """What happens next. `who` are the seats that do it, at once; `to`, whom: the same for all of them, or seat by seat
    (`{first: second, second: first}`).
    """

    who: Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
    does: Does = "argue"
    to: Annotated[tuple[str, ...] | Mapping[str, tuple[str, ...]], BeforeValidator(_listed_by_seat)] = ()
    words: int = Field(default=60, ge=1, le=5_000)
    told: Template = ""

    def whom(self, seat: str) -> tuple[str, ...]:
        """The seats to which that seat does it."""
        return self.to.get(seat, ()) if isinstance(self.to, Mapping) else self.to

    @property
    def all_whom(self) -> tuple[str, ...]:
        """The seats to which anybody does it."""
        return tuple(dict.fromkeys(one for seat in self.who for one in self.whom(seat)))


class Prices(_Part):
    """What a seat pays, in units of the judge's probability: each question that it puts to the judge or as the judge,
    poll, quotation, and word.
    """

    question: float = Field(default=0.0, ge=0, le=1)
    poll: float = Field(default=0.0, ge=0, le=1)
    quote: float = Field(default=0.0, ge=0, le=1)
    word: float = Field(default=0.0, ge=0, le=1)


class Rules(_Part):
    """When a seat has lost. `slack`: the limit may be passed by this factor. `tries`: how often a seat may speak in
    all before it has lost: 2 lets who broke a rule try once more. `loses`: which breaches lose; the
    others are only noted.
    """

    slack: float = Field(default=1.5, ge=1, le=10)
    tries: int = Field(default=2, ge=1, le=10)
    loses: tuple[Breach, ...] = ("overran", "fabricated", "addressed_judge", "stopped")


class Protocol(_Part):
    """The whole. `opening` steps come once, `round` steps `rounds` times, `closing` steps once; then the judge decides.

    `about` says in a sentence how it goes: to whoever picks one, and to the judge, model or person. `document` says
    whether the judge sees the document. Without seats the judge decides alone.
    """

    name: str
    about: str
    document: bool = False
    seats: Mapping[str, Seat] = Field(default_factory=dict)
    opening: tuple[Step, ...] = ()
    rounds: int = Field(default=0, ge=0, le=20)
    round: tuple[Step, ...] = ()
    closing: tuple[Step, ...] = ()
    prices: Prices = Prices()
    rules: Rules = Rules()

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All of them, in order."""
        return (*self.opening, *self.round * self.rounds, *self.closing)

    @property
    def asks_judge(self) -> bool:
        """Whether the judge speaks before it decides, so that it must be there while the game is played."""
        return any(JUDGE in step.who or step.does == "poll" for step in self.steps)

    @property
    def assigns(self) -> bool:
        """Whether a case must say which answer is argued for."""
        return any(seat.side == "assigned" for seat in self.seats.values())

    @property
    def contested(self) -> bool:
        """Whether both answers have somebody who argues for them and hears the other."""
        return both_argued(seat for seat in self.seats.values() if seat.hears == "all")

    @property
    def own(self) -> dict[str, Seat]:
        """The seats of players of their own: those that are no copies."""
        return {name: seat for name, seat in self.seats.items() if not seat.copy_of}

    @property
    def seats_two(self) -> bool:
        """Whether a second player has a seat: one for the second answer, or for the one that was left over."""
        return any(seat.side in ("second", "other") for seat in self.seats.values())

    def title(self, seat: str) -> str:
        """What a seat is called."""
        return "Judge" if seat == JUDGE else self.seats[seat].title

    def spec(self) -> dict[str, Any]:
        """All of it as JSON."""
        return self.model_dump(mode="json")

    def changed(self, **parts: Any) -> Protocol:
        """The same with some parts changed (`rounds=4`), checked again. Raises `InputError`."""
        try:
            found = Protocol.model_validate({**self.spec(), **parts})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise InputError(
                f"Protocol {self.name}, {place}: {first['msg']}; got {first['input']!r}."
            ) from error
        return _checked(found)

    def resized(self, rounds: int | None = None, words: int | None = None) -> Protocol:
        """The same with so many rounds, where it has any, and so many words in a statement; None changes nothing.

        Raises `InputError` for numbers that no protocol may have.
        """
        parts: dict[str, Any] = {} if rounds is None or not self.round else {"rounds": rounds}
        if words is not None:
            for part in ("opening", "round", "closing"):
                parts[part] = [{**step, "words": words} for step in self.spec()[part]]
        return self.changed(**parts) if parts else self


def both_argued(seats: Iterable[Seat]) -> bool:
    """Whether one of these seats argues against another."""
    sides = {seat.side for seat in seats}
    return {"first", "second"} <= sides or {"chosen", "other"} <= sides


def known_protocols() -> list[str]:
    """The names of those that ship, sorted."""
    return SHELF.names()


def protocol(name: str | Path) -> Protocol:
    """The protocol of that name, or the one in that YAML file, which is named after its file.

    Raises `UnknownNameError` for a name nothing answers to and `InputError` for a file that cannot be used: what is
    wrong and on which line.
    """
    return SHELF.get(name)


def protocol_text(name: str) -> str:
    """The YAML of a protocol that ships. Raises `UnknownNameError`."""
    return SHELF.text(name)


def _checked(found: Protocol) -> Protocol:
    for place, sentence in _problems(found):
        raise InputError(f"Protocol {found.name}, {'.'.join(map(str, place))}: {sentence}")
    return found


# --- what must hold between the parts


def _problems(found: Protocol) -> Iterator[tuple[Place, str]]:
    """Where something is wrong, and a sentence."""
    yield from _seat_problems(found)
    if found.name == NAIVE and (found.seats or found.document):
        yield (
            ("seats" if found.seats else "document",),
            f"{NAIVE} names the judge alone, which the others are compared with: rename the file.",
        )
    chosen = False
    for part in ("opening", "round", "closing"):
        for n, step in enumerate(getattr(found, part)):
            yield from _step_problems(found, step, (part, n))
            if step.does == "choose" and (chosen or part == "round"):
                yield (part, n), "a side is chosen once: in the opening or the closing."
            chosen = chosen or step.does == "choose"
            for seat in () if chosen else step.who:
                if seat in found.seats and found.seats[seat].side in CHOSEN:
                    yield (
                        (part, n),
                        f"seat {seat!r} has no answer to argue for yet: let one be chosen before.",
                    )
    if found.round and not found.rounds:
        yield ("rounds",), "there are steps of a round, so say how often: rounds: 2."
    if found.rounds and not found.round:
        yield ("rounds",), "there are rounds, and no steps of one: add round:, or leave rounds out."
    speak = {seat for step in found.steps if step.does not in ("lean", "poll", "choose") for seat in step.who}
    for name in found.seats:
        if name not in speak:
            yield (
                ("seats", name),
                f"seat {name!r} never speaks: name it in a step (opening: [{{who: {name}}}]), or leave it out.",
            )
    yield from _unanswered(found)
    yield from _unpaid(found)


def _seat_problems(found: Protocol) -> Iterator[tuple[Place, str]]:
    sides = [seat.side for seat in found.own.values()]
    for name, seat in found.seats.items():
        place = ("seats", name)
        if name == JUDGE:
            yield place, "the judge has a seat in every protocol; leave it out."
        if seat.copy_of and seat.copy_of not in found.own:
            yield (*place, "copy_of"), f"there is no seat {seat.copy_of!r} to be a copy of; copies have none."
        elif seat.copy_of and seat.side not in (its := found.seats[seat.copy_of].side, "none"):
            yield (*place, "side"), f"a copy argues for what its original does, or for nothing: side: {its}."
        if seat.hears == "statement" and not seat.copy_of:
            yield (*place, "hears"), "only a copy hears no more than a statement: say whose, copy_of: SEAT."
        if seat.side == "none" and {"mine", "other"} & slots(seat.told):
            yield (*place, "told"), "it argues for no answer, so {mine} and {other} say nothing there."
        yield from _slot_problems(seat.told, (*place, "told"))
    if sides.count("chosen") > 1:
        yield ("seats",), "only one seat can choose its side."
    if "other" in sides and "chosen" not in sides:
        yield ("seats",), "a seat takes the other side, and none chooses one."
    if ("first" in sides) != ("second" in sides):
        lacking = "second" if "first" in sides else "first"
        yield (
            ("seats",),
            f"nobody argues for the answer listed {lacking}: give a seat side: {lacking}, or all side: assigned.",
        )
    chooses = [step for step in found.steps if step.does == "choose"]
    if "chosen" in sides and not chooses:
        yield ("opening",), "a seat chooses its side, and no step lets it: add one with does: choose."


def _step_problems(found: Protocol, step: Step, place: Place) -> Iterator[tuple[Place, str]]:
    known = {*found.seats, JUDGE}
    for seat in (*step.who, *(step.to if isinstance(step.to, Mapping) else ()), *step.all_whom):
        if seat not in known:
            yield place, f"there is no seat {seat!r}. Known: {', '.join(sorted(known))}."
    if twice := next((seat for seat in step.who if step.who.count(seat) > 1), ""):
        yield place, f"seat {twice!r} cannot do it twice at once: name it once, or in two steps."
    if isinstance(step.to, Mapping) and (idle := sorted(set(step.to) - set(step.who))):
        yield (*place, "to"), f"seat {idle[0]!r} does nothing in this step: name it under who."
    if step.to and step.does not in ("ask", "estimate"):
        yield (
            (*place, "to"),
            "only a question or an estimate is to somebody; leave it out: all hear what is said.",
        )
    if step.does == "estimate":
        for seat in step.who:
            whose = [found.seats[one].side if one in found.seats else "none" for one in step.whom(seat)]
            if len(whose) != 1 or whose == ["none"]:
                yield (
                    place,
                    "an estimate is of one seat's answer: say whose, to: SEAT, of one that argues for an answer.",
                )
            if seat in found.seats and found.seats[seat].side != "none":
                yield (
                    place,
                    f"seat {seat!r} argues for an answer, so it cannot estimate honestly: let another do it.",
                )
    if step.does == "ask" and not all(map(step.whom, step.who)):
        yield place, "a question is put to somebody: say to whom, to: SEAT."
    if step.does == "lean" and step.who != (JUDGE,):
        yield place, "only the judge leans: who: judge."
    if step.does == "lean" and step.told:
        yield (*place, "told"), "the judge is asked how it leans in the same words everywhere: leave it out."
    if JUDGE in step.who and step.does not in ("ask", "lean", "answer"):
        yield place, f"the judge asks, answers or leans; it does not {step.does}."
    for seat in step.who:
        side = found.seats[seat].side if seat in found.seats else "none"
        if step.does == "choose" and (side != "chosen" or seat not in found.own):
            yield place, f"seat {seat!r} cannot choose: its side is {side}, not chosen, or it is a copy."
        if step.does in ("quote", "poll") and side == "none":
            yield place, f"seat {seat!r} argues for no answer, so it has nothing to {step.does} for."
        if side == "none" and {"mine", "other"} & slots(step.told):
            yield place, f"seat {seat!r} argues for no answer, so {{mine}} and {{other}} say nothing there."
    yield from _slot_problems(step.told, (*place, "told"))
    for seat in step.who:
        if seat in found.seats:
            yield from _told_problems(found.seats[seat], seat, step, place)


def _told_problems(its: Seat, seat: str, step: Step, place: Place) -> Iterator[tuple[Place, str]]:
    """Whether a player knows what to do: nothing but `told` says which answer is its own."""
    if step.does == "quote" and not its.document:
        yield place, f"seat {seat!r} does not see the document, so it cannot quote it."
    if step.does not in ("argue", "ask", "answer", "estimate"):
        return
    given = slots(its.told) | slots(step.told)
    if not its.told and not step.told:
        yield place, f"nothing tells seat {seat!r} what to say: add told: to the step."
    elif its.side != "none" and not {"mine", "other"} & given:
        yield place, f"nothing tells seat {seat!r} which answer is its own: write {{mine}} in a told: of it."


def _unanswered(found: Protocol) -> Iterator[tuple[Place, str]]:
    """Steps in which somebody answers whom nobody has asked anything by then."""
    asked, by_then = set[str](), dict[int, set[str]]()
    for step in found.steps:
        if step.does == "ask":
            asked |= set(step.all_whom)
        by_then[id(step)] = set(asked)  # a step of a round comes again
    for part in ("opening", "round", "closing"):
        for n, step in enumerate(getattr(found, part)):
            for seat in step.who if step.does == "answer" else ():
                if seat not in by_then.get(id(step), asked):
                    why = f"nobody asks seat {seat!r} anything before, so it never answers: add a step that does: ask."
                    yield (part, n), why


def _unpaid(found: Protocol) -> Iterator[tuple[Place, str]]:
    """Prices of what nobody can do."""
    asks = any(step.does == "ask" and (JUDGE in step.who or JUDGE in step.all_whom) for step in found.steps)
    polls = any(step.does == "poll" for step in found.steps)
    for name, can in (("question", asks), ("poll", polls)):
        if getattr(found.prices, name) and not can:
            what = "puts a question to the judge or as the judge" if name == "question" else "polls the judge"
            yield ("prices", name), f"nobody {what}, so nothing costs that: leave it out."


def _slot_problems(text: str, place: Place) -> Iterator[tuple[Place, str]]:
    for slot in sorted(slots(text) - GIVEN):
        yield place, f"nothing fills {{{slot}}}. Known: {', '.join(sorted(GIVEN))}."


SHELF = Shelf("protocol", Protocol, "gadfly.debate", "protocols", _problems)
