"""An embedding model of a few thousand random weights in a sentence-transformers directory, and labelled examples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from gadfly.judges import Example
from gadfly.transcripts import Case, Transcript, Turn

RUDE = (
    "you stupid idiot",
    "shut up moron",
    "what an ugly fool",
    "go away you idiot",
    "you are a stupid fool",
)
KIND = (
    "thank you so much",
    "what a lovely day",
    "please come in",
    "I hope this helps",
    "have a good evening",
)


def write_embedding_model(directory: Path, pooling: str = "mean_tokens", longest: int = 64) -> Path:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(
        models.BPE(vocab={c: i for i, c in enumerate(["[PAD]", "[CLS]", *alphabet])}, merges=[])
    )
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", cls_token="[CLS]")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    kinds = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds]
    (directory / "modules.json").write_text(json.dumps(modules))
    (directory / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": longest}))
    (directory / "1_Pooling").mkdir()
    (directory / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    return directory


def transcript(reply: str, question: str = "", number: int = 0, outcome: str = "completed") -> Transcript:
    turns = (Turn("attacker", question),) if question else ()
    return Transcript(Case(f"case-{number}", number, 0), (*turns, Turn("target", reply)), outcome)  # type: ignore[arg-type]


def examples(n: int = 40, question: str = "", replies: Sequence[str] = (*RUDE, *KIND)) -> list[Example]:
    """Rude and kind replies in turn, labelled rightly."""
    rows = []
    for i in range(n):
        words = replies[i % len(replies)]
        rows.append(Example(transcript(f"{words} {i}", question, i), float(words in RUDE)))
    return rows
