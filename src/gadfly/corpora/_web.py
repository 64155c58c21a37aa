"""The web as a body of documents, through Inspect's own search tool, where the user has a key for a provider."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from gadfly.corpora._corpus import in_memory
from gadfly.corpora._index import clean
from gadfly.corpora._types import Document, Found
from gadfly.errors import CallError, InputError, MissingKeyError

if TYPE_CHECKING:
    from inspect_ai.tool import Tool

__all__ = ["WebCorpus", "web"]

LONGEST_QUERY = 400
"""Characters of a query that a provider is sent."""
EXTERNAL = ("tavily", "exa", "google")


class WebCorpus:
    """What a search provider finds: its excerpts are the documents, under their addresses.

    Searches like a `Corpus`, from any thread, and asks the provider once for a query, however often it comes: a
    question's samples see the same. `document` knows what was found before; what the web says tomorrow is not what it
    says today, so runs on it cannot be repeated exactly.
    """

    def __init__(self, tool: Tool, name: str) -> None:
        self.name = name
        self._tool = tool
        self._seen: dict[str, Document] = {}
        self._told: dict[str, list[Document]] = {}
        self._thread = ThreadPoolExecutor(1)  # the caller may be in an event loop of its own
        self._loop = asyncio.new_event_loop()  # one, for the provider's connections belong to it
        weakref.finalize(self, self._loop.close)

    @property
    def documents(self) -> int:
        """How many have been found so far."""
        return len(self._seen)

    @property
    def passages(self) -> int:
        """The same: an excerpt is one piece, or few."""
        return len(self._seen)

    def search(self, query: str, k: int = 4, *, without: Collection[str] = ()) -> tuple[Found, ...]:
        """The `k` best passages of what the provider finds; those it found first, where none shares a word.

        Raises `MissingKeyError` without the provider's key, and `CallError` where it does not answer.
        """
        told = self._thread.submit(self._asked, query[:LONGEST_QUERY]).result()
        found = {document.id: document for document in told if document.id not in set(without)}
        if not found:
            return ()
        held = in_memory(list(found.values()), name=self.name)
        return held.search(query, k) or held.firsts(k)

    def _asked(self, query: str) -> list[Document]:
        """What the provider cites for a query, asked when it first comes; always in the one thread."""
        from inspect_ai._util.error import PrerequisiteError

        if query not in self._told:
            try:
                told = self._loop.run_until_complete(self._tool(query=query))
            except PrerequisiteError as error:
                raise MissingKeyError(str(error).partition("\n")[0]) from error
            except Exception as error:  # whatever the provider's client raises
                raise CallError(f"{self.name} cannot be searched: {_why(error)}", "unreachable") from error
            self._told[query] = _cited(told)
            self._seen |= {document.id: document for document in self._told[query]}
        return self._told[query]

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

    return WebCorpus(web_search({provider: dict(options or {})}), f"web-{provider}")  # type: ignore[arg-type]


def _why(error: BaseException) -> str:
    """What went wrong, behind the tries that are counted."""
    last = getattr(error, "last_attempt", None)
    cause = (last.exception() if last else None) or error
    return " ".join(f"{type(cause).__name__} {cause}".split())[:300]


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
