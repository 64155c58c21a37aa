"""A judge that learned from verdicts: a reward model that sees the whole interaction, from either answer's side.

A debate is two texts, one for each answer, in which everything said stands under who said it, for or against that
answer: statements, the judge's questions and leans, verified and made-up quotations. A verdict is a preference between
the two, as sure as the judge was, and the probability of an answer is that its text is preferred (Bradley and Terry
1952), member by member, so that what the members do not agree on is told as uncertainty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from gadfly.debate._chairs import Said, Weighed
from gadfly.debate._judged import judged_cases
from gadfly.debate._payoff import first_believed
from gadfly.debate._position import Move, Position, Statement
from gadfly.debate._prompts import one_line
from gadfly.debate._protocol import JUDGE
from gadfly.debate._verdict import settled, unlearned, verdict_of
from gadfly.errors import InputError
from gadfly.judges import Reward
from gadfly.models import System, as_material
from gadfly.runs import Run
from gadfly.transcripts import Judgement, Transcript

if TYPE_CHECKING:
    from gadfly.training import Row

__all__ = ["RewardJudge", "interaction", "verdict_rows"]

CLOSEST = 1e-6
"""How near to 0 or 1 a member's score is taken, so that its log-odds stay finite."""


def interaction(position: Position, side: int) -> str:
    """All that the judge saw, heard and said, as it looks from answer `side`, a paragraph each; of what was said at
    once, what is for that answer comes first. The document is the first paragraph where the protocol shows it to the
    judge, and the question with its answers the last: of a text that is too long a reward model reads the end. Lines
    that others wrote begin with "| ", so that none can pose as a paragraph. Empty statements stay out.
    """
    seen = position.exchanged() if side else position
    mine, other = map(one_line, seen.dispute.answers)
    told, document = list[str](), seen.dispute.document
    if seen.protocol.document and document is not None:
        told.append(f"Document, {one_line(document.title)}:\n{as_material(document.text)}")
    for one in sorted(seen.heard(JUDGE), key=lambda one: (one.step, _turn(seen, one))):
        if one.does == "lean":
            told.append(f"Judge leans: {'cannot say' if one.lean is None else f'{one.lean:.0%}'}")
        elif one.text.strip():
            whose = {0: ", for it", 1: ", against it", None: ""}[seen.sides.get(one.seat)]
            told.append(f"{seen.protocol.title(one.seat)}{whose}:\n{as_material(one.text)}")
    asked = (f"Question: {one_line(seen.dispute.question)}", f"Answer: {mine}", f"Instead of: {other}")
    return "\n\n".join((*told, *asked))


def _turn(seen: Position, one: Statement) -> int:
    """Among what was said at once: first what is for answer 0, last what is against it."""
    return {0: 0, None: 1, 1: 2}[seen.sides.get(one.seat)]


def verdict_rows(run: Run) -> list[Row]:
    """What a run's verdicts teach: for each debate that was decided by judging, its two texts and the probability that
    was given to answer 0. Debates lost by rule, failed ones and
    those that nobody could decide teach nothing. Raises what `judged_cases` raises.
    """
    from gadfly.training import Row

    rows = list[Row]()
    for one in judged_cases(run):
        p = first_believed(one.transcript, one.judgement)
        if one.transcript.outcome == "completed" and not one.by_rule and p is not None:
            first, second = (interaction(one.position, side) for side in (0, 1))
            group, case = one.position.dispute.question, one.transcript.case.id
            rows.append(Row(first, p, second, group=group, case=case))
    return rows


@dataclass(frozen=True)
class RewardJudge:
    """A debate judge on a reward model that learned from `verdict_rows`. It asks nothing.

    Raises `InputError` for a reward model that did not learn from pairs.
    """

    reward: Reward
    threshold: float = 0.5

    decides = False
    tie = 0.5

    def __post_init__(self) -> None:
        if self.reward.kind != "pairs":
            raise InputError(
                f"{self.reward.name} learned from labels and not from verdicts; make one with gadfly debate learn RUN."
            )

    @property
    def name(self) -> str:
        """Told apart from models that are asked."""
        return f"reward:{self.reward.name}"

    @property
    def systems(self) -> Mapping[str, System]:
        """None that is called."""
        return {}

    def spec(self) -> dict[str, Any]:
        """What decides a score."""
        return {"reward": self.reward.spec()}

    async def weigh(self, position: Position, seed: int) -> Weighed:
        """The members' mean probability that answer 0's text is preferred to answer 1's, whichever is listed first.

        Scored on the loop: in rounds of a local engine nobody waits for a thread, or no run of them is the next one's.
        """
        members, _ = self._members([position])
        return _weighed(members[0])

    async def say(self, move: Move) -> Said:
        """Nothing: it cannot ask."""
        return Said("")

    async def judge(self, transcripts: Sequence[Transcript]) -> list[Judgement]:
        """Each transcript's verdict, `unlearned`; `uncertainty` is the standard deviation of what the members say."""
        found = [settled(one, self.name) for one in transcripts]
        asked = [n for n, over in enumerate(found) if over is None]
        positions = [Position.of(transcripts[n]) for n in asked]
        members, spreads = await asyncio.to_thread(self._members, positions)
        for n, row, spread in zip(asked, members, spreads, strict=True):
            found[n] = verdict_of(transcripts[n], self.name, _weighed(row), float(spread))
        return [
            unlearned(verdict, one, self.reward.card.questions)
            for verdict, one in zip(found, transcripts, strict=True)
            if verdict is not None
        ]

    def _members(self, positions: Sequence[Position]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Each member's probability of answer 0, (N, K), and their standard deviation, (N)."""
        texts = [interaction(position, side) for position in positions for side in (0, 1)]
        scores_2N_K = np.clip(self.reward.score(texts).members_N_K, CLOSEST, 1 - CLOSEST)
        odds_2N_K = special.logit(scores_2N_K)
        p_N_K = special.expit(odds_2N_K[0::2] - odds_2N_K[1::2])
        return p_N_K, p_N_K.std(1)


def _weighed(members_K: np.ndarray[Any, Any]) -> Weighed:
    p = float(members_K.mean())
    return Weighed(p, listed=False)
