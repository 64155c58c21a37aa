"""The local engine: many concurrent requests, one model, full batches.

The event loop owns every decision and one worker thread runs the model, one step per hop: a step advances the
sequences being sampled by one token and, in the same forward pass, a few hundred tokens of waiting prompts.
Finished sequences leave at once and waiting ones take their place, longest first. A prompt wanted by several
samples or several requests goes through the model once.

A sample's random numbers depend on its seed alone, but in bfloat16 a token's logits depend slightly on the shape
of the batch it is computed in. `Engine.rounds()` makes that shape reproducible too.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch

from gadfly.errors import CallError, InputError
from gadfly.models._cache import Backend, Prefix, backend_for
from gadfly.models._sampling import Draw, draw, uniforms
from gadfly.models._text import Detokenizer, Vocabulary

if TYPE_CHECKING:
    from gadfly.models._local import LocalModel

__all__ = ["Delta", "Engine", "LogitsMask", "Request", "Sample", "TokenLogprob"]

PREFILL_TOKENS = 512
"""Prompt tokens per step; larger pieces gain nothing on a CPU and hold up the sequences being sampled."""
MAX_ROWS = 256
"""Sequences sampled at once; on a CPU more gain nothing."""
SHARED_FROM = 2048
"""Prompt tokens saved by not copying a prompt to each of its samples, from which on a block of their own pays."""
COMMON_HEAD = 32
"""How many first tokens two prompts must have in common for the second to start from the first's."""
KEPT_PROMPTS = 16
QUIET_TURNS = 20

Allowed = Callable[[Sequence[int]], "torch.Tensor | None"]
"""From the tokens sampled so far (none at first) to a bool tensor (V): what may come next. None: anything."""


class LogitsMask(Protocol):
    """What a sample may say. `start` is called once per sample, so that each may keep state of its own.

    What it returns runs on the engine's thread. An exception in either fails that request alone.
    """

    def start(self) -> Allowed: ...


@dataclass(frozen=True)
class Request:
    """One prompt, in token ids, and how to continue it `n` times.

    `temperature` 0 is greedy. `top_p` keeps the fewest likeliest tokens whose mass reaches it. `stop` strings
    end a sample and are not part of its text. `seed` None means fresh entropy. `logprobs` None: none; k: those of the
    chosen token and of the k likeliest. A prompt shorter than the model's limit may ask for more tokens than
    remain; the sample then ends with finish "length" at the limit.
    """

    prompt: tuple[int, ...]
    n: int = 1
    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: int | None = None
    mask: LogitsMask | None = None

    def __post_init__(self) -> None:
        checks = (
            ("prompt", len(self.prompt) > 0, "at least one token"),
            ("n", self.n >= 1, "at least 1"),
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("temperature", 0 <= self.temperature < float("inf"), "a finite number from 0 on"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("stop", all(self.stop), "free of empty strings"),
            ("logprobs", self.logprobs is None or self.logprobs >= 0, "None or at least 0"),
        )
        for name, holds, rule in checks:
            if not holds:
                raise InputError(f"{name} must be {rule}, got {getattr(self, name)!r}.")


@dataclass(frozen=True)
class TokenLogprob:
    """One sampled token under the model's own distribution: temperature 1, before mask and top_p, in nats.

    `top` holds (id, text, logprob) of the likeliest tokens. `bytes` is None where the tokenizer does not tell.
    """

    token: int
    text: str
    bytes: bytes | None
    logprob: float
    top: tuple[tuple[int, str, float], ...] = ()


@dataclass(frozen=True)
class Sample:
    """One continuation. `tokens` are all that were sampled, without the one that ends a reply.

    `finish` is "length" when cut at max_tokens or at the model's limit. After a stop string `text` ends before
    it while `tokens` and `logprobs` still cover it.
    """

    text: str
    tokens: tuple[int, ...]
    finish: Literal["stop", "length"]
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True)
class Delta:
    """A piece of one of the n samples of a stream; `finish` is set on its last one."""

    index: int
    text: str
    finish: Literal["stop", "length"] | None = None
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(eq=False)
class Job:
    """A request on its way. `started` samples have been given to the scheduler, `samples` are done."""

    request: Request
    order: int
    seed: int
    max_tokens: int
    done: asyncio.Future[list[Sample]]
    deltas: asyncio.Queue[Delta | BaseException | None] | None = None
    started: int = 0
    waited: int = 0
    cancelled: bool = False
    samples: dict[int, Sample] = field(default_factory=dict)


