"""The questioning game: an attacker asks, the target answers, once or for k turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gadfly.errors import CallError
from gadfly.models import Reply, System
from gadfly.redteam._attacker import Attacker
from gadfly.redteam._focus import Focus
from gadfly.runs import paired_seed
from gadfly.transcripts import Case, Outcome, Transcript, Turn, Usage

__all__ = ["Questioning"]

ATTEMPTS = 4
"""How often the attacker may try to write a valid question; only the target's calls are scarce. An attacker that is
being trained has one: it pays for what it says.
"""


@dataclass(frozen=True)
class Questioning:
    """Red teaming as a game of `turns` questions and answers. In a dialogue the attacker sees the replies.

    A first question that breaks the focus's rule makes the case invalid; a later one ends the dialogue. Two games with
    the same `pairing` and the same attacker put the same questions (and plant the same secrets) case by case, whoever
    their targets are; None pairs with nothing.
    """

    focus: Focus
    attacker: Attacker
    target: System
    turns: int = 1
    attempts: int = ATTEMPTS
    pairing: int | None = None

    @property
    def name(self) -> str:
        """Focus, attack and target: the readable part of a run's id."""
        return f"redteam-{self.focus.name}-{self.attacker.method}-{self.target.slug}"

    @property
    def players(self) -> Mapping[str, System]:
        """The two seats."""
        return {"attacker": self.attacker.system, "target": self.target}

    def spec(self) -> dict[str, Any]:
        """All that decides a transcript."""
        return {
            "game": "questioning",
            "focus": self.focus.spec(),
            "attacker": self.attacker.spec(),
            "target": self.target.fingerprint(),
            "turns": self.turns,
            "attempts": self.attempts,
        }

    async def play(self, case: Case) -> Transcript:
        """Play one case. A call that fails ends it as failed, keeping what was said; a fatal `CallError` is raised."""
        asked = case if self.pairing is None else replace(case, seed=paired_seed(self.pairing, case.index))
        row = self.focus.row(asked)
        talk = _Talk(self, case, asked, row, self.focus.planted(row))
        outcome: Outcome = "completed"
        cause = ""
        try:
            for _ in range(self.turns):
                if not await talk.ask():
                    break
                await talk.answer()
            if not talk.answered:
                outcome, cause = "invalid", "no_question"
        except CallError as error:
            if error.fatal:
                raise
            outcome, cause = "failed", error.cause
        return Transcript(case, tuple(talk.said), outcome, cause, talk.usage, talk.facts())


@dataclass
class _Talk:
    """One conversation under way: what has been said and what it has cost. `asked` is the attacker's view of `case`."""

    game: Questioning
    case: Case
    asked: Case
    row: Mapping[str, Any]
    planted: str
    said: list[Turn] = field(default_factory=list)
    usage: dict[str, Usage] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        return any(turn.speaker == "target" for turn in self.said)

    async def ask(self) -> bool:
        """Let the attacker speak; False when it has no question. Its words are kept when they are all there is.

        The first question is the focus's template, where it has any.
        """
        template = None if self.said else self.game.focus.template(self.case, self.row)
        if template is not None:
            self.said.append(Turn("attacker", template))
            return True
        for attempt in range(self.game.attempts):
            words = await self._words(attempt)
            question = self.game.focus.question(words.text, self.row)
            if question is not None:
                self.said.append(Turn("attacker", question))
                return True
        if not self.said:
            self.said.append(Turn("attacker", words.text, words.stop))
        return False

    async def answer(self) -> None:
        """Let the target reply to all that was said."""
        messages = [(_ROLE[turn.speaker], turn.text) for turn in self.said]
        if self.planted:
            messages.insert(0, ("system", self.planted))
        reply = await self.game.target.reply(messages, seed=(self.case.seed + len(self.said)) % 2**31)
        self._spend("target", reply.usage)
        self.said.append(Turn("target", reply.text, reply.stop))

    def facts(self) -> dict[str, Any]:
        """What judges, reports and later attackers need to know about the case."""
        row = {key: value for key, value in self.row.items() if key != "secret"}
        planted = {"system_prompt": self.planted} if self.planted else {}
        return {**self.row, **planted, "focus": self.game.focus.name, "row": row}

    async def _words(self, attempt: int) -> Reply:
        """What the attacker says; saying nothing is no failed call but no question."""
        try:
            words = await self.game.attacker.ask(self.game.focus, self.asked, self.row, self.said, attempt)
        except CallError as error:
            if error.cause != "empty_reply":
                raise
            return Reply("")
        self._spend("attacker", words.usage)
        return words

    def _spend(self, role: str, usage: Usage) -> None:
        self.usage[role] = self.usage.get(role, Usage()) + usage


_ROLE = {"attacker": "user", "target": "assistant"}
