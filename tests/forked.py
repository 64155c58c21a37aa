"""Python in a process of its own, forked from one that has already imported what takes seconds to import.

Tests kill such a process, interrupt it or read what it prints, as they would one that `subprocess` starts. What is to
be known of imports, or of how a command starts, needs a fresh interpreter instead.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import traceback
import weakref
from collections.abc import Mapping
from multiprocessing.reduction import DupFd
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

GADFLY = "from gadfly.cli import main; main()"
"""The `gadfly` command; `arguments` are its words."""

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(
    ["duckdb", "inspect_ai.model", "torch", "transformers", "gadfly.cli", "gadfly.training"]
)


class Forked:
    """`code` as a program with `arguments`, in the directory `cwd`; `env` is all of its environment.

    `out` reads what it prints, its errors among it. It is killed when nothing holds this any more.
    """

    def __init__(
        self, code: str, *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        ours, theirs = os.pipe()
        self.out = os.fdopen(ours)
        argv = ["gadfly" if code is GADFLY else "-c", *map(str, arguments)]
        given = (code, argv, str(cwd or Path.cwd()), dict(env or os.environ), list(sys.path), DupFd(theirs))
        self._child = _server.Process(target=_program, args=given)
        self._child.start()
        os.close(theirs)
        self._over = weakref.finalize(self, _over, self._child, self.out)

    @property
    def running(self) -> bool:
        return self._child.is_alive()

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self._child.kill()
        self.wait()

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.kill(self._child.pid, signal.SIGINT)

    def wait(self, timeout_s: float = 120.0) -> int:
        """How it ended: its code, or minus the signal that killed it."""
        self._child.join(timeout_s)
        assert self._child.exitcode is not None, f"still running after {timeout_s:.0f} s"
        return self._child.exitcode

    def until(self, word: str) -> str:
        """What it prints up to the line that holds `word`, or to its end."""
        said = ""
        while word not in said and (line := self.out.readline()):
            said += line
        return said

    def ended(self) -> tuple[int, str]:
        """How it ended, and what it printed that was not read yet."""
        said = self.out.read()
        return self.wait(), said


def _over(child: Any, out: TextIO) -> None:
    child.kill()
    out.close()


def _program(code: str, argv: list[str], cwd: str, env: dict[str, str], path: list[str], out: Any) -> None:
    pipe = out.detach()
    for stream in (1, 2):
        os.dup2(pipe, stream)
    os.close(pipe)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[:], sys.path[:] = argv, path
    program = sys.modules["__main__"] = ModuleType("__main__")
    try:
        exec(compile(code, argv[0], "exec"), vars(program))
    except KeyboardInterrupt:  # ends as an interpreter does
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        atexit._run_exitfuncs()
