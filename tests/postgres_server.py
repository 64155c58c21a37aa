"""A PostgreSQL server of one's own, in a temporary folder, reached through a socket in it; nothing is left behind.

`python tests/postgres_server.py` prints its URL and runs until its input ends; tests use `server()`. As root it runs
as `postgres` or `nobody`, since PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MISSING = "PostgreSQL is not installed here (apt-get install postgresql)"


def binaries() -> Path | None:
    """The folder with initdb, pg_ctl and postgres: on PATH, or where Debian keeps them; the newest."""
    found = [Path(at).resolve().parent for at in [shutil.which("initdb")] if at]
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    found += sorted(debian, key=lambda at: int(at.parent.name.split(".")[0]), reverse=True)
    return next((at for at in found if all((at / name).exists() for name in ("initdb", "pg_ctl"))), None)


@contextmanager
def server(*settings: str) -> Iterator[str]:
    """A running server's URL, for its database `postgres`; `settings` such as `fsync=off`."""
    programs = binaries()
    if programs is None:
        raise FileNotFoundError(MISSING)
    user = _somebody()
    home = Path(tempfile.mkdtemp(prefix="gadfly-postgres-"))  # short: a socket's path has 107 characters
    if user:
        os.chown(home, user.pw_uid, user.pw_gid)

    def run(program: str, *words: str) -> None:
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        command = [programs / program, "-D", home / "data", *words]
        done = subprocess.run(
            command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **as_user
        )
        if done.returncode:
            log = home / "log"
            raise RuntimeError(done.stdout + (log.read_text() if log.exists() else ""))

    try:
        run("initdb", "--no-sync", "-U", "gadfly", "-A", "trust", "-E", "UTF8", "--locale=C")
        options = " ".join(f"-c {setting}" for setting in (f"unix_socket_directories={home}", *settings))
        run("pg_ctl", "start", "-w", "-s", "-l", str(home / "log"), "-o", f"-c listen_addresses= {options}")
        try:
            yield f"postgresql://gadfly@/postgres?host={home}"
        finally:
            run("pg_ctl", "stop", "-w", "-s", "-m", "immediate")
    finally:
        shutil.rmtree(home)


def _somebody() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


if __name__ == "__main__":
    with server() as url:
        print(url, flush=True)
        sys.stdin.read()
