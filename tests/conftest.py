"""Fixtures that several rooms share."""

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, Error, sync_playwright

from gadfly.models._scripted import ScriptedAPI

FLAGS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

# How long one example takes is the machine's affair.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def nothing_stays_frozen() -> Iterator[None]:
    """What is frozen at exit looks like a leak to libraries that count."""
    yield
    gc.unfreeze()


@pytest.fixture(scope="module", autouse=True)
def earlier_modules_are_out_of_the_collectors_way() -> None:
    """After an hour of tests each collection walks a large heap: a simulation of half a second took 47."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, headless; without it the test says why it was skipped."""
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        except Error as error:
            pytest.skip(f"no Chromium to open the page in: {error.message.splitlines()[0]}")
        yield launched
        launched.close()


class Said(NamedTuple):
    """How a command ended and what it printed, on a wide terminal."""

    code: int
    out: str
    err: str


@pytest.fixture
def gadfly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """The `gadfly` command, run in this process in an empty directory: `gadfly("runs").out`."""
    from gadfly.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GADFLY_RUNS", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["gadfly", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Said(ended.value.code or 0, out, err)

    return run


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def talker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripted models that have something to say, "It is so.", where they are named for the first time."""
    monkeypatch.setattr(ScriptedAPI.__init__, "__defaults__", (None, None, None, lambda *_: "It is so."))


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model of random weights in a directory: real in every way but sense."""
    from tiny_models import save_tiny_chat

    return save_tiny_chat(tmp_path_factory.mktemp("tiny") / "tiny-chat")


@pytest.fixture(scope="session")
def tiny_agent_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny_model_dir` with room for a scenario, byte by byte."""
    from tiny_models import save_tiny_chat

    return save_tiny_chat(tmp_path_factory.mktemp("tiny") / "tiny-agent", context=20_000)
