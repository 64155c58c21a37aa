"""Text that is shown to a model as material: nothing in it reads as the model's own markup."""

from __future__ import annotations

import re

__all__ = ["BRACKETED", "TURNS", "inert"]

TURNS = "im_start|im_end|eot_id|(?:start|end)_(?:header_id|of_turn)|system|user|assistant"
BRACKETED = "INST|SYSTEM_PROMPT|AVAILABLE_TOOLS"
"""What opens or closes a turn of a conversation in models' markup, as part of a pattern: <…> and […]."""

_UNSEEN = (  # control characters, soft hyphens, joiners, zero widths, direction marks, selectors, tags
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BLANK = r"[\u115f\u1160\u2800\u3164\uffa0]"
_MARKUP = (
    (re.compile(_UNSEEN), ""),
    (re.compile(_BLANK), " "),
    (re.compile(r"<(?=[|｜])"), "< "),  # <|im_end|> and its like would be read as tokens
    (re.compile(r"(?<=[|｜])>"), " >"),
    (re.compile(rf"<(?=/?(?:s|bos|eos|pad|unk|{TURNS})>)", re.IGNORECASE), "< "),
    (re.compile(rf"\[(?=/?(?:{BRACKETED})\])"), "[ "),
    (re.compile(r"<<(?=/?SYS>>)"), "< <"),
)  # fmt: skip


def inert(text: str) -> str:
    """The text without invisible characters and with chat markup broken by a space, so that a tokenizer makes no
    special token of it.
    """
    for markup, harmless in _MARKUP:
        text = markup.sub(harmless, text)
    return text
