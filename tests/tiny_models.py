"""Random models small enough to run in milliseconds, with a byte-level tokenizer of 259 tokens.

Benchmarks, which do not import tests, have one written: `python tests/tiny_models.py DIRECTORY`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode
from transformers.models.gemma3 import Gemma3TextConfig
from transformers.models.llama import LlamaConfig
from transformers.models.qwen2 import Qwen2Config

from gadfly.models._local import LocalModel

SHAPE: dict[str, Any] = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "pad_token_id": 258,
    "initializer_range": 0.4,
}
CONFIGS: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**SHAPE),
    "qwen2": lambda: Qwen2Config(**SHAPE),
    "gemma3": lambda: Gemma3TextConfig(
        **SHAPE,
        sliding_window=8,
        query_pre_attn_scalar=8,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    ),
}


def tiny_tokenizer(chat: bool = False) -> PreTrainedTokenizerFast:
    """One token per byte; 256, 257 and 258 are <bos>, <eos> and <pad>."""
    vocabulary = {char: byte for byte, char in bytes_to_unicode().items()}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, **special)
    if chat:
        tokenizer.chat_template = (
            "{% for m in messages %}<bos>{{ m.role }}:{{ m.content }}<eos>{% endfor %}<bos>assistant:"
        )
    return tokenizer


def tiny_model(kind: str = "llama", dtype: torch.dtype = torch.float32, chat: bool = False) -> LocalModel:
    """A random model of that architecture, the same every time."""
    torch.manual_seed(0)
    weights = AutoModelForCausalLM.from_config(CONFIGS[kind](), dtype=dtype)
    return LocalModel(weights, tiny_tokenizer(chat), name=f"tiny-{kind}")


def save_tiny_chat(directory: Path, context: int = 512) -> Path:
    """A random chat model, as `save_pretrained` writes one, for so many tokens."""
    tiny = tiny_model(chat=True)
    tiny.weights.config.max_position_embeddings = context
    tiny.weights.save_pretrained(directory)
    tiny_tokenizer(chat=True).save_pretrained(directory)
    return directory


if __name__ == "__main__":
    save_tiny_chat(Path(sys.argv[1]))
