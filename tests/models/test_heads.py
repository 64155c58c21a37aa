"""What several prompts have in common goes through the model once, is held once, and changes no token."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.models import _cache, _scheduler
from gadfly.models._engine import Engine
from gadfly.models._request import Request, Sample
from gadfly.models._scheduler import Job, Scheduler
from tiny_models import CONFIGS, tiny_model

pytestmark = pytest.mark.anyio
cached = functools.cache(tiny_model)


def said(length: int, seed: int = 0) -> tuple[int, ...]:
    return tuple(int(t) for t in np.random.default_rng(seed).integers(0, 256, length))


HEAD = said(80)
SECOND = HEAD + said(40, 1)
PROMPTS = [HEAD + said(20 + i, 10 + i) for i in range(4)] + [SECOND + said(9 + i, 20 + i) for i in range(3)]
REQUESTS = [
    Request(p, n=1 + i % 2, max_tokens=12, temperature=i % 2, seed=i, top_p=0.9)
    for i, p in enumerate([*PROMPTS, HEAD, said(30, 99)])
]
OWN_TOKENS = 80 + 40 + sum(20 + i for i in range(4)) + sum(9 + i for i in range(3))


class Counting:
    """A backend that counts the prompt tokens that go through the model."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.prefilled = inner, 0

    def step(self, prefills: Any) -> Any:
        self.prefilled += sum(count for _, count in prefills)
        return self.inner.step(prefills)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


async def together(engine: Engine, requests: list[Request]) -> list[list[Sample]]:
    return await asyncio.gather(*(engine.generate(request) for request in requests))


async def alone(kind: str, requests: list[Request]) -> list[list[Sample]]:
    return [await Engine(cached(kind)).generate(request) for request in requests]


@pytest.mark.parametrize("shared_from", [0, 200, 1 << 20])
@pytest.mark.parametrize("kind", CONFIGS)
async def test_prompts_with_common_heads_give_the_tokens_each_gives_alone(
    kind: str, shared_from: int
) -> None:
    engine = Engine(cached(kind))
    engine.scheduler.shared_from, engine.scheduler.prefill_tokens = shared_from, 33
    assert await together(engine, REQUESTS) == await alone(kind, REQUESTS)


async def test_a_common_head_goes_through_the_model_once() -> None:
    counted = Counting(_cache.backend_for(cached("llama").weights))
    engine = Engine(cached("llama"), counted)
    await together(engine, [Request(p, max_tokens=4) for p in PROMPTS])
    assert counted.prefilled == OWN_TOKENS


async def test_a_common_head_is_held_once_and_not_copied_where_that_pays() -> None:
    engine = Engine(cached("llama"))
    engine.scheduler.shared_from = 200
    for prompt in PROMPTS[:4]:
        engine.scheduler.start(job(prompt))
    assert engine.scheduler.held == 80 + sum(20 + i for i in range(4)) + 4 * _cache.slot_size(20 + 5)


async def test_what_is_held_is_what_memory_is_taken_up_for() -> None:
    """A row that ended leaves its slot to the next one; a head that was split off keeps nothing alive but itself."""
    with torch.inference_mode():
        engine = Engine(cached("llama"))
        scheduler, backend = engine.scheduler, engine.scheduler.backend
        rows = [scheduler.start(job(said(60, 4), 40)) for _ in range(4)]
        scheduler.step()
        scheduler.step()
        assert scheduler.held == 60 + 4 * _cache.slot_size(100)
        scheduler._drop([row for row in rows[1:] if row])
        assert scheduler.held == 60 + 4 * _cache.slot_size(100)
        scheduler.start(job(said(60, 4), 40))
        assert scheduler.held == 60 + 4 * _cache.slot_size(100)
        scheduler._drop(list(scheduler.rows))
        assert scheduler.held == 60 == scheduler._idle()
        assert isinstance(backend, _cache.PackedBackend)
        [prompt] = scheduler.prefixes.values()
        head = prompt.split(20)
        assert all(
            key.untyped_storage().nbytes() == key.nbytes
            for key in [*head.keys.values(), *prompt.keys.values()]
        )


@given(st.integers(1, 1 << 16))
def test_a_slot_has_room_and_little_more(tokens: int) -> None:
    assert tokens <= _cache.slot_size(tokens) <= tokens + max(15, tokens / 8)


def job(prompt: tuple[int, ...], max_tokens: int = 5) -> Job:
    return Job(Request(prompt, max_tokens=max_tokens), 0, 0, max_tokens, asyncio.Future())


@pytest.mark.parametrize("kind", CONFIGS)
async def test_a_kept_prompt_is_split_where_the_next_one_leaves_it(kind: str) -> None:
    counted = Counting(_cache.backend_for(cached(kind).weights))
    engine = Engine(cached(kind), counted)
    replies = [await engine.generate(request) for request in REQUESTS]
    assert replies == await alone(kind, REQUESTS)
    assert (
        counted.prefilled == OWN_TOKENS + 1 + 30
    )  # the last token of HEAD once more, and what is unlike all


