"""Building a corpus: what is new is read, what is gone is forgotten, and the rest stays as it is.

A build works on a copy of the corpus made by hard links, and puts it in its place in one step when everything is in.
Killed before that, the corpus is what it was; the same command finds the copy and goes on with the file it was at.

`sources.jsonl` in a generation: `{"begun": ORIGIN}` before any passage of a file can be in the index, its record once
they all are, `{"gone": ORIGIN}` when they are forgotten, and `{"next": N}`, the number the next passage gets. A file
that was begun and has no record is forgotten and read again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from gadfly.corpora._apart import Apart
from gadfly.corpora._corpus import (
    FORMAT,
    built_in,
    checked,
    combined,
    corpora_home,
    digest,
    embed_missing,
    generation,
    generations,
    is_corpus,
    locked,
    opened_vectors,
    read_info,
    told_of,
)
from gadfly.corpora._index import Index, clean
from gadfly.corpora._reading import File, UnreadableError, absolute, files, read
from gadfly.corpora._splitting import SIZE
from gadfly.corpora._types import Document
from gadfly.corpora._vectors import Vectors
from gadfly.documents import cut_half_a_line
from gadfly.errors import GadflyError, InputError, StoreError

__all__ = ["Built", "build"]

AT_ONCE = 64 << 20
"""Characters that are added between two commits: what a killed build reads again, unless one file has more."""
MOST_SKIPPED = 20
"""Lines of one file that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did, in documents; `skipped` are the files and lines that were left out, and why.

    A file that changed since the last build is read again: its documents count as `changed`.
    """

    added: int
    changed: int
    unchanged: int
    removed: int
    skipped: dict[str, str]


def build(
    name: str,
    sources: Sequence[Path],
    *,
    folder: Path | None = None,
    size: int | None = None,
    embedding: str | None = None,
    progress: bool = True,
) -> Built:
    """Make a corpus of these files and directories, or bring one up to date with them.

    What it holds from elsewhere stays. `size` is the longest passage in characters, 1,000 by default, and stays what
    it was. With `embedding`, an embedding model's name, it can be searched by meaning too, now and after later builds.
    Raises `InputError` for a path that is not there, another `size` or another model, `StoreError` where nothing can
    be written.
    """
    if size is not None and size < 50:
        raise InputError(f"A passage of {size} characters holds no sentence: take 50 or more.")
    where = (folder or corpora_home()) / checked(name)
    _check_place(where)
    with locked(where):
        before = _before(where)
        if before and size not in (None, before["size"]):
            raise InputError(
                f"The corpus {name} has passages of {before['size']} characters; remove it first, or take another name."
            )
        skipped: dict[str, str] = {}
        known = _Journal(generation(where, before.get("generation", 0)) / "sources.jsonl").load().records
        found = files(sources, skipped.__setitem__, known)
        try:
            work = _Work(where, before, size or before.get("size", SIZE), embedding)
            built = work.run(found, [absolute(source) for source in sources], progress)
        except GadflyError:
            raise
        except OSError as error:
            raise StoreError(
                f"The corpus {name} cannot be written in {where} ({error.strerror or error}); what was there stays."
            ) from error
    return Built(*built, {**skipped, **work.skipped})


def _check_place(where: Path) -> None:
    """Refuse a directory that holds what is not a corpus's: a build deletes what earlier ones left."""
    begun = {".lock", "corpus.json.tmp", *(path.name for path in built_in(where))}
    if where.is_dir() and not is_corpus(where) and {path.name for path in where.iterdir()} - begun:
        raise InputError(f"{where} holds other things than a corpus; give the corpus another --name.")


def _before(where: Path) -> dict[str, Any]:
    try:
        return read_info(where)
    except FileNotFoundError:
        return {}


@dataclass
class _Journal:
    """`sources.jsonl`: the records that hold, those begun without one, and the next number."""

    path: Path
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    next: int = 0

    def load(self) -> _Journal:
        """Take in what is there; a last line that a kill cut off does not count."""
        if self.path.exists():
            with self.path.open("r+b") as file:
                cut_half_a_line(file)
                file.seek(0)
                for line in file:
                    self._take(json.loads(line))
        return self

    def _take(self, line: dict[str, Any]) -> None:
        self.next = max(self.next, line.get("next", 0))
        if "begun" in line:
            self.begun.add(line["begun"])
        elif "gone" in line:
            self.begun.discard(line["gone"])
            self.records.pop(line["gone"], None)
        elif "origin" in line:
            self.begun.discard(line["origin"])
            self.records[line["origin"]] = line

    def write(self, stream: TextIO, line: dict[str, Any]) -> None:
        """Add a line."""
        self._take(line)
        stream.write(json.dumps(line) + "\n")

    def compact(self) -> None:
        """Only what holds."""
        draft = self.path.with_suffix(".tmp")
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps({"next": self.next}) + "\n")
            stream.writelines(json.dumps(record) + "\n" for record in self.records.values())
            _sync(stream)
        draft.replace(self.path)