@dataclass(eq=False)
class Row:
    """One sample being made."""

    job: Job
    index: int
    prefix: Prefix
    shares: bool
    u: npt.NDArray[np.float64]
    detokenizer: Detokenizer
    allowed: Allowed | None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    text: str = ""
    sent: int = 0
    sent_logprobs: int = 0
    placed: bool = False
    stopped: bool = False
    finish: Literal["stop", "length"] | None = None
    error: BaseException | None = None

    @property
    def max_tokens(self) -> int:
        return self.job.max_tokens

    @property
    def reserved(self) -> int:
        """Tokens of context it may come to hold."""
        return self.max_tokens + (0 if self.shares else len(self.prefix.tokens))

    def accept(self, token: int, eos: frozenset[int]) -> None:
        """Take the next token and see whether it is the last."""
        if token in eos:
            self.finish = "stop"
        else:
            self.tokens.append(token)
            if self._follows:
                self._read(self.detokenizer.push(token))
            if self.finish is None and len(self.tokens) >= self.max_tokens:
                self.finish = "length"
        if self.finish is not None and not self.stopped:
            unread = [] if self._follows else self.tokens
            self._read("".join([self.detokenizer.push(t) for t in unread]) + self.detokenizer.flush())

    @property
    def _follows(self) -> bool:
        """Whether the text is needed as it grows, not only at the end."""
        return bool(self.job.request.stop) or self.job.deltas is not None

    def _read(self, new: str) -> None:
        """Append text; end at the first stop string, which may have begun in earlier text."""
        stops = self.job.request.stop
        start = max(0, len(self.text) - max(map(len, stops), default=0))
        self.text += new
        found = [at for at in (self.text.find(stop, start) for stop in stops) if at >= 0]
        if found:
            self.text, self.finish, self.stopped = self.text[: min(found)], "stop", True

    def delta(self) -> Delta | None:
        """What may be shown and has not been: all but a tail that could be the start of a stop string."""
        held = 0
        if self.finish is None:
            tails = range(1, min(len(self.text), max(map(len, self.job.request.stop), default=1) - 1) + 1)
            starts = (k for k in tails if any(s.startswith(self.text[-k:]) for s in self.job.request.stop))
            held = max(starts, default=0)
        text = self.text[self.sent : len(self.text) - held]
        logprobs = tuple(self.logprobs[self.sent_logprobs :])
        self.sent += len(text)
        self.sent_logprobs = len(self.logprobs)
        if not text and not logprobs and self.finish is None:
            return None
        return Delta(self.index, text, self.finish, logprobs)

    def sample(self) -> Sample:
        assert self.finish is not None
        return Sample(self.text, tuple(self.tokens), self.finish, tuple(self.logprobs))


