"""Files into documents: plain text, Markdown and JSONL, HTML and PDF.

A file that cannot be read is named with the reason and never stops the others.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gadfly.corpora._apart import Apart, ApartError
from gadfly.corpora._own import mark_of
from gadfly.corpora._types import Document
from gadfly.errors import InputError

__all__ = ["File", "UnreadableError", "files", "read"]

MOST_BYTES = 200 << 20
"""Bytes of a text file at most."""
LONGEST_LINE = 50 << 20
"""Bytes of a line of JSONL at most."""
LONGEST_ID = 200
LONGEST_TITLE = 200
TEXTS = ("text", "passage", "content", "body")

Skip = Callable[[str, str], None]


class UnreadableError(Exception):
    """A file that no text can be had from; the message says why."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to read. `origin` is its absolute path, `id` what it is called, `stamp` its bytes and time of change."""

    path: Path
    origin: str
    id: str
    stamp: tuple[int, int]


def absolute(source: Path) -> Path:
    """The path from the root on, links left as they are."""
    return Path(os.path.abspath(source.expanduser()))  # noqa: PTH100 - resolve would follow links


def files(sources: Sequence[Path], skip: Skip, known: Collection[str] = ()) -> list[File]:
    """Every file under these paths once, by name. Hidden ones, and directories that are gadfly's own, are left out
    unless they are named themselves.

    Links to directories are not followed. Raises `InputError` for a path that is not there and leads to none of the
    `known` files.
    """
    found: dict[str, File] = {}
    for source in sources:
        root = absolute(source)
        if not root.exists():
            if any(root.resolve() in (Path(origin), *Path(origin).parents) for origin in known):
                continue
            raise InputError(f"{source} does not exist; name files or directories to read.")
        for path in _walked(root, skip) if root.is_dir() else [root]:
            try:
                status, origin = path.stat(), str(path.resolve())
            except (OSError, RuntimeError) as error:
                skip(str(path), f"cannot be read ({getattr(error, 'strerror', None) or error})")
                continue
            name = path.relative_to(root.parent).as_posix()
            found.setdefault(origin, File(path, origin, name, (status.st_size, status.st_mtime_ns)))
    return list(found.values())


def _walked(root: Path, skip: Skip) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        skip(str(error.filename), f"cannot be read ({error.strerror})")

    for above, folders, names in os.walk(root, onerror=unreadable):
        if Path(above) != root and (mark := mark_of(Path(above), names)):
            skip(above, f"is kept by gadfly itself, as its {mark} says")
            folders.clear()
            continue
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        for name in sorted(names):
            path = Path(above, name)
            if not name.startswith(".") and (path.is_file() or path.is_symlink()):
                if path.is_file():
                    yield path
                elif not path.is_dir():
                    skip(str(path), "is a link that leads nowhere or to itself")


def read(file: File, apart: Apart, skip: Skip) -> Iterator[Document]:
    """The documents of a file. Raises `UnreadableError`; lines and pages that cannot be read are told to `skip`."""
    try:
        kind = _kind(file.path)
        if kind == "jsonl":
            yield from _lines(file, skip)
        elif kind == "text":
            yield _text(file)
        else:
            yield _parsed(file, kind, apart, skip)
    except EOFError as error:
        raise UnreadableError("is cut off") from error
    except (OSError, zlib.error) as error:
        raise UnreadableError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _kind(path: Path) -> str:
    name = path.name.lower()
    if name.endswith((".jsonl", ".jsonl.gz", ".ndjson")):
        return "jsonl"
    if name.endswith((".html", ".htm", ".xhtml")):
        return "html"
    with path.open("rb") as stream:
        return "pdf" if stream.read(5) == b"%PDF-" or name.endswith(".pdf") else "text"


def _parsed(file: File, kind: str, apart: Apart, skip: Skip) -> Document:
    """An HTML or PDF file, read in another process."""
    if file.stamp[0] > MOST_BYTES:
        raise UnreadableError(_too_large())
    try:
        text, title, skipped = apart.read(file.path, kind)
    except ApartError as error:
        raise UnreadableError(str(error)) from error
    for where, why in skipped.items():
        skip(where, why)
    if kind == "pdf" and not text.strip():
        raise UnreadableError("holds no text: is it a scan?")
    return document(file.id, title or file.path.stem, text, file.origin)


def _too_large() -> str:
    return f"has more than {MOST_BYTES >> 20} MiB; make it several files"


# --- text ---


def _text(file: File) -> Document:
    if file.stamp[0] > MOST_BYTES:
        raise UnreadableError(_too_large())
    text = decoded(file.path.read_bytes())
    return document(file.id, _heading(file.path, text), text, file.origin)


def decoded(raw: bytes) -> str:
    """The text of a file. Raises `UnreadableError` for what is none in UTF-8 or, with its mark in front, UTF-16."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    if b"\0" in raw[:8192]:
        raise UnreadableError("is binary")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = raw.decode("utf-8-sig", "replace")
        if 1_000 * text.count("\ufffd") > len(text):
            raise UnreadableError(f"is not text in UTF-8 (byte {error.start:,}); save it as that") from error
        return text


_CONTROLS = dict.fromkeys((*range(32), *range(0x7F, 0xA0)), " ") | {
    9: "\t",
    **dict.fromkeys((*range(10, 14), 0x85), "\n"),
}


def document(id_: str, title: str, text: str, source: str) -> Document:
    """A document without control characters, its title on one line. Raises `UnreadableError` when nothing is left."""
    text = text.replace("\r\n", "\n").translate(_CONTROLS)
    if not text.strip():
        raise UnreadableError("holds no text")
    title = " ".join(title.translate(_CONTROLS).split())[:LONGEST_TITLE].strip()
    return Document(id_, title or id_, text, source)


def _heading(path: Path, text: str) -> str:
    """A Markdown file's first heading, else the file's name."""
    if path.suffix.lower() in (".md", ".markdown"):
        found = re.search(r"^#{1,6}[ \t]+(.{1,1000}?)[ \t#]*$", text[:20_000], re.MULTILINE)
        if found:
            return found[1]
    return path.stem


# --- JSONL ---


def _lines(file: File, skip: Skip) -> Iterator[Document]:
    opened = gzip.open if file.path.suffix.lower() == ".gz" else open
    read_one = False
    with opened(file.path, "rb") as stream:
        for number, line in _numbered(stream):  # type: ignore[arg-type]
            where = f"{file.origin}:{number}"
            try:
                yield _row(line, f"{file.id}:{number}", where)
                read_one = True
            except UnreadableError as error:
                skip(where, str(error))
    if not read_one:
        raise UnreadableError("has no line that holds a text")


def _numbered(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        whole = line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):  # read past, not kept
            line = stream.readline(LONGEST_LINE + 1)
        if whole.strip():
            yield number, whole


def _row(line: bytes, default_id: str, where: str) -> Document:
    if len(line) > LONGEST_LINE:
        raise UnreadableError(f"is longer than {LONGEST_LINE >> 20} MiB")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("is not JSON") from error
    if not isinstance(row, dict):
        raise UnreadableError("is no JSON object")
    text = next((row[key] for key in TEXTS if isinstance(row.get(key), str)), None)
    if text is None:
        raise UnreadableError(f"has no text under {', '.join(TEXTS)}")
    id_ = row.get("id", default_id)
    id_ = default_id if id_ is None or id_ == "" else str(id_)
    if len(id_) > LONGEST_ID:
        raise UnreadableError(f"has an id of more than {LONGEST_ID} characters")
    title = row.get("title")
    return document(id_, title if isinstance(title, str) else "", text, where)
