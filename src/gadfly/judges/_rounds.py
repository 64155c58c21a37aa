"""Where judges that learned are kept: `NAME/0001/`, `NAME/0002/`, rounds side by side, each appearing whole by rename.

The highest number is the judge's present self. Nothing is pickled, and which kind of judge a round holds is told by
the file that is in it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from gadfly.errors import InputError, StoreError, UnknownNameError

__all__ = [
    "SCALE",
    "calibrated_names",
    "check_name",
    "fitted_names",
    "is_calibrated",
    "judges_directory",
    "keep_round",
    "place_of",
    "read_file",
    "read_tensors",
    "rounds",
]

SCALE = "scale.json"
"""What a calibrated judge of debates keeps in a round: a number, and no card of what was learned."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

Contents = Mapping[str, bytes]
T = TypeVar("T")


def fitted_names(directory: Path | str | None = None) -> list[str]:
    """The judges that learned and have a saved round, sorted; none where there is no directory."""
    return [name for name in _kept(directory) if not is_calibrated(name, directory)]


def calibrated_names(directory: Path | str | None = None) -> list[str]:
    """The calibrated judges of debates, sorted; none where there is no directory."""
    return [name for name in _kept(directory) if is_calibrated(name, directory)]


def _kept(directory: Path | str | None) -> list[str]:
    found = judges_directory(directory).glob("*")
    return sorted(path.name for path in found if _NAME.fullmatch(path.name) and rounds(path))


def is_calibrated(name: str, directory: Path | str | None = None) -> bool:
    """Whether the last round of a name is the scale of a calibrated judge of debates, and no judge that learned."""
    home = judges_directory(directory) / name
    return (home / f"{max(rounds(home), default=0):04}" / SCALE).is_file()


def judges_directory(directory: Path | str | None = None) -> Path:
    """Where judges are kept: as given, else `$GADFLY_JUDGES`, else `./gadfly-judges`."""
    return Path(directory or os.environ.get("GADFLY_JUDGES") or "gadfly-judges").expanduser()


def check_name(name: str, taken: Sequence[str], *, scale: bool = False) -> None:
    """Refuse a name that a built-in judge has, that is no plain word, or that is a calibrated judge's, unless what is
    to be kept is its next `scale`.
    """
    if name in taken:
        raise InputError(f"{name!r} is a built-in judge; give yours another name, such as my-{name}.")
    if not _NAME.fullmatch(name):
        raise InputError(
            f"A judge's name is made of letters, digits, - and _, at most 64; got {name[:80]!r}."
        )
    if not scale and is_calibrated(name):
        raise InputError(f"{name!r} is a calibrated judge (calibrated:{name}); give this one another name.")


def keep_round(name: str, contents: Callable[[int], Contents], directory: Path | str | None) -> Path:
    """Keep the files that `contents` gives for a round's number as the next round of a name; returns its directory."""
    home = judges_directory(directory) / name
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=home) as scratch:
            return _keep(home, Path(scratch) / "round", contents)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"The judge could not be saved in {str(home)!r} ({reason}); mend that or set GADFLY_JUDGES."
        ) from error


def _keep(home: Path, made: Path, contents: Callable[[int], Contents]) -> Path:
    """Write the round apart, then rename it to the next free number; another process may take that first."""
    while True:
        number = max(rounds(home), default=0) + 1
        _write(made, contents(number))
        try:
            return made.rename(home / f"{number:04}")
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise


def _write(made: Path, contents: Contents) -> None:
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    for name, content in contents.items():
        with (made / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def rounds(home: Path) -> list[int]:
    """The numbers of the rounds there, in no order."""
    return [int(path.name) for path in home.glob("[0-9]*") if path.name.isdecimal() and path.is_dir()]


def place_of(name: str, number: int | None, directory: Path | str | None) -> Path:
    """The directory of a judge's round, the latest one by default. Raises `UnknownNameError` where there is none."""
    home = judges_directory(directory) / name
    there = sorted(rounds(home)) if _NAME.fullmatch(name) else []
    if not there:
        raise UnknownNameError(
            "fitted judge",
            name,
            fitted_names(directory),
            "Make one with gadfly judge fit, or of debates with gadfly debate learn.",
        )
    if number is not None and number not in there:
        raise UnknownNameError(f"round of {name!r} numbered", str(number), [str(n) for n in there])
    return home / f"{number or there[-1]:04}"


def read_file(file: Path, parse: Callable[[bytes], T]) -> T:
    """One file of a round, or the sentence that says what is wrong with it."""
    try:
        return parse(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"{str(file)!r} cannot be used ({reason}); fit the judge again, or remove that round's directory to go "
            "back to the one before."
        ) from error


def read_tensors(content: bytes, sha256: str) -> dict[str, Any]:
    """The tensors of a safetensors file, which must be the very one that `judge.json` was written beside."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError("its sha256 is not the one judge.json states")
    try:
        return load(content)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
