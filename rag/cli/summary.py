"""What an ingest did, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from rag.cli.render import plain_line

if TYPE_CHECKING:
    from ingest.progress import IngestReport

_SLOW = 1.0  # seconds of reading from which a file is worth naming
_NAMED = 20  # failed files that are listed; `rag status --failed` has all


def summary_text(report: IngestReport) -> str:
    """Several lines: what was read and embedded, what was left alone, what is slow, what failed and why."""
    return "\n".join((*_work(report), *_left_alone(report), *_slowest(report), *_failed(report)))


def _work(report: IngestReport) -> Iterator[str]:
    if not report.files:
        yield f"Nothing {'would be' if report.dry_run else 'was'} read: {_unchanged(report) or 'no files found'}."
        return
    done = "Would read" if report.dry_run else "Read"
    searchable = sum(result.searchable_pages for result in report.files)
    chunks = f"{_count(report.chunks, 'chunk')} ({_embedded(report)})"
    yield (
        f"{done} {_count(len(report.files), 'file')}: {searchable:,} of {_count(report.pages, 'page')} searchable, "
        f"{chunks}, {report.seconds.get('total', 0):.1f} s."
    )
    if _unchanged(report):
        yield _unchanged(report).capitalize() + "."


def _unchanged(report: IngestReport) -> str:
    if not report.unchanged:
        return ""
    text = f"{_count(report.unchanged, 'file')} unchanged"
    if report.failed_before:
        text += f", {report.failed_before:,} of them failed before (--retry reads them again)"
    return text


def _embedded(report: IngestReport) -> str:
    """`120 embedded, 21 from the cache, 30,996 tokens, $0.0006`: what is free has no price."""
    parts = [f"{report.chunks_embedded:,} {'to embed' if report.dry_run else 'embedded'}"]
    if report.chunks_cached:
        parts.append(f"{report.chunks_cached:,} from the cache")
    cost = report.usage.cost_usd
    if cost is None or cost or report.dry_run:
        parts.append(f"{report.usage.input_tokens:,} tokens")
        parts.append("price unknown" if cost is None else f"${cost:.4f}" if cost else "free")
    return ", ".join(parts)


def _left_alone(report: IngestReport) -> Iterator[str]:
    for old, new in report.renamed:
        yield f"Renamed: {plain_line(old)} is now {plain_line(new)}."
    if report.removed:
        names = ", ".join(map(plain_line, report.removed[:_NAMED]))
        yield f"No longer in the folder, still searchable (--prune takes them out): {names}."
    if report.pruned:
        would = "Would take" if report.dry_run else "Took"
        yield f"{would} out of the index: {', '.join(map(plain_line, report.pruned[:_NAMED]))}."


def _slowest(report: IngestReport) -> Iterator[str]:
    slow = [result for result in report.slowest if result.seconds >= _SLOW]
    if slow:
        named = ", ".join(f"{plain_line(result.file)} ({result.seconds:.1f} s)" for result in slow)
        yield f"Slowest to read: {named}."


def _failed(report: IngestReport) -> Iterator[str]:
    if report.stopped:
        yield click.style(f"Stopped early: {plain_line(report.stopped)}", fg="red")
    if not report.failed:
        return
    yield click.style(f"{_count(len(report.failed), 'file')} cannot be searched:", fg="red")
    for result in report.failed[:_NAMED]:
        reason = f": {plain_line(result.reason)}" if result.reason else ""
        yield f"  {plain_line(result.file)}: {result.status.value}{reason}"
    if len(report.failed) > _NAMED:
        yield f"  and {len(report.failed) - _NAMED:,} more: rag status --failed"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
