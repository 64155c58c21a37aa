"""What answers are taken from, by its name: a corpus, searched in one of three ways, or the web."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from gadfly.corpora._corpus import checked_how, corpus
from gadfly.corpora._types import Document, Found
from gadfly.corpora._web import web
from gadfly.errors import InputError

__all__ = ["Library", "library"]


class Library(Protocol):
    """Documents that can be searched: a `Corpus` or a `WebCorpus`. `spec` is what decides what a search finds."""

    @property
    def name(self) -> str: ...

    def search(self, query: str, k: int = 4, *, without: Collection[str] = ()) -> tuple[Found, ...]: ...

    def document(self, id: str) -> Document: ...  # noqa: A002 - what it is

    def spec(self) -> dict[str, Any]: ...


def library(name: str | Path, how: str = "bm25") -> Library:
    """A corpus by its name or directory, searched this way; `web:tavily` is the web, through that provider.

    Raises what `corpus` and `web` raise, and `InputError` for the web searched otherwise than its provider does.
    """
    how = checked_how(how)
    kind, colon, provider = str(name).partition(":")
    if not (colon and kind == "web"):
        return corpus(name, how)
    if how != "bm25":
        raise InputError(f"The web is searched as {provider} does; leave out the search by {how}.")
    return web(provider)
