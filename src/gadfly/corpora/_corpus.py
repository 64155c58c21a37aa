"""A body of documents that can be searched: opened by its name, or held in memory.

    HOME/NAME/corpus.json      which generation counts, its counts and its hash; replaced in one step
    HOME/NAME/g000001/index/   the passages and their words (`_index`)
    HOME/NAME/g000001/sources.jsonl    a line for every file that was read (`_building`)
    HOME/NAME/g000001/vectors/ the passages' vectors, where they were asked for (`_vectors`)
    HOME/NAME/building/        a build that has not ended

`HOME` is `$GADFLY_CORPORA`, else `gadfly-corpora` in the current directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock, Timeout

from gadfly.corpora._index import Index, clean
from gadfly.corpora._own import marked
from gadfly.corpora._splitting import SIZE
from gadfly.corpora._types import Document, Found
from gadfly.corpora._vectors import AT_ONCE, Vectors, fused
from gadfly.errors import InputError, StoreError, UnknownNameError

__all__ = ["Corpus", "How", "corpora", "corpora_home", "corpus", "digest", "in_memory", "remove"]

FORMAT = 1
How = Literal["bm25", "embeddings", "fusion"]
"""By words, by meaning, or by both: the two rankings joined."""

FUSED = 100
"""How far down each ranking fusion looks, at least."""
_NAME = re.compile(r"[\w][\w.-]{0,99}", re.ASCII)
_GENERATION = re.compile(r"g\d{6,}")
_PARTS = {"index", "vectors", "sources.jsonl", "sources.tmp", "building.json"}
"""What lies in a generation, or in a build that has not ended."""


class Corpus:
    """Documents that can be searched; `corpus` and `in_memory` make one. Any thread may use it.

    `documents` and `passages` are counts; `sha256` is over ids, titles and texts.
    """

    def __init__(self, info: Mapping[str, Any], index: Index, how: How = "bm25", vectors: Any = None) -> None:
        self.name: str = info["name"]
        self.documents: int = info["documents"]
        self.passages: int = info["passages"]
        self.sha256: str = info["sha256"]
        self.how = how
        self._info, self._index, self._vectors = info, index, vectors

    def search(self, query: str, k: int = 4, *, without: Collection[str] = ()) -> tuple[Found, ...]:
        """The `k` passages that match best, best first; fewer when fewer match, none for a text without words.

        Any text is a query; what would be an operator elsewhere separates words. Passages of the documents `without`
        do not come.
        """
        if self.how == "bm25":
            return tuple(found for found, _ in self._index.search(query, k, without))
        if self.how == "embeddings":
            return tuple(found for found, _ in self._near(query, k, without))
        deep = max(FUSED, 4 * k)
        both = [self._index.search(query, deep, without), self._near(query, deep, without)]
        passages = {number: found.passage for ranking in both for found, number in ranking}
        order = fused([[number for _, number in ranking] for ranking in both])
        return tuple(Found(passages[number], score) for number, score in order[: max(k, 0)])

    def _near(self, query: str, k: int, without: Collection[str]) -> list[tuple[Found, int]]:
        """The `k` passages nearest in meaning, with their numbers."""
        found: list[tuple[Found, int]] = []
        left_out = set(without)
        for number, score in self._vectors.nearest(query):
            if len(found) >= k:
                break
            passage = self._index.numbered([number]).get(number)
            if passage and passage.document not in left_out:
                found.append((Found(passage, score), number))
        return found

    def firsts(self, k: int) -> tuple[Found, ...]:
        """The `k` passages that were added first, without a score."""
        numbers = self._index.numbers()[:k]
        return tuple(Found(passage, 0.0) for passage in self._index.numbered(numbers).values())

    def document(self, id: str) -> Document:  # noqa: A002 - what it is
        """The whole document. Raises `InputError` when there is none with this id."""
        found = self._index.document(id)
        if found is None:
            raise InputError(f"There is no document {id[:200]!r} in the corpus {self.name!r}.")
        return found

    def spec(self) -> dict[str, Any]:
        """What decides what a search finds, as JSON values."""
        embedding = {"embedding": self._info["embedding"]} if self.how != "bm25" else {}
        return {**{key: self._info[key] for key in _SPEC}, "search": self.how, **embedding}

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, documents={self.documents:,}, passages={self.passages:,})"


_SPEC = ("name", "sha256", "documents", "passages", "size")


def in_memory(
    documents: Sequence[Document],
    *,
    name: str = "in memory",
    size: int = SIZE,
    how: How = "bm25",
    embedding: str | None = None,
) -> Corpus:
    """A corpus of these documents, which nothing is written of.

    Raises `InputError` for an id that comes twice, and what loading an embedding model raises.
    """
    twice = [id_ for id_, times in Counter(document.id for document in documents).items() if times > 1]
    if twice:
        raise InputError(f"Two documents have the id {twice[0][:200]!r}.")
    index, number, hashes = Index(), 0, []
    for document in documents:
        kept = Document(*map(clean, (document.id, document.title, document.text, document.source)))
        number += index.add(kept, "", number, size)
        hashes.append(digest(kept))
    index.commit()
    index.close()
    info = {"name": name, "documents": len(documents), "passages": number, "size": size}
    info["sha256"] = combined(hashes)
    if how == "bm25":
        return Corpus(info, index)
    vectors = opened_vectors(embedding or None, None)
    embed_missing(index, vectors)
    return Corpus({**info, "embedding": told_of(vectors)}, index, checked_how(how), vectors)


def opened_vectors(embedding: str | None, path: Path | None) -> Vectors:
    """Vectors by this embedding model (None: the default one)."""
    from gadfly.judges._embedding import EMBEDDING, embedder

    return Vectors(embedder(embedding or EMBEDDING), path)


def told_of(vectors: Vectors) -> dict[str, str]:
    """Which model made them."""
    return {"name": vectors.embedder.name, "sha256": vectors.embedder.sha256}


def embed_missing(
    index: Index, vectors: Vectors, done: Callable[[int, int], object] = lambda count, total: None
) -> int:
    """Embed every passage that has no vector yet; returns how many. `done` hears how far it is."""
    known = vectors.known()
    missing = [number for number in index.numbers() if number not in known]
    for start in range(0, len(missing), AT_ONCE):
        vectors.add(list(index.numbered(missing[start : start + AT_ONCE]).items()))
        done(min(start + AT_ONCE, len(missing)), len(missing))
    return len(missing)


def checked_how(how: str) -> How:
    """A way to search. Raises `UnknownNameError` for any other."""
    if how not in get_args(How):
        raise UnknownNameError("way to search", how, get_args(How))
    return how  # type: ignore[return-value]


def digest(document: Document) -> str:
    """A hash of what is searched and quoted: id, title and text."""
    told = json.dumps([document.id, document.title, document.text]).encode()
    return hashlib.sha256(told).hexdigest()


def combined(hashes: Iterable[str]) -> str:
    """One hash of a set of them."""
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()


# --- on disk ---


def corpora_home() -> Path:
    """Where corpora live: `$GADFLY_CORPORA`, else `gadfly-corpora` in the current directory."""
    return Path(os.environ.get("GADFLY_CORPORA") or "gadfly-corpora")


def corpora(folder: Path | None = None) -> tuple[str, ...]:
    """The names of the corpora under `folder` (default `corpora_home()`), in order."""
    found = (path.parent for path in (folder or corpora_home()).glob("*/corpus.json"))
    return tuple(sorted(path.name for path in found if is_corpus(path)))


def corpus(name_or_path: str | Path, how: How = "bm25") -> Corpus:
    """Open a corpus by its name or its directory, to be searched by words, by meaning or by both.

    Raises `UnknownNameError` when there is none, `StoreError` when it cannot be read, and `InputError` when it was
    built without embeddings and they are asked for.
    """
    where = located(name_or_path)
    how = checked_how(how)
    with suppress(FileNotFoundError):  # a build may end in between
        return _opened(where, how)
    try:
        return _opened(where, how)
    except FileNotFoundError as error:
        raise _broken(where, error) from error


def remove(name: str, folder: Path | None = None) -> tuple[str, ...]:
    """Delete a corpus; the files it was made from stay, and so does whatever else lies in its directory.

    Returns the names of that; nothing where the directory is gone too. Raises `UnknownNameError` when there is none.
    """
    where = located(name, folder)
    with locked(where):
        (where / "corpus.json").unlink()
        for path in built_in(where):
            shutil.rmtree(path, ignore_errors=True)
        (where / "corpus.json.tmp").unlink(missing_ok=True)
    (where / ".lock").unlink(missing_ok=True)
    with suppress(OSError):
        where.rmdir()
    return tuple(sorted(path.name for path in where.iterdir())) if where.exists() else ()


def located(name: str | Path, folder: Path | None = None) -> Path:
    """The directory of a corpus. Raises `UnknownNameError` when there is none."""
    home = folder or corpora_home()
    for path in (home / checked(str(name)) if _NAME.fullmatch(str(name)) else Path(name), Path(name)):
        if is_corpus(path):
            return path
    hint = f"They are looked for in {home}; make one: gadfly corpus build FILES --name NAME"
    raise UnknownNameError("corpus", str(name)[:200], corpora(home), hint)


def is_corpus(where: Path) -> bool:
    """Whether gadfly made a corpus there, be it broken: another program's `corpus.json` makes none."""
    there = (where / "corpus.json").is_file()
    return there and (marked(where, "corpus.json") or bool(generations(where)))


