"""YAML and lines of JSON that people write: read strictly, and every complaint names the line.

Plain YAML only: an alias can blow a small file up, and of two equal keys one would be lost in silence. A yes or no
(`true:`, `on:`) stays the word it was where a key is meant. A `Shelf` holds what ships of one kind, and takes users'
own files beside it.
"""

from __future__ import annotations

import copy
import difflib
import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import UnionType
from typing import Any, BinaryIO, Generic, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from gadfly.errors import InputError, UnknownNameError
from gadfly.words import lowered

__all__ = ["Document", "Place", "Shelf", "cut_half_a_line", "json_lines", "read", "text_in"]

MOST_BYTES = 1_000_000

Place = tuple[str | int, ...]
"""Where something stands: keys and positions from the top down."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """What a file says, and on which line each of its parts begins (from 1). `where` is how messages call it."""

    content: Any
    lines: Mapping[Place, int]
    where: str

    def line(self, place: Place) -> int:
        """The line of what stands at `place`, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, place: Place, sentence: str) -> InputError:
        """The error that says what is wrong there."""
        return InputError(f"{self.where}, line {self.line(place)}: {sentence}")

    def validated(self, model: type[M], **given: Any) -> M:
        """The content as `model`, with `given` fields that the file may not set. Raises `InputError`."""
        if not isinstance(self.content, dict):
            needed = [
                name for name, one in model.model_fields.items() if one.is_required() and name not in given
            ]
            raise InputError(f"{self.where} must hold keys such as {', '.join(needed[:5])}.")
        for name in given:
            if name in self.content:
                raise self.problem((name,), f"{name} is no key here: it is filled in from the file's name.")
        try:
            return model.model_validate({**self.content, **given})
        except ValidationError as error:
            raise self._explained(error, model, given) from error

    def _explained(
        self, error: ValidationError, model: type[BaseModel], given: Mapping[str, Any]
    ) -> InputError:
        """The first thing wrong: a mistyped key before what it left out."""
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        place = _place(first["loc"], self.content)
        if first["type"] == "missing":
            key = ".".join(map(str, (*place, first["loc"][-1])))
            return self.problem(place, f"the key {key!r} is missing.")
        key = ".".join(map(str, place))
        if first["type"] == "extra_forbidden":
            known = set(_known(model, place[:-1])) - (set(given) if len(place) == 1 else set())
            near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."
            return self.problem(place, f"unknown key {key!r}. {hint}")
        what = first["msg"].removeprefix("Value error, ")
        return self.problem(place, f"{key}: {lowered(what)}.")


@dataclass(frozen=True)
class Shelf(Generic[M]):
    """Documents of one `kind` as `model`: those in `folder` of `package`, a file each, and users' own files.

    `problems` tells what must hold between the parts of one and does not: where, and a sentence.
    """

    kind: str
    model: type[M]
    package: str
    folder: str
    problems: Callable[[M], Iterable[tuple[Place, str]]]

    def names(self) -> list[str]:
        """The names of those that ship, sorted."""
        return sorted(
            file.name.removesuffix(".yaml") for file in self._folder.iterdir() if file.name.endswith(".yaml")
        )

    def get(self, name: str | Path) -> M:
        """The one of that name, or the one in that YAML file, which is named after its file.

        Raises `UnknownNameError` for a name nothing answers to and `InputError` for a file that cannot be used: what is
        wrong and on which line.
        """
        if str(name).endswith((".yaml", ".yml")):
            stem = re.sub(r"[^A-Za-z0-9]+", "_", Path(name).stem)[:60] or self.kind
            return self.checked(read(Path(name)), stem)
        hint = "A path to your own .yaml file works too."
        return self.checked(read(self.text(str(name), hint), f"{self.kind} {name}"), str(name))

    def text(self, name: str, hint: str = "") -> str:
        """The YAML of one that ships. Raises `UnknownNameError`, which ends in the hint."""
        if name not in self.names():
            raise UnknownNameError(self.kind, name, self.names(), hint)
        return (self._folder / f"{name}.yaml").read_text("utf-8")

    def checked(self, document: Document, name: str) -> M:
        """What a document holds, under that name, or the first thing wrong with it."""
        found = document.validated(self.model, name=name)
        for place, sentence in self.problems(found):
            raise document.problem(place, sentence)
        return found

    @property
    def _folder(self) -> Traversable:
        return resources.files(self.package) / self.folder


