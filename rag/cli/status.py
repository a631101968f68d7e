"""`rag status`: what is searchable, and what is not and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rag.cli.app import EXIT_DONE
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import command_language, print_json, print_table, tell
from rag.messages import Language, message, translated
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
    """Show every file with its status and the reason."""
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
        return EXIT_DONE
    language = command_language(settings)
    if shown:
        _print_table(shown, language)
    elif rows:
        click.echo(message("status.nothing_failed", language))
    click.echo(_summary(totals, settings.shown_index, language))
    return EXIT_DONE


def _print_table(rows: list[dict[str, Any]], language: Language) -> None:
    head = ("file", "status", "pages", "chunks", "reason")
    print_table(
        [message(f"status.{name}", language) for name in head],
        [
            (
                row["file"],
                translated(row["status"], language),
                f"{row['searchable_pages']:,}/{row['pages']:,}",
                f"{row['chunks']:,}",
                translated(row["reason"], language) or _pages_in_words(row["page_problems"], language),
            )
            for row in rows
        ],
        right=(2, 3),
    )


def _pages_in_words(problems: list[dict[str, Any]], language: Language) -> str:
    """`pages 3, 7: scanned; page 9: empty`, a few pages of each kind named."""
    by_kind: dict[str, list[int]] = {}
    for problem in problems:
        kind = problem["status"] if problem["status"] != Status.OK.value else problem["reason"]
        by_kind.setdefault(kind, []).append(problem["page"])
    texts: list[str] = []
    for kind, pages in by_kind.items():
        shown = ", ".join(map(str, pages[:_SHOWN_PAGES]))
        if len(pages) > _SHOWN_PAGES:
            shown = message("status.and_more", language, pages=shown, count=len(pages) - _SHOWN_PAGES)
        key = "status.on_pages" if len(pages) > 1 else "status.on_page"
        texts.append(message(key, language, pages=shown, kind=translated(kind, language)))
    return "; ".join(texts)


def _summary(totals: dict[str, Any], index: str, language: Language) -> str:
    if not totals["files"]:
        return message("status.empty", language, index=index)
    counted = totals["by_status"].items()
    statuses = ", ".join(
        message("status.count", language, count=count, status=translated(status, language))
        for status, count in counted
    )
    names = ("pages", "files", "chunks")
    figures = {"searchable": totals["searchable_pages"], **{name: totals[name] for name in names}}
    return "\n" + message("status.summary", language, statuses=statuses, **figures)
