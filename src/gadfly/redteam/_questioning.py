"""The questioning game: an attacker asks, the target answers, once or for k turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gadfly.errors import CallError
from gadfly.models import System
from gadfly.redteam._attacker import Attacker
from gadfly.redteam._focus import Focus
from gadfly.transcripts import Case, Transcript, Turn, Usage

__all__ = ["Questioning"]

ATTEMPTS = 4
"""How often the attacker may try to write a question that keeps the focus's rules; only the target's calls are scarce."""


@dataclass(frozen=True)
class Questioning:
    """Red teaming as a game of `turns` questions and answers. In a dialogue the attacker sees the replies.

    A first question that breaks the focus's rule makes the case invalid; a later one ends the dialogue.
    """

    focus: Focus
    attacker: Attacker
    target: System
    turns: int = 1

    @property
    def name(self) -> str:
        """Focus, attack and target: the readable part of a run's id."""
        target = (
            "".join(c if c.isalnum() else "-" for c in self.target.name.split("/")[-1]).strip("-").lower()
        )
        return f"redteam-{self.focus.name}-{self.attacker.spec()['method']}-{target}"

    @property
    def players(self) -> Mapping[str, System]:
        """The two seats."""
        return {"attacker": self.attacker.system, "target": self.target}

    def spec(self) -> dict[str, Any]:
        """All that decides a transcript."""
        return {
            "game": "questioning",
            "focus": self.focus.model_dump(mode="json", exclude={"judge", "threshold"}),
            "attacker": {**self.attacker.spec(), "system": self.attacker.system.fingerprint()},
            "target": self.target.fingerprint(),
            "turns": self.turns,
            "attempts": ATTEMPTS,
        }

    async def play(self, case: Case) -> Transcript:
        """Play one case. A call that fails ends it as failed, keeping what was said; a fatal `CallError` is raised."""
        row = self.focus.row(case)
        planted = self.focus.target.system_prompt.format_map(row) if self.focus.target else ""
        facts = {
            "focus": self.focus.name,
            "row": {key: value for key, value in row.items() if key != "secret"},
            **row,
            **({"system_prompt": planted} if planted else {}),
        }
        said: list[Turn] = []
        usage: dict[str, Usage] = {}
        try:
            outcome, cause = await self._talk(case, planted, said, usage)
        except CallError as error:
            if error.fatal:
                raise
            outcome, cause = "failed", error.cause
        return Transcript(case, tuple(said), outcome, cause, usage, facts)  # type: ignore[arg-type]

    async def _talk(
        self, case: Case, planted: str, said: list[Turn], usage: dict[str, Usage]
    ) -> tuple[str, str]:
        """Fill `said` and `usage` as the conversation goes; returns outcome and cause."""
        row = self.focus.row(case)
        for turn in range(self.turns):
            for attempt in range(ATTEMPTS):
                asked = await self.attacker.ask(self.focus, case, said, attempt)
                usage["attacker"] = usage.get("attacker", Usage()) + asked.usage
                question = self.focus.question(asked.text, row)
                if question is not None:
                    break
            if question is None and turn == 0:
                said.append(Turn("attacker", asked.text, asked.stop))
                return "invalid", "no_question"
            if question is None:
                return "completed", ""
            said.append(Turn("attacker", question))
            seed = (case.seed + len(said)) % 2**31
            messages = [(_ROLE[t.speaker], t.text) for t in said]
            reply = await self.target.reply(
                [("system", planted), *messages] if planted else messages, seed=seed
            )
            usage["target"] = usage.get("target", Usage()) + reply.usage
            said.append(Turn("target", reply.text, reply.stop))
        return "completed", ""


_ROLE = {"attacker": "user", "target": "assistant"}
