"""What is in the model now: the samples being made, the prompts they continue, and one step for all of them.

`_engine` decides when a sample comes in and who waits for it. Here is what a step does: a token for every
sample and, in the same forward pass, the next pieces of waiting prompts; and how a sample grows into text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from gadfly.errors import CallError
from gadfly.models._cache import Backend, Prefix
from gadfly.models._request import Allowed, Delta, Request, Sample, TokenLogprob
from gadfly.models._sampling import Draw, draw, uniforms
from gadfly.models._text import Detokenizer, Vocabulary

__all__ = ["Job", "Row", "Scheduler"]

PREFILL_TOKENS = 512
"""Prompt tokens per step; larger pieces gain nothing on a CPU and hold up the sequences being sampled."""
MAX_ROWS = 256
"""Sequences sampled at once; on a CPU more gain nothing."""
SHARED_FROM = 2048
"""Tokens saved by not copying a prompt or a head to each of its samples, from which on blocks of their own pay."""
COMMON_HEAD = 32
"""How many tokens two prompts must have in common for these to be a head of their own."""
KEPT = 4
"""What part of the budget, one in so many, prompts may hold that no sample needs: the next turn may begin like them."""
FEW = 4096
"""Up to so many allowed tokens a row's logits are picked out; drawing from them costs less than from a whole row."""


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
    u: npt.NDArray[np.float64]
    detokenizer: Detokenizer
    base: Prefix | None = None
    allowed: Allowed | None = None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    text: str = ""
    sent: int = 0
    sent_logprobs: int = 0
    placed: bool = False
    stopped: bool = False
    end: int | None = None
    finish: Literal["stop", "length"] | None = None
    error: BaseException | None = None

    @property
    def max_tokens(self) -> int:
        return self.job.max_tokens

    def accept(self, token: int, eos: frozenset[int]) -> None:
        """Take the next token and see whether it is the last."""
        if token in eos:
            self.finish, self.end = "stop", token
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
        return Sample(self.text, tuple(self.tokens), self.finish, tuple(self.logprobs), self.end)


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
        coming = [(row, self._base(row.prefix)) for row in self.rows if not row.placed]
        return sum(prefix.size for prefix in self.prefixes.values()) + self.backend.held(coming)

    def start(self, job: Job) -> Row | None:
        """Take in the job's next sample if there is room."""
        if len(self.rows) >= self.max_rows:
            return None
        prefix = self._prefix(job.request.prompt)
        u = uniforms(job.seed, job.started, job.max_tokens)
        row = Row(job, job.started, prefix, u, self.vocabulary.detokenizer())
        self.rows.append(row)
        for part in prefix.chain:
            part.users += 1
            self.prefixes[part.tokens] = self.prefixes.pop(part.tokens)
        over = self.held - self.budget
        if len(self.rows) > 1 and over > self._idle():
            self._drop([row])
            return None
        self._forget(over)
        return row

    def _prefix(self, prompt: tuple[int, ...]) -> Prefix:
        """Where the prompt is, or is to be filled in."""
        prefix = self.prefixes.get(prompt)
        if prefix is None:
            self._forget(self._idle() - self.budget // KEPT)
            prefix = self.prefixes[prompt] = Prefix(
                prompt, self._head(prompt) if self.backend.splits else None
            )
            self.filling.append(prefix)
        elif prefix.full and prefix.logits is None:  # a head was split off here: its last token once more
            prefix.filled -= 1
            self.filling.append(prefix)
        return prefix

    def _head(self, prompt: tuple[int, ...]) -> Prefix | None:
        """What a new prompt may stand on: down the tree of prompts, as far as it begins like one of them."""
        head, before = None, prompt[:-1]
        while True:
            start = len(head.tokens) if head else 0
            near = [p for p in self.prefixes.values() if p.head is head and p.tokens[start] == prompt[start]]
            alike = [common_length(p.tokens[start:], before[start:]) for p in near]
            length = max(alike, default=0)
            if length == 0:
                return head
            best = near[alike.index(length)]
            if length == best.size:
                head = best
            elif length < COMMON_HEAD:
                return head
            else:
                return self._split(best, start + length)

    def _split(self, prefix: Prefix, length: int) -> Prefix:
        """Make the first `length` tokens of what is there a head."""
        known = self.prefixes.get(prefix.tokens[:length])
        if known is not None:
            return known
        head = self.prefixes[prefix.tokens[:length]] = prefix.split(length)
        if not head.full:
            self.filling.insert(self.filling.index(prefix), head)
        return head

    def _base(self, prefix: Prefix) -> Prefix | None:
        """How much of a prompt its samples read in one place: as much as it pays not to copy to each."""
        pays = [p for p in prefix.chain if (p.users - 1) * p.size >= self.shared_from]
        return pays[-1] if pays else None

    def _idle(self) -> int:
        """Tokens of the prompts that no sample needs now."""
        return sum(prefix.size for prefix in self.prefixes.values() if not prefix.users)

    def _forget(self, tokens: int) -> None:
        """Drop prompts that no sample needs, those used longest ago first and a head after all that stand on it, until
        so many tokens are gone or no such prompt is left.
        """
        while tokens > 0 and self._idle():
            heads = {id(prefix.head) for prefix in self.prefixes.values()}
            for prefix in [p for p in self.prefixes.values() if not p.users and id(p) not in heads]:
                if tokens > 0:
                    tokens -= prefix.size
                    del self.prefixes[prefix.tokens]

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
        self.filling = [p for p in self.filling if not p.full]
        placed: list[Row] = list(order)  # type: ignore[arg-type]
        fresh = [row for row in self.rows if not row.placed and row.prefix.logits is not None]
        moved = placed + fresh
        if not moved:
            return []
        parts = [] if logits is None else [logits]
        if fresh:
            parts.append(torch.stack([row.prefix.logits for row in fresh if row.prefix.logits is not None]))
        self._sample(moved, torch.cat(parts))
        self.sampled += len(moved)
        self._drop([row for row in moved if row.finish or row.error])
        for row in fresh:
            if not (row.finish or row.error):
                row.base, row.placed = self._base(row.prefix), True
                self.backend.place(row)
        return moved

    def _prefills(self) -> list[tuple[Prefix, int]]:
        """The next pieces of prompts, up to the tokens a step may take."""
        left, pieces = self.prefill_tokens, []
        for prefix in self.filling:
            if left <= 0:
                break
            if prefix.head and not prefix.head.full:
                continue
            count = min(left, len(prefix.tokens) - prefix.filled)
            pieces.append((prefix, count))
            left -= count
        return pieces

    def _drop(self, rows: list[Row]) -> None:
        for row in rows:
            self.rows.remove(row)
            if row.placed:
                self.backend.remove(row)
            for part in row.prefix.chain:
                part.users -= 1
        gone = {id(p) for p in self.filling if not p.users}
        if gone:
            self.filling = [p for p in self.filling if id(p) not in gone]
            left = [p for p in self.prefixes.values() if gone.isdisjoint(map(id, p.chain))]
            self.prefixes = {p.tokens: p for p in left}

    def _sample(self, rows: list[Row], logits_N_V: torch.Tensor) -> None:
        """The next token of every row, its logprobs where wanted, and what that means for the row."""
        wanting = [i for i, row in enumerate(rows) if row.job.request.logprobs is not None]
        own = logits_N_V[wanting].log_softmax(-1) if wanting else None
        masked = [i for i, row in enumerate(rows) if row.job.request.mask is not None]
        asked = {i: restrict(rows[i], logits_N_V[i]) for i in masked}
        few = {i: ids for i, ids in asked.items() if ids is not None}
        draws = [
            Draw(r.job.request.temperature, r.job.request.top_p, float(r.u[len(r.tokens)])) for r in rows
        ]
        tokens = draw(logits_N_V, draws, few)
        for row, token in zip(rows, tokens, strict=True):
            if token is None:
                row.error = row.error or CallError(
                    "The model gave no finite logits; load it with dtype float32.", "bad_reply"
                )
        if own is not None:
            self._note(rows, wanting, own, tokens)
        for row, token in zip(rows, tokens, strict=True):
            if row.error is None and token is not None:
                row.accept(token, self.eos)

    def _note(self, rows: list[Row], wanting: list[int], own: torch.Tensor, tokens: list[int | None]) -> None:
        """Log-probabilities of the chosen tokens and of the likeliest, where a request wants them."""
        most = min(max(rows[i].job.request.logprobs or 0 for i in wanting), own.shape[-1])
        best, ids = own.topk(most, -1)
        best_rows, id_rows = best.tolist(), ids.tolist()
        for at, i in enumerate(wanting):
            row, token = rows[i], tokens[i]
            if token is None or token in self.eos:
                continue
            k = row.job.request.logprobs or 0
            pairs = list(zip(id_rows[at][:k], best_rows[at][:k], strict=True))
            top = tuple((t, self.vocabulary.text(t), value) for t, value in pairs)
            text, raw = self.vocabulary.text(token), self.vocabulary.bytes(token)
            row.logprobs.append(TokenLogprob(token, text, raw, float(own[at, token]), top))


def restrict(row: Row, logits_V: torch.Tensor) -> npt.NDArray[np.integer] | None:
    """The ids that the row's mask allows, where they are few; else rule out, in place, what it does not allow.

    Its exceptions become the row's error.
    """
    mask = row.job.request.mask
    assert mask is not None
    try:
        row.allowed = row.allowed or mask.start()
        allowed = row.allowed(tuple(row.tokens))
        return None if allowed is None else keep(logits_V, allowed)
    except Exception as error:  # whatever a caller's mask raises is that request's failure
        row.error = error
        return None


def keep(logits_V: torch.Tensor, allowed: torch.Tensor) -> npt.NDArray[np.integer] | None:
    """The allowed ids where they are few; else None, and all other logits are -inf. In which of its two ways the mask
    tells what is allowed makes no difference.
    """
    told, is_bool = allowed.cpu().numpy(), allowed.dtype == torch.bool
    if (np.count_nonzero(told) if is_bool else len(told)) <= FEW:
        return checked(np.flatnonzero(told) if is_bool else told, len(logits_V))
    kept = told
    if not is_bool:
        kept = np.zeros(len(logits_V), dtype=np.bool_)
        kept[checked(told, len(logits_V))] = True
    if logits_V.is_cpu:  # NumPy does this in 30 µs for 49,000 tokens, torch in 100
        np.copyto(logits_V.numpy()[: len(kept)], -np.inf, where=~kept)
    else:
        logits_V[: len(kept)].masked_fill_(torch.from_numpy(~kept).to(logits_V.device), float("-inf"))
    logits_V[len(kept) :] = float("-inf")
    return None


def checked(ids_A: npt.NDArray[np.integer], size: int) -> npt.NDArray[np.integer]:
    """Ids that a mask allows, as they must be."""
    if len(ids_A) == 0:
        raise CallError("The mask allows no token at all.", "rejected")
    if ids_A[0] < 0 or ids_A[-1] >= size or not (ids_A[1:] > ids_A[:-1]).all():
        raise CallError(
            f"A mask's tokens must be ids from 0 on below {size:,}, ascending and each once; sort them and leave out "
            "those that the model does not have.",
            "rejected",
        )
    return ids_A


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """How many first items two sequences have in common."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
