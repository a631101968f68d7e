"""`rag index`: what concerns a whole index, wherever it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rag.cli.app import EXIT_DONE, EXIT_FAILED
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import print_json, tell, track
from rag.store import CopyReport, copy_index

if TYPE_CHECKING:
    from rag.settings import Settings


@click.group(epilog=examples("rag index copy .rag postgresql://localhost/library"))
def command() -> None:
    """Work on a whole index, in a folder or in a database."""


@command.command(
    "copy",
    epilog=examples(
        "rag index copy .rag postgresql://me@db.example.org/library",
        "rag index copy 'postgresql://localhost/library?schema=reports' ./reports-index",
        note="Run it again after an interruption: it goes on where it stopped.",
    ),
)
@click.argument("origin", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
@with_settings()
def copy_command(settings: Settings, origin: str, target: str, as_json: bool) -> int:  # noqa: ARG001 - arms --offline
    """Copy the index FROM to TO, each a folder or postgresql://..., with everything that was paid for.

    Files, pages, chunks, vectors and the embedding cache are copied, then both are read once more and compared.
    """
    report = copy_index(origin, target, track=track, notify=tell)
    if as_json:
        print_json(report.as_dict())
    else:
        _print(report)
    return EXIT_DONE if report.same else EXIT_FAILED


def _print(report: CopyReport) -> None:
    click.echo(f"Copied {report.copied_files:,} files and {report.copied_embeddings:,} embeddings.")
    for name, held in (("FROM", report.origin), ("TO", report.target)):
        click.echo(f"{name:4} {_in_words(held)}")
    if report.same:
        click.echo("Both hold the same.")
    else:
        click.echo(
            "They differ, though what differed was copied again: the target may have other embeddings of the same "
            "texts, which it keeps. Copy to an empty place."
        )


def _in_words(held: Any) -> str:
    return (
        f"{held.files:,} files, {held.pages:,} pages, {held.chunks:,} chunks, {held.embeddings:,} embeddings, "
        f"SHA-256 {held.checksum[:16]}"
    )
