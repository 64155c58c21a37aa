"""What a frozen trunk makes of texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fit_fakes import write_embedding_model

from gadfly.errors import GadflyError, InputError
from gadfly.judges._trunk import EmbeddingTrunk, LanguageTrunk, trunk
from tiny_models import tiny_model

TEXTS = ["hello there, you", "a", "some longer text of many bytes, and then some more", "\udcff x", "b" * 40]


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_features_are_mean_directions_in_the_residual_stream_without_the_first_token(kind: str) -> None:
    model = tiny_model(kind)
    found = LanguageTrunk(model).read(TEXTS[:3]).features_N_D
    states = model.hidden_states([model.encode(text) for text in TEXTS[:3]], layers=(1, 2))
    kept = [state[:, min(1, state.shape[1] - 1) :] for state in states]
    means = [(one / one.norm(dim=-1, keepdim=True)).mean(1).flatten().numpy() for one in kept]
    assert np.allclose(found, means, atol=1e-5)


def test_a_text_does_not_depend_on_its_neighbours() -> None:
    base = LanguageTrunk(tiny_model(dtype=torch.bfloat16))
    together = base.read(TEXTS).features_N_D
    alone = np.vstack([base.read([text]).features_N_D for text in reversed(TEXTS)])[::-1]
    assert np.array_equal(together, alone)


def test_reading_the_stems_changes_no_feature() -> None:
    base = LanguageTrunk(tiny_model())
    plain, deep = base.read(TEXTS), base.read(TEXTS, top=1)
    assert np.array_equal(plain.features_N_D, deep.features_N_D)
    assert len(deep.stems) == len(TEXTS) and len(plain.stems) == 0


def test_the_end_of_a_long_text_is_what_is_read() -> None:
    base = LanguageTrunk(tiny_model())
    long, end = base.read(["x" * 9_000 + "the end", "x" * 505 + "the end"]).features_N_D
    assert np.array_equal(long, end)


def test_a_text_without_a_word_is_read_as_its_end() -> None:
    found = LanguageTrunk(tiny_model()).read(["", "   "]).features_N_D
    assert np.isfinite(found).all() and np.array_equal(found[0], found[1])


def test_the_model_itself_is_left_as_it_was() -> None:
    model = tiny_model()
    before = model.hidden_states([model.encode("hello")])[0]
    LanguageTrunk(model).read(TEXTS, top=2)
    assert torch.equal(model.hidden_states([model.encode("hello")])[0], before)
    assert type(model.weights.model.layers[0]).__name__ == "LlamaDecoderLayer"


def test_more_layers_than_there_are_cannot_be_adapted() -> None:
    with pytest.raises(InputError, match="has 3 layers, of which 3 cannot be adapted"):
        LanguageTrunk(tiny_model()).read(TEXTS, top=3)


def test_an_embedding_model_is_a_trunk_without_layers(tmp_path: Path) -> None:
    base = trunk(str(write_embedding_model(tmp_path / "tiny")))
    assert isinstance(base, EmbeddingTrunk)
    assert base.read(["hello", "you"]).features_N_D.shape == (2, base.width) == (2, 32)
    with pytest.raises(InputError, match="embeds texts and has no layers to adapt"):
        base.read(["hello"], top=1)


def test_memory_that_runs_out_is_a_sentence() -> None:
    model = tiny_model()

    class Full(torch.nn.Module):
        def forward(self, *_: object, **__: object) -> None:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    model.weights.model.layers[0] = Full()
    with pytest.raises(GadflyError, match="Memory ran out while 5 texts were read; give fewer"):
        LanguageTrunk(model).read(TEXTS)
