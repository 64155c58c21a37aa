"""gadfly models, serve."""

from __future__ import annotations

from typing import Annotated

import typer


def models() -> None:
    """The models that run here with no key and no network, and where their weights are."""
    from rich.console import Console
    from rich.table import Table

    from gadfly.models import known_models

    table = Table("model", "what it is", "size", "licence", "here", box=None, pad_edge=False)
    for one in known_models():
        size, here = f"{one.bytes / 1e6:,.0f} MB", "yes" if one.cached else "no"
        name = f"gadfly/{one.name}" if one.kind == "chat" else one.name
        table.add_row(name, one.description, size, one.licence, here)
    Console().print(table)
    typer.echo(
        "Any Inspect model works as well, e.g. openai/gpt-4.1-mini, and gadfly/DIRECTORY or gadfly/HUB-ID."
    )


def serve(
    name: Annotated[str, typer.Argument(help="smollm2, a directory or a hub id; +DIR adds an adapter.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    api_key: Annotated[
        str, typer.Option(envvar="GADFLY_API_KEY", help="The bearer key that clients must send.")
    ] = "",
) -> None:
    """Serve a local model over an OpenAI-compatible API."""
    from gadfly.models import serve as run_server

    run_server(name, host=host, port=port, api_key=api_key or None)
