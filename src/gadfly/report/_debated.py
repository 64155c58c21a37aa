"""What a report says of debates before a judge: plain frozen data, as in `_section`. Texts may be hostile."""

from __future__ import annotations

from dataclasses import dataclass

from gadfly.debate import DebateTable

__all__ = ["Debated", "HeardLine", "ReadDebate"]


@dataclass(frozen=True, slots=True)
class HeardLine:
    """One thing said. `side` is the number of the answer argued for, None for none; `quotes` are words of the text that
    stand in the document, `private` what the judge never heard, `flaw` what people see in it.
    """

    who: str
    side: int | None
    text: str
    quotes: tuple[str, ...] = ()
    private: bool = False
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class ReadDebate:
    """One debate to read, answers in the order in which it lists them. `correct` numbers the right one, None where
    nobody knows; `p` is what the judge gave answer 0 and `orders` the same with the answers listed each way round, 1 or
    0 where it gave no `probabilities` and only named an answer, and `error` says whether it was surely wrong; `lost`
    says who lost by which rule, `flaws` what spoke against the wrong answer.
    """

    case_id: str
    protocol: str
    kind: str
    question: str
    answers: tuple[str, str]
    correct: int | None
    said: tuple[HeardLine, ...]
    lost: tuple[str, ...] = ()
    flaws: tuple[str, ...] = ()
    p: float | None = None
    orders: tuple[float, ...] = ()
    probabilities: bool = True
    error: bool = False


@dataclass(frozen=True, slots=True)
class Debated:
    """The comparison of protocols, and debates to read."""

    table: DebateTable
    read: tuple[ReadDebate, ...] = ()

    @property
    def kinds(self) -> dict[str, list[ReadDebate]]:
        """The debates to read by kind, in the order given."""
        found: dict[str, list[ReadDebate]] = {}
        for one in self.read:
            found.setdefault(one.kind, []).append(one)
        return found
