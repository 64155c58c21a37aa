"""Text that is shown to a model as material: nothing in it reads as the model's own markup."""

from __future__ import annotations

import re

from gadfly.words import UNSEEN

__all__ = ["BRACKETED", "TURNS", "as_material", "inert"]

TURNS = "im_start|im_end|eot_id|(?:start|end)_(?:header_id|of_turn)|system|user|assistant"
BRACKETED = "INST|SYSTEM_PROMPT|AVAILABLE_TOOLS"
"""What opens or closes a turn of a conversation in models' markup, as part of a pattern: <…> and […]."""

_CODE = (
    r"file_sep|filename|issue_\w+|empty_output|jupyter_\w+|repo_?name|gh_stars|fim_\w+|tool_\w+|think|mask"
    r"|\w+_of_image"
)
"""What else models' tokenizers have as <…>: code and its history, tools, thoughts, gaps and pictures."""
_UNSEEN = (  # control characters, lone surrogates, soft hyphens, zero widths and the like, and the kinds of `UNSEEN`
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u17b4\u17b5\ud800-\udfff\ufeff\ufff9-\ufffb"
    + "".join(f"{chr(first)}-{chr(last)}" for first, last in UNSEEN)
    + "]"
)
_BLANK = r"[\u115f\u1160\u2800\u3164\uffa0]"
_MARKUP = (
    (re.compile(_UNSEEN), ""),
    (re.compile(_BLANK), " "),
    (re.compile(r"<(?=[|｜])"), "< "),  # <|im_end|> and its like would be read as tokens
    (re.compile(r"(?<=[|｜])>"), " >"),
    (re.compile(rf"<(?=/?(?:s|bos|eos|pad|unk|{TURNS}|{_CODE})>)", re.IGNORECASE), "< "),
    (re.compile(rf"\[(?=/?(?:{BRACKETED}|TOOL_\w+|SEP|CLS|MASK|PAD|UNK)\])"), "[ "),
    (re.compile(r"<<(?=/?SYS>>)"), "< <"),
)  # fmt: skip


def inert(text: str) -> str:
    """The text without invisible characters and lone surrogates, which no service takes, and with chat markup broken
    by a space, so that a tokenizer makes no special token of it.
    """
    for markup, harmless in _MARKUP:
        text = markup.sub(harmless, text)
    return text


def as_material(text: str) -> str:
    """The text as no instruction: chat markup broken, nothing invisible, a mark before every line."""
    return "\n".join(f"| {line}" for line in inert(text).splitlines() or [""])
