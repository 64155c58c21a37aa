"""An index of a directory of text that finds any 13 consecutive words a reply shares with it.

Every window of `WORDS` words is hashed to 64 bits and kept sorted, once, with the place where it stands: a reply's
windows are found by binary search in a memory-mapped file. A window found is compared word by word with the source
before it counts, so that a collision never does; it could only hide one window (chance of any in 1 GB: 1 in 1,600).
Building takes constant memory: windows are dealt into buckets by the top bits of their hash, and the buckets are
sorted one after the other. The index takes about twice the room of the text, under `$GADFLY_CACHE`.

What is a word: a run of letters and digits with their accents and vowel signs; everything else, line breaks,
hyphens and apostrophes included, only separates. Words are compared in compatibility form and without case
("ﬁre" is "FIRE"). A script that puts nothing between words has one "word" between two marks of punctuation.
Files are read as UTF-8, as they stand: text inside JSON, archives or PDF must be taken out first.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from gadfly.errors import InputError, StoreError

__all__ = ["WORDS", "Corpus", "Shared", "open_corpus", "spans"]

WORDS = 13
"""The length of the shortest passage that counts as repeated (Perez et al. 2022, section 4)."""

FORMAT = 1
BLOCK = 1 << 14
"""Bytes of a file that are read, numbered and, to verify a passage, read again at once."""
BUCKET = 1 << 25
"""Bytes of text whose windows are sorted at once: some 6 million windows, 400 MB at work."""
MOST_BUCKETS = 256
FLUSH = 1 << 21  # windows dealt into buckets at once

Hashes = NDArray[np.uint64]

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_WEIGHTS: Hashes = np.array([pow(0x9E3779B97F4A7C15, n, 1 << 64) for n in range(WORDS)], dtype=np.uint64)


# --- words ---


@functools.cache
def _word() -> re.Pattern[str]:
    marks = (chr(c) for c in range(0x10000) if unicodedata.category(chr(c))[0] == "M")
    return re.compile(rf"\w[\w{''.join(marks)}{''.join(map(chr, _INVISIBLE))}]*")


def spans(text: str) -> list[tuple[str, int, int]]:
    """The words of a text as they are compared, each with where it stands: `text[start:stop]`."""
    return [(normal(m[0]), m.start(), m.end()) for m in _word().finditer(text.replace("_", " "))]


def normal(word: str) -> str:
    """A word as it is compared."""
    folded = unicodedata.normalize("NFKC", word.translate(_INVISIBLE)).casefold()
    return unicodedata.normalize("NFKC", folded)


class _Values(dict[str, int]):
    """Each word as written -> 64 bits of its normal form. Forgets everything now and then: constant memory."""

    def __missing__(self, word: str) -> int:
        if len(self) >= 1_000_000:
            self.clear()
        digest = hashlib.blake2b(normal(word).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        value = self[word] = int.from_bytes(digest, "little")
        return value


def window_hashes(values_N: Hashes) -> Hashes:
    """The hash of every window of `WORDS` words, (N - WORDS + 1,): a polynomial in their values, modulo 2**64."""
    count = max(0, len(values_N) - WORDS + 1)
    hashes = np.zeros(count, dtype=np.uint64)
    for n, weight in enumerate(_WEIGHTS):
        hashes += weight * values_N[n : n + count]
    return hashes


# --- looking up ---


@dataclass(frozen=True, slots=True)
class Shared:
    """A passage of a reply, words `start` to `stop`, that stands word for word in `file` from byte `offset` on."""

    start: int
    stop: int
    file: str
    offset: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class Corpus:
    """An indexed directory; see `open_corpus`. `sha256` is over the texts, in the order of their names."""

    root: Path
    sha256: str
    files: Sequence[Sequence[Any]] = field(repr=False)  # (path within root, bytes, mtime in ns)
    hashes: Hashes = field(repr=False)
    places: NDArray[Any] = field(repr=False)
    blocks: NDArray[np.int64] = field(repr=False)  # (B, 4): file, offset, bytes, number of the first word

    def shared(self, words: Sequence[str]) -> Iterator[Shared]:
        """The passages of `WORDS` or more of these words that the corpus holds, in order.

        One whose windows the corpus holds in several places is followed in one of them, so that a passage may be
        longer than said. Raises `StoreError` when a file is no longer what was indexed.
        """
        values = np.fromiter(map(_Values().__getitem__, words), np.uint64, len(words))
        wanted = window_hashes(values)
        at = np.searchsorted(self.hashes, wanted)
        at[at == len(self.hashes)] = 0
        covered = 0
        for start in np.flatnonzero(self.hashes[at] == wanted):
            if start + WORDS > covered and (
                found := self._verified(words, int(start), int(self.places[at[start]]))
            ):
                covered = found.stop
                yield found

    def passage(self, window: int, words: int = WORDS) -> str:
        """The text, as it stands, of so many words from one of the windows on, fewer where the block ends."""
        number, first = self._place(int(self.places[window]))
        text, found = self._block(number)
        return text[found[first][1] : found[min(first + words, len(found)) - 1][2]]

    def _verified(self, words: Sequence[str], start: int, place: int) -> Shared | None:
        """The passage from `start` on, if the source really says the same; as far as it does."""
        number, first = self._place(place)
        file, offset, *_ = map(int, self.blocks[number])
        text, found = self._block(number)
        before = len(text[: found[first][1]].encode("utf-8", "surrogateescape"))
        stop = start
        for word in self._onward(number, first):
            if stop == len(words) or words[stop] != word:
                break
            stop += 1
        if stop - start < WORDS:
            return None
        return Shared(start, stop, str(self.files[file][0]), offset + before)

    def _onward(self, number: int, first: int) -> Iterator[str]:
        """The words from one on to the end of its file."""
        file = self.blocks[number, 0]
        while number < len(self.blocks) and self.blocks[number, 0] == file:
            yield from (word for word, _, _ in self._block(number)[1][first:])
            number, first = number + 1, 0

    def _place(self, place: int) -> tuple[int, int]:
        """The block that holds a word, and its number there."""
        number = int(np.searchsorted(self.blocks[:, 3], place, side="right")) - 1
        return number, place - int(self.blocks[number, 3])

    @functools.lru_cache(maxsize=64)  # noqa: B019 (a corpus lives as long as its judge)
    def _block(self, number: int) -> tuple[str, list[tuple[str, int, int]]]:
        file, offset, size, _ = map(int, self.blocks[number])
        name, *stamp = self.files[file]
        path = self.root / name
        try:
            with path.open("rb") as source:
                if stamp != _stamp(os.fstat(source.fileno())):
                    raise StoreError(f"{path} changed since it was indexed; give the same command again.")
                source.seek(offset)
                text = source.read(size).decode("utf-8", "surrogateescape")
        except (FileNotFoundError, PermissionError) as error:
            raise StoreError(
                f"{path} could be read when it was indexed, and no longer ({error.strerror})."
            ) from error
        return text, spans(text)


def _stamp(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns]


# --- opening and building ---


def open_corpus(directory: str | Path) -> Corpus:
    """The index of every text file under a directory, built when there is none or a file's size or time changed.

    Hidden files and those with a zero byte near their start are left out. Raises `InputError` when there is no such
    directory, nothing to index in it or a file that cannot be read; `StoreError` when no index can be written.
    """
    from gadfly.models._weights import default_cache  # late: it brings transformers

    root = Path(directory).expanduser().resolve()
    if not root.is_dir():
        what = "is a file, not a directory" if root.exists() else "does not exist"
        raise InputError(f"The corpus {directory} {what}; name a directory of text files.")
    files = list(_files(root))
    named = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    stamp = hashlib.sha256(json.dumps([FORMAT, WORDS, files]).encode()).hexdigest()[:16]
    home = default_cache() / "corpora"
    where = home / f"{named}-{stamp}"
    try:
        if found := _opened(where, root, files):
            return found
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / f"{named}.lock"):
            if not _opened(where, root, files):
                _replace(home, named, where, _Texts(root, files))
    except (StoreError, InputError):
        raise
    except OSError as error:
        raise StoreError(
            f"The index of {root} cannot be kept in {home} ({error.strerror}); it takes twice the room of the text "
            "there and as much again while it is built: set GADFLY_CACHE to a place that has it."
        ) from error
    found = _opened(where, root, files)
    if not found:
        raise StoreError(f"The index of {root} in {where} cannot be read back; is the disk full?")
    return found


def _files(root: Path) -> Iterator[tuple[str, int, int]]:
    """Path within the root, bytes and time of every file that is not hidden, in the order of their names."""

    def unreadable(error: OSError) -> None:
        raise InputError(f"{error.filename} in the corpus cannot be read ({error.strerror}).") from error

    for above, folders, names in os.walk(root, onerror=unreadable):
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        for name in sorted(names):
            path = Path(above, name)
            if not name.startswith(".") and path.is_file():
                size, changed = _stamp(path.stat())
                yield (path.relative_to(root).as_posix(), size, changed)


def _opened(where: Path, root: Path, files: Sequence[tuple[str, int, int]]) -> Corpus | None:
    """The index, or None where there is none that is whole."""
    try:
        about = json.loads((where / "corpus.json").read_text("utf-8"))
        hashes = np.memmap(where / "hashes", "<u8", "r", shape=(about["windows"],))
        places = np.memmap(where / "places", about["place"], "r", shape=(about["windows"],))
        blocks = np.fromfile(where / "blocks", "<i8").reshape(about["blocks"], 4)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Corpus(root, about["sha256"], [list(file) for file in files], hashes, places, blocks)


def _replace(home: Path, named: str, where: Path, texts: _Texts) -> None:
    """Build beside its place and put it there whole; then remove earlier ones and what a killed process left."""
    for old in home.glob(f"{named}.*.part"):
        shutil.rmtree(old, ignore_errors=True)
    part = Path(tempfile.mkdtemp(dir=home, prefix=f"{named}.", suffix=".part"))
    try:
        _build(texts, part)
        shutil.rmtree(where, ignore_errors=True)
        part.rename(where)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    for old in home.glob(f"{named}-*"):
        if old != where:
            shutil.rmtree(old, ignore_errors=True)


def _build(texts: _Texts, into: Path) -> None:
    values, blocks, words = _Values(), [], 0
    with _Buckets(into, texts.bytes) as buckets, texts:
        for number in range(len(texts.files)):
            tail: Hashes = np.empty(0, dtype=np.uint64)
            for offset, raw in texts.blocks(number):
                found = _word().findall(raw.decode("utf-8", "surrogateescape").replace("_", " "))
                fresh = np.fromiter(map(values.__getitem__, found), np.uint64, len(found))
                blocks.append((number, offset, len(raw), words))
                buckets.add(window_hashes(np.concatenate((tail, fresh))), words - len(tail))
                words += len(fresh)
                tail = np.concatenate((tail, fresh))[1 - WORDS :]
        place = "<u4" if words < 1 << 32 else "<u8"
        windows = buckets.merge(into, place)
    if not windows:
        raise InputError(f"{texts.root} holds no text to index: {texts.why()}.")
    np.array(blocks, dtype="<i8").tofile(into / "blocks")
    about = {"windows": windows, "blocks": len(blocks), "place": place, "sha256": texts.sha256()}
    (into / "corpus.json").write_text(json.dumps({**about, "corpus": str(texts.root)}), "utf-8")


class _Texts:
    """The files of a corpus as blocks, read once, with a bar that shows how far."""

    def __init__(self, root: Path, files: Sequence[tuple[str, int, int]]) -> None:
        self.root, self.files = root, files
        self.bytes = sum(size for _, size, _ in files)
        self._digest, self._binary = hashlib.sha256(), 0

    def __enter__(self) -> _Texts:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._bar.start()
        self._task = self._bar.add_task(f"indexing {self.root.name}", total=self.bytes)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def blocks(self, number: int) -> Iterator[tuple[int, bytes]]:
        """The blocks of one file with their offsets; none of a binary one."""
        name, size, _ = self.files[number]
        try:
            with (self.root / name).open("rb") as source:
                if b"\0" in source.read(8192):
                    self._binary += 1
                    return
                source.seek(0)
                self._digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
                yield from self._read(source)
        except OSError as error:
            raise InputError(
                f"{self.root / name} cannot be read ({error.strerror}); make it readable or move it out of the corpus."
            ) from error

    def _read(self, source: BinaryIO) -> Iterator[tuple[int, bytes]]:
        offset, rest = 0, b""
        while piece := source.read(BLOCK):
            self._digest.update(piece)
            self._bar.advance(self._task, len(piece))
            piece = rest + piece
            cut = max(piece.rfind(b" "), piece.rfind(b"\n")) + 1 or _whole(piece)
            yield offset, piece[:cut]
            offset, rest = offset + cut, piece[cut:]
        if rest:
            yield offset, rest

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def why(self) -> str:
        """What is there instead of text."""
        if not self.files:
            return "it has no files that are not hidden"
        if self._binary == len(self.files):
            return f"all {self._binary:,} of its files are binary; convert them to plain text"
        return f"none of its files has {WORDS} words"


def _whole(piece: bytes) -> int:
    """Where to cut bytes without a space: not inside a character."""
    cut = len(piece)
    while cut > 1 and piece[cut - 1] & 0xC0 == 0x80:
        cut -= 1
    return cut - 1 or len(piece)


class _Buckets:
    """Windows and their places, dealt into files by the top bits of their hash."""

    def __init__(self, into: Path, size: int) -> None:
        wanted = min(MOST_BUCKETS, -(-size // BUCKET))
        self.bits = max(0, (wanted - 1).bit_length())
        self.paths = [into / f"bucket{n}" for n in range(1 << self.bits)]
        self._waiting: list[NDArray[np.uint64]] = []
        self._stack = ExitStack()

    def __enter__(self) -> _Buckets:
        self._files = [self._stack.enter_context(path.open("wb")) for path in self.paths]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, hashes_N: Hashes, first: int) -> None:
        """Windows at consecutive places."""
        places = np.arange(first, first + len(hashes_N), dtype=np.uint64)
        self._waiting.append(np.stack((hashes_N, places), axis=1))
        if sum(map(len, self._waiting)) >= FLUSH:
            self._deal()

    def _deal(self) -> None:
        pairs = np.concatenate(self._waiting) if self._waiting else np.empty((0, 2), np.uint64)
        self._waiting.clear()
        bucket = (pairs[:, 0] >> np.uint64(56)).astype(np.uint8) >> (8 - self.bits)
        order = np.argsort(bucket, kind="stable")
        edges = np.searchsorted(bucket[order], np.arange(len(self._files) + 1))
        for file, low, high in zip(self._files, edges, edges[1:], strict=False):
            pairs[order[low:high]].tofile(file)

    def merge(self, into: Path, place: str) -> int:
        """Sort bucket after bucket into `hashes` and `places`, each hash once; returns how many there are."""
        self._deal()
        self._stack.close()
        count = 0
        with (into / "hashes").open("wb") as hashes, (into / "places").open("wb") as places:
            for path in self.paths:
                pairs = _sorted_once(path)
                pairs[:, 0].astype("<u8").tofile(hashes)
                pairs[:, 1].astype(place).tofile(places)
                count += len(pairs)
                path.unlink()
        return count


def _sorted_once(path: Path) -> NDArray[np.uint64]:
    """A bucket by hash, the earliest place of each; in slices, so that a text that repeats itself stays small."""
    kept = np.empty((0, 2), np.uint64)
    with path.open("rb") as file:
        while len(piece := np.fromfile(file, np.uint64, 1 << 24)):
            both = np.concatenate((kept, piece.reshape(-1, 2)))
            both = both[np.argsort(both[:, 0], kind="stable")]
            kept = both[np.append(True, both[1:, 0] != both[:-1, 0])]
    return kept
