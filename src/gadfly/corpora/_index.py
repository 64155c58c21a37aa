"""Passages that are searched by their words: a tantivy index that also keeps the texts.

BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75) over title and text. Words are compared in compatibility form,
without case and accents, and by their English stem; scripts that put nothing between words count every character as a
word. A query is words and nothing else: it has no operators, so that no text can be a wrong one.

A commit puts a new `meta.json` in place and never changes a file that is there: an index may be copied by hard links.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import tantivy

from gadfly.corpora._splitting import SIZE, pieces, trimmed
from gadfly.corpora._types import Document, Found, Passage

__all__ = ["Index", "clean"]

MOST_TERMS = 64
"""Distinct words of a query that are looked up: the rarest."""
LARGE = 10_000
COMMON = 0.25
"""In a corpus of more than `LARGE` passages a word that more than this share of them hold is looked up only in a query
that has no rarer one: it tells little apart and costs the most."""
MOST_CHARS = 20_000
"""Characters of a query that are read."""
TIES = 32
"""Passages beyond the `k` best that are looked at, so that equal scores come in an order that does not depend on how
the index was made."""
MEMORY = 256 << 20

_KEPT = ("document", "title", "source", "piece")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """The text with lone surrogates, which are no characters, as U+FFFD: as long as before."""
    return _SURROGATE.sub("\ufffd", text) if not text.isascii() else text


def _words() -> Any:
    """The analyser of what is searched."""
    steps = tantivy.Filter
    words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(steps.remove_long(64))
    return words.filter(steps.lowercase()).filter(steps.ascii_fold()).filter(steps.stemmer("english")).build()


def _none() -> Any:
    """The analyser of what is only kept: tantivy indexes every field of text, and this one finds no word."""
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(tantivy.Filter.remove_long(1)).build()


def _schema() -> Any:
    return (
        tantivy.SchemaBuilder()
        .add_text_field("words", tokenizer_name="words", index_option="freq")
        .add_text_field("document", stored=True, tokenizer_name="raw", index_option="basic")
        .add_text_field("origin", tokenizer_name="raw", index_option="basic")
        .add_unsigned_field("start", fast=True)
        .add_unsigned_field("number", indexed=True, fast=True)
        .add_text_field("title", stored=True, tokenizer_name="none", index_option="basic")
        .add_text_field("source", stored=True, tokenizer_name="none", index_option="basic")
        .add_text_field("piece", stored=True, tokenizer_name="none", index_option="basic")
        .build()
    )


def _prepared(text: str) -> str:
    """The text so that the analyser finds its words."""
    if text.isascii():
        return text
    return _UNSPACED.sub(r" \g<0> ", unicodedata.normalize("NFKC", clean(text)))


class Index:
    """Passages under one directory, or in memory. What `add` and `forget` do shows after `commit`.

    A passage's `number` is the caller's, never given twice; `origin` is what `forget` names.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path:
            path.mkdir(parents=True, exist_ok=True)
        self._words = _words()
        self._index = tantivy.Index(_schema(), str(path) if path else None)
        self._index.register_tokenizer("words", self._words)
        self._index.register_tokenizer("none", _none())
        self._writer: Any = None
        self._searcher = self._index.searcher()

    # --- writing ---

    def add(self, document: Document, origin: str, number: int, size: int = SIZE) -> int:
        """Add a document's passages under numbers from `number` on; returns how many."""
        self._writer = self._writer or self._index.writer(MEMORY, 1)
        title, text, count = _prepared(document.title), document.text, 0
        for start, end in pieces(text, size):
            piece = text[start:end]
            row = tantivy.Document()
            row.add_text("words", f"{title}\n{_prepared(piece)}")
            row.add_text("document", document.id)
            row.add_text("origin", origin)
            row.add_unsigned("start", start)
            row.add_unsigned("number", number + count)
            row.add_text("title", document.title)
            row.add_text("source", document.source)
            row.add_text("piece", piece)
            self._writer.add_document(row)
            count += 1
        return count

    def forget(self, origin: str) -> None:
        """Remove every passage of an origin that was added before."""
        self._writer = self._writer or self._index.writer(MEMORY, 1)
        self._writer.delete_documents_by_term("origin", origin)

    def commit(self) -> None:
        """Make what was added and forgotten show, and last."""
        if self._writer:
            self._writer.commit()
            self._index.reload()
            self._searcher = self._index.searcher()

    def close(self) -> None:
        """Wait for merges and let go of the writer."""
        if self._writer:
            self._writer.wait_merging_threads()
            self._writer = None
            self._index.reload()
            self._searcher = self._index.searcher()

    # --- reading ---

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, query: str, k: int, without: Collection[str] = ()) -> list[tuple[Found, int]]:
        """The `k` best passages with their numbers, best first; ties by document and place."""
        asked = [(tantivy.Occur.Should, self._term("words", term)) for term in self._terms(query)]
        if not asked or k < 1:
            return []
        wanted = tantivy.Query.boolean_query(asked)
        if without:
            left_out = tantivy.Query.term_set_query(
                self._index.schema, "document", [clean(id_) for id_ in without]
            )
            wanted = tantivy.Query.boolean_query(
                [(tantivy.Occur.Must, wanted), (tantivy.Occur.MustNot, left_out)]
            )
        hits = self._searcher.search(wanted, k + TIES, count=False).hits
        least = hits[min(k, len(hits)) - 1][0] if hits else 0.0
        hits = [hit for hit in hits if hit[0] >= least]
        numbers = self._fast("number", [address for _, address in hits])
        found = [
            (Found(self._passage(address), score), n)
            for (score, address), n in zip(hits, numbers, strict=True)
        ]
        return sorted(found, key=_order)[:k]

    def document(self, id_: str) -> Document | None:
        """The whole document; None when there is none with this id."""
        id_ = clean(id_)
        most = self._searcher.doc_freq("document", id_)
        if not most:
            return None
        hits = self._searcher.search(
            self._term("document", id_), most, count=False, order_by_field="start", order=tantivy.Order.Asc
        ).hits
        stored = [self._stored(address) for _, address in hits]
        if not stored:
            return None
        return Document(id_, stored[0][1], "".join(piece for *_, piece in stored), stored[0][2])

    def numbered(self, numbers: Sequence[int]) -> dict[int, Passage]:
        """The passages with these numbers, those that are there."""
        found = {}
        for number in numbers:
            hits = self._searcher.search(self._term("number", number), 1, count=False).hits
            if hits:
                found[number] = self._passage(hits[0][1])
        return found

    def numbers(self) -> list[int]:
        """The numbers of all passages, in order."""
        hits = self._searcher.search(
            tantivy.Query.all_query(),
            max(1, len(self)),
            count=False,
            order_by_field="number",
            order=tantivy.Order.Asc,
        ).hits
        return [int(number or 0) for number, _ in hits]

    def _terms(self, query: str) -> list[str]:
        """The distinct words of a query that are looked up."""
        terms = list(dict.fromkeys(self._words.analyze(_prepared(query[:MOST_CHARS]))))
        if len(self) <= LARGE and len(terms) <= MOST_TERMS:
            return terms
        held = {term: count for term in terms if (count := self._searcher.doc_freq("words", term))}
        rare = [term for term in held if len(self) <= LARGE or held[term] <= COMMON * len(self)]
        return sorted(rare or held, key=lambda term: held[term])[:MOST_TERMS]

    def _term(self, field: str, value: str | int) -> Any:
        option = "freq" if field == "words" else "basic"
        return tantivy.Query.term_query(self._index.schema, field, value, option)

    def _stored(self, address: Any) -> tuple[str, str, str, str]:
        row = self._searcher.doc(address)
        document, title, source, piece = (row.get_first(field) or "" for field in _KEPT)
        return document, title, source, piece

    def _passage(self, address: Any) -> Passage:
        document, title, source, piece = self._stored(address)
        [start] = self._fast("start", [address])
        return trimmed(document, title, source, start, piece)

    def _fast(self, field: str, addresses: list[Any]) -> list[int]:
        return [int(value or 0) for value in self._searcher.fast_field_values(field, addresses)]


def _order(found: tuple[Found, int]) -> tuple[float, str, int]:
    return (-found[0].score, found[0].passage.document, found[0].passage.start)
