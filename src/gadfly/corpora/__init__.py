"""Bodies of documents: reading and searching them, and what may be called a quote from them."""

from typing import TYPE_CHECKING, Any

from gadfly.corpora._building import Built, build
from gadfly.corpora._corpus import Corpus, How, corpora, corpora_home, corpus, in_memory, remove
from gadfly.corpora._library import Library, library
from gadfly.corpora._quotes import GAP, MIN_WORDS, quoted, too_short
from gadfly.corpora._syntax import CLAIM_END, OPENING, TITLE_END, Form, Parsed, parse_answer
from gadfly.corpora._types import ELLIPSIS, Document, Found, Passage, Quote
from gadfly.corpora._web import WebCorpus, web

if TYPE_CHECKING:
    from gadfly.corpora._verbatim import Verbatim, verbatim

__all__ = [
    "CLAIM_END",
    "ELLIPSIS",
    "GAP",
    "MIN_WORDS",
    "OPENING",
    "TITLE_END",
    "Built",
    "Corpus",
    "Document",
    "Form",
    "Found",
    "How",
    "Library",
    "Parsed",
    "Passage",
    "Quote",
    "Verbatim",
    "WebCorpus",
    "build",
    "corpora",
    "corpora_home",
    "corpus",
    "in_memory",
    "library",
    "parse_answer",
    "quoted",
    "remove",
    "too_short",
    "verbatim",
    "web",
]


def __getattr__(name: str) -> Any:
    """The mask brings torch with it, which takes seconds: loaded when first used."""
    if name not in ("Verbatim", "verbatim"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gadfly.corpora import _verbatim

    return getattr(_verbatim, name)
