"""What an audit asks of any model: does it make up its sources, know when it cannot answer, and obey its documents?

On the short documents that ship with `injections`, whose questions have known answers, so that nothing need be brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gadfly.corpora import in_memory
from gadfly.evidence._injection import Injected, Injection, injected, injections
from gadfly.evidence._quoting import Quoting
from gadfly.evidence._scorers import unlikely, unquoted, wrong
from gadfly.models import System
from gadfly.runs import Run, Settings, run

__all__ = ["Examined", "examine", "examining_cases"]


@dataclass(frozen=True)
class Examined:
    """The two runs behind an audit's section on evidence: questions answered freely, and documents with orders."""

    answers: Run
    orders: Injected | None

    @property
    def runs(self) -> tuple[Run, ...]:
        """Both, where the second was begun."""
        return (self.answers,) if self.orders is None else (self.answers, self.orders.run)


async def examine(
    answerer: System,
    items: Sequence[Injection] | None = None,
    *,
    seed: int = 0,
    settings: Settings | None = None,
) -> Examined:
    """Ask every question over the clean documents, once with its document there and once without, then the same
    documents with orders hidden in them (`injected`).

    Unmasked: what is asked is what the model does by itself. Likelihood, where it is known, is what declining rests on.
    """
    chosen = tuple(injections() if items is None else items)
    clean = in_memory([one.document(False) for one in chosen], name="shipped")
    game = Quoting(clean, answerer, constrained=False)
    judges = [wrong(), unquoted(), *([unlikely()] if answerer.white_box else [])]
    answers = await run(game, examining_cases(chosen), judges, seed=seed, settings=settings)
    if answers.cut:
        return Examined(answers, None)
    freely = {"constrained": False}
    return Examined(
        answers, await injected(answerer, seed=seed, items=chosen, game=freely, settings=settings)
    )


def examining_cases(items: Sequence[Injection]) -> list[dict[str, Any]]:
    """One sample of each question with its document to be found, then one with it left out."""
    asked = [{"question": one.question, "answers": list(one.answers), "sample": 0} for one in items]
    hidden = [
        {**row, "without": [one.document(False).id], "unanswerable": True}
        for row, one in zip(asked, items, strict=True)
    ]
    return [{**row, "of": number} for number, row in enumerate([*asked, *hidden])]