def read(source: Path | str, where: str = "") -> Document:
    """The document in a file, or in a text that is called `where`. Raises `InputError` when it cannot be read."""
    if isinstance(source, Path):
        return _parsed(_text(source), str(source))
    return _parsed(source, where)


def text_in(path: Path) -> str:
    """What a text file in UTF-8 says, its byte order mark apart. Raises `InputError` when it cannot be read."""
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8; save it as that.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from error


def _text(path: Path) -> str:
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES:,} bytes; make it several files.")
    return text_in(path)


def _parsed(text: str, where: str) -> Document:
    try:
        kept, lines = _composed(text)
        content = copy.deepcopy(kept)
    except RecursionError as error:
        raise InputError(f"{where} is nested too deeply.") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2020-99-99
        raise _unreadable(error, where) from error
    return Document(content, lines, where)


@lru_cache(maxsize=64)
def _composed(text: str) -> tuple[Any, Mapping[Place, int]]:
    """What a text says and where; kept, since a sweep reads its scenario once for every cell."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return (loader.construct_document(node), dict(_lines(node, ()))) if node else (None, {})
    finally:
        loader.dispose()


def _unreadable(error: Exception, where: str) -> InputError:
    """What is wrong with the YAML, in one sentence."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or " ".join(str(error).split())
    at = f"{where}, line {mark.line + 1}:" if mark else where
    return InputError(f"{at} cannot be read as YAML: {what.rstrip('.')}.")


class _Loader(yaml.SafeLoader):
    """No aliases, no key twice, and keys are words: `on:` is not True."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            problem = "aliases such as *name are not allowed; write the value out"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {key.value!r} occurs twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inside = (*place, str(key.value))
            yield from _lines(value, inside)
            yield inside, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, (*place, number))


def _place(loc: Place, content: Any) -> Place:
    """Where pydantic points, without its own names for a branch of a union or for a key."""
    place: Place = ()
    for part in loc:
        if isinstance(content, dict):
            inside = part in content
        else:
            inside = isinstance(content, list) and isinstance(part, int) and part < len(content)
        if inside:
            place, content = (*place, part), content[part]
    return place


def _fields(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _known(model: type[BaseModel], place: Place) -> list[str]:
    """The keys that may stand at `place` of a `model`."""
    found: Any = model
    for part in place:
        found = _inside(found, part)
    return _fields(found) if isinstance(found, type) and issubclass(found, BaseModel) else []


def _inside(kind: Any, part: str | int) -> Any:
    """The type of what stands under `part` in something of this type; None where that is unknown."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        named = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
        return _plain(named.get(str(part)))
    arguments = [one for one in get_args(kind) if one is not Ellipsis]
    return _plain(arguments[-1]) if arguments else None


def _plain(kind: Any) -> Any:
    """A type without what is optional or annotated about it."""
    if get_origin(kind) in (Union, UnionType):
        return _plain(next(one for one in get_args(kind) if one is not type(None)))
    return _plain(get_args(kind)[0]) if hasattr(kind, "__metadata__") else kind


def json_lines(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a .jsonl or .jsonl.gz file, one a line, with their line's number from 1; empty lines are left out.

    Raises `InputError`, which names the line that is no JSON object, or the file that cannot be read.
    """
    path = Path(path)
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _object(line, f"Line {number} of {str(path)!r}")
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not text in UTF-8; save it as UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{str(path)!r} cannot be read ({reason}); name a .jsonl file.") from error


def cut_half_a_line(file: BinaryIO) -> None:
    """Cut off what follows the last line's end, which a kill in the middle of writing left; `file` can be read and
    written, and stands at its end afterwards. A file that ends with a line is not read.
    """
    if size := file.seek(0, os.SEEK_END):
        file.seek(size - 1)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.seek(0, os.SEEK_END)


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
        json.dumps(told, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where} holds half of a surrogate pair, which is no character: mend its text."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON ({error}); write one object a line.") from error
    if not isinstance(told, dict):
        raise InputError(f"{where} must be an object, got {type(told).__name__}.")
    return told
