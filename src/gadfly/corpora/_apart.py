"""HTML and PDF into text, in a process of its own: what hangs, eats memory or crashes there takes nothing with it.

The process reads `{"path", "kind"}` a line and answers with lines of JSON: `{"text"}` for a page or a file,
`{"skipped": {WHERE: WHY}}`, and at last `{"title"}` or `{"failed"}`. It may use 2 GiB and take a minute a page.
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

__all__ = ["Apart", "ApartError", "main"]

PATIENCE_S = 60.0
MEMORY = 2 << 30
MOST_PAGES = 20_000
MOST_TEXT = 100_000_000
"""Characters of one file at most."""


class ApartError(Exception):
    """The file could not be read; the message says why."""


class Apart:
    """The other process, started when it is first needed, and again after it died."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[bytes] = queue.Queue()

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(self, path: Path, kind: str) -> tuple[str, str, dict[str, str]]:
        """Text, title and what was left out of the file, with reasons. Raises `ApartError`."""
        process = self._started()
        assert process.stdin is not None
        with suppress(OSError):  # dead already: its lines say so
            process.stdin.write(json.dumps({"path": str(path), "kind": kind}).encode() + b"\n")
            process.stdin.flush()
        texts: list[str] = []
        skipped: dict[str, str] = {}
        while "title" not in (told := self._told()):
            if "failed" in told:
                raise ApartError(told["failed"])
            texts += [told["text"]] if "text" in told else []
            skipped.update(told.get("skipped", {}))
        return "\n\n".join(texts), told["title"], skipped

    def _told(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=self._patience_s)
        except queue.Empty:
            self._end()
            return {"failed": f"took more than {self._patience_s:g} s to read"}
        if not line:
            self._end()
            return {"failed": f"could not be read in {MEMORY >> 30} GiB of memory, or crashed its reader"}
        return dict(json.loads(line))

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [
                sys.executable,
                "-P",
                "-m",
                "gadfly.corpora._apart",
            ]  # -P: no module from where the user stands
            pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing)  # noqa: S603
            self._lines = queue.Queue()
            told = (self._process.stdout, self._lines)
            threading.Thread(target=_listen, args=told, daemon=True).start()
        return self._process

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._process = None


def _listen(stream: IO[bytes], lines: queue.Queue[bytes]) -> None:
    """Hand on every line; an empty one at the end."""
    with suppress(OSError, ValueError):
        for line in stream:
            lines.put(line)
    lines.put(b"")


# --- in the other process ---


def main() -> None:
    """Answer until there is nothing more to read."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        try:
            for told in {"pdf": _pdf, "html": _html}[asked["kind"]](Path(asked["path"])):
                _say(answers, told)
        except MemoryError:
            raise
        except Exception as error:  # a parser may raise anything
            words = " ".join(str(error).split())[:200]
            _say(answers, {"failed": f"cannot be read ({words or type(error).__name__})"})


def _say(answers: IO[bytes], told: dict[str, Any]) -> None:
    answers.write(json.dumps(told).encode() + b"\n")
    answers.flush()


def _pdf(path: Path) -> Iterator[dict[str, Any]]:
    import pypdf

    with path.open("rb") as stream:
        reader = pypdf.PdfReader(stream)
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("it is encrypted; save it without a password")
        left, count = MOST_TEXT, len(reader.pages)
        for number in range(min(count, MOST_PAGES)):
            where = f"{path}:page {number + 1}"
            try:
                text = reader.pages[number].extract_text()
            except MemoryError:
                raise
            except Exception as error:
                why = " ".join(str(error).split())[:200] or type(error).__name__
                yield {"skipped": {where: f"cannot be read ({why})"}}
                continue
            if (left := left - len(text)) < 0:
                raise ValueError(f"it has more than {MOST_TEXT:,} characters of text")
            yield {"text": text}
        if count > MOST_PAGES:
            yield {"skipped": {f"{path}:page {MOST_PAGES + 1}": f"pages after {MOST_PAGES:,} are left out"}}
        yield {"title": _pdf_title(reader)}


def _pdf_title(reader: Any) -> str:
    with suppress(Exception):  # an optional field of a file that may be broken
        return str(reader.metadata.title or "")
    return ""


def _html(path: Path) -> Iterator[dict[str, Any]]:
    from bs4.dammit import EncodingDetector
    from lxml import etree

    raw = path.read_bytes()
    text = _decoded(raw, EncodingDetector.find_declared_encoding(raw, is_html=True))
    page = _Page()
    parser: Any = etree.HTMLParser(target=page, huge_tree=True, no_network=True)
    try:
        for start in range(0, len(text), 1 << 16):
            parser.feed(text[start : start + (1 << 16)].replace("\0", " "))
        parser.close()
    except etree.XMLSyntaxError as error:
        yield {"skipped": {str(path): f"was read only in part ({' '.join(str(error).split())[:200]})"}}
    yield {"text": page.text()}
    yield {"title": page.title()}


def _decoded(raw: bytes, declared: str | None) -> str:
    for encoding in ("utf-8-sig", declared or "", "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ""):
        with suppress(UnicodeDecodeError, LookupError):
            return raw.decode(encoding)
    return raw.decode("cp1252", "replace")


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_SILENT = _tags("script style template noscript svg iframe object select title")
_BLOCKS = _tags(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tbody tfoot th thead tr ul"
)
_PARAGRAPHS = _tags("article blockquote dl figure h1 h2 h3 h4 h5 h6 header main ol p pre section table ul")

_LINE, _PARAGRAPH = "\x1e", "\x1f"
_BREAKS = re.compile(r"[ \t]*[\x1e\x1f][ \t\x1e\x1f]*")
_SPACES = re.compile(r"[ \t\n\r\f]+")
_AFTER = frozenset(f" \t\n{_LINE}{_PARAGRAPH}")


class _Page:
    """What lxml's parser tells of a page, made into text: lines for blocks, a blank one around paragraphs."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._silent = self._pre = 0
        self._inside: list[str] = []  # of title and h1
        self._heads: dict[str, list[str]] = {"title": [], "h1": []}

    def start(self, tag: str, attributes: Any) -> None:
        self._silent += tag in _SILENT
        self._pre += tag == "pre"
        self._break(tag)
        if tag == "br":
            self._parts.append("\n")
        if tag in self._heads and not self._heads[tag]:
            self._inside.append(tag)

    def end(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        self._pre -= tag == "pre" and self._pre > 0
        self._break(tag)
        if tag in self._inside:
            self._inside.remove(tag)
        if tag in ("td", "th"):
            self._parts.append("\t")

    def data(self, text: str) -> None:
        for tag in self._inside:
            self._heads[tag].append(text)
        if self._silent:
            return
        words = text if self._pre else _SPACES.sub(" ", text)
        at_break = not self._parts or self._parts[-1][-1] in _AFTER
        if words := words if self._pre or not at_break else words.lstrip(" "):
            self._parts.append(words)

    def comment(self, text: str) -> None:
        """Not text."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Not text."""

    def close(self) -> None:
        """Nothing is open."""

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._parts.append(_PARAGRAPH if tag in _PARAGRAPHS else _LINE)

    def text(self) -> str:
        """A line for every block, a blank one between paragraphs."""
        return _BREAKS.sub(
            lambda found: "\n\n" if _PARAGRAPH in found[0] else "\n", "".join(self._parts)
        ).strip()

    def title(self) -> str:
        """`<title>`, else the first `<h1>`."""
        return next(
            (found for tag in self._heads if (found := " ".join("".join(self._heads[tag]).split()))), ""
        )


if __name__ == "__main__":
    main()
