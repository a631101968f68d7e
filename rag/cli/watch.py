"""`rag watch`: the index kept up to date with folders."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import click

from ingest.options import IngestOptions
from ingest.progress import NoProgress
from ingest.watching import watch
from rag.cli.app import EXIT_DONE
from rag.cli.cost import usage_logged
from rag.cli.ingest import summary
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import command_language, print_json, tell

if TYPE_CHECKING:
    from rag.settings import Settings


@click.command(
    epilog=examples(
        "rag watch documents",
        "rag watch 규정집 reports --exclude drafts",
        note="Needs the extra: pip install 'pagequote[watch]'. Stop with Ctrl-C; the next run continues from there.",
    )
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--glob", multiple=True, metavar="GLOB", help="Only files that match. Repeat for more.")
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Not these files and folders. Repeat for more."
)
@json_option
@with_settings("embeddings", "chunk_tokens", "chunk_overlap", "workers", "max_cost")
def command(
    settings: Settings, paths: tuple[str, ...], glob: tuple[str, ...], exclude: tuple[str, ...], as_json: bool
) -> int:
    """Index files and folders, and follow their changes until stopped.

    With --json one ingest report per line.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    reports = watch(
        paths,
        settings=settings,
        options=IngestOptions(globs=glob, excludes=exclude),
        stop=stop,
        progress=NoProgress(),
        failed=lambda error: tell(f"Error: {error}"),
    )
    while True:
        with usage_logged(settings, "watch"):  # each run at once, so that a kill loses none
            report = next(reports, None)
        if report is None:
            return EXIT_DONE
        if as_json:
            print_json(report.as_dict())
        else:
            lines = summary(report, command_language(settings))
            click.echo("\n".join((click.style(time.strftime("%H:%M:%S"), dim=True), *lines)))
