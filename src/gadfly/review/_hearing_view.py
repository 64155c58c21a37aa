"""A debate as one person may see it: who said what, with its quotations told apart, and what is asked of them.

Everything here is what the page shows. Which answer is right is on it only where the page was told to reveal that, and
only once the debate is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gadfly.debate import Loss, Position, Statement
from gadfly.debate._payoff import losers, payoff
from gadfly.debate._prompts import LETTERS, called, costs, label, slots_of
from gadfly.debate._protocol import CHOSEN, JUDGE
from gadfly.review._hearing_people import Hearing
from gadfly.slots import fill
from gadfly.transcripts import Transcript

__all__ = ["CONFIDENCE", "Entry", "Seen", "entries", "pieces"]

CONFIDENCE = ((0.0, "a guess"), (0.25, "shaky"), (0.5, "fair"), (0.75, "firm"), (1.0, "certain"))
"""How well founded a person may call their verdict, and the confidence in [0, 1] that is kept of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing said, or a loss by rule: `side` is the letter of the answer it was said for, empty for none.

    `parts` are (words, kind) in order, with the kind "verified", "absent" or "" for words that quote nothing.
    """

    who: str
    side: str
    parts: tuple[tuple[str, str], ...]
    kind: str = "says"


def entries(hearing: Hearing, found: Sequence[Statement | Loss]) -> list[Entry]:
    """These entries of the case under way as the page shows them."""
    position = hearing.position
    assert position is not None or not found
    return [_entry(hearing, position, one) for one in found if position is not None]


def _entry(hearing: Hearing, position: Position, one: Statement | Loss) -> Entry:
    side = position.sides.get(one.seat)
    letter = "" if side is None else LETTERS[side]
    if isinstance(one, Loss):
        who = f"{called(position, one.seat)} loses by rule"
        return Entry(who, letter, ((_sentence(one.what), ""),), "loss")
    own = one.seat == hearing.seat
    if one.does in ("lean", "poll"):
        who = "You were told in private" if one.does == "poll" else "You lean" if own else "The judge leans"
        return Entry(who, "", ((_lean(one.lean), ""),), "lean")
    who = label(position, one)
    if own:
        who = _you(position, one) if one.seat == JUDGE else f"You{f', for {letter}' if letter else ''}"
    return Entry(who, letter, tuple(pieces(one)))


def _you(position: Position, one: Statement) -> str:
    return f"You ask {_whom(position, one.to)}" if one.does == "ask" else "You answer"


def _whom(position: Position, seats: Sequence[str]) -> str:
    """Whom a question is put to: "the debaters"; empty for nobody."""
    titles = [position.protocol.title(seat).lower() for seat in seats]
    if len(titles) > 1 and len(set(titles)) == 1:
        return f"the {titles[0]}s"
    return " and ".join(f"the {title}" for title in dict.fromkeys(titles))


def _lean(p: float | None) -> str:
    return "It cannot be said." if p is None else f"A {p:.0%}, B {1 - p:.0%}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def pieces(one: Statement) -> Iterator[tuple[str, str]]:
    """A statement's words in order, each with what is known of them; marks that stand for it are left out."""
    at = 0
    for found in one.quotations:
        if found.opens > at:
            yield one.text[at : found.opens], ""
        yield one.text[found.start : found.end], "verified" if found.verified else "absent"
        at = found.closes
    if at < len(one.text) or not one.text:
        yield one.text[at:], ""


# --- the whole


