"""The web as a body of documents, through Inspect's own search tool, where the user has a key for a provider."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from gadfly.corpora._corpus import in_memory
from gadfly.corpora._index import clean
from gadfly.corpora._types import Document, Found
from gadfly.errors import InputError

if TYPE_CHECKING:
    from inspect_ai.tool import Tool

__all__ = ["WebCorpus", "web"]

EXTERNAL = ("tavily", "exa", "google")


class WebCorpus:
    """What a search provider finds: its excerpts are the documents, under their addresses.

    Searches like a `Corpus`, one request a query, from any thread. `document` knows what was found before; what the
    web says tomorrow is not what it says today, so runs on it cannot be repeated exactly.
    """

    def __init__(self, tool: Tool, name: str) -> None:
        self.name = name
        self._tool = tool
        self._seen: dict[str, Document] = {}

    @property
    def documents(self) -> int:
        """How many have been found so far."""
        return len(self._seen)

    @property
    def passages(self) -> int:
        """The same: an excerpt is one piece, or few."""
        return len(self._seen)

    def search(self, query: str, k: int = 4, *, without: Collection[str] = ()) -> tuple[Found, ...]:
        """The `k` best passages of what the provider finds; those it found first, where none shares a word."""
        with ThreadPoolExecutor(1) as thread:  # the caller may be in an event loop of its own
            told = thread.submit(asyncio.run, self._asked(query)).result()
        found = {document.id: document for document in _cited(told) if document.id not in set(without)}
        self._seen |= found
        if not found:
            return ()
        held = in_memory(list(found.values()), name=self.name)
        return held.search(query, k) or held.firsts(k)

    async def _asked(self, query: str) -> Any:
        return await self._tool(query=query[:400])

    def document(self, id: str) -> Document:  # noqa: A002 - what it is
        """An excerpt that was found before. Raises `InputError` for any other address."""
        if id not in self._seen:
            raise InputError(f"{id[:200]!r} has not been found in the web by this process.")
        return self._seen[id]

    def spec(self) -> dict[str, Any]:
        """What is known of where the answers come from."""
        return {"name": self.name, "search": "web"}


def web(provider: str = "tavily", options: Mapping[str, Any] | None = None) -> WebCorpus:
    """The web through `tavily`, `exa` or `google`; options are those of Inspect's `web_search`.

    Queries go to that provider. Raises `InputError` for a provider that only works inside its own model.
    """
    if provider not in EXTERNAL:
        raise InputError(f"{provider!r} is no search provider that works alone; take {', '.join(EXTERNAL)}.")
    from inspect_ai.tool import web_search

    return WebCorpus(web_search({provider: dict(options or {})}), f"web:{provider}")  # type: ignore[arg-type]


def _cited(told: Any) -> list[Document]:
    """A document for every citation that has text of its own, in the order given."""
    documents = []
    for content in told if isinstance(told, list) else [told]:
        for citation in getattr(content, "citations", None) or ():
            address, text = getattr(citation, "url", ""), getattr(citation, "cited_text", "")
            if address and isinstance(text, str) and text.strip():
                title = citation.title or address
                documents.append(Document(clean(address), clean(title), clean(text), clean(address)))
    return documents
