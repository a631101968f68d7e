"""`rag status`: what is searchable, and what is not and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rag.cli.app import EXIT_DONE
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import print_json, print_table, tell
from rag.pipeline.forms import status_form
from rag.store import open_index
from rag.types import Status

if TYPE_CHECKING:
    from rag.settings import Settings

_SHOWN_PAGES = 5  # of each kind, in the table; --json lists all


@click.command(epilog=examples("rag status", "rag status --failed", "rag status --json | jq .totals"))
@click.option("--failed", is_flag=True, help="Only files with something that is not searchable, and why.")
@json_option
@with_settings()
def command(settings: Settings, failed: bool, as_json: bool) -> int:
    """Show every file with what became of it."""
    with open_index(settings.index, notify=tell) as index:
        form = status_form(index)
    rows, totals = form["files"], form["totals"]
    shown = [
        row
        for row in rows
        if not failed or not Status(row["status"]).searchable or row["searchable_pages"] < row["pages"]
    ]
    if as_json:
        print_json({"files": shown, "totals": totals})
    else:
        if shown:
            _print_table(shown)
        elif rows:
            click.echo("Nothing failed: every page of every file is searchable.")
        click.echo(_summary(totals, settings.shown_index))
    return EXIT_DONE


def _print_table(rows: list[dict[str, Any]]) -> None:
    print_table(
        ("file", "status", "pages", "chunks", "reason"),
        [
            (
                row["file"],
                row["status"],
                f"{row['searchable_pages']:,}/{row['pages']:,}",
                f"{row['chunks']:,}",
                row["reason"] or _pages_in_words(row["page_problems"]),
            )
            for row in rows
        ],
        right=(2, 3),
    )


def _pages_in_words(problems: list[dict[str, Any]]) -> str:
    """`pages 3, 7: scanned; page 9: empty`, a few pages of each kind named."""
    by_kind: dict[str, list[int]] = {}
    for problem in problems:
        kind = problem["status"] if problem["status"] != Status.OK.value else problem["reason"]
        by_kind.setdefault(kind, []).append(problem["page"])
    return "; ".join(f"{_numbers(pages)}: {kind}" for kind, pages in by_kind.items())


def _numbers(pages: list[int]) -> str:
    more = len(pages) - _SHOWN_PAGES
    shown = ", ".join(map(str, pages[:_SHOWN_PAGES])) + (f" and {more:,} more" if more > 0 else "")
    return f"{'pages' if len(pages) > 1 else 'page'} {shown}"


def _summary(totals: dict[str, Any], index: str) -> str:
    if not totals["files"]:
        return f"The index {index} is empty: run `rag ingest FOLDER`."
    statuses = ", ".join(f"{count:,} {status}" for status, count in totals["by_status"].items())
    return (
        f"\n{totals['searchable_pages']:,} of {totals['pages']:,} pages searchable"
        f" in {totals['files']:,} files ({statuses}); {totals['chunks']:,} chunks."
    )
