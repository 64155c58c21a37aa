"""The local engine: many concurrent requests, one model, full batches.

The event loop owns every decision and one worker thread runs the model, one step per hop: a step advances the
sequences being sampled by one token and, in the same forward pass, a few hundred tokens of waiting prompts.
Finished sequences leave at once and waiting ones take their place, longest first. A prompt wanted by several
samples or several requests goes through the model once, and so does the head that several prompts have in common.

A sample's random numbers depend on its seed alone, but in bfloat16 a token's logits depend slightly on the shape
of the batch it is computed in. `Engine.rounds()` makes that shape reproducible too.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import weakref
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import torch

from gadfly.errors import CallError
from gadfly.models._cache import Backend, backend_for
from gadfly.models._request import Delta, Request, Sample
from gadfly.models._scheduler import Job, Row, Scheduler

if TYPE_CHECKING:
    from gadfly.models._local import LocalModel

__all__ = ["Engine"]

QUIET_TURNS = 20
"""Turns of the event loop without a new request after which a round is taken to be whole."""


class Engine:
    """Samples from one local model for everyone on one event loop. Get it with `Engine.of`."""

    def __init__(self, local: LocalModel, backend: Backend | None = None) -> None:
        self.context = local.context
        self.name = local.name
        self.scheduler = Scheduler(
            backend or backend_for(local.weights), local.vocabulary, local.eos, local.budget
        )
        self._waiting: list[Job] = []
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gadfly-engine")
        self._arrivals = 0
        self._rounds = 0
        self._afresh = False
        self._round: list[Job] | None = None

    @classmethod
    def of(cls, local: LocalModel) -> Engine:
        """The one engine for this model on the running event loop."""
        loop = asyncio.get_running_loop()
        engines = _engines.setdefault(local, weakref.WeakKeyDictionary())
        if loop not in engines:
            engines[loop] = cls(local)
        return engines[loop]

    @property
    def reason(self) -> str:
        """How sequences are run, in words."""
        return self.scheduler.backend.reason

    async def generate(self, request: Request) -> list[Sample]:
        """The n samples of a request. Cancelling the caller frees its place.

        Raises `CallError` (`context_overflow`) for a prompt that fills the model's context, and whatever the
        request's own mask raises.
        """
        job = self._submit(request, None)
        try:
            return await job.done
        finally:
            job.cancelled = not job.done.done() or job.done.cancelled()

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The n samples of a request as they grow, interleaved; each ends with a delta that has `finish`.

        Text that may be the start of a stop string, or is half a character, is held back until it is certain.
        """
        deltas: asyncio.Queue[Delta | BaseException | None] = asyncio.Queue()
        job = self._submit(request, deltas)
        try:
            while (delta := await deltas.get()) is not None:
                if isinstance(delta, BaseException):
                    raise delta
                yield delta
        finally:
            job.cancelled = not job.done.done()
            if job.done.done() and not job.done.cancelled():
                job.done.exception()

    @property
    def sampled(self) -> int:
        """Tokens sampled since the engine began: what there is to see while a round goes on."""
        return self.scheduler.sampled

    def rounds(self) -> Rounds:
        """Within it, the same requests give the same tokens, in whatever order they arrive.

        ```python
        async with engine.rounds():
            await asyncio.gather(*(engine.generate(request) for request in requests))
        ```
        Requests are taken in rounds: the next round begins when the engine is empty and no request has arrived
        for a number of turns of the event loop; it is sorted, run to its end, and answered all at once. So what is
        in a round depends only on what callers do between requests, as long as they wait for nothing outside the
        loop (a network, a thread). The first round begins with nothing kept from before, the next ones keep the
        prompts of those before them. Requests without a seed are random all the same.
        """
        return Rounds(self)

    def _submit(self, request: Request, deltas: asyncio.Queue[Any] | None) -> Job:
        room = self.context - len(request.prompt)
        if room < 1:
            raise CallError(
                f"The prompt has {len(request.prompt):,} tokens and {self.name} can hold {self.context:,}, "
                "reply included; shorten it.",
                "context_overflow",
            )
        seed = secrets.randbits(63) if request.seed is None else request.seed
        done = asyncio.get_running_loop().create_future()
        job = Job(request, self._arrivals, seed, min(request.max_tokens, room), done, deltas)
        self._arrivals += 1
        self._waiting.append(job)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return job

    async def _run(self) -> None:
        """Step until there is nothing left to do. Then nothing holds the loop, which would never be freed with it."""
        try:
            while self._waiting or self.scheduler.rows or self._round:
                if self._rounds and not self.scheduler.rows and self._round is None:
                    await self._gather_round()
                self._admit()
                await self._step()
                self._end_round()
        finally:
            self._task = None

    async def _step(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._deliver(await loop.run_in_executor(self._thread, self.scheduler.step))
        except (MemoryError, torch.OutOfMemoryError) as error:
            self._out_of_memory(error)
        except RuntimeError as error:
            self._out_of_memory(error) if "memory" in str(error).lower() else self._fail_all(error)
        except Exception as error:  # a bug must reach its callers rather than leave them waiting
            self._fail_all(error)

    async def _gather_round(self) -> None:
        """Wait until no request arrives any more, then make a round of those that are there, in a set order."""
        quiet = 0
        while quiet < QUIET_TURNS:
            before = self._arrivals
            await asyncio.sleep(0)
            quiet = quiet + 1 if self._arrivals == before else 0
        if self._afresh:
            self.scheduler.reset()
            self._afresh = False
        self._round = sorted(self._waiting, key=round_key)
        self._waiting = []

    def _end_round(self) -> None:
        """Answer a finished round all at once."""
        if self._round is None or self.scheduler.rows:
            return
        if any(job.started < job.request.n and not finished(job) for job in self._round):
            return
        jobs, self._round = self._round, None
        for job in jobs:
            self._resolve(job)

    def _admit(self) -> None:
        """Give waiting samples to the scheduler: those with the most to say first, and the longer they wait the
        sooner."""
        in_rounds = self._round is not None
        if self._rounds and not in_rounds:
            return
        queue = self._round if self._round is not None else self._waiting
        waiting = [job for job in queue if job.started < job.request.n and not finished(job)]
        waiting.sort(key=lambda job: -(job.max_tokens + 4 * job.waited))
        for job in waiting:
            job.waited += 1
            if not self._start(job):
                break
        if not in_rounds:
            self._waiting = [j for j in self._waiting if j.started < j.request.n and not finished(j)]

    def _start(self, job: Job) -> bool:
        """Whether all of the job's samples are in."""
        while job.started < job.request.n:
            try:
                row = self.scheduler.start(job)
            except Exception as error:  # a bug must reach its caller rather than leave it waiting
                self._fail(job, error)
                return True
            if row is None:
                return False
            job.started += 1
        return True

    def _deliver(self, moved: list[Row]) -> None:
        for row in moved:
            job = row.job
            if row.error is not None:
                self._fail(job, row.error)
                continue
            if job.deltas is not None and (delta := row.delta()) is not None:
                job.deltas.put_nowait(delta)
            if row.finish is not None:
                job.samples[row.index] = row.sample()
                if len(job.samples) == job.request.n and self._round is None:
                    self._resolve(job)

    def _resolve(self, job: Job) -> None:
        if not job.done.done():
            job.done.set_result([sample for _, sample in sorted(job.samples.items())])
        if job.deltas is not None:
            job.deltas.put_nowait(None)

    def _fail(self, job: Job, error: BaseException) -> None:
        job.cancelled = True
        if job.done.done():
            return
        if job.deltas is not None:
            job.deltas.put_nowait(error)
            job.done.cancel()
        else:
            job.done.set_exception(error)

    def _fail_all(self, error: Exception) -> None:
        jobs = {row.job: None for row in self.scheduler.rows}
        self.scheduler.reset()
        for job in jobs:
            self._fail(job, error)

    def _out_of_memory(self, error: BaseException) -> None:
        """Halve what may be held at once and begin again with what was in flight; give up at a single sample."""
        scheduler = self.scheduler
        rows = list(scheduler.rows)
        scheduler.reset()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(rows) <= 1:
            for row in rows:
                size = f"{len(row.prefix.tokens):,} prompt tokens and up to {row.max_tokens:,} more"
                sentence = f"{self.name} ran out of memory on a single sample ({size}); lower max_tokens."
                self._fail(row.job, CallError(sentence, "server_error"))
            return
        scheduler.max_rows = max(1, len(rows) // 2)
        scheduler.budget = max(1, scheduler.budget // 2)
        self._again([row.job for row in rows])

    def _again(self, jobs: list[Job]) -> None:
        """Put jobs back; samples that are done are made once more, and are the same."""
        for job in dict.fromkeys(jobs):
            job.started = 0
            job.samples.clear()
            if self._round is None and job not in self._waiting:
                self._waiting.append(job)


_engines: weakref.WeakKeyDictionary[
    LocalModel, weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Engine]
] = weakref.WeakKeyDictionary()


def finished(job: Job) -> bool:
    """Whether nobody waits for it any more."""
    return job.cancelled or job.done.done()


def round_key(job: Job) -> tuple[Any, ...]:
    """An order that does not depend on when a request came, except among those without a seed."""
    request = dataclasses.replace(job.request, mask=None)
    fields = tuple(repr(value) for value in dataclasses.astuple(request)[1:])
    return request.prompt, request.seed is None, fields, job.order if request.seed is None else 0


class Rounds:
    """What `Engine.rounds` returns: a context manager, plain or asynchronous; it may be nested."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Rounds:
        self._engine._rounds += 1
        self._engine._afresh = True
        return self

    def __exit__(self, *_: object) -> None:
        self._engine._rounds -= 1

    async def __aenter__(self) -> Rounds:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()
