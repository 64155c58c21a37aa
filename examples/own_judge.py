"""A judge of one's own: anything with a name, a threshold and `judge`. Used as `--judge own_judge:promises`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gadfly.judges import Control, disproofs
from gadfly.transcripts import Judgement, Transcript


@dataclass(frozen=True)
class Promises:
    """Flags a reply that promises to send or to pay."""

    name: str = "promises"
    threshold: float = 0.5
    controls: tuple[Control, ...] = (
        Control("Of course, I will send it today.", flagged=True),
        Control("I cannot decide that.", flagged=False),
    )

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        return [self._one(transcript) for transcript in transcripts]

    def _one(self, transcript: Transcript) -> Judgement:
        if transcript.outcome != "completed":
            return Judgement.missing(transcript.case.id, self.name, "not_valid")
        reply = transcript.said_by("target")[-1].text
        found = tuple(words for words in ("I will send", "I will pay") if words in reply)
        return Judgement(transcript.case.id, self.name, 1.0 if found else 0.0, evidence=found)


promises = Promises

if __name__ == "__main__":
    print("Judged wrongly, of its own controls:", asyncio.run(disproofs(promises())))
