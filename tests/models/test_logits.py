"""Logits in float32 from weights in bfloat16: where they are exact, and where the model's own stay."""

import threading

import pytest
import torch

from gadfly.models._cache import PackedBackend, PlainBackend, Prefix
from gadfly.models._likelihood import reply_logprobs
from gadfly.models._logits import LIKELIEST, OutputLayer
from tiny_models import tiny_model

PROMPT = tuple(range(1, 12))
HALF = torch.bfloat16


def anew(model, ids=PROMPT):
    """The last token's logits in double precision from what the output layer is given."""
    hidden = model.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
    return model.lm_head.weight.double() @ hidden.double()


@torch.inference_mode()
def gap(logits, exact):
    """How far the likeliest logits are off."""
    ids = exact.topk(8).indices
    return float((logits[ids].double() - exact[ids]).abs().max())


@pytest.mark.parametrize("backend", [PackedBackend, lambda model: PlainBackend(model, "a test")])
@torch.inference_mode()
def test_the_likeliest_tokens_are_not_rounded(backend):
    model = tiny_model(dtype=HALF).weights
    made, prefix = backend(model), Prefix(PROMPT)
    made.step([(prefix, len(PROMPT))])
    rounded = model(input_ids=torch.tensor([PROMPT])).logits[0, -1]
    exact = anew(model)
    assert prefix.logits.dtype == torch.float32
    assert gap(prefix.logits, exact) < 1e-4 < 1e-3 < gap(rounded, exact)


@pytest.mark.parametrize("asked", [{"temperature": 0.0}, {"temperature": 1.0}])
def test_probabilities_are_exact_after_the_first_token_too(asked):
    [[sample]] = tiny_model(dtype=HALF).generate([PROMPT], max_tokens=4, seed=1, logprobs=5, **asked)
    for said in sample.logprobs:
        first, *others = (value for _, _, value in said.top)
        steps = [(first - value) * 1024 for value in others]  # whole, were logits up to 8 in bfloat16
        assert any(abs(step - round(step)) > 0.01 for step in steps)


@torch.inference_mode()
def test_all_rows_and_only_their_likeliest_tokens_are_computed_anew():
    model = tiny_model(dtype=HALF).weights
    output = OutputLayer(model)
    with output.noting():
        logits = model(input_ids=torch.tensor([PROMPT])).logits[0]
    changed = (output.exact(logits) != logits.float()).sum(1)
    assert all(8 < count <= LIKELIEST for count in changed.tolist())


@torch.inference_mode()
def test_a_model_that_changes_its_logits_afterwards_keeps_its_own():
    model = tiny_model(dtype=HALF).weights
    output = OutputLayer(model)
    with output.noting():
        logits = model(input_ids=torch.tensor([PROMPT])).logits[0]
    assert torch.equal(output.exact(logits * 2), (logits * 2).float())


@torch.inference_mode()
def test_float32_stays_as_it_is():
    model = tiny_model().weights
    output = OutputLayer(model)
    with output.noting():
        logits = model(input_ids=torch.tensor([PROMPT])).logits[0]
    assert output.exact(logits) is logits


def test_another_threads_pass_is_not_taken_for_ours():
    model = tiny_model(dtype=HALF).weights
    output = OutputLayer(model)
    with torch.inference_mode(), output.noting():
        logits = model(input_ids=torch.tensor([PROMPT])).logits[0]
        other = threading.Thread(target=lambda: model(input_ids=torch.tensor([PROMPT[::-1]])))
        other.start()
        other.join()
    assert gap(output.exact(logits)[10], anew(model)) < 1e-4
    assert not model.lm_head._forward_pre_hooks


def test_the_likelihood_of_given_words_is_exact_too():
    local = tiny_model(dtype=HALF)
    [told] = reply_logprobs(local, [PROMPT], [ord("a"), ord("b")])
    with torch.inference_mode():
        exact = anew(local.weights).log_softmax(-1)
    assert told[0] == pytest.approx(float(exact[ord("a")]), abs=0.02)
