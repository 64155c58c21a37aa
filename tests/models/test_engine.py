"""The engine on tiny random models: the same tokens as transformers, and every setting kept."""

from __future__ import annotations

import asyncio
import functools
import gc
import random
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.errors import CallError, InputError
from gadfly.models import _cache
from gadfly.models._engine import Engine
from gadfly.models._local import LocalModel
from gadfly.models._request import Delta, Request, Sample
from gadfly.models._sampling import Draw, draw, uniforms
from gadfly.models._scheduler import FEW, keep
from gadfly.models._text import Vocabulary, _Asking
from tiny_models import CONFIGS, tiny_model, tiny_tokenizer

pytestmark = pytest.mark.anyio

EOS = 257
cached = functools.cache(tiny_model)


def prompt(length: int, seed: int = 0) -> tuple[int, ...]:
    return tuple(int(t) for t in np.random.default_rng(seed).integers(0, 256, length))


def greedy(local: LocalModel, tokens: Sequence[int], count: int) -> tuple[int, ...]:
    ids = torch.tensor([list(tokens)])
    out = local.weights.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False
    )
    new = out[0, len(tokens) :].tolist()
    return tuple(new[: new.index(EOS)] if EOS in new else new)


async def ask(local: LocalModel, *requests: Request) -> list[list[Sample]]:
    engine = Engine.of(local)
    return await asyncio.gather(*(engine.generate(request) for request in requests))


@pytest.mark.parametrize("kind", CONFIGS)
async def test_greedy_tokens_are_those_of_transformers_even_beyond_a_sliding_window(kind: str) -> None:
    local = cached(kind)
    prompts = [prompt(n) for n in (1, 5, 13, 40, 100)]
    replies = await ask(local, *(Request(p, max_tokens=20, temperature=0) for p in prompts))
    assert [reply[0].tokens for reply in replies] == [greedy(local, p, 20) for p in prompts]


@pytest.mark.parametrize("kind", CONFIGS)
async def test_samples_that_share_one_prefilled_prompt_are_those_of_transformers(kind: str) -> None:
    local = cached(kind)
    engine = Engine(local)
    engine.scheduler.shared_from = 0
    reply = await engine.generate(Request(prompt(40), n=6, max_tokens=20, temperature=0))
    assert {sample.tokens for sample in reply} == {greedy(local, prompt(40), 20)}


async def test_a_prompt_is_prefilled_once_for_several_requests_and_later_ones() -> None:
    counted = Counting(_cache.backend_for(cached("llama").weights))
    engine = Engine(cached("llama"), counted)
    request = Request(prompt(40), n=3, max_tokens=3, seed=0)
    first = await asyncio.gather(engine.generate(request), engine.generate(request))
    assert await engine.generate(request) == first[0] == first[1]
    assert counted.prefilled == 40


class Counting:
    """A backend that counts prompt tokens."""

    def __init__(self, inner: _cache.Backend) -> None:
        self.inner, self.prefilled, self.reason = inner, 0, "counted"

    def step(self, prefills: Any) -> Any:
        self.prefilled += sum(count for _, count in prefills)
        return self.inner.step(prefills)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize("kind", CONFIGS)
async def test_a_prompt_may_start_from_the_kept_beginning_of_another(kind: str) -> None:
    local = cached(kind)
    first, second = prompt(60), prompt(45) + prompt(20, seed=1)
    await ask(local, Request(first, max_tokens=2))
    [reply] = await ask(local, Request(second, max_tokens=20, temperature=0))
    assert Engine.of(local).scheduler.prefixes[second].tokens == second
    assert reply[0].tokens == greedy(local, second, 20)


async def test_a_long_prompt_goes_through_in_pieces() -> None:
    local = cached("gemma3")
    engine = Engine(local)
    engine.scheduler.prefill_tokens = 16
    [reply] = await engine.generate(Request(prompt(100), max_tokens=10, temperature=0))
    assert reply.tokens == greedy(local, prompt(100), 10)


