"""What a game is, and how a run turns a number of cases into cases with stable identities."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gadfly.models import System
from gadfly.transcripts import Case, Transcript

__all__ = ["Cases", "Game", "paired_seed"]


class Game(Protocol):
    """The rules under which players produce a transcript.

    `spec()` holds, as JSON, everything that decides what a case's transcript can be (the players'
    fingerprints included): two games with equal specs are the same game. `play` raises `CallError` when a
    call fails for good, and nothing else for what a model says. A game does not know which runner plays it.
    """

    @property
    def name(self) -> str: ...

    @property
    def players(self) -> Mapping[str, System]: ...

    def spec(self) -> dict[str, Any]: ...

    async def play(self, case: Case) -> Transcript: ...


@dataclass(frozen=True)
class Cases:
    """The cases of one run: `count` of them, the i-th with `data[i]` where the caller brought data.

    An id is a hash of the game's spec, the data, the run's seed and the index. So the first cases of a longer
    run are those of a shorter one; other data makes another run.
    """

    count: int
    key: str
    data: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, game: Game, cases: int | Sequence[Mapping[str, Any]], seed: int) -> Cases:
        """The cases of `game`: a number of them, or one for each mapping given."""
        data: Sequence[Mapping[str, Any]] = () if isinstance(cases, int) else cases
        count = cases if isinstance(cases, int) else len(cases)
        content = {"game": game.spec(), "seed": seed, "data": [dict(item) for item in data]}
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return cls(count, hashlib.sha256(canonical.encode()).hexdigest(), data)

    def case(self, index: int) -> Case:
        """The case at `index`."""
        digest = hashlib.sha256(f"{self.key}/{index}".encode()).hexdigest()
        return Case(digest[:16], index, int(digest[16:24], 16) >> 1, self.data[index] if self.data else {})

    def __iter__(self) -> Iterator[Case]:
        return map(self.case, range(self.count))


def paired_seed(pairing: int, index: int) -> int:
    """The seed that a case has in all games of one pairing, whatever else differs between them, in [0, 2**31)."""
    return int.from_bytes(hashlib.sha256(f"{pairing}/{index}".encode()).digest()[:4], "big") >> 1
