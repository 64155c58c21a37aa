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
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock, Timeout

from gadfly.corpora._index import Index, clean
from gadfly.corpora._splitting import SIZE
from gadfly.corpora._types import Document, Found
from gadfly.errors import InputError, StoreError, UnknownNameError

__all__ = ["Corpus", "How", "corpora", "corpora_home", "corpus", "digest", "in_memory", "remove"]

FORMAT = 1
How = Literal["bm25", "embeddings", "fusion"]
"""By words, by meaning, or by both: the two rankings joined."""

_NAME = re.compile(r"[\w][\w.-]{0,99}", re.ASCII)


class Corpus:
    """Documents that can be searched; `corpus` and `in_memory` make one. Any thread may use it.

    `documents` and `passages` are counts; `sha256` is over ids, titles and texts.
    """

    def __init__(self, info: Mapping[str, Any], index: Index) -> None:
        self.name: str = info["name"]
        self.documents: int = info["documents"]
        self.passages: int = info["passages"]
        self.sha256: str = info["sha256"]
        self._info, self._index = info, index

    def search(self, query: str, k: int = 4, *, without: Collection[str] = ()) -> tuple[Found, ...]:
        """The `k` passages that match best, best first; fewer when fewer match, none for a text without words.

        Any text is a query; what would be an operator elsewhere separates words. Passages of the documents `without`
        do not come.
        """
        return tuple(found for found, _ in self._index.search(query, k, without))

    def document(self, id: str) -> Document:  # noqa: A002 - what it is
        """The whole document. Raises `InputError` when there is none with this id."""
        found = self._index.document(id)
        if found is None:
            raise InputError(f"There is no document {id[:200]!r} in the corpus {self.name!r}.")
        return found

    def spec(self) -> dict[str, Any]:
        """What decides what a search finds, as JSON values."""
        return {**{key: self._info[key] for key in _SPEC}, "search": "bm25"}

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, documents={self.documents:,}, passages={self.passages:,})"


_SPEC = ("name", "sha256", "documents", "passages", "size")


def in_memory(documents: Sequence[Document], *, name: str = "in memory", size: int = SIZE) -> Corpus:
    """A corpus of these documents, which nothing is written of. Raises `InputError` for an id that comes twice."""
    ids = {document.id for document in documents}
    if len(ids) < len(documents):
        twice = next(d.id for n, d in enumerate(documents) if d.id in {e.id for e in documents[:n]})
        raise InputError(f"Two documents have the id {twice[:200]!r}.")
    index, number, hashes = Index(), 0, []
    for document in documents:
        kept = Document(*map(clean, (document.id, document.title, document.text, document.source)))
        number += index.add(kept, "", number, size)
        hashes.append(digest(kept))
    index.commit()
    about = {"name": name, "documents": len(documents), "passages": number, "size": size}
    return Corpus({**about, "sha256": combined(hashes)}, index)


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
    return tuple(sorted(path.parent.name for path in (folder or corpora_home()).glob("*/corpus.json")))


def corpus(name_or_path: str | Path) -> Corpus:
    """Open a corpus by its name or its directory.

    Raises `UnknownNameError` when there is none, `StoreError` when it cannot be read.
    """
    where = located(name_or_path)
    try:
        return _opened(where)
    except FileNotFoundError:  # a build may have ended in between
        pass
    try:
        return _opened(where)
    except FileNotFoundError as error:
        raise _broken(where, error) from error


def remove(name: str, folder: Path | None = None) -> None:
    """Delete a corpus; the files it was made from stay. Raises `UnknownNameError` when there is none."""
    where = located(name, folder)
    with locked(where):
        (where / "corpus.json").unlink()
        for inside in where.iterdir():
            if inside.is_dir():
                shutil.rmtree(inside, ignore_errors=True)
    shutil.rmtree(where, ignore_errors=True)


def located(name: str | Path, folder: Path | None = None) -> Path:
    """The directory of a corpus. Raises `UnknownNameError` when there is none."""
    home = folder or corpora_home()
    for path in (home / checked(str(name)) if _NAME.fullmatch(str(name)) else Path(name), Path(name)):
        if (path / "corpus.json").is_file():
            return path
    hint = f"They are looked for in {home}; make one: gadfly corpus build FILES --name NAME"
    raise UnknownNameError("corpus", str(name)[:200], corpora(home), hint)


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


def _opened(where: Path) -> Corpus:
    info = read_info(where)
    index = generation(where, info["generation"]) / "index"
    if not (index / "meta.json").is_file():
        raise FileNotFoundError(index / "meta.json")
    try:
        return Corpus(info, Index(index))
    except (ValueError, OSError) as error:
        raise _broken(where, error) from error


def _broken(where: Path, error: Exception) -> StoreError:
    return StoreError(
        f"The corpus in {where} cannot be read ({error}); remove it and build it again: gadfly corpus remove "
        f"{where.name}"
    )


_ = get_args(How)