async def test_more_requests_than_rows_wait_for_a_place_and_all_are_answered() -> None:
    local = cached("llama")
    engine = Engine(local)
    engine.scheduler.max_rows = 3
    requests = [Request(prompt(5 + i), max_tokens=2 + i, temperature=0) for i in range(10)]
    replies = await asyncio.gather(*(engine.generate(r) for r in requests))
    assert [r[0].tokens for r in replies] == [greedy(local, r.prompt, r.max_tokens) for r in requests]


async def test_an_architecture_without_replaceable_attention_still_gives_the_same_tokens() -> None:
    local = cached("llama")
    engine = Engine(local, _cache.PlainBackend(local.weights, "a test says so"))
    replies = await asyncio.gather(
        *(engine.generate(Request(prompt(n), n=2, max_tokens=8, temperature=0)) for n in (3, 30))
    )
    assert [r[1].tokens for r in replies] == [greedy(local, prompt(n), 8) for n in (3, 30)]


async def test_a_model_that_fails_the_packed_trial_runs_plainly_and_says_why() -> None:
    local = tiny_model("llama")
    local.weights.register_forward_hook(
        lambda _, __, out: setattr(out, "logits", torch.rand_like(out.logits) * 9)
    )
    assert "other probabilities" in _cache.backend_for(local.weights).reason


async def test_the_same_seed_gives_the_same_samples_and_each_of_n_its_own() -> None:
    request = Request(prompt(9), n=4, max_tokens=12, seed=5)
    first, again = await ask(cached("llama"), request, request)
    assert first == again
    assert len({sample.tokens for sample in first}) == 4


async def test_a_sample_does_not_depend_on_how_many_are_drawn_beside_it() -> None:
    one, many = (Request(prompt(9), n=n, max_tokens=12, seed=5) for n in (1, 3))
    alone, beside = await ask(cached("llama"), one, many)
    assert alone[0].tokens == beside[0].tokens


async def test_without_a_seed_two_requests_differ() -> None:
    request = Request(prompt(9), max_tokens=12)
    first, second = await ask(cached("llama"), request, request)
    assert first[0].tokens != second[0].tokens


async def test_a_stop_string_ends_the_text_before_it_and_the_end_token_leaves_no_trace() -> None:
    local = cached("llama")
    [[whole]] = await ask(local, Request(prompt(9), max_tokens=40, seed=1))
    stop = whole.text[5:7]
    [[cut]] = await ask(local, Request(prompt(9), max_tokens=40, seed=1, stop=(stop,)))
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish == "stop"


async def test_max_tokens_and_the_models_limit_cut_with_finish_length() -> None:
    local = cached("llama")
    ban = Banned(EOS)
    short, full = await ask(
        local, Request(prompt(9), max_tokens=3, mask=ban), Request(prompt(508), max_tokens=99, mask=ban)
    )
    assert (len(short[0].tokens), short[0].finish) == (3, "length")
    assert (len(full[0].tokens), full[0].finish) == (4, "length")


async def test_a_prompt_that_fills_the_context_is_refused_with_both_lengths() -> None:
    with pytest.raises(CallError, match="600 tokens and tiny-llama can hold 512") as caught:
        await ask(cached("llama"), Request(prompt(600)))
    assert caught.value.cause == "context_overflow"


