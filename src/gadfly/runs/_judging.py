"""Judging what a run holds: while it is played (`_runner` builds on `Session`), or afterwards (`rejudge`).

Transcripts go to the judges as they come, each of which takes whatever has accumulated. Where everything at work
runs in this process on weights we hold, they go in *blocks* of `BLOCK` instead: results then depend only on the
block, so the same seed gives the same rows.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gadfly.errors import CallError, InputError, StoreError
from gadfly.models import System, direct_transport
from gadfly.runs._progress import Tally
from gadfly.runs._recovery import Done, forget_judges, recover
from gadfly.runs._store import Run, judgement_row, open_run, transcript_from_row
from gadfly.transcripts import Transcript

if TYPE_CHECKING:  # some judges load a classifier
    from gadfly.judges import Judge

logger = logging.getLogger("gadfly")

__all__ = [
    "BLOCK",
    "JUDGE_BATCH",
    "Queues",
    "Session",
    "described",
    "forget_changed",
    "refuse_namesakes",
    "rejudge",
]

BLOCK = 128
"""Cases played and judged together on local weights."""

JUDGE_BATCH = 256
"""Most transcripts a judge is given at once, and most that may wait for it."""

Queues = Sequence[asyncio.Queue[Transcript]]


async def rejudge(run: Run, judges: Sequence[Judge], *, verdict: bool = False, progress: bool = True) -> Run:
    """Have judges judge the transcripts of an existing run; nothing is played and no game is needed.

    A judge that is new, or whose `spec()` is not the one it had in this run, judges every case; one that was
    stopped midway goes on; one that is done judges nothing. Other judges' judgements stay, and so does the run's
    `status`, which is about playing. The first judge's verdict becomes the run's only with `verdict=True`.

    Constant memory at any size. Ctrl-C finishes what is in flight and returns the run with `cut` set. Raises
    `StoreError` when another process works on this run or the disk fails, and whatever a faulty judge raised; what
    was judged by then is kept.
    """
    refuse_namesakes(judges)
    lock = open_run(run.path).lock()
    try:
        record = open_run(run.path)
        forget_changed(record, judges)
        record = record.save(
            judges={**record.info["judges"], **{judge.name: described(judge) for judge in judges}},
            verdict=judges[0].name if verdict and judges else record.info.get("verdict", ""),
        )
        tally = _tally(record, judges, progress)
        return await Session(record, judges, record.info["cases"], tally).go()
    finally:
        lock.release()


def _tally(record: Run, judges: Sequence[Judge], shown: bool) -> Tally:
    held = sum(batch.num_rows for batch in record.transcript_table.batches(["index"]))
    thresholds = {judge.name: judge.threshold for judge in judges[:1]}
    label, two = f"judging {record.id}", between_two(judges)
    return Tally(label, held * len(judges), thresholds, shown=shown, judging=True, between_two=two)


def between_two(judges: Sequence[Judge]) -> bool:
    """Whether the first judge decides between two answers, so that exactly its threshold is a tie."""
    return bool(judges) and getattr(judges[0], "tie", 1.0) < 1.0


def refuse_namesakes(judges: Sequence[Judge]) -> None:
    """Raise `InputError` when two judges have one name: their judgements could not be told apart."""
    names = [judge.name for judge in judges]
    if len(set(names)) < len(names):
        raise InputError(f"Two judges have one name: {', '.join(sorted(names))}. Give each its own.")


def described(judge: Judge) -> dict[str, Any]:
    """A judge as `run.json` keeps it: its threshold and what decides its scores (`spec()`, where it has one).

    A judge whose `spec` has changed is another judge under the same name: what it said before is forgotten.
    """
    spec = getattr(judge, "spec", None)
    return {"threshold": judge.threshold, "spec": spec() if spec else {}}


def forget_changed(record: Run, judges: Sequence[Judge]) -> None:
    """Drop what judges said in this run when they were different. `run.json` is to name the new ones only
    afterwards: killed in between, they are still different and what is left goes then.
    """
    before = record.info["judges"]
    changed = [
        j.name for j in judges if j.name in before and before[j.name].get("spec") != described(j)["spec"]
    ]
    for name in changed:
        logger.warning("%s is not what it was: its verdicts on %s are asked for anew.", name, record.id)
    forget_judges(record.judgement_table, changed)


class Session:
    """One call of `rejudge`, or of `run`, which feeds it what it plays: the state that its workers share.

    It is about the first `count` cases of the run.
    """

    def __init__(self, record: Run, judges: Sequence[Judge], count: int, tally: Tally) -> None:
        self.record, self.judges, self.count, self.tally = record, judges, count, tally
        self.transcripts = record.transcript_table
        self.judgements = record.judgement_table
        self.stopping = False
        self.error: Exception | None = None

    async def go(self) -> Run:
        """Do what is left to do; returns the run, or raises what stopped it."""
        names = [judge.name for judge in self.judges]
        self.whole = Done.nothing(self.record.info["cases"], names)
        self.done = self.whole.first(self.count)
        recover(self.transcripts, self.judgements, self.whole, self.count, self.tally)
        try:
            if self._left():
                await self._work()
            self._seal()
        except StoreError as error:
            self._stop_for(error)
        finally:
            self._close()
        if isinstance(self.error, CallError) and not hasattr(self.error, "__notes__"):
            self.error.add_note("What the run has finished is kept; then give the same command again.")
        if self.error:
            raise self.error
        return replace(self.record, cut=self.stopping)

    # What a session that also plays does differently.

    systems: Iterable[System] = ()
    go_on = "give the same command again"

    def _left(self) -> bool:
        return bool(self.done.unjudged().any())

    async def _feed(self, queues: Queues) -> None:
        """Put every transcript that some judge has not seen into that judge's queue."""
        await self._catch_up(queues)

    async def _block(self, span: slice) -> list[Transcript]:
        """The transcripts of these cases, by index."""
        return [transcript_from_row(row) for row in self.transcripts.between(span.start, span.stop)]

    def _close(self) -> None:
        """Say in `run.json` how it ended."""

    # What both share.

    async def _work(self) -> None:
        engines = self._engines()
        try:
            with self.tally, direct_transport(), self._interruptible():
                await (self._blocks(engines) if engines else self._stream())
        except BaseException:  # the second Ctrl-C: the journals keep what cannot be sealed
            with suppress(StoreError):
                self._seal()
            raise

    def _engines(self) -> list[Any]:
        """The local engines at work when nothing at work is remote; none otherwise."""
        systems: list[Any] = [*self.systems]
        for judge in self.judges:
            systems += getattr(judge, "players", {}).values()
        if not all(isinstance(system, System) and system.reproducible for system in systems):
            return []
        found = [system.model.api.engine() for system in systems if hasattr(system.model.api, "engine")]
        return list({id(engine): engine for engine in found}.values())

    async def _stream(self) -> None:
        queues: Queues = [asyncio.Queue(JUDGE_BATCH) for _ in self.judges]
        async with asyncio.TaskGroup() as group:
            judging = [
                group.create_task(self._judge_loop(judge, queue))
                for judge, queue in zip(self.judges, queues, strict=True)
            ]
            await self._feed(queues)
            for queue in queues:
                await queue.join()
            for task in judging:
                task.cancel()

    async def _catch_up(self, queues: Queues) -> None:
        """Hand over the transcripts on disk that some judge has not seen."""
        unjudged = self.done.unjudged()
        if not unjudged.any():
            return
        for transcript in self.record.transcripts():
            if self.stopping or self.error:
                return
            if transcript.case.index < self.count and unjudged[transcript.case.index]:
                await self._hand_over(transcript, queues)

    async def _hand_over(self, transcript: Transcript, queues: Queues) -> None:
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

    async def _blocks(self, engines: Sequence[Any]) -> None:
        pulse = asyncio.create_task(self._pulse(engines))
        try:
            for start in range(0, self.count, BLOCK):
                if self.stopping or self.error:
                    return
                span = slice(start, min(start + BLOCK, self.count))
                if not self.done.all(span):
                    with _afresh(engines):
                        transcripts = await self._block(span)
                    for judge in self.judges:
                        with _afresh(engines):
                            await self._judge(judge, transcripts)
        finally:
            pulse.cancel()

    async def _pulse(self, engines: Sequence[Any]) -> None:
        """A block's cases all finish together, so meanwhile the bar shows the tokens that go into them."""
        begun = sum(engine.sampled for engine in engines)
        while True:
            await asyncio.sleep(0.5)
            self.tally.sampling(sum(engine.sampled for engine in engines) - begun)

    async def _judge(self, judge: Judge, transcripts: Sequence[Transcript]) -> None:
        """Have them judged and keep what is new, unless the session is stopping for an error."""
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

    def _seal(self) -> None:
        self.transcripts.seal()
        self.judgements.seal()

    def _stop_for(self, error: Exception) -> None:
        self.error = self.error or error

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C finishes what is in flight, the second drops it. In a thread, neither is ours."""
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
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._drop)
        self.tally.console.print(
            f"\nFinishing the cases in flight (Ctrl-C again drops them). To go on later: {self.go_on}",
            highlight=False,
            soft_wrap=True,
        )

    def _drop(self) -> None:
        """Raised by the loop, for Python's own may fall into a finalizer, which swallows it. The next is its."""
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        raise KeyboardInterrupt


@contextmanager
def _afresh(engines: Sequence[Any]) -> Iterator[None]:
    """Rounds that know nothing of what was run before, so that a run that goes on gives what it gave."""
    with ExitStack() as stack:
        for engine in engines:
            stack.enter_context(engine.rounds())
        yield