class Scheduler:
    """Everything that is in the model now. Its methods run one at a time: `start` on the loop, `step` in the thread."""

    def __init__(self, backend: Backend, vocabulary: Vocabulary, eos: frozenset[int], budget: int) -> None:
        self.backend = backend
        self.vocabulary = vocabulary
        self.eos = eos
        self.budget = budget
        self.max_rows = MAX_ROWS
        self.prefill_tokens = PREFILL_TOKENS
        self.shared_from = SHARED_FROM
        self.rows: list[Row] = []
        self.prefixes: dict[tuple[int, ...], Prefix] = {}
        self.filling: list[Prefix] = []
        self.sampled = 0

    @property
    def held(self) -> int:
        """Tokens of context held or promised."""
        return sum(r.reserved for r in self.rows) + sum(len(p) for p in self.prefixes)

    def start(self, job: Job, siblings: int) -> Row | None:
        """Take in the job's next sample if there is room. `siblings`: samples of its prompt in flight or waiting."""
        prompt = job.request.prompt
        known = self.prefixes.get(prompt)
        shares = (siblings - 1) * len(prompt) >= self.shared_from or any(
            row.shares for row in self.rows if row.prefix is known
        )
        need = job.max_tokens + (0 if shares else len(prompt)) + (0 if known else len(prompt))
        if self.rows and (len(self.rows) >= self.max_rows or self.held + need > self.budget):
            return None
        prefix = known or self._begin(prompt)
        mask = job.request.mask
        row = Row(
            job,
            job.started,
            prefix,
            shares,
            uniforms(job.seed, job.started, job.max_tokens),
            self.vocabulary.detokenizer(),
            mask.start() if mask is not None else None,
        )
        self.rows.append(row)
        self.prefixes[prompt] = self.prefixes.pop(prompt)
        return row

    def _begin(self, prompt: tuple[int, ...]) -> Prefix:
        """A new prompt, starting from the longest common beginning with one that is there."""
        self._forget()
        prefix = Prefix(prompt)
        best, length = None, COMMON_HEAD - 1
        for other in self.prefixes.values():
            common = common_length(other.tokens[: other.filled], prompt[:-1])
            if common > length and other.keys:
                best, length = other, common
        if best is not None:
            prefix.start_from(best, length)
        self.prefixes[prompt] = prefix
        self.filling.append(prefix)
        return prefix

    def _forget(self) -> None:
        """Drop the prompts used longest ago that no sample needs, down to a few and an eighth of the budget."""
        used = {id(row.prefix) for row in self.rows}
        idle = [prompt for prompt, prefix in self.prefixes.items() if id(prefix) not in used]
        size = sum(map(len, idle))
        while idle and (len(idle) > KEPT_PROMPTS or size > self.budget // 8):
            size -= len(idle[0])
            del self.prefixes[idle.pop(0)]

    def reset(self) -> None:
        """Forget everything, kept prompts too."""
        self.rows.clear()
        self.prefixes.clear()
        self.filling.clear()
        self.backend.clear()

    @torch.inference_mode()
    def step(self) -> list[Row]:
        """Advance everything by a token; the rows that moved, finished ones included (they have left)."""
        self._drop([row for row in self.rows if row.job.cancelled])
        order, logits = self.backend.step(self._prefills())
        self.filling = [p for p in self.filling if p.logits is None]
        placed: list[Row] = list(order)  # type: ignore[arg-type]
        fresh = [row for row in self.rows if not row.placed and row.prefix.logits is not None]
        moved = placed + fresh
        if not moved:
            return []
        parts = [] if logits is None else [logits]
        if fresh:
            parts.append(torch.stack([row.prefix.logits for row in fresh if row.prefix.logits is not None]))
        self._sample(moved, torch.cat(parts).float())
        self.sampled += len(moved)
        self._drop([row for row in moved if row.finish or row.error])
        for row in fresh:
            if not (row.finish or row.error):
                self.backend.place(row)
                row.placed = True
        return moved

    def _prefills(self) -> list[tuple[Prefix, int]]:
        """The next pieces of prompts, up to the tokens a step may take."""
        wanted = {id(row.prefix) for row in self.rows}
        self.filling = [p for p in self.filling if id(p) in wanted]
        left, pieces = self.prefill_tokens, []
        for prefix in self.filling:
            if left <= 0:
                break
            count = min(left, len(prefix.tokens) - prefix.filled)
            pieces.append((prefix, count))
            left -= count
        return pieces

    def _drop(self, rows: list[Row]) -> None:
        for row in rows:
            self.rows.remove(row)
            if row.placed:
                self.backend.remove(row)
            if row.prefix.logits is None and row.prefix not in [r.prefix for r in self.rows]:
                self.prefixes.pop(row.prefix.tokens, None)

    def _sample(self, rows: list[Row], logits_N_V: torch.Tensor) -> None:
        """The next token of every row, its logprobs where wanted, and what that means for the row."""
        wanting = [i for i, row in enumerate(rows) if row.job.request.logprobs is not None]
        own = logits_N_V[wanting].log_softmax(-1) if wanting else None
        for i, row in enumerate(rows):
            if row.allowed is not None:
                restrict(row, logits_N_V[i])
        bad = ~torch.isfinite(logits_N_V.amax(-1))
        for i in bad.nonzero()[:, 0].tolist():
            rows[i].error = rows[i].error or CallError(
                "The model gave no finite logits; load it with dtype float32.", "bad_reply"
            )
            logits_N_V[i] = 0
        draws = [
            Draw(r.job.request.temperature, r.job.request.top_p, float(r.u[len(r.tokens)])) for r in rows
        ]
        tokens = draw(logits_N_V, draws)
        if own is not None:
            self._note(rows, wanting, own, tokens)
        for row, token in zip(rows, tokens, strict=True):
            if row.error is None:
                row.accept(token, self.eos)

    def _note(self, rows: list[Row], wanting: list[int], own: torch.Tensor, tokens: list[int]) -> None:
        """Log-probabilities of the chosen tokens and of the likeliest, where a request wants them."""
        most = min(max(rows[i].job.request.logprobs or 0 for i in wanting), own.shape[-1])
        best, ids = own.topk(most, -1)
        best_rows, id_rows = best.tolist(), ids.tolist()
        for at, i in enumerate(wanting):
            row, token = rows[i], tokens[i]
            if token in self.eos:
                continue
            k = row.job.request.logprobs or 0
            pairs = list(zip(id_rows[at][:k], best_rows[at][:k], strict=True))
            top = tuple((t, self.vocabulary.text(t), value) for t, value in pairs)
            text, raw = self.vocabulary.text(token), self.vocabulary.bytes(token)
            row.logprobs.append(TokenLogprob(token, text, raw, float(own[at, token]), top))


def restrict(row: Row, logits_V: torch.Tensor) -> None:
    """Rule out, in place, what the row's mask does not allow; its exceptions become the row's error."""
    assert row.allowed is not None
    try:
        allowed = row.allowed(tuple(row.tokens))
        if allowed is None:
            return
        if not bool(allowed.any()):
            raise CallError("The mask allows no token at all.", "rejected")
        logits_V[: len(allowed)].masked_fill_(~allowed.to(logits_V.device), float("-inf"))
        logits_V[len(allowed) :] = float("-inf")
    except Exception as error:  # whatever a caller's mask raises is that request's failure
        row.error = error


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """How many first items two sequences have in common."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


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
        loop (a network, a thread). Requests without a seed are random all the same.
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
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return job

    async def _run(self) -> None:
        """Step until there is nothing left to do."""
        loop = asyncio.get_running_loop()
        while self._waiting or self.scheduler.rows or self._round:
            if self._rounds and not self.scheduler.rows and self._round is None:
                await self._gather_round()
            self._admit()
            try:
                self._deliver(await loop.run_in_executor(self._thread, self.scheduler.step))
            except (MemoryError, torch.OutOfMemoryError) as error:
                self._out_of_memory(error)
            except RuntimeError as error:
                self._out_of_memory(error) if "memory" in str(error).lower() else self._fail_all(error)
            except Exception as error:  # a bug must reach its callers rather than leave them waiting
                self._fail_all(error)
            self._end_round()

    async def _gather_round(self) -> None:
        """Wait until no request arrives any more, then make a round of those that are there, in a set order."""
        quiet = 0
        while quiet < QUIET_TURNS:
            before = self._arrivals
            await asyncio.sleep(0)
            quiet = quiet + 1 if self._arrivals == before else 0
        self.scheduler.reset()
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
        wanted: dict[tuple[int, ...], int] = {}
        for row in self.scheduler.rows:
            wanted[row.prefix.tokens] = wanted.get(row.prefix.tokens, 0) + 1
        for job in waiting:
            wanted[job.request.prompt] = wanted.get(job.request.prompt, 0) + job.request.n - job.started
        for job in waiting:
            job.waited += 1
            if not self._start(job, wanted[job.request.prompt]):
                break
        if not in_rounds:
            self._waiting = [j for j in self._waiting if j.started < j.request.n and not finished(j)]

    def _start(self, job: Job, siblings: int) -> bool:
        """Whether all of the job's samples are in."""
        while job.started < job.request.n:
            try:
                row = self.scheduler.start(job, siblings)
            except Exception as error:  # a mask that cannot start is that request's failure
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
        return self

    def __exit__(self, *_: object) -> None:
        self._engine._rounds -= 1

    async def __aenter__(self) -> Rounds:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()
