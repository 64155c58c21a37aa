"""Bodies of documents: reading and searching them, and what may be called a quote from them."""

from gadfly.corpora._types import ELLIPSIS, Document, Found, Passage, Quote

__all__ = ["ELLIPSIS", "Document", "Found", "Passage", "Quote"]
