"""`rag status`: what is searchable, and what is not and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from rag.cli.options import json_option, with_settings
from rag.types import Status

if TYPE_CHECKING:
    from rag.settings import Settings
    from rag.store import Index
    from rag.types import Page, Source


@click.command(
    epilog="Examples:\n\n  rag status\n\n  rag status --failed\n\n  rag status --json | jq .totals"
)
@click.option("--failed", is_flag=True, help="Only files and pages that are not searchable, with the reason.")
@json_option
@with_settings()
def command(settings: Settings, failed: bool, as_json: bool) -> int:
    """Show every file with what became of it."""
    from rag.cli.opening import tell
    from rag.store import open_index

    with open_index(settings.index, notify=tell) as index:
        rows = [_row(index, source) for source in index.sources()]
    totals = _totals(rows)
    if as_json:
        from rag.cli.forms import print_json

        print_json({"files": [r for r in rows if not failed or _is_failed(r)], "totals": totals})
    else:
        _print_table(rows, failed)
        click.echo(_summary(totals))
    return 0


def _row(index: Index, source: Source) -> dict[str, Any]:
    pages = index.pages(source.file)
    return {
        "file": source.file,
        "status": source.status.value,
        "reason": source.reason,
        "pages": len(pages),
        "searchable_pages": sum(page.status.searchable for page in pages),
        "chunks": index.chunk_count(source.file),
        "characters": sum(page.characters for page in pages),
        "page_problems": [_problem(page) for page in pages if not _in_order(page)],
    }


def _in_order(page: Page) -> bool:
    return page.status is Status.OK and not page.reason


def _problem(page: Page) -> dict[str, Any]:
    return {"page": page.number, "status": page.status.value, "reason": page.reason}


def _is_failed(row: dict[str, Any]) -> bool:
    return not Status(row["status"]).searchable or row["searchable_pages"] < row["pages"]


def _totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    counted = Counter(row["status"] for row in rows)
    sums = {
        key: sum(row[key] for row in rows) for key in ("pages", "searchable_pages", "chunks", "characters")
    }
    return {"files": len(rows), "by_status": dict(sorted(counted.items())), **sums}


def _print_table(rows: list[dict[str, Any]], failed: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from rag.cli.render import plain

    table = Table(box=None, pad_edge=False)
    for name, justify in (("file", "left"), ("status", "left"), ("pages", "right"), ("chunks", "right")):
        table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    table.add_column("reason", overflow="fold")
    for row in rows:
        if failed and not _is_failed(row):
            continue
        pages = f"{row['searchable_pages']}/{row['pages']}"
        reason = row["reason"] or _pages_in_words(row["page_problems"])
        cells = (plain(row["file"]), row["status"], pages, f"{row['chunks']:,}", plain(reason))
        table.add_row(*(Text(cell) for cell in cells))  # Text: a file name must not be read as markup
    console = Console(highlight=False)
    console.print(table, soft_wrap=not console.is_terminal)


def _pages_in_words(problems: list[dict[str, Any]]) -> str:
    """`pages 3, 7: scanned; page 9: empty`, at most five pages of a kind named."""
    by_status: dict[str, list[int]] = {}
    for problem in problems:
        by_status.setdefault(problem["status"], []).append(problem["page"])
    parts = []
    for status, pages in by_status.items():
        shown = ", ".join(map(str, pages[:5])) + (f" and {len(pages) - 5} more" if len(pages) > 5 else "")
        parts.append(f"{'pages' if len(pages) > 1 else 'page'} {shown}: {status}")
    return "; ".join(parts)


def _summary(totals: dict[str, Any]) -> str:
    statuses = ", ".join(f"{count:,} {status}" for status, count in totals["by_status"].items())
    return (
        f"\n{totals['searchable_pages']:,} of {totals['pages']:,} pages searchable"
        f" in {totals['files']:,} files ({statuses or 'none'}); {totals['chunks']:,} chunks."
    )
