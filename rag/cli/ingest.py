"""`rag ingest`: bring an index up to date with files and folders, show how far it is, and report what it did."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

from ingest.options import Passwords, ReadOptions
from ingest.pipeline import IngestOptions, ingest
from rag.cli.cost import usage_logged
from rag.cli.options import examples, json_option, with_settings
from rag.cli.output import LINE_EVERY, one_line, print_json, tell
from rag.errors import UsageError
from rag.types import Status

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from ingest.pipeline import IngestOptions
    from ingest.progress import FileResult, IngestProgress, IngestReport, ProgressCounts
    from rag.settings import Settings

_SLOW = 1.0
"""Seconds of reading from which a file is worth naming."""
_NAMED = 20
"""Failed files that are listed; `rag status --failed` has all."""
_FLAGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--glob", {"multiple": True, "metavar": "PATTERN", "help": "Only files like this, such as '*.pdf'. Repeat."}),
    ("--exclude", {"multiple": True, "metavar": "PATTERN", "help": "Leave out files or folders. Repeat."}),
    ("--password", {"multiple": True, "metavar": "TEXT", "help": "Try it on encrypted PDFs. Repeat."}),
    (
        "--passwords",
        {"type": click.Path(dir_okay=False), "metavar": "FILE", "help": "Lines of `pattern: password`."},
    ),
    ("--timeout", {"type": click.FloatRange(min=0, min_open=True), "metavar": "SECONDS",
                   "help": "Give a file up that shows no new page for so long (default 120)."}),
    ("--memory", {"type": click.IntRange(min=64), "metavar": "MIB", "help": "For reading one file (default 2048)."}),
    ("--max-pages", {"type": click.IntRange(min=1), "metavar": "N", "help": "In one file (default 20,000)."}),
    ("--ocr", {"is_flag": True, "help": "Read scanned pages with Tesseract, which must be installed."}),
    ("--keep-hidden-text", {"is_flag": True, "help": "Index text that a reader cannot see."}),
    ("--prune", {"is_flag": True, "help": "Take files that vanished out of the index."}),
    ("--retry", {"is_flag": True, "help": "Read again what could not be read before."}),
    ("--rebuild", {"is_flag": True, "help": "Start over; embeddings that exist are used again."}),
    ("--dry-run", {"is_flag": True, "help": "Say what would be done and cost; change nothing."}),
    ("--no-wait", {"is_flag": True, "help": "Fail when another process writes the index."}),
)  # fmt: skip


def _with_flags(function: Any) -> Any:
    for name, attributes in reversed(_FLAGS):
        function = click.option(name, **attributes)(function)
    return function


@click.command(
    epilog=examples(
        "rag ingest documents",
        "rag ingest reports --glob '*.pdf' --exclude drafts --dry-run",
        "rag ingest 규정집 --password 1234 --ocr",
        "rag ingest documents --embeddings openai:text-embedding-3-small --max-cost 2",
        "rag ingest /shared/documents --engine ray --ray-address 10.0.0.5:6379",
        note="Running it again reads only what has changed. What failed for a passing reason (a rate limit, the"
        " network) is tried again by itself. Exit codes: 0 done, 3 some files failed, 5 cost cap reached.",
    )
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_with_flags
@json_option
@with_settings("embeddings", "chunk_tokens", "chunk_overlap", "workers", "engine", "ray_address", "max_cost")
def command(settings: Settings, paths: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Index files and folders: PDF, text, Markdown, HTML, CSV and DOCX."""
    if settings.origin("ray_address") == "flag" and settings.engine != "ray":
        raise UsageError("--ray-address needs --engine ray.")
    options = _options(flags)
    with usage_logged(settings, "ingest"), _progress() as progress:
        report = ingest(paths, settings=settings, options=options, progress=progress)
    if as_json:
        print_json(report.as_dict())
    else:
        click.echo(_summary(report))
    return report.exit_code


def _options(flags: dict[str, Any]) -> IngestOptions:
    limits = {"seconds": flags["timeout"], "memory_mib": flags["memory"], "max_pages": flags["max_pages"]}
    given = {name: value for name, value in limits.items() if value is not None}
    return IngestOptions(
        globs=flags["glob"],
        excludes=flags["exclude"],
        retry=flags["retry"],
        rebuild=flags["rebuild"],
        prune=flags["prune"],
        dry_run=flags["dry_run"],
        passwords=Passwords.load(flags["password"], flags["passwords"]),
        read=ReadOptions(keep_hidden_text=flags["keep_hidden_text"], ocr=flags["ocr"], **given),
        wait=not flags["no_wait"],
    )


# -- progress -----------------------------------------------------------------------------------------------------


@contextmanager
def _progress() -> Iterator[IngestProgress]:
    """Progress on standard error. When the run ends early, a sentence says what is done and kept."""
    shown: _Bar | _Lines = _Bar() if sys.stderr.isatty() else _Lines()
    try:
        yield shown
    except BaseException:
        shown.close()
        if shown.tally is not None and shown.tally.files:
            tell(f"{shown.tally.files_done:,} of {shown.tally.files:,} files are done and kept.")
        raise
    shown.close()


