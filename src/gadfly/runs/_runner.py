"""The wide runner: any game, any number of cases, constant memory, resumable to the case.

Cases are played by a fixed set of workers, so a slow model slows the feed and nothing piles up. Every finished case is
appended to disk, then counted, then handed to the judges, each of which takes whatever has accumulated.

Where every player runs in this process on weights we hold, cases are played in *blocks* of `BLOCK` instead: results
then depend only on the block, so the same seed gives the same rows, and a run killed in the middle of a block plays
that block again and keeps what it already had.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from gadfly.errors import CallError, GadflyError, StoreError
from gadfly.judges import Judge
from gadfly.models import System, direct_transport
from gadfly.runs._game import Cases, Game
from gadfly.runs._progress import Tally
from gadfly.runs._provenance import provenance
from gadfly.runs._store import FORMAT, Run, home, indices, judgement_row, open_run, transcript_row
from gadfly.transcripts import Case, Judgement, Transcript

__all__ = ["BLOCK", "Settings", "run"]

BLOCK = 128
JUDGE_BATCH = 256
HOPELESS = 100


@dataclass(frozen=True)
class Settings:
    """How to run, as opposed to what: none of this changes a row.

    `concurrency` is the number of cases in flight against remote models (default 64, or the model's own
    max_connections). `retry_failed` plays again the cases whose calls failed.
    """

    directory: Path = field(default_factory=home)
    concurrency: int | None = None
    retry_failed: bool = False
    progress: bool = True


async def run(
    game: Game,
    cases: int | Sequence[Mapping[str, Any]],
    judges: Sequence[Judge] = (),
    *,
    seed: int = 0,
    settings: Settings | None = None,
) -> Run:
    """Play `cases` cases of `game`, have every judge judge them, and keep all of it under `settings.directory`.

    The same call again goes on where it stopped, extends the run when `cases` has grown, and judges what is there
    when a judge is new. Ctrl-C finishes what is in flight and returns the run with status `interrupted`. Raises the
    `CallError` that makes every further case pointless (status `stopped`), and `StoreError` when disk fails; what was
    finished by then is kept.
    """
    settings = settings or Settings()
    plan = Cases.of(game, cases, seed)
    record = _open(game, plan, judges, seed, settings)
    lock = record.lock()
    try:
        return await _Wide(game, plan, judges, record, settings).go()
    finally:
        lock.release()


def _open(game: Game, plan: Cases, judges: Sequence[Judge], seed: int, settings: Settings) -> Run:
    path = settings.directory / f"{game.name}-{plan.key[:8]}"
    if (path / "run.json").exists():
        record = open_run(path)
    else:
        path.mkdir(parents=True, exist_ok=True)
        record = Run(
            path,
            {
                "format": FORMAT,
                "id": path.name,
                "game": game.name,
                "spec": game.spec(),
                "seed": seed,
                "judges": {},
                "players": {role: system.fingerprint() for role, system in game.players.items()},
                "reproducible": all(system.reproducible for system in game.players.values()),
                "wall_s": 0.0,
                **provenance(),
            },
        )
    known = {**record.info["judges"], **{judge.name: {"threshold": judge.threshold} for judge in judges}}
    cases = max(plan.count, record.info.get("cases", 0))
    return record.save(judges=known, cases=cases, command=sys.argv, status="running")


class _Wide:
    """One call of `run`: the state that its workers share."""

    def __init__(
        self, game: Game, plan: Cases, judges: Sequence[Judge], record: Run, settings: Settings
    ) -> None:
        self.game, self.plan, self.judges, self.record, self.settings = game, plan, judges, record, settings
        self.transcripts = record.transcript_table
        self.judgements = record.judgement_table
        self.stopping = False
        self.error: GadflyError | None = None
        self.failures_in_a_row = 0
        self.engines = _engines(game, judges)

    async def go(self) -> Run:
        began = time.monotonic()
        self._recover()
        thresholds = {judge.name: judge.threshold for judge in self.judges}
        self.tally = Tally(
            self.game.name, self.plan.count, thresholds, shown=self.settings.progress, done=sum(self.played)
        )
        try:
            with self.tally, direct_transport(), self._interruptible():
                await (self._blocks() if self.engines else self._stream())
        finally:
            with suppress(StoreError):
                self.transcripts.seal()
                self.judgements.seal()
            status = "stopped" if self.error else "interrupted" if self.stopping else "complete"
            wall_s = self.record.info["wall_s"] + time.monotonic() - began
            with suppress(OSError):
                self.record = self.record.save(status=status, wall_s=round(wall_s, 1))
        if self.error:
            raise self.error
        return self.record

    def _recover(self) -> None:
        """Mend the tables and learn what is done. One byte per case and judge: constant memory in practice."""
        self.transcripts.recover()
        self.judgements.recover()
        if self.settings.retry_failed:
            self._forget_failed()
        self.played = _marks(self.plan.count, indices(self.transcripts.batches(["index"])))
        self.judged = {judge.name: bytearray(self.plan.count) for judge in self.judges}
        for batch in self.judgements.batches(["index", "judge"]):
            for index, judge in zip(batch["index"].to_pylist(), batch["judge"].to_pylist(), strict=True):
                if judge in self.judged and index < self.plan.count:
                    self.judged[judge][index] = 1

    def _forget_failed(self) -> None:
        """Drop failed cases and every judgement that is missing because of one, so that both are made anew."""
        self.transcripts.drop("outcome", "failed")
        self.judgements.drop("cause", "not_valid")

    # Streaming: any mix of remote and local models.

    async def _stream(self) -> None:
        queues: list[asyncio.Queue[Transcript]] = [asyncio.Queue(4 * JUDGE_BATCH) for _ in self.judges]
        feed = (case for case in self.plan if not self.played[case.index])
        async with asyncio.TaskGroup() as group:
            judging = [
                group.create_task(self._judge_loop(judge, queue))
                for judge, queue in zip(self.judges, queues, strict=True)
            ]
            for transcript in self._unjudged():
                await self._hand_over(transcript, queues)
            playing = [group.create_task(self._worker(feed, queues)) for _ in range(self._concurrency())]
            await asyncio.wait(playing)
            for queue in queues:
                await queue.join()
            for task in judging:
                task.cancel()

    async def _worker(self, feed: Iterator[Case], queues: Sequence[asyncio.Queue[Transcript]]) -> None:
        for case in feed:
            transcript = await self._play(case)
            if transcript is None or not self._keep([transcript]):
                return
            await self._hand_over(transcript, queues)
            if self.stopping or self.error:
                return

    async def _hand_over(self, transcript: Transcript, queues: Sequence[asyncio.Queue[Transcript]]) -> None:
        for judge, queue in zip(self.judges, queues, strict=True):
            if not self.judged[judge.name][transcript.case.index]:
                await queue.put(transcript)

    async def _judge_loop(self, judge: Judge, queue: asyncio.Queue[Transcript]) -> None:
        while True:
            batch = [await queue.get()]
            while not queue.empty() and len(batch) < JUDGE_BATCH:
                batch.append(queue.get_nowait())
            if not self.error:
                await self._judge(judge, batch)
            for _ in batch:
                queue.task_done()

    def _unjudged(self) -> Iterator[Transcript]:
        """Transcripts of an earlier call that some judge has not seen; reads nothing when there are none."""
        waiting = any(map(any, (map(int.__gt__, self.played, done) for done in self.judged.values())))
        if not waiting:
            return
        for transcript in self.record.transcripts():
            index = transcript.case.index
            if index < self.plan.count and not all(done[index] for done in self.judged.values()):
                yield transcript

    # Blocks: every player on local weights.

    async def _blocks(self) -> None:
        with ExitStack() as stack:
            for engine in self.engines:
                stack.enter_context(engine.rounds())
            cases = iter(self.plan)
            while block := list(islice(cases, BLOCK)):
                if self.stopping or self.error:
                    return
                if not all(self._complete(case.index) for case in block):
                    await self._block(block)

    async def _block(self, block: Sequence[Case]) -> None:
        results = await asyncio.gather(*(self._play(case) for case in block))
        transcripts = [transcript for transcript in results if transcript is not None]
        fresh = [t for t in transcripts if not self.played[t.case.index]]
        if not self._keep(fresh):
            return
        for judge in self.judges:
            if not self.error and not all(self.judged[judge.name][t.case.index] for t in transcripts):
                await self._judge(judge, transcripts)

    def _complete(self, index: int) -> bool:
        return bool(self.played[index]) and all(done[index] for done in self.judged.values())

    # What both share.

    async def _play(self, case: Case) -> Transcript | None:
        try:
            transcript = await self.game.play(case)
        except CallError as error:
            if error.fatal:
                self.error = self.error or error
                return None
            transcript = Transcript(case, (), "failed", error.cause)
        self._watch(transcript)
        return transcript

    def _watch(self, transcript: Transcript) -> None:
        """Stop a run in which nothing works any more."""
        self.failures_in_a_row = self.failures_in_a_row + 1 if transcript.outcome == "failed" else 0
        if self.failures_in_a_row >= HOPELESS and not self.error:
            self.error = CallError(
                f"The last {HOPELESS} cases all failed ({transcript.cause}). Mend that, then "
                f"`gadfly resume {self.record.id} --retry-failed`.",
                transcript.cause,
                fatal=True,
            )

    def _keep(self, transcripts: Sequence[Transcript]) -> bool:
        """Put transcripts on disk, then count them; False when the disk refused."""
        try:
            self.transcripts.append([transcript_row(t) for t in transcripts])
        except StoreError as error:
            self.error = self.error or error
            return False
        for transcript in transcripts:
            self.played[transcript.case.index] = 1
            self.tally.played(transcript)
        return True

    async def _judge(self, judge: Judge, transcripts: Sequence[Transcript]) -> None:
        done = self.judged[judge.name]
        try:
            judgements = await judge.judge(transcripts)
            fresh: list[tuple[Judgement, int]] = [
                (judgement, transcript.case.index)
                for judgement, transcript in zip(judgements, transcripts, strict=True)
                if not done[transcript.case.index]
            ]
            self.judgements.append([judgement_row(judgement, index) for judgement, index in fresh])
        except (CallError, StoreError) as error:
            self.error = self.error or error
            return
        for _, index in fresh:
            done[index] = 1
        self.tally.judged(judgement for judgement, _ in fresh)

    def _concurrency(self) -> int:
        own = [system.model.config.max_connections for system in self.game.players.values()]
        known = [count for count in own if count]
        return max(1, self.settings.concurrency or (min(known) if known else 64))

    def _interruptible(self) -> ExitStack:
        """The first Ctrl-C finishes what is in flight; the second is Python's own."""
        stack = ExitStack()
        loop = asyncio.get_running_loop()

        def stop() -> None:
            self.stopping = True
            loop.remove_signal_handler(signal.SIGINT)
            self.tally.console.print(
                f"\nFinishing the cases in flight (Ctrl-C again drops them). "
                f"To go on later: gadfly resume {self.record.id}"
            )

        with suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(signal.SIGINT, stop)
            stack.callback(loop.remove_signal_handler, signal.SIGINT)
        return stack


def _engines(game: Game, judges: Sequence[Judge]) -> list[Any]:
    """The local engines at play when nothing at play is remote; none otherwise."""
    systems = [*game.players.values(), *(s for judge in judges for s in getattr(judge, "players", ()))]
    if not all(isinstance(system, System) and system.reproducible for system in systems):
        return []
    found = [system.model.api.engine() for system in systems if hasattr(system.model.api, "engine")]
    return list({id(engine): engine for engine in found}.values())


def _marks(count: int, done: Iterator[int]) -> bytearray:
    marks = bytearray(count)
    for index in done:
        if index < count:
            marks[index] = 1
    return marks