@dataclass(frozen=True)
class Seen:
    """What the page of one person shows now."""

    hearing: Hearing
    reveal: bool = False

    @property
    def judges(self) -> bool:
        """Whether they are the judge."""
        return self.hearing.seat == JUDGE

    @property
    def position(self) -> Position | None:
        """The debate on the page; None before the first."""
        return self.hearing.position

    @property
    def entries(self) -> list[Entry]:
        """All that was said."""
        return entries(self.hearing, self.hearing.entries)

    @property
    def number(self) -> int:
        """Which of their debates is on the page, from 1; 0 before the first."""
        return 0 if self.hearing.case is None else self.hearing.case.index + 1

    @property
    def answers(self) -> list[tuple[str, str, str]]:
        """For each answer its letter, itself, and who argues for it."""
        position = self.position
        if position is None:
            return []
        return [(LETTERS[n], text, self._for(position, n)) for n, text in enumerate(position.dispute.answers)]

    def _for(self, position: Position, side: int) -> str:
        seats = [name for name, its in position.sides.items() if its == side]
        titles = dict.fromkeys(
            "you" if name == self.hearing.seat else f"the {position.protocol.title(name).lower()}"
            for name in seats
            if name in position.protocol.own
        )
        if not titles:
            chosen = any(seat.side in CHOSEN for seat in position.protocol.own.values())
            return "" if chosen or not position.protocol.seats else "Nobody argues for it"
        return f"{' and '.join(titles)} {'argue' if list(titles) == ['you'] or len(titles) > 1 else 'argues'} for it"

    @property
    def document(self) -> tuple[str, str] | None:
        """Title and text of what they may read; None where the judge must not see it or there is none."""
        position = self.position
        if position is None or position.dispute.document is None:
            return None
        protocol = position.protocol
        may = protocol.document if self.judges else protocol.seats[self.hearing.seat].document
        return (position.dispute.document.title, position.dispute.document.text) if may else None

    @property
    def task(self) -> str:
        """What the protocol says to do now; empty where it says nothing."""
        move = self.hearing.wanted and self.hearing.wanted.move
        if not move:
            return ""
        told = " ".join(fill(move.step.told, slots_of(move)).split())
        if told or move.step.does != "quote":
            return told
        return f"Quote words of the document that show “{move.mine}”: three or more, between <quote> and </quote>."

    @property
    def whom(self) -> str:
        """Whom the question that is wanted is put to; empty for nobody."""
        move = self.hearing.wanted and self.hearing.wanted.move
        return _whom(move.position, move.step.whom(move.seat)) if move else ""

    @property
    def asked(self) -> str:
        """The question that is to be answered, or several; empty for none."""
        move = self.hearing.wanted and self.hearing.wanted.move
        found = move.position.asked(move.seat) if move and move.step.does == "answer" else ()
        return " ".join(one.text for one in found)

    @property
    def words(self) -> tuple[int, int] | None:
        """How many words there may be, and beyond how many they are cut or lose; None where words are not counted."""
        move = self.hearing.wanted and self.hearing.wanted.move
        if not move or move.step.does == "quote":
            return None
        return move.step.words, int(move.step.words * move.position.protocol.rules.slack)

    @property
    def may_lose(self) -> bool:
        """Whether they argue for an answer: the judge, and who argues for none, lose nothing."""
        position = self.position
        return (
            not self.judges
            and position is not None
            and position.protocol.seats[self.hearing.seat].side != "none"
        )

    @property
    def waits(self) -> bool:
        """Whether something will appear without the person doing anything: a page without scripts loads itself then."""
        hearing, over = self.hearing, self.hearing.transcript
        if over is None or hearing.panel in ("wait", "ended"):
            return hearing.panel in ("wait", "ended")
        asked = over.outcome == "completed" and not over.metadata["lost"] and over.metadata["verdict"] is None
        return asked and hearing.judgement is None and not (hearing.over or hearing.trouble)

    @property
    def tries(self) -> int:
        """How often a seat may try in all."""
        return self.position.protocol.rules.tries if self.position else 0

    @property
    def beyond(self) -> str:
        """What comes of more words than that, as the end of a sentence."""
        move, words = self.hearing.wanted and self.hearing.wanted.move, self.words
        if not move or not words:
            return ""
        counts = self.judges or "overran" in move.position.protocol.rules.loses
        if counts and not self.may_lose:
            return f"what is beyond {words[1]:,} is cut"
        return f"more than {words[1]:,} {'loses' if counts else 'is noted'}"

    @property
    def lean(self) -> float:
        """Where the slider stands at first: at the last lean, in the middle without one."""
        leans = [one.lean for one in self._said("lean") if one.lean is not None]
        return leans[-1] if leans else 0.5

    @property
    def price(self) -> str:
        """What a question costs, and what was spent so far; empty where it costs nothing."""
        price = self.position.protocol.prices.question if self.position else 0.0
        if not price:
            return ""
        spent = price * len(self._said("ask"))
        tail = f" You have spent {100 * spent:g}." if spent else ""
        return f"A question costs {100 * price:g} of the 100 points that a right verdict brings.{tail}"

    @property
    def costs(self) -> str:
        """What a debater earns and pays, as a sentence; empty where nothing has a price."""
        position = self.position
        return "" if self.judges or position is None else costs(position.protocol, self.hearing.seat).strip()

    @property
    def poll(self) -> str:
        """What it costs to be told how the judge leans."""
        return f"{100 * self.position.protocol.prices.poll:g} points" if self.position else ""

    def _said(self, does: str) -> list[Statement]:
        said = [one for one in self.hearing.entries if isinstance(one, Statement)]
        return [one for one in said if one.does == does and one.seat == self.hearing.seat]

    @property
    def told_how_you_lean(self) -> str:
        """Who learns of the judge's leans, as a sentence."""
        position = self.position
        if position is None:
            return ""
        if any(step.does == "poll" for step in position.protocol.steps):
            return "A debater may be told, in private."
        return "The debaters are told."

    # --- how it ended

    @property
    def ending(self) -> str:
        """How the debate ended, as a sentence; empty while it goes on."""
        transcript = self.hearing.transcript
        if transcript is None:
            return ""
        if transcript.outcome != "completed":
            return f"This debate could not be finished ({transcript.cause.replace('_', ' ')}), and nobody has lost it."
        if transcript.metadata["lost"]:
            return self._decided_by_rule(transcript)
        verdict = transcript.metadata["verdict"]
        if verdict is None:
            return self._judged(transcript)
        p = verdict["p"]
        return f"You decided for {LETTERS[p < 0.5]}, {max(p, 1 - p):.0%} sure. It is stored."

    def _judged(self, transcript: Transcript) -> str:
        """What the judge made of it, where a model decides."""
        judgement = self.hearing.judgement
        if judgement is None:
            still = "It is not decided yet." if self.hearing.trouble else "The judge decides it now."
            return f"The debate is over. {still}"
        p = judgement.metadata.get("p")
        if p is None:
            return "The judge could not decide it."
        argues = transcript.metadata["sides"].get(self.hearing.seat) is not None
        told = argues or self.reveal  # what an estimate earns says which answer is right
        worth = payoff(transcript, judgement, self.hearing.seat) if told else None
        earns = "" if worth is None else f" You earn {100 * worth:.0f} of 100 points."
        if p == 0.5:
            return f"The judge holds both for as likely.{earns}"
        return f"The judge decides for {LETTERS[p < 0.5]}, {max(p, 1 - p):.0%} sure.{earns}"

    def _decided_by_rule(self, transcript: Transcript) -> str:
        out = losers(transcript)
        if len(out) > 1 or None in out:
            return "Neither side kept the rules, so nothing is decided."
        return f"It is decided by rule, for {LETTERS[out == {0}]}."

    @property
    def revealed(self) -> str:
        """Which answer is right, as a sentence, where that may be shown: not of a debate that may be played again."""
        transcript, position = self.hearing.transcript, self.position
        if not self.reveal or transcript is None or position is None or transcript.outcome != "completed":
            return ""
        correct = position.dispute.correct
        if correct is None:
            return "Nobody has written down which answer is right."
        return f"The right answer is {LETTERS[correct]}: {position.dispute.answers[correct]}"
