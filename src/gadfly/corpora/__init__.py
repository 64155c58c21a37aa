"""Bodies of documents: reading and searching them, and what may be called a quote from them."""

from gadfly.corpora._building import Built, build
from gadfly.corpora._corpus import Corpus, corpora, corpora_home, corpus, in_memory, remove
from gadfly.corpora._types import ELLIPSIS, Document, Found, Passage, Quote

__all__ = [
    "ELLIPSIS",
    "Built",
    "Corpus",
    "Document",
    "Found",
    "Passage",
    "Quote",
    "build",
    "corpora",
    "corpora_home",
    "corpus",
    "in_memory",
    "remove",
]
