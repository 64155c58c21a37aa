"""Short answers compared: whether a text holds one that is known, whatever its case, articles and punctuation."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence

__all__ = ["holds_answer", "normalised"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation + "‘’“”–—"), " ")


def normalised(text: str) -> str:
    """A short answer for comparing: lower case, no accents, punctuation or articles, single spaces (as SQuAD's
    evaluation does, Rajpurkar et al. 2016).
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(_ARTICLES.sub(" ", plain.lower().translate(_PUNCTUATION)).split())


def holds_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether a text holds one of the short answers, as whole words. False without answers."""
    said = f" {normalised(text)} "
    return any(f" {short} " in said for short in map(normalised, answers) if short)