@pytest.mark.parametrize("steps", range(1, 6))
async def test_a_head_outlives_the_request_that_brought_it(steps: int) -> None:
    engine = Engine(cached("gemma3"))
    engine.scheduler.prefill_tokens = 33
    engine.scheduler.backend = backend = Leaving(engine.scheduler.backend, steps)
    backend.leave = asyncio.create_task(engine.generate(Request(PROMPTS[0], max_tokens=300))).cancel
    await asyncio.sleep(0)
    assert await together(engine, REQUESTS[1:]) == await alone("gemma3", REQUESTS[1:])
    assert backend.left == 0


class Leaving(Counting):
    """A backend in whose step `left` someone leaves."""

    def __init__(self, inner: Any, left: int) -> None:
        super().__init__(inner)
        self.left, self.loop = left, asyncio.get_running_loop()
        self.leave: Callable[[], object] = bool

    def step(self, prefills: Any) -> Any:
        self.left = max(0, self.left - 1)
        if self.left == 0:
            self.loop.call_soon_threadsafe(self.leave)
        return super().step(prefills)


async def test_a_request_that_does_not_fit_leaves_the_heads_as_they_are() -> None:
    engine = Engine(cached("llama"))
    engine.scheduler.budget = 300
    assert await together(engine, REQUESTS) == await alone("llama", REQUESTS)


@pytest.mark.parametrize("order", range(3))
async def test_in_rounds_prompts_with_common_heads_may_come_in_any_order(order: int) -> None:
    local = cached("llama")
    shuffled = random.Random(order).sample(REQUESTS, len(REQUESTS))
    engine = Engine(local)
    async with engine.rounds():
        first = await together(engine, REQUESTS)
        tree = shape(engine.scheduler)
    async with engine.rounds():
        second = await together(engine, shuffled)
    assert shape(engine.scheduler) == tree
    assert [second[shuffled.index(request)] for request in REQUESTS] == first


async def test_a_round_goes_on_from_the_prompts_of_those_before_it() -> None:
    engine = Engine(cached("llama"))
    engine.scheduler.backend = backend = Counting(engine.scheduler.backend)
    async with engine.rounds():
        await together(engine, [Request(HEAD, max_tokens=4, seed=0)])
        before = backend.prefilled
        [[found]] = await together(engine, [Request(SECOND, max_tokens=9, temperature=0)])
    assert backend.prefilled - before == 40
    assert [[found]] == await alone("llama", [Request(SECOND, max_tokens=9, temperature=0)])
    async with engine.rounds():
        before = backend.prefilled
        await together(engine, [Request(SECOND, max_tokens=4, seed=0)])
    assert backend.prefilled - before == len(SECOND)


async def test_kept_prompts_make_room_for_those_that_are_needed() -> None:
    engine = Engine(cached("llama"))
    engine.scheduler.budget = 400
    await together(engine, [Request(said(90, 50 + n), max_tokens=4, seed=0) for n in range(3)])
    assert engine.scheduler._idle() > 0
    wide = [Request(said(150, 60 + n), max_tokens=30, temperature=0) for n in range(2)]
    assert await together(engine, wide) == await alone("llama", wide)
    assert engine.scheduler.held <= 400


def shape(scheduler: Scheduler) -> list[tuple[int, int]]:
    return [(p.offset, len(p.tokens)) for p in scheduler.prefixes.values()]


words = st.lists(st.sampled_from([said(40, 1), said(40, 2), said(7, 3), said(7, 4)]), min_size=1, max_size=5)


@given(st.lists(st.tuples(words, st.booleans()), min_size=1, max_size=12))
@settings(max_examples=150)
def test_whatever_comes_and_goes_every_prompt_is_whole_and_no_long_beginning_is_there_twice(
    asked: Any,
) -> None:
    backend: Any = SimpleNamespace(splits=True, held=lambda coming: 0)
    vocabulary: Any = SimpleNamespace(detokenizer=str)
    scheduler = Scheduler(backend, vocabulary, frozenset(), 1 << 20)
    loop = asyncio.new_event_loop()
    for parts, leaves in asked:
        request = Request(sum(parts, ()), max_tokens=5)
        row = scheduler.start(Job(request, 0, 0, 5, loop.create_future()))
        assert row is not None
        if leaves:
            scheduler._drop([row])
    loop.close()
    check_tree(scheduler)


def check_tree(scheduler: Scheduler) -> None:
    """Each prompt is its chain; users are counted; no two parts of one head begin alike for long."""
    parts = list(scheduler.prefixes.values())
    for row in scheduler.rows:
        assert sum((p.tokens[p.offset :] for p in row.prefix.chain), ()) == row.job.request.prompt
        assert all(scheduler.prefixes[p.tokens] is p for p in row.prefix.chain)
    for part in parts:
        assert part.users == sum(part in row.prefix.chain for row in scheduler.rows) > 0
        assert part.size > 0
        assert part in scheduler.filling
        for other in parts:
            if other is not part and other.head is part.head:
                own, its = part.tokens[part.offset : -1], other.tokens[other.offset : -1]
                assert _scheduler.common_length(own, its) < _scheduler.COMMON_HEAD
