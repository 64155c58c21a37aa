"""Rollouts: a policy plays a game, a judge scores the transcripts, a reward is what it learns from.

Nothing here keeps state between steps: what is played in a step follows from the seed and the step's number alone, so
that a training which was killed plays the same cases again.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
from inspect_ai.model import GenerateConfig
from numpy.typing import NDArray

from gadfly.errors import InputError
from gadfly.judges import Judge
from gadfly.judges._embedding import embedder
from gadfly.models import Call, LocalModel, System, direct_transport, model_of, recording
from gadfly.runs import Game
from gadfly.stats._diversity import self_bleu_scores
from gadfly.transcripts import Case, Judgement, Transcript

__all__ = ["Failure", "Match", "Reward", "Rollout", "Rollouts"]

T = TypeVar("T")

Reward = Callable[[Transcript, Judgement], float | None]
"""What a transcript is worth to the player. None: nobody can tell, and nothing is learned from it."""

HIGHEST = 0.99
"""Scores above it are worth no more: −log(1 − r) has no bound."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The red-teamer's reward, −log(1 − r) for a judge's score r (Perez et al. 2022, section 3.1), at most 4.6.

    `invalid` is the reward of a move that breaks the game's rules (theirs: −3 for a question without a "?").
    """

    invalid: float = -3.0

    def __call__(self, transcript: Transcript, judgement: Judgement) -> float | None:
        if transcript.outcome == "invalid":
            return self.invalid
        return None if judgement.score is None else -math.log(1 - min(judgement.score, HIGHEST))


@dataclass(frozen=True)
class Match:
    """Who plays what before whom. `game` makes the game for the player being trained, in whichever seat.

    `sampling` is how that player samples; its temperature is the policy's own and nothing is cut off (top-p is 1), so
    that what is trained is what is sampled from. `novelty` adds so many times a case's novelty to its reward: its mean
    distance, in [0, 1], to the others of its step, by embedding or by BLEU.
    """

    game: Callable[[System], Game]
    judge: Judge
    reward: Reward = Failure()
    sampling: GenerateConfig = field(default_factory=lambda: GenerateConfig(max_tokens=256))
    novelty: float = 0.0
    distance: Literal["embedding", "bleu"] = "embedding"


@dataclass(frozen=True, slots=True)
class Rollout:
    """One case played in training: the tokens of one of the policy's calls, and what came of it."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    text: str
    reward: float | None
    score: float | None
    outcome: str


class Rollouts:
    """Plays on one event loop, which lives as long as this does, so that the engines do too: a context manager."""

    def __init__(self, policy: LocalModel, match: Match, seed: int) -> None:
        self.policy, self.match, self.seed = policy, match, seed
        sampling = match.sampling.model_copy(update={"top_p": 1.0})
        self.game = match.game(System(model_of(policy), sampling=sampling))
        self._runner = asyncio.Runner()
        self._apart: ThreadPoolExecutor | None = None
        with suppress(RuntimeError):  # a notebook's loop runs in this thread: ours takes another one
            asyncio.get_running_loop()
            self._apart = ThreadPoolExecutor(max_workers=1)

    def __enter__(self) -> Rollouts:
        return self

    def __exit__(self, *_: object) -> None:
        self._there(self._runner.close)
        if self._apart is not None:
            self._apart.shutdown()

    def _there(self, work: Callable[[], T]) -> T:
        """Done in the thread of the event loop."""
        return work() if self._apart is None else self._apart.submit(work).result()

    def play(self, groups: Sequence[int]) -> list[Rollout]:
        """A rollout for each entry of `groups`. Equal entries play the same case (the same row of slots) with other
        random numbers: they are what each other's reward is compared with.

        A case that was over before the policy spoke has a prompt and a completion of another's and no reward, so that
        nothing is learned from it. Raises `InputError` when a reward is no number or no case asked the policy anything.
        """
        return self._there(lambda: self._runner.run(self._play(groups)))

    async def _play(self, groups: Sequence[int]) -> list[Rollout]:
        cases = [self._case(group, member) for member, group in enumerate(groups)]
        with direct_transport():
            async with AsyncExitStack() as stack:
                for player in self._local_players():
                    await stack.enter_async_context(player.engine().rounds())
                played = await asyncio.gather(*map(self._one, cases))
                any_call = next((call for _, call in played if call is not None), None)
                if any_call is None:
                    raise InputError(
                        f"The game {self.game.name} never asked the player that is to be trained."
                    )
                judged = await self.match.judge.judge([transcript for transcript, _ in played])
        texts = ["" if call is None else call.samples[0].text for _, call in played]
        extra = (
            novelty(texts, self.match.distance) * self.match.novelty
            if self.match.novelty
            else np.zeros(len(texts))
        )
        found = []
        for (transcript, call), judgement, bonus in zip(played, judged, extra, strict=True):
            rollout = self._rollout(transcript, call or any_call, judgement, float(bonus))
            found.append(rollout if call else replace(rollout, text="", reward=None))
        return found

    async def _one(self, case: Case) -> tuple[Transcript, Call | None]:
        """One case, and one of the policy's calls in it.

        In a dialogue the policy speaks several times. Each case then trains one of its calls, drawn by the case's
        seed, with the reward of the whole. A call so weighs the more the fewer its case has: one that ended a debate at
        once, by a broken rule, counts as much as all those of a debate that went on. None where the game was over
        before it spoke.
        """
        with recording() as calls:
            transcript = await self.game.play(case)
        own = [call for call in calls if call.local is self.policy]
        return transcript, random.Random(case.seed).choice(own) if own else None

    def _rollout(self, transcript: Transcript, call: Call, judgement: Judgement, bonus: float) -> Rollout:
        reward = self.match.reward(transcript, judgement)
        if reward is not None and not math.isfinite(reward):
            raise InputError(
                f"The reward of a case that {judgement.judge} scored {judgement.score} is {reward}; a reward is a "
                "finite number, or None where nobody can tell."
            )
        sample = call.samples[0]
        end = () if sample.end is None else (sample.end,)
        return Rollout(
            call.request.prompt,
            (*sample.tokens, *end),
            sample.text,
            None if reward is None else reward + bonus,
            judgement.score,
            transcript.outcome,
        )

    def _case(self, group: int, member: int) -> Case:
        digest = hashlib.sha256(f"{self.seed}/{group}/{member}".encode()).hexdigest()
        return Case(digest[:16], group, int(digest[16:24], 16) >> 1)

    def _local_players(self) -> list[Any]:
        """The local models at work, a judge's own among them: what it says of a step must not depend on timing."""
        judges: Any = getattr(self.match.judge, "players", {})
        systems = [*self.game.players.values(), *judges.values()]
        local = (one.model.api for one in systems if isinstance(one, System))
        return [api for api in local if hasattr(api, "engine")]


def novelty(texts: Sequence[str], distance: Literal["embedding", "bleu"]) -> NDArray[np.float64]:
    """How unlike the others each text is, in [0, 1]: 1 − its mean cosine similarity to them, or 1 − its BLEU against
    them. A single text is wholly new.
    """
    if len(texts) < 2:
        return np.ones(len(texts))
    if distance == "bleu":
        return 1 - self_bleu_scores(texts, references=len(texts)) / 100
    vectors_N_D = embedder().embed(list(texts))
    similar_N_N = vectors_N_D @ vectors_N_D.T
    others_N = (similar_N_N.sum(1) - similar_N_N.diagonal()) / (len(texts) - 1)
    return np.asarray(np.clip(1 - others_N, 0, 1), dtype=np.float64)
