"""A small library with questions, and models that answer them by script."""

from __future__ import annotations

from gadfly.corpora import Corpus, Document, in_memory
from gadfly.evidence import Quoting
from gadfly.models import System, scripted
from gadfly.models._scripted import Script

DOCUMENTS = (
    Document(
        "bridge", "Halden Bridge", "The Halden Bridge was opened in 1911. It is 300 metres long.", "b.txt"
    ),
    Document("wren", "Red wren", "The red wren eats seeds in winter. It weighs nine grams.", "w.txt"),
    Document("ferry", "Halden ferry", "The ferry crossed the river until the bridge was opened.", "f.txt"),
)
RIGHT = "%<It opened in 1911.>%(Halden Bridge)%[The Halden Bridge was opened in 1911.]%"
MADE_UP = "%<It opened in 1911.>%(Halden Bridge)%[It opened to traffic in the year 1911]%"
QUESTION = "when was the halden bridge opened"


def library() -> Corpus:
    """The three documents."""
    return in_memory(DOCUMENTS)


def quoting(script: Script | str = RIGHT, **settings: object) -> Quoting:
    """The game with a scripted answerer."""
    return Quoting(library(), System(scripted(script)), **settings)  # type: ignore[arg-type]