@pytest.mark.parametrize(
    "wrong",
    [{"n": 0}, {"max_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"stop": ("",)}, {"logprobs": -1}],
)
async def test_a_setting_out_of_range_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Request(prompt(3), **wrong)


async def test_logprobs_are_the_models_own_whatever_the_sampling() -> None:
    local = cached("llama")
    request = Request(
        prompt(9), max_tokens=4, temperature=0.5, top_p=0.5, seed=2, logprobs=3, mask=Banned(65)
    )
    [[sample]] = await ask(local, request)
    with torch.inference_mode():
        logits = local.weights(torch.tensor([request.prompt + sample.tokens])).logits[0, 8:-1].float()
    own = logits.log_softmax(-1)
    assert [t.token for t in sample.logprobs] == list(sample.tokens)
    assert [t.logprob for t in sample.logprobs] == pytest.approx(
        [float(own[i, t]) for i, t in enumerate(sample.tokens)], abs=1e-4
    )
    assert [i for i, _, _ in sample.logprobs[0].top] == own[0].topk(3).indices.tolist()


class Banned:
    """A mask that rules out some tokens everywhere."""

    def __init__(self, *tokens: int) -> None:
        self.allowed = torch.ones(260, dtype=torch.bool)
        self.allowed[list(tokens)] = False

    def start(self) -> Any:
        return lambda tokens: self.allowed


class Alphabet:
    """A mask under which the i-th token is the i-th letter; keeps count per sample."""

    def start(self) -> Any:
        def allowed(tokens: Sequence[int]) -> torch.Tensor:
            return torch.nn.functional.one_hot(torch.tensor(97 + len(tokens)), 260).bool()

        return allowed


class Broken:
    def start(self) -> Any:
        def allowed(tokens: Sequence[int]) -> torch.Tensor:
            raise KeyError("mask") if tokens else ValueError("at once")

        return allowed


async def test_a_mask_decides_what_may_be_said() -> None:
    tokens = tuple(range(97, 103))
    [[sample]] = await ask(cached("llama"), Request(prompt(4), max_tokens=6, mask=Alphabet()))
    assert sample.tokens == tokens


async def test_a_mask_that_raises_or_allows_nothing_fails_its_own_request_only() -> None:
    engine = Engine.of(cached("llama"))
    good = Request(prompt(4), max_tokens=6, temperature=0)
    bad, empty = Request(prompt(4), mask=Broken()), Request(prompt(4), mask=Banned(*range(260)))
    results = await asyncio.gather(*(engine.generate(r) for r in (good, bad, empty)), return_exceptions=True)
    assert isinstance(results[0], list)
    assert isinstance(results[1], ValueError)
    assert isinstance(results[2], CallError)
    assert "allows no token" in str(results[2])


class Told:
    """A mask that allows what `ids` says of each token of a sample, told as ids or as a bool tensor."""

    def __init__(self, ids: Callable[[int], Sequence[int]], as_ids: bool) -> None:
        self.ids, self.as_ids = ids, as_ids

    def start(self) -> Any:
        def allowed(tokens: Sequence[int]) -> torch.Tensor:
            ids = torch.tensor(self.ids(len(tokens)), dtype=torch.int32)
            return ids if self.as_ids else torch.zeros(256, dtype=torch.bool).index_fill_(0, ids.long(), True)

        return allowed


@pytest.mark.parametrize("settings", [{}, {"top_p": 0.7}, {"temperature": 0.6}, {"temperature": 0}])
async def test_a_mask_that_tells_ids_gives_the_tokens_of_one_that_tells_a_bool_tensor(settings: Any) -> None:
    told = [Told(lambda at: range(at % 7, 250, 1 + 11 * at % 40), as_ids) for as_ids in (True, False)]
    requests = [
        Request(prompt(9), n=4, max_tokens=20, seed=5, logprobs=2, mask=mask, **settings) for mask in told
    ]
    ids, booleans = await ask(cached("llama"), *requests)
    assert ids == booleans


async def test_a_bool_tensor_with_more_tokens_than_the_model_fails_its_own_request_only() -> None:
    engine = Engine.of(cached("llama"))
    mask = Banned(0)
    mask.allowed = torch.arange(300) > 298
    asked = [engine.generate(Request(prompt(4), max_tokens=3, mask=given)) for given in (mask, None)]
    bad, good = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(bad, CallError) and isinstance(good, list)


@pytest.mark.parametrize("wrong", [[], [3, 2], [3, 3], [-1, 3], [3, 260]])
async def test_ids_that_are_none_or_out_of_order_fail_their_own_request_only(wrong: list[int]) -> None:
    engine = Engine.of(cached("llama"))
    masks = Told(lambda _: wrong, True), Told(lambda _: [3, 4], True)
    asked = [engine.generate(Request(prompt(4), max_tokens=3, mask=mask)) for mask in masks]
    bad, good = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(bad, CallError) and bad.cause == "rejected"
    assert isinstance(good, list)


async def test_a_cancelled_caller_frees_its_place() -> None:
    engine = Engine(cached("llama"))
    doomed = asyncio.create_task(engine.generate(Request(prompt(9), n=5, max_tokens=400, mask=Banned(EOS))))
    await engine.generate(Request(prompt(7), max_tokens=2))
    doomed.cancel()
    await engine.generate(Request(prompt(8), max_tokens=2))
    assert not engine.scheduler.rows


async def collect(engine: Engine, request: Request) -> list[Delta]:
    return [delta async for delta in engine.stream(request)]


async def test_a_stream_adds_up_to_the_samples() -> None:
    engine = Engine.of(cached("llama"))
    request = Request(prompt(9), n=3, max_tokens=30, seed=4, logprobs=1)
    deltas, samples = await collect(engine, request), await engine.generate(request)
    for index, sample in enumerate(samples):
        own = [delta for delta in deltas if delta.index == index]
        assert "".join(delta.text for delta in own) == sample.text
        assert sum((delta.logprobs for delta in own), ()) == sample.logprobs
        assert [delta.finish for delta in own][-1] == sample.finish


async def test_a_stream_never_shows_the_beginning_of_a_stop_string() -> None:
    engine = Engine.of(cached("llama"))
    deltas = await collect(engine, Request(prompt(9), max_tokens=8, mask=Alphabet(), stop=("cde", "gx")))
    assert [delta.text for delta in deltas] == ["a", "b", ""]
    assert deltas[-1].finish == "stop"


async def test_a_stream_that_is_left_early_frees_its_place() -> None:
    engine = Engine(cached("llama"))
    stream = engine.stream(Request(prompt(9), max_tokens=400, mask=Banned(EOS, *range(128, 260))))
    async for _ in stream:
        break
    await stream.aclose()  # type: ignore[attr-defined]
    await engine.generate(Request(prompt(8), max_tokens=3))
    assert not engine.scheduler.rows


async def test_a_streams_failure_reaches_its_reader() -> None:
    with pytest.raises(ValueError, match="at once"):
        await collect(Engine.of(cached("llama")), Request(prompt(9), mask=Broken()))


class Short:
    """A backend that runs out of memory as long as more than `most` rows are placed."""

    def __init__(self, inner: _cache.Backend, most: int) -> None:
        self.inner, self.most, self.placed, self.reason = inner, most, 0, "short of memory"
        self.splits = inner.splits

    def step(self, prefills: Any) -> Any:
        if self.placed > self.most:
            raise MemoryError
        return self.inner.step(prefills)

    def place(self, row: Any) -> None:
        self.placed += 1
        self.inner.place(row)

    def remove(self, row: Any) -> None:
        self.placed -= 1
        self.inner.remove(row)

    def held(self, coming: Any) -> int:
        return self.inner.held(coming)

    def clear(self) -> None:
        self.placed = 0
        self.inner.clear()


async def test_running_out_of_memory_halves_the_batch_and_loses_nothing() -> None:
    local = cached("llama")
    engine = Engine(local, Short(_cache.backend_for(local.weights), 3))
    requests = [Request(prompt(5 + i), max_tokens=6, temperature=0) for i in range(9)]
    replies = await asyncio.gather(*(engine.generate(r) for r in requests))
    assert [r[0].tokens for r in replies] == [greedy(local, r.prompt, 6) for r in requests]
    assert engine.scheduler.max_rows <= 4


async def test_running_out_of_memory_on_one_sample_is_a_sentence() -> None:
    local = cached("llama")
    engine = Engine(local, Short(_cache.backend_for(local.weights), 0))
    with pytest.raises(CallError, match=r"ran out of memory on a single sample.*lower max_tokens"):
        await engine.generate(Request(prompt(5), max_tokens=6, mask=Banned(EOS)))


async def test_a_bug_in_a_step_reaches_every_caller_and_the_engine_goes_on() -> None:
    local = cached("llama")
    engine = Engine(local)
    good, engine.scheduler.eos = engine.scheduler.eos, None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        await engine.generate(Request(prompt(5)))
    engine.scheduler.eos = good
    assert await engine.generate(Request(prompt(5), max_tokens=2))


async def chains(engine: Engine, seeds: list[int]) -> dict[int, Any]:
    """For each seed a request and a follow-up made of its reply, started in the given order."""

    async def chain(seed: int) -> Any:
        first = await engine.generate(
            Request(prompt(5 + seed % 7, seed % 5), max_tokens=8 + seed % 9, seed=seed)
        )
        follow = prompt(4) + first[0].tokens
        return first, await engine.generate(
            Request(follow, n=1 + seed % 3, max_tokens=10, seed=seed, top_p=0.9)
        )

    replies = await asyncio.gather(*(chain(seed) for seed in seeds))
    return dict(zip(seeds, replies, strict=True))


async def in_rounds(engine: Engine, seeds: list[int]) -> dict[int, Any]:
    async with engine.rounds():
        return await chains(engine, seeds)


class Sensitive:
    """A backend whose logits depend on the batch far more than bfloat16's do: on its size and each row's place."""

    def __init__(self, inner: _cache.Backend) -> None:
        self.inner, self.reason = inner, "sensitive"

    def step(self, prefills: Any) -> Any:
        rows, logits = self.inner.step(prefills)
        if logits is not None:
            logits = logits + torch.randn(logits.shape, generator=torch.Generator().manual_seed(len(rows)))
        return rows, logits

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


FORWARD = list(range(40))
SHUFFLED = random.Random(1).sample(FORWARD, 40)


def sensitive() -> Engine:
    local = cached("llama", torch.bfloat16)
    return Engine(local, Sensitive(_cache.backend_for(local.weights)))


async def test_in_rounds_the_order_of_arrival_changes_nothing() -> None:
    assert await in_rounds(sensitive(), FORWARD) == await in_rounds(sensitive(), SHUFFLED)


async def test_in_rounds_the_second_time_is_like_the_first() -> None:
    engine = sensitive()
    assert await in_rounds(engine, FORWARD) == await in_rounds(engine, SHUFFLED)


async def test_without_rounds_such_a_model_gives_other_tokens() -> None:
    assert await chains(sensitive(), FORWARD) != await chains(sensitive(), SHUFFLED)


async def test_rounds_on_smollm2_are_reproducible_too() -> None:
    engine = Engine(smollm2())
    forward, shuffled = list(range(12)), random.Random(1).sample(range(12), 12)
    assert await in_rounds(engine, forward) == await in_rounds(engine, shuffled)


def smollm2() -> LocalModel:
    from gadfly.models._weights import Shelf, is_complete

    shelf = Shelf()
    if not is_complete(shelf._converted(shelf.models[0])):
        pytest.skip("SmolLM2 is not in the cache; `gadfly audit gadfly/smollm2` fetches it")
    return LocalModel.load("smollm2")


logit_rows = st.lists(st.floats(-8, 8), min_size=2, max_size=40)


@given(logit_rows, st.floats(0.05, 1.0), st.floats(0, 0.999))
@settings(max_examples=60)
def test_a_drawn_token_lies_in_the_nucleus(logits: list[float], top_p: float, u: float) -> None:
    [token] = draw(torch.tensor([logits]), [Draw(1.0, top_p, u)])
    probabilities = torch.tensor(logits).double().softmax(-1)
    likelier = float(probabilities[probabilities > probabilities[token] + 1e-6].sum())
    assert likelier < top_p + 1e-5


@pytest.mark.parametrize("top_p", [1.0, 0.97, 0.4])
def test_draws_follow_the_distribution_also_where_the_candidates_do_not_suffice(top_p: float) -> None:
    size, draws = 2000, 4000
    probabilities = torch.arange(size, 0, -1).double() / (size * (size + 1) / 2)
    logits = probabilities.log().float().expand(draws, -1).clone()
    tokens = np.array(draw(logits, [Draw(1.0, top_p, float(u)) for u in uniforms(7, 0, draws)]))
    kept = int((probabilities.cumsum(0) < top_p).sum()) + 1
    expected = float((probabilities[:kept] * torch.arange(kept)).sum() / probabilities[:kept].sum())
    assert tokens.max() < kept
    assert tokens.mean() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("top_p", [1.0, 0.9, 0.3])
@pytest.mark.parametrize("temperature", [0, 0.5, 1.0])
def test_a_draw_from_few_ids_is_that_from_the_whole_row_with_all_others_ruled_out(
    top_p: float, temperature: float
) -> None:
    rng, draws = np.random.default_rng(3), [Draw(temperature, top_p, float(u)) for u in uniforms(3, 0, 200)]
    logits = torch.from_numpy(rng.normal(0, 3, (200, 3000)).astype(np.float32))
    few = {i: np.sort(rng.choice(3000, 1 + i * 7, replace=False)) for i in range(200)}
    masked = torch.full_like(logits, float("-inf"))
    for i, ids in few.items():
        masked[i, ids] = logits[i, ids]
    assert draw(logits, draws, few) == draw(masked, draws)


@pytest.mark.parametrize("count", [3, FEW, FEW + 1, 2 * FEW])
@pytest.mark.parametrize("longer", [0, 5])
def test_ids_and_a_bool_tensor_rule_out_the_same(count: int, longer: int) -> None:
    ids = torch.randperm(2 * FEW + 9, generator=torch.Generator().manual_seed(count))[:count].sort()[0]
    told = torch.zeros(2 * FEW + 9, dtype=torch.bool).index_fill_(0, ids, True)
    rows = torch.zeros(2, len(told) + longer)
    few = [keep(row, allowed) for row, allowed in zip(rows, (ids, told), strict=True)]
    if count <= FEW:
        assert all(np.array_equal(found, ids) for found in few) and not rows.any()
    else:
        assert few == [None, None] and all(torch.equal(row.isfinite().nonzero()[:, 0], ids) for row in rows)


def test_a_row_without_finite_logits_where_it_may_say_something_gives_nothing() -> None:
    logits = torch.tensor(
        [[0.0, float("nan")], [0.0, float("nan")], [0.0, float("nan")], [-float("inf")] * 2]
    )
    draws = [Draw(1.0, 1.0, 0.5)] * 4
    assert draw(logits, draws, {0: np.array([0]), 1: np.array([0, 1])}) == [0, None, None, None]


def test_temperature_zero_takes_the_likeliest_beside_random_rows() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [9.0, 0.0, 0.0]])
    assert draw(logits, [Draw(0, 1.0, 0.99), Draw(1.0, 1.0, 0.5)]) == [1, 0]


