"""gadfly corpus: bodies of documents to ask questions of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gadfly.cli import _options as o

app = typer.Typer(
    no_args_is_help=True, help="Bodies of documents to ask questions of: build, list, search, remove."
)

NAME = Annotated[str, typer.Argument(help="The corpus: its name, or its directory.")]
SHOWN = 20
"""Files and lines that a build names as left out; --all names every one."""


@app.command()
def build(
    paths: Annotated[
        list[Path], typer.Argument(help="Files and directories: text, Markdown, HTML, PDF, JSONL.")
    ],
    name: Annotated[str, typer.Option(help="What the corpus is called.")],
    size: Annotated[int | None, typer.Option(min=50, help="Characters of a passage at most; 1,000.")] = None,
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Also make it searchable by meaning, with all-minilm-l6-v2.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Name everything that was left out.")] = False,
) -> None:
    """Make a corpus of files, or bring one up to date: what is new is read, what is gone is forgotten.

    What it holds from elsewhere stays. Cut short, give the same command again: it goes on.
    """
    from gadfly.corpora import build as make
    from gadfly.corpora import corpus
    from gadfly.judges._embedding import EMBEDDING
    from gadfly.pages import line
    from gadfly.words import plural

    built = make(name, paths, size=size, embedding=EMBEDDING if embeddings else None)
    held = corpus(name)
    for where, why in list(built.skipped.items())[: None if every else SHOWN]:
        typer.echo(f"left out: {line(where, 300)}: {line(why, 300)}")
    if (more := len(built.skipped) - SHOWN) > 0 and not every:
        typer.echo(f"left out: {more:,} more; --all names them")
    typer.echo(
        f"{name}: {plural(held.documents, 'document')} in {plural(held.passages, 'passage')} ({built.added:,} added, "
        f"{built.changed:,} changed, {built.unchanged:,} unchanged, {built.removed:,} removed)."
    )
    if not held.documents:
        raise typer.Exit(1)
    typer.echo(f'Search it: gadfly corpus search {name} "…"')


@app.command("list")
def names() -> None:
    """The corpora under $GADFLY_CORPORA or ./gadfly-corpora."""
    from gadfly.corpora import corpora, corpora_home, corpus
    from gadfly.errors import StoreError

    found = corpora()
    if not found:
        typer.echo(f"No corpora in {corpora_home()} yet. Make one: gadfly corpus build FILES --name NAME")
    for name in found:
        try:
            held = corpus(name)
        except StoreError as error:
            typer.echo(f"{name}  {error}")
            continue
        typer.echo(f"{name}  {held.documents:,} documents, {held.passages:,} passages, {held.sha256[:12]}")


@app.command()
def search(
    name: Annotated[str, typer.Argument(help="The corpus: its name, its directory, or web:tavily.")],
    query: Annotated[str, typer.Argument(help="Any text; it has no operators.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many passages.")] = 4,
    search: o.SEARCH = "bm25",
) -> None:
    """The passages that match best, with where they stand."""
    from gadfly.corpora import library
    from gadfly.pages import line, visible

    found = library(name, search).search(query, k)
    if not found:
        typer.echo("Nothing matches.")
    for number, one in enumerate(found, 1):
        at = one.passage
        typer.echo(
            f"{number}. {line(at.title)}  [{line(at.document, 200)}:{at.start}-{at.end}]  {one.score:.3g}"
        )
        typer.echo("   " + visible(at.text).replace("\n", "\n   "))


@app.command()
def remove(name: NAME) -> None:
    """Delete a corpus; the files it was made from stay."""
    from gadfly.corpora import remove as delete
    from gadfly.pages import line

    left = delete(name)
    typer.echo(f"Removed: {name}")
    if left:
        typer.echo(f"Left in its directory, for gadfly did not make it: {line(', '.join(left), 300)}")
