"""gadfly focuses, judges: the names one can use."""

from __future__ import annotations

import typer


def focuses() -> None:
    """The focuses that ship with gadfly."""
    from gadfly.redteam import focus, known_focuses

    for name in known_focuses():
        found = focus(name)
        needs = f" Needs {found.needs}." if found.needs else ""
        typer.echo(f"{name:18} {found.failure}{needs}")


def judges() -> None:
    """The judges one can name: what each flags, and from which score on."""
    from gadfly.judges import about, known
    from gadfly.pages import line

    typer.echo(f"{'judge':18} {'threshold':9}  what it flags")
    for one in map(about, known()):
        threshold = "" if one.threshold is None else f"{one.threshold:.2f}"
        typer.echo(f"{line(one.name, 40):18} {threshold:9}  {line(one.flags, 200)}")
