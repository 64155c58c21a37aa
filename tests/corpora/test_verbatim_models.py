"""Verbatim answers of local models: several kinds of tokenizer, and the engine that samples under the mask."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from verbatim_fakes import ids_of, mask_of, passage, walk

from gadfly.corpora import Form, parse_answer, quoted, verbatim
from gadfly.corpora._tokens import Tokens
from gadfly.corpora._verbatim import Verbatim
from gadfly.errors import InputError
from gadfly.models._text import Vocabulary
from tiny_models import tiny_model, tiny_tokenizer

LINES = [
    "The café opened at 1.5 percent in [May], they said: “non-violent” %(x)%[y]% times >% and more.",
    "中国人民很高兴。 The cat's mat 👩‍👩‍👧 and\nthe   other cat sat (on it) there.",
]
HERE = [passage(LINES[0], "The café"), passage(LINES[1], "Cats (and mats)", "e")]


def byte_level() -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(LINES * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>")


def sentencepiece(strips: bool) -> PreTrainedTokenizerFast:
    """Pieces with ▁ for a space, and a byte piece for every byte; the decoder may drop a text's first space."""
    inner = Tokenizer(models.BPE())
    inner.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(vocab_size=150, special_tokens=["<eos>"], show_progress=False)
    inner.train_from_iterator([line.replace("%", "") for line in LINES * 3], trainer)
    data: dict[str, Any] = json.loads(inner.to_str())
    vocabulary = data["model"]["vocab"]
    for byte in range(256):
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    data["model"]["byte_fallback"] = True
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    inner = Tokenizer.from_str(json.dumps(data))
    inner.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if strips else steps)
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>")


MADE = {
    "bytes": tiny_tokenizer(),
    "byte-level": byte_level(),
    "sentencepiece": sentencepiece(False),
    "sentencepiece that strips": sentencepiece(True),
}


def mask(kind: str, form: Form) -> Verbatim:
    spoken = Vocabulary(MADE[kind]).spoken
    assert spoken is not None
    return Verbatim(Tokens(spoken), frozenset([int(MADE[kind].eos_token_id)]), HERE, form)


@pytest.mark.parametrize("kind", MADE)
@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_what_a_model_may_say_decodes_to_an_answer_with_verbatim_quotes(kind: str, seed: int) -> None:
    made, rng = mask(kind, Form(quotes=2, claim_chars=(1, 20), quote_chars=(10, 60))), random.Random(seed)
    allowed, sampled = made.start(), list[int]()
    while (token := rng.choice(ids_of(allowed(sampled)))) != MADE[kind].eos_token_id:
        sampled.append(token)
    answer = parse_answer(MADE[kind].decode(sampled, clean_up_tokenization_spaces=False))
    assert answer is not None and answer.whole
    for title, words in answer.quotes:
        quote = quoted(words, [p for p in HERE if p.title == title])
        assert quote is not None and quote.text == words


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize(
    "answer",
    [
        "It is>%(The café)%[opened at 1.5 percent in [May], they]%",
        "ü 中>%(Cats (and mats))%[人民很高兴。 The cat's mat 👩‍👩‍👧 and\nthe   other]%",
        "x>%(The café)%[they said: “non-violent” %(x)%[y [...] times >% and more]%",
    ],
)
def test_a_tokenizers_own_way_to_write_an_answer_is_allowed(kind: str, answer: str) -> None:
    made = mask(kind, Form())
    allowed, ids = made.start(), MADE[kind].encode(answer, add_special_tokens=False)
    assert MADE[kind].decode(ids, clean_up_tokenization_spaces=False) == answer
    for at, token in enumerate([*ids, int(MADE[kind].eos_token_id)]):
        assert token in ids_of(allowed(ids[:at])), MADE[kind].decode(ids[: at + 1])


def test_the_engine_samples_answers_whose_quotes_are_found() -> None:
    local, form = tiny_model(), Form(claim_chars=(1, 10), quote_chars=(10, 60))
    made = verbatim(local, HERE, form)
    for sample in local.generate([form.opening], n=12, max_tokens=300, mask=made, seed=1)[0]:
        answer = parse_answer(sample.text)
        assert sample.finish == "stop" and answer is not None and answer.whole
        [(title, words)] = answer.quotes
        assert quoted(words, [p for p in HERE if p.title == title]) is not None


def test_evidence_is_made_for_a_given_claim() -> None:
    local, form = tiny_model(), Form("They were happy.", quotes=2, quote_chars=(10, 60))
    for sample in local.generate(
        [form.opening], n=6, max_tokens=400, mask=verbatim(local, HERE, form), seed=2
    )[0]:
        answer = parse_answer(sample.text, form.claim)
        assert answer is not None and answer.whole and answer.claim == "They were happy."
        for title, words in answer.quotes:
            assert quoted(words, [p for p in HERE if p.title == title]) is not None


def test_a_mask_is_made_once_for_the_same_passages_and_form() -> None:
    local = tiny_model()
    assert verbatim(local, HERE) is verbatim(local, list(HERE), Form())
    assert verbatim(local, HERE) is not verbatim(local, HERE, Form(quotes=2))


def test_samples_of_one_mask_do_not_disturb_each_other() -> None:
    made = mask_of(Tokens([b"", *[bytes([b]) for b in range(256)]]), HERE)
    first, second = made.start(), made.start()
    ended, goes_on = [1 + byte for byte in b"a>%"], [1 + byte for byte in b"abc"]
    assert ids_of(first(ended[:1])) == ids_of(second(goes_on[:1]))
    assert ids_of(first(ended)) != ids_of(second(goes_on))
    assert walk(made, random.Random(0))


def test_a_tokenizer_that_does_not_tell_is_refused_in_a_sentence() -> None:
    inner = Tokenizer(models.WordPiece({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    inner.decoder = decoders.WordPiece()
    local = tiny_model()
    local.tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="[UNK]")
    with pytest.raises(InputError, match="does not tell what each token says"):
        verbatim(local, HERE)