def test_an_event_loop_that_is_gone_takes_its_engine_along() -> None:
    local, engines = tiny_model(), list[weakref.ref[Engine]]()

    async def once() -> None:
        engine = Engine.of(local)
        engines.append(weakref.ref(engine))
        await engine.generate(Request(prompt(9), max_tokens=3))

    for _ in range(3):
        asyncio.run(once())
    until = time.monotonic() + 10
    while any(one() for one in engines) and time.monotonic() < until:
        gc.collect()  # a worker thread lets go of its last step when it comes to that
    assert [one() for one in engines] == [None] * 3


def test_half_a_character_is_held_back_until_it_is_whole() -> None:
    stream = Vocabulary(tiny_tokenizer()).detokenizer()
    assert [stream.push(token) for token in "aé€".encode()] == ["a", "", "é", "", "", "€"]
    assert (stream.push(0xE2), stream.flush()) == ("", "\N{REPLACEMENT CHARACTER}")


def test_a_tokenizer_that_must_be_asked_gives_the_same_text() -> None:
    stream = _Asking(tiny_tokenizer())
    text = "".join(stream.push(token) for token in [*"aé€ b".encode(), EOS]) + stream.flush()
    assert text == "aé€ b"


def test_an_id_beyond_the_vocabulary_says_nothing() -> None:
    vocabulary = Vocabulary(tiny_tokenizer())
    assert (vocabulary.text(259), vocabulary.decode([97, 259, EOS, 98])) == ("", "ab")