def generations(where: Path) -> list[Path]:
    """The directories of its generations, earlier ones too."""
    return [path for path in sorted(where.glob("g*")) if _GENERATION.fullmatch(path.name) and _made(path)]


def built_in(where: Path) -> list[Path]:
    """All directories that builds put there: its generations and a build that has not ended."""
    return [*generations(where), *filter(_made, [where / "building"])]


def _made(path: Path) -> bool:
    """Whether this is a directory that holds what a build puts into one, and nothing else."""
    return path.is_dir() and not path.is_symlink() and {inside.name for inside in path.iterdir()} <= _PARTS


def checked(name: str) -> str:
    """A name that can be a directory's. Raises `InputError` for any other."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name[:200]!r} cannot be the name of a corpus: use letters, digits, '.', '-' and '_', 100 at most."
        )
    return name


def locked(where: Path) -> FileLock:
    """The lock of who changes a corpus, held. Raises `StoreError` when another process has it."""
    lock = FileLock(where / ".lock", timeout=0.2)
    try:
        where.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreError(
            f"The corpus {where.name} is being built by another process; wait for it or end it first."
        ) from error
    except OSError as error:
        raise StoreError(
            f"Nothing can be written in {where} ({error.strerror}); choose another place with GADFLY_CORPORA."
        ) from error
    return lock


def generation(where: Path, number: int) -> Path:
    """Where a generation lies."""
    return where / f"g{number:06}"


def read_info(where: Path) -> dict[str, Any]:
    """`corpus.json`. Raises `FileNotFoundError` without one, `StoreError` for one that cannot be read."""
    try:
        info = json.loads((where / "corpus.json").read_text("utf-8"))
        written_in = info["format"]
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(where, error) from error
    if written_in > FORMAT:
        raise StoreError(
            f"The corpus {where.name} is in format {written_in}; this gadfly reads up to {FORMAT}: "
            "pip install -U gadfly."
        )
    return dict(info)


def _opened(where: Path, how: How) -> Corpus:
    info = read_info(where)
    lies = generation(where, info["generation"])
    if not (lies / "index" / "meta.json").is_file():
        raise FileNotFoundError(lies / "index" / "meta.json")
    try:
        index = Index(lies / "index")
    except (ValueError, OSError) as error:
        raise _broken(where, error) from error
    if how == "bm25":
        return Corpus(info, index)
    if not info.get("embedding"):
        raise InputError(
            f"The corpus {where.name} was built without embeddings: gadfly corpus build FILES --name {where.name} "
            "--embeddings, or search it by bm25."
        )
    vectors = opened_vectors(info["embedding"]["name"], lies / "vectors")
    if told_of(vectors) != info["embedding"]:
        raise InputError(
            f"The embedding model {info['embedding']['name']} is not the one that the corpus {where.name} was built "
            "with; remove the corpus and build it again."
        )
    return Corpus(info, index, how, vectors)


def _broken(where: Path, error: Exception) -> StoreError:
    return StoreError(
        f"The corpus in {where} cannot be read ({error}); remove it and build it again: gadfly corpus remove "
        f"{where.name}"
    )
