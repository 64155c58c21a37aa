"""The wide runner: any game, any number of cases, constant memory, resumable to the case.

Cases are played by a fixed set of workers, so a slow model slows the feed and nothing piles up. Every
finished case is appended to disk, then counted, then handed to the judges, each of which takes whatever has
accumulated.

Where every player runs in this process on weights we hold, cases are played in *blocks* of `BLOCK` instead:
results then depend only on the block, so the same seed gives the same rows, and a run killed in the middle of
a block plays that block again and keeps what it already had.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gadfly.errors import CallError, InputError, StoreError
from gadfly.models import System, direct_transport
from gadfly.runs._game import Cases, Game
from gadfly.runs._progress import Tally
from gadfly.runs._provenance import provenance
from gadfly.runs._recovery import forget_failed, forget_judges, recover
from gadfly.runs._store import (
    FORMAT,
    Run,
    home,
    judgement_row,
    open_run,
    transcript_from_row,
    transcript_row,
)
from gadfly.transcripts import Case, Transcript

if TYPE_CHECKING:  # some judges load a classifier
    from gadfly.judges import Judge

__all__ = ["BLOCK", "Settings", "run"]

BLOCK = 128
"""Cases played together on local weights."""

JUDGE_BATCH = 256
"""Most transcripts a judge is given at once, and most that may wait for it."""

HOPELESS = 100
"""Failed cases in a row after which a run stops."""


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
    """Play `cases` cases of `game`, have every judge judge them, and keep all of it under
    `settings.directory`.

    The same call again goes on where it stopped, extends the run when `cases` has grown, and judges what is
    there when a judge is new. Ctrl-C finishes what is in flight and returns the run with status
    `interrupted`. Raises the `CallError` that makes every further case pointless, `StoreError` when the disk
    fails and whatever a faulty game or judge raised (status `stopped`); what was in flight is finished first,
    and nothing that was finished is lost.
    """
    settings = settings or Settings()
    names = [judge.name for judge in judges]
    if len(set(names)) < len(names):
        raise InputError(f"Two judges have one name: {', '.join(sorted(names))}. Give each its own.")
    plan = Cases.of(game, cases, seed)
    record = Run(settings.directory / f"{game.name}-{plan.key[:8]}", {})
    lock = record.lock()
    try:
        record = _open(record.path, game, plan, judges, seed)
        return await _Wide(game, plan, judges, record, settings).go()
    finally:
        lock.release()


def _open(path: Path, game: Game, plan: Cases, judges: Sequence[Judge], seed: int) -> Run:
    if (path / "run.json").exists():
        record = open_run(path)
    else:
        players = {role: system.fingerprint() for role, system in game.players.items()}
        info = {
            "format": FORMAT,
            "id": path.name,
            "game": game.name,
            "spec": game.spec(),
            "seed": seed,
            "judges": {},
            "players": players,
            "reproducible": all(system.reproducible for system in game.players.values()),
            "wall_s": 0.0,
            **provenance(),
        }
        record = Run(path, info)
    forget_judges(record.judgement_table, _changed(record, judges))
    return record.save(
        judges={**record.info["judges"], **{judge.name: described(judge) for judge in judges}},
        verdict=judges[0].name if judges else record.info.get("verdict", ""),
        cases=max(plan.count, record.info.get("cases", 0)),
        command=sys.argv,
        directory=str(Path.cwd()),
        status="running",
        was_complete=record.info.get("status") == "complete",
    )


def described(judge: Judge) -> dict[str, Any]:
    """A judge as `run.json` keeps it: its threshold and what decides its scores (`spec()`, where it has one).

    A judge whose `spec` has changed is another judge under the same name: what it said before is forgotten.
    """
    spec = getattr(judge, "spec", None)
    return {"threshold": judge.threshold, "spec": spec() if spec else {}}


def _changed(record: Run, judges: Sequence[Judge]) -> list[str]:
    """The judges that have judged in this run before and were different then."""
    before = record.info["judges"]
    return [j.name for j in judges if j.name in before and before[j.name].get("spec") != described(j)["spec"]]


class _Wide:
    """One call of `run`: the state that its workers share."""

    def __init__(
        self, game: Game, plan: Cases, judges: Sequence[Judge], record: Run, settings: Settings
    ) -> None:
        self.game, self.plan, self.judges, self.record, self.settings = game, plan, judges, record, settings
        self.transcripts = record.transcript_table
        self.judgements = record.judgement_table
        thresholds = {judge.name: judge.threshold for judge in judges[:1]}  # the others only describe
        self.tally = Tally(game.name, plan.count, thresholds, shown=settings.progress)
        self.stopping = False
        self.error: Exception | None = None
        self.failures_in_a_row = 0

    async def go(self) -> Run:
        began = time.monotonic()
        if self.settings.retry_failed:
            forget_failed(self.transcripts, self.judgements)
        names = [judge.name for judge in self.judges]
        self.done = recover(self.transcripts, self.judgements, names, self.tally)
        try:
            if not self.done.all():
                await self._work()
            self._seal()
        except StoreError as error:
            self._stop_for(error)
        finally:
            wall_s = self.record.info["wall_s"] + time.monotonic() - began
            with suppress(StoreError):
                self.record = self.record.save(status=self._status(), wall_s=round(wall_s, 1))
        if self.error:
            raise self.error
        return replace(self.record, cut=self.stopping)

    async def _work(self) -> None:
        engines = _engines(self.game, self.judges)
        try:
            with self.tally, direct_transport(), self._interruptible():
                await (self._blocks(engines) if engines else self._stream())
        except BaseException:  # the second Ctrl-C: the journals keep what cannot be sealed
            with suppress(StoreError):
                self._seal()
            raise

    def _seal(self) -> None:
        self.transcripts.seal()
        self.judgements.seal()

    def _status(self) -> str:
        if self.error:
            return "stopped"
        all_asked = self.plan.count >= self.record.info["cases"] or self.record.info["was_complete"]
        whole = all_asked and self.done.all()
        return "complete" if whole else "interrupted"

    def _stop_for(self, error: Exception) -> None:
        self.error = self.error or error

    # Streaming: any mix of remote and local models.

    async def _stream(self) -> None:
        queues: list[asyncio.Queue[Transcript]] = [asyncio.Queue(JUDGE_BATCH) for _ in self.judges]
        feed = (case for case in self.plan if not self.done.played[case.index])
        async with asyncio.TaskGroup() as group:
            judging = [
                group.create_task(self._judge_loop(judge, queue))
                for judge, queue in zip(self.judges, queues, strict=True)
            ]
            await self._catch_up(queues)
            playing = [group.create_task(self._worker(feed, queues)) for _ in range(self._concurrency())]
            await asyncio.wait(playing)
            for queue in queues:
                await queue.join()
            for task in judging:
                task.cancel()

    async def _catch_up(self, queues: Sequence[asyncio.Queue[Transcript]]) -> None:
        """Hand over the transcripts of an earlier session that some judge has not seen."""
        unjudged = self.done.unjudged()
        if not unjudged.any():
            return
        for transcript in self.record.transcripts():
            if self.stopping or self.error:
                return
            if transcript.case.index < self.plan.count and unjudged[transcript.case.index]:
                await self._hand_over(transcript, queues)

    async def _worker(self, feed: Iterator[Case], queues: Sequence[asyncio.Queue[Transcript]]) -> None:
        while not (self.stopping or self.error) and (case := next(feed, None)):
            if transcript := await self._play(case):
                await self._hand_over(transcript, queues)
            await asyncio.sleep(0)  # a model that answers at once must not keep Ctrl-C and the judges waiting

    async def _hand_over(self, transcript: Transcript, queues: Sequence[asyncio.Queue[Transcript]]) -> None:
        for judge, queue in zip(self.judges, queues, strict=True):
            if not self.done.judged[judge.name][transcript.case.index]:
                await queue.put(transcript)

    async def _judge_loop(self, judge: Judge, queue: asyncio.Queue[Transcript]) -> None:
        while True:
            batch = [await queue.get()]
            while not queue.empty() and len(batch) < JUDGE_BATCH:
                batch.append(queue.get_nowait())
            await self._judge(judge, batch)
            for _ in batch:
                queue.task_done()

    # Blocks: every player on local weights.

    async def _blocks(self, engines: Sequence[Any]) -> None:
        async with AsyncExitStack() as stack:
            for engine in engines:
                await stack.enter_async_context(engine.rounds())
            pulse = asyncio.create_task(self._pulse(engines))
            stack.callback(pulse.cancel)
            cases = iter(self.plan)
            while block := list(islice(cases, BLOCK)):
                if self.stopping or self.error:
                    return
                await self._block(block)

    async def _pulse(self, engines: Sequence[Any]) -> None:
        """A block's cases all finish together, so meanwhile the bar shows the tokens that go into them."""
        begun = sum(engine.sampled for engine in engines)
        while True:
            await asyncio.sleep(0.5)
            self.tally.sampling(sum(engine.sampled for engine in engines) - begun)

    async def _block(self, block: Sequence[Case]) -> None:
        """Play a block whole unless all of it is there, keep the cases that were not, and judge what was
        kept.
        """
        span = slice(block[0].index, block[-1].index + 1)
        if self.done.played[span].all() and all(marks[span].all() for marks in self.done.judged.values()):
            return
        kept = [transcript_from_row(row) for row in self.transcripts.between(span.start, span.stop)]
        if len(kept) < len(block):
            played = await asyncio.gather(*(self._play(case) for case in block))
            kept = sorted([*kept, *filter(None, played)], key=lambda transcript: transcript.case.index)
        for judge in self.judges:
            await self._judge(judge, kept)

    # What both share.

    async def _play(self, case: Case) -> Transcript | None:
        """Play one case and keep it; None when that did not work or when it had been kept before."""
        try:
            transcript = await self.game.play(case)
        except CallError as error:
            if error.fatal:
                self._stop_for(error)
                return None
            transcript = Transcript(case, (), "failed", error.cause)
        except Exception as bug:
            self._stop_for(bug)
            return None
        if self.done.played[case.index]:
            return None
        self._watch(transcript)
        return transcript if self._keep(transcript) else None

    def _watch(self, transcript: Transcript) -> None:
        """Stop a run in which nothing works any more."""
        self.failures_in_a_row = self.failures_in_a_row + 1 if transcript.outcome == "failed" else 0
        if self.failures_in_a_row >= HOPELESS:
            message = (
                f"The last {HOPELESS} cases all failed ({transcript.cause}). Mend that, then "
                f"`gadfly resume {self.record.id} --retry-failed`."
            )
            self._stop_for(CallError(message, transcript.cause, fatal=True))

    def _keep(self, transcript: Transcript) -> bool:
        """Put a transcript on disk, then count it; False when that did not work."""
        try:
            self.transcripts.append([transcript_row(transcript)])
        except Exception as error:
            self._stop_for(error)
            return False
        self.done.played[transcript.case.index] = True
        self.tally.played(transcript)
        return True

    async def _judge(self, judge: Judge, transcripts: Sequence[Transcript]) -> None:
        """Have them judged and keep what is new, unless the run is stopping for an error."""
        marks = self.done.judged[judge.name]
        if self.error or all(marks[transcript.case.index] for transcript in transcripts):
            return
        try:
            judgements = await judge.judge(transcripts)
            pairs = zip(judgements, (transcript.case.index for transcript in transcripts), strict=True)
            fresh = [(judgement, index) for judgement, index in pairs if not marks[index]]
            self.judgements.append([judgement_row(judgement, index) for judgement, index in fresh])
        except Exception as error:
            self._stop_for(error)
            return
        for _, index in fresh:
            marks[index] = True
        self.tally.judged(judgement for judgement, _ in fresh)

    def _concurrency(self) -> int:
        own = [system.model.config.max_connections for system in self.game.players.values()]
        known = [count for count in own if count]
        return max(1, self.settings.concurrency or (min(known) if known else 64))

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C finishes what is in flight; the second is Python's own. In a thread, neither is
        ours.
        """
        loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
        try:
            loop.add_signal_handler(signal.SIGINT, self._stop)
        except (NotImplementedError, ValueError, RuntimeError):
            yield
            return
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, before or signal.default_int_handler)

    def _stop(self) -> None:
        self.stopping = True
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        self.tally.console.print(
            "\nFinishing the cases in flight (Ctrl-C again drops them). To go on later: "
            f"gadfly resume {self.record.id}",
            highlight=False,
            soft_wrap=True,
        )


def _engines(game: Game, judges: Sequence[Judge]) -> list[Any]:
    """The local engines at play when nothing at play is remote; none otherwise."""
    systems: list[Any] = [*game.players.values()]
    for judge in judges:
        systems += getattr(judge, "players", {}).values()
    if not all(isinstance(system, System) and system.reproducible for system in systems):
        return []
    found = [system.model.api.engine() for system in systems if hasattr(system.model.api, "engine")]
    return list({id(engine): engine for engine in found}.values())