class _Work:
    """One build, from the copy to its place."""

    def __init__(self, where: Path, before: dict[str, Any], size: int, embedding: str | None) -> None:
        self.where, self.before, self.size = where, before, size
        self.skipped: dict[str, str] = {}
        self.part = where / "building"
        self.number = before.get("generation", 0) + 1
        self._ready()
        self.journal = _Journal(self.part / "sources.jsonl").load()
        self.index = Index(self.part / "index")
        self.ids = _ids(self.journal)
        self.vectors = self._vectors(embedding)
        self.altered = False
        self._waiting: list[dict[str, Any]] = []
        self._characters = 0

    def _ready(self) -> None:
        """The copy to work on: one that an earlier try left, where it is of this generation and size."""
        finished, about = generation(self.where, self.number), {"of": self.number - 1, "size": self.size}
        if finished.exists() and not self.part.exists():
            finished.rename(self.part)
        mark = self.part / "building.json"
        if not mark.exists() or json.loads(mark.read_text("utf-8")) != about:
            shutil.rmtree(self.part, ignore_errors=True)
            self.part.mkdir(parents=True)
            if self.before:
                _linked(generation(self.where, self.before["generation"]), self.part)
            mark.write_text(json.dumps(about), "utf-8")

    def _vectors(self, embedding: str | None) -> Vectors | None:
        """Where vectors go, if there are to be any."""
        made_by: dict[str, str] = self.before.get("embedding") or {}
        if not (embedding or made_by):
            return None
        vectors = opened_vectors(embedding or made_by["name"], self.part / "vectors")
        if made_by and told_of(vectors) != made_by:
            raise InputError(
                f"The corpus {self.where.name} has vectors by another model than {vectors.embedder.name} as it is now, "
                f"{made_by['name']}; remove it first, or take another name."
            )
        return vectors

    def run(self, found: Sequence[File], roots: Sequence[Path], progress: bool) -> tuple[int, int, int, int]:
        """Bring the copy up to date and put it in its place; documents added, changed, unchanged, removed."""
        old = _Journal(generation(self.where, self.number - 1) / "sources.jsonl").load().records
        with self.journal.path.open("a", encoding="utf-8") as self._stream:
            self._forget_gone(found, roots)
            with Apart() as self.apart, _bar("reading", progress) as show:
                total, read_bytes = sum(file.stamp[0] for file in found), 0
                for file in found:
                    self._read(file)
                    show(read_bytes := read_bytes + file.stamp[0], total)
            self._commit()
        self.index.close()
        if self.vectors:
            with _bar("embedding", progress) as show:
                self.altered |= embed_missing(self.index, self.vectors, show) > 0
        now = self.journal.records
        if self.altered or now != old or not self.before:
            self._into_place()
        shutil.rmtree(self.part, ignore_errors=True)
        return _counted(old, now, [file.origin for file in found])

    def _forget_gone(self, found: Sequence[File], roots: Sequence[Path]) -> None:
        here = {file.origin for file in found}
        resolved = [root.resolve() for root in roots]
        for origin in [*self.journal.records, *self.journal.begun]:
            path = Path(origin)
            if origin not in here and any(path == root or root in path.parents for root in resolved):
                self.index.forget(origin)
                self._waiting.append({"gone": origin})
                self.altered = True

    def _read(self, file: File) -> None:
        """Take in a file, unless it is in already."""
        record = self.journal.records.get(file.origin)
        if record is None or tuple(record["stamp"]) != file.stamp:
            record = self._taken_in(file, record)
        self.skipped.update(record["skipped"])
        if self._characters > AT_ONCE:
            self._commit()

    def _taken_in(self, file: File, before: dict[str, Any] | None) -> dict[str, Any]:
        if before or file.origin in self.journal.begun:
            self.index.forget(file.origin)
            for id_ in before["ids"] if before else ():
                del self.ids[id_]
        self.journal.write(self._stream, {"begun": file.origin})
        self.altered = True
        notes, hashes = _Notes(file.origin), list[str]()
        try:
            for document in read(file, self.apart, notes.skip):
                if kept := self._added(document, file, notes):
                    hashes.append(digest(kept))
        except UnreadableError as error:
            notes.skip(file.origin, str(error))
        record = {
            "origin": file.origin,
            "stamp": list(file.stamp),
            "documents": len(hashes),
            "ids": sorted(notes.ids),
            "sha256": combined(hashes),
            "skipped": notes.told(),
            "next": self.journal.next,
        }
        self._waiting.append(record)
        return record

    def _added(self, read: Document, file: File, notes: _Notes) -> Document | None:
        """The document as it is kept; None for one whose id another has."""
        id_, title, text, source = map(clean, (read.id, read.title, read.text, read.source))
        if self.ids.get(id_, file.origin) != file.origin and id_.startswith(
            file.id
        ):  # of another folder so named
            id_ += f" ({hashlib.sha256(file.origin.encode(errors='replace')).hexdigest()[:8]})"
        owner = self.ids.setdefault(id_, file.origin)
        if owner != file.origin or id_ in notes.ids:
            notes.skip(source, f"has the id {id_!r}, which is already that of one in {owner}")
            return None
        notes.ids.add(id_)
        document = Document(id_, title, text, source)
        self.journal.next += self.index.add(document, file.origin, self.journal.next, self.size)
        self._characters += len(text) + 200
        return document

    def _commit(self) -> None:
        """What was added is in the index before its record is in the journal."""
        _sync(self._stream)
        self.index.commit()
        for line in self._waiting:
            self.journal.write(self._stream, line)
        _sync(self._stream)
        self._waiting.clear()
        self._characters = 0

    def _into_place(self) -> None:
        """The copy becomes the corpus; earlier generations go."""
        self.journal.compact()
        records = self.journal.records.values()
        info = {
            "format": FORMAT,
            "name": self.where.name,
            "generation": self.number,
            "documents": sum(record["documents"] for record in records),
            "passages": len(self.index),
            "size": self.size,
            "embedding": told_of(self.vectors) if self.vectors else None,
            "sha256": combined(record["sha256"] for record in records if record["documents"]),
            "built": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self.part.rename(generation(self.where, self.number))
        draft = self.where / "corpus.json.tmp"
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(info, indent=1))
            _sync(stream)
        draft.replace(self.where / "corpus.json")
        for old in generations(self.where):
            if old != generation(self.where, self.number):
                shutil.rmtree(old, ignore_errors=True)