def _progress_line(tally: ProgressCounts) -> str:
    """Files, pages, chunks, rates, time left and cost in one line."""
    parts = [
        f"{tally.files_done:,}/{tally.files:,} files",
        f"{tally.pages:,} pages ({tally.pages_per_second:,.0f}/s)",
        f"{tally.chunks_done:,}/{tally.chunks:,} chunks ({tally.chunks_per_second:,.0f}/s)",
    ]
    if tally.seconds_left is not None:
        minutes, second = divmod(round(tally.seconds_left), 60)
        hours, minute = divmod(minutes, 60)
        clock = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
        parts.append(f"{clock} left")
    if tally.cost_usd is None:
        parts.append("price unknown")
    elif tally.cost_usd:
        parts.append(f"${tally.cost_usd:.4f}")
    return " · ".join(parts)


def _failure(result: FileResult) -> str | None:
    """A line for a file that cannot be searched, as soon as that is known."""
    if result.status.searchable or result.status is Status.EMPTY:
        return None
    reason = f": {one_line(result.reason)}" if result.reason else ""
    return f"{one_line(result.file)}: {result.status.value}{reason}"


class _Lines:
    """Progress for a log. The run's threads all report to it."""

    def __init__(self) -> None:
        self.tally: ProgressCounts | None = None
        self._printed = time.monotonic()
        self._lock = threading.Lock()

    def started(self, tally: ProgressCounts) -> None:
        self.tally = tally

    def advanced(self, tally: ProgressCounts) -> None:
        with self._lock:
            if time.monotonic() - self._printed < LINE_EVERY:
                return
            self._printed = time.monotonic()
        tell(_progress_line(tally))

    def finished(self, result: FileResult, tally: ProgressCounts) -> None:
        if (failure := _failure(result)) is not None:
            tell(failure)
        self.advanced(tally)

    def note(self, message: str) -> None:
        tell(one_line(message))

    def close(self) -> None:
        """Nothing is open."""


class _Bar:
    """Progress at a terminal: one bar, with notes and failed files scrolling above it."""

    def __init__(self) -> None:
        self.tally: ProgressCounts | None = None
        columns = (BarColumn(20), TaskProgressColumn(), TextColumn("{task.fields[line]}", markup=False))
        self._bars: Bars = Bars(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bars.add_task("", total=1.0, line="", visible=False)
        self._bars.start()

    def started(self, tally: ProgressCounts) -> None:
        self.tally = tally
        self._bars.update(self._task, visible=tally.files > 0)
        self.advanced(tally)

    def advanced(self, tally: ProgressCounts) -> None:
        self._bars.update(self._task, completed=tally.fraction, line=_progress_line(tally))

    def finished(self, result: FileResult, tally: ProgressCounts) -> None:
        if (failure := _failure(result)) is not None:
            self.note(failure)
        self.advanced(tally)

    def note(self, message: str) -> None:
        self._bars.console.print(one_line(message), markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._bars.stop()


# -- the summary --------------------------------------------------------------------------------------------------


def _summary(report: IngestReport) -> str:
    """Several lines: what was read and embedded, what was renamed or removed, what is slow, what failed and why."""
    return "\n".join((*_work(report), *_changes(report), *_slowest(report), *_failed(report)))


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


def _changes(report: IngestReport) -> Iterator[str]:
    for old, new in report.renamed:
        yield f"Renamed: {one_line(old)} is now {one_line(new)}."
    if report.removed:
        names = ", ".join(map(one_line, report.removed[:_NAMED]))
        yield f"No longer in the folder, still searchable (--prune takes them out): {names}."
    if report.pruned:
        would = "Would take" if report.dry_run else "Took"
        yield f"{would} out of the index: {', '.join(map(one_line, report.pruned[:_NAMED]))}."


def _slowest(report: IngestReport) -> Iterator[str]:
    slow = [result for result in report.slowest if result.seconds >= _SLOW]
    if slow:
        named = ", ".join(f"{one_line(result.file)} ({result.seconds:.1f} s)" for result in slow)
        yield f"Slowest to read: {named}."


def _failed(report: IngestReport) -> Iterator[str]:
    if report.stopped:
        yield click.style(f"Stopped early: {one_line(report.stopped)}", fg="red")
    if not report.failed:
        return
    yield click.style(f"{_count(len(report.failed), 'file')} cannot be searched:", fg="red")
    for result in report.failed[:_NAMED]:
        reason = f": {one_line(result.reason)}" if result.reason else ""
        yield f"  {one_line(result.file)}: {result.status.value}{reason}"
    if len(report.failed) > _NAMED:
        yield f"  and {len(report.failed) - _NAMED:,} more: rag status --failed"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
