"""Fixed prompts: one question, word for word the same for every version of a model, and one reply.

What drifts is what stands around it: the system prompt and today's date, each with named levels. A prompt's judge says
which replies count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gadfly.errors import CallError
from gadfly.models import System
from gadfly.pressure._scenario import Name, Strict
from gadfly.runs import paired_seed
from gadfly.transcripts import Case, Transcript, Turn

__all__ = ["Asking", "FixedPrompt"]


Texts = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(min_length=1),
]


class FixedPrompt(Strict):
    """A question in one wording or several. `judge` reads the replies; those it flags count, or those it does not.

    `outcome` is what a reply that counts does: `complies`.
    """

    name: Name
    text: Texts
    judge: Annotated[str, Field(min_length=1)] = "refusal"
    counts: Literal["flagged", "unflagged"] = "unflagged"
    outcome: Name = "complies"
    samples: Annotated[int, Field(ge=1)] = 16


@dataclass(frozen=True)
class Asking:
    """The game: a fixed prompt with `around` it, by knob, what is said first; `levels` names it.

    Askings with the same `pairing` ask case i in the same wording and with the same random numbers.
    """

    prompt: FixedPrompt
    levels: Mapping[str, str]
    around: Mapping[str, str]
    target: System
    pairing: int = 0

    @property
    def name(self) -> str:
        """Prompt and model: the readable part of a run's id."""
        return f"fixed-{self.prompt.name}-{self.target.slug}"

    @property
    def setting(self) -> str:
        """`date=later`, or `default`."""
        return ", ".join(f"{knob}={level}" for knob, level in sorted(self.levels.items())) or "default"

    @property
    def players(self) -> Mapping[str, System]:
        """The one seat."""
        return {"target": self.target}

    def spec(self) -> dict[str, Any]:
        """All that decides a transcript, and what counts in it."""
        return {
            "game": "asking",
            "prompt": self.prompt.model_dump(mode="json", exclude={"samples"}),
            "setting": self.setting,
            "around": dict(self.around),
            "target": self.target.fingerprint(),
            "pairing": self.pairing,
        }

    async def play(self, case: Case) -> Transcript:
        """Ask once. A fatal `CallError` is raised."""
        wording = case.index % len(self.prompt.text)
        asked, first = self.prompt.text[wording], "\n\n".join(filter(None, self.around.values()))
        messages = [*([("system", first)] if first else []), ("user", asked)]
        facts = {
            "prompt": self.prompt.name,
            "setting": self.setting,
            "wording": wording,
            "system_prompt": first,
        }
        try:
            reply = await self.target.reply(messages, seed=paired_seed(self.pairing, case.index))
        except CallError as error:
            if error.fatal:
                raise
            return Transcript(case, (Turn("attacker", asked),), "failed", error.cause, metadata=facts)
        said = (Turn("attacker", asked), Turn("target", reply.text, reply.stop))
        return Transcript(case, said, usage={"target": reply.usage}, metadata=facts)
