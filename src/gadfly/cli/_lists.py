"""gadfly focuses, judges: the names one can use."""

from __future__ import annotations

import typer


def focuses() -> None:
    """The focuses that ship with gadfly."""
    from gadfly.redteam import focus, known_focuses

    for name in known_focuses():
        typer.echo(f"{name:18} {focus(name).failure}")


def judges() -> None:
    """The judges that ship with gadfly."""
    from gadfly.judges import known

    for name in known():
        typer.echo(name)