def _ids(journal: _Journal) -> dict[str, str]:
    return {id_: origin for origin, record in journal.records.items() for id_ in record["ids"]}


class _Notes:
    """What of one file was left out, named up to a limit; and the ids it has given."""

    def __init__(self, origin: str) -> None:
        self._origin, self._named, self._more = origin, dict[str, str](), 0
        self.ids: set[str] = set()

    def skip(self, where: str, why: str) -> None:
        if len(self._named) < MOST_SKIPPED or where == self._origin:
            self._named[where] = why
        else:
            self._more += 1

    def told(self) -> dict[str, str]:
        """Where and why."""
        more = {f"{self._origin}:…": f"{self._more:,} further lines were left out"} if self._more else {}
        return {**self._named, **more}


def _counted(
    old: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]], found: Sequence[str]
) -> tuple[int, int, int, int]:
    """Documents added, changed, unchanged, removed."""
    added = changed = unchanged = 0
    for origin in found:
        count = now[origin]["documents"]
        if origin not in old:
            added += count
        elif old[origin]["stamp"] != now[origin]["stamp"]:
            changed += count
        else:
            unchanged += count
    return added, changed, unchanged, sum(old[o]["documents"] for o in old if o not in now)


def _linked(old: Path, new: Path) -> None:
    """The same generation again: files that never change are linked, where the disk can; the others copied."""
    for path in sorted(old.rglob("*")):
        target = new / path.relative_to(old)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif path.suffix in (".json", ".jsonl", ".lock"):
            shutil.copy2(path, target)
        else:
            try:
                os.link(path, target)
            except OSError:
                shutil.copy2(path, target)


def _sync(stream: TextIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


@contextmanager
def _bar(what: str, shown: bool) -> Iterator[Callable[[int, int], object]]:
    """A bar; gives what says how far it is, and how far it goes."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
