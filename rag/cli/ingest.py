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
from rag.cli.output import LINE_EVERY, command_language, one_line, print_json, tell
from rag.errors import UsageError
from rag.messages import Language, message, price_text, translated

if TYPE_CHECKING:
    from ingest.progress import FileResult, IngestProgress, IngestReport, ProgressCounts
    from rag.settings import Settings

_SLOW = 1.0
"""Seconds of reading from which a file is worth naming."""
_NAMED = 10
"""Files of a kind that are listed; `rag status --failed` has all."""
_FLAGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--glob", {"multiple": True, "metavar": "PATTERN", "help": "Only files that match ('*.pdf'). Repeat for more."}),
    ("--exclude", {"multiple": True, "metavar": "PATTERN", "help": "Leave out files or folders. Repeat for more."}),
    ("--password", {"multiple": True, "metavar": "TEXT", "help": "Password for encrypted PDFs. Repeat for more."}),
    (
        "--passwords",
        {"type": click.Path(dir_okay=False), "metavar": "FILE", "help": "Passwords, lines of `pattern: password`."},
    ),
    ("--timeout", {"type": click.FloatRange(min=0, min_open=True), "metavar": "SECONDS",
                   "help": "Give up on a file after so long without a new page (default 120)."}),
    ("--memory", {"type": click.IntRange(min=64), "metavar": "MIB", "help": "For reading one file (default 2048)."}),
    ("--max-pages", {"type": click.IntRange(min=1), "metavar": "N", "help": "In one file (default 20,000)."}),
    ("--ocr", {"is_flag": True, "help": "Read scanned pages with Tesseract, which must be installed."}),
    ("--keep-hidden-text", {"is_flag": True, "help": "Index text that a reader cannot see."}),
    ("--prune", {"is_flag": True, "help": "Remove deleted files from the index."}),
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
        note="Running it again reads only what has changed. Temporary failures (a rate limit, the network)"
        " are tried again. Exit codes: 0 done, 3 a file cannot be searched, 5 cost cap reached.",
    )
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_with_flags
@json_option
@with_settings("embeddings", "chunk_tokens", "chunk_overlap", "workers", "engine", "ray_address", "max_cost")
def command(settings: Settings, paths: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Index files and folders: PDF, Office and Hangul files, text, Markdown, HTML and CSV."""
    if settings.origin("ray_address") == "flag" and settings.engine != "ray":
        raise UsageError("--ray-address needs --engine ray.")
    options = _options(flags)
    language = command_language(settings)
    with usage_logged(settings, "ingest"), _progress(language) as progress:
        report = ingest(paths, settings=settings, options=options, progress=progress)
    if as_json:
        print_json(report.as_dict())
    else:
        click.echo("\n".join(summary(report, language)))
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
def _progress(language: Language) -> Iterator[IngestProgress]:
    """Progress on standard error. When the run ends early, a sentence says what is done and kept."""
    shown: _Bar | _Lines = _Bar(language) if sys.stderr.isatty() else _Lines(language)
    try:
        yield shown
    except BaseException:
        shown.close()
        if shown.counts is not None and shown.counts.files:
            tell(message("ingest.kept", language, done=shown.counts.files_done, all=shown.counts.files))
        raise
    shown.close()


def _progress_line(counts: ProgressCounts, language: Language) -> str:
    """Files, pages, chunks, rates, time left and cost in one line."""
    done, every = counts.chunks_done, counts.chunks
    parts = [
        message("ingest.progress_files", language, done=counts.files_done, all=counts.files),
        message("ingest.progress_pages", language, count=counts.pages, rate=counts.pages_per_second),
        message("ingest.progress_chunks", language, done=done, all=every, rate=counts.chunks_per_second),
    ]
    if counts.seconds_left is not None:
        minutes, second = divmod(round(counts.seconds_left), 60)
        hours, minute = divmod(minutes, 60)
        clock = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
        parts.append(message("ingest.left", language, clock=clock))
    if counts.cost_usd is None or counts.cost_usd:
        parts.append(price_text(counts.cost_usd, language))
    return " · ".join(parts)


class _Lines:
    """Progress for a log. The run's threads all report to it."""

    def __init__(self, language: Language) -> None:
        self.counts: ProgressCounts | None = None
        self._language = language
        self._printed = time.monotonic()
        self._lock = threading.Lock()

    def started(self, counts: ProgressCounts) -> None:
        self.counts = counts

    def advanced(self, counts: ProgressCounts) -> None:
        with self._lock:
            if time.monotonic() - self._printed < LINE_EVERY:
                return
            self._printed = time.monotonic()
        tell(_progress_line(counts, self._language))

    def finished(self, result: FileResult, counts: ProgressCounts) -> None:  # noqa: ARG002 - the protocol
        self.advanced(counts)

    def note(self, message: str) -> None:
        tell(one_line(message))

    def close(self) -> None:
        """Nothing is open."""


class _Bar:
    """Progress at a terminal: one bar, with notes scrolling above it."""

    def __init__(self, language: Language) -> None:
        self.counts: ProgressCounts | None = None
        self._language = language
        columns = (BarColumn(20), TaskProgressColumn(), TextColumn("{task.fields[line]}", markup=False))
        self._bars: Bars = Bars(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bars.add_task("", total=1.0, line="", visible=False)
        self._bars.start()

    def started(self, counts: ProgressCounts) -> None:
        self.counts = counts
        self._bars.update(self._task, visible=counts.files > 0)
        self.advanced(counts)

    def advanced(self, counts: ProgressCounts) -> None:
        line = _progress_line(counts, self._language)
        self._bars.update(self._task, completed=counts.fraction, line=line)

    def finished(self, result: FileResult, counts: ProgressCounts) -> None:  # noqa: ARG002 - the protocol
        self.advanced(counts)

    def note(self, message: str) -> None:
        self._bars.console.print(one_line(message), markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._bars.stop()


# -- the summary --------------------------------------------------------------------------------------------------


def summary(report: IngestReport, language: Language) -> Iterator[str]:
    """What was read and embedded, what was renamed or removed, what is slow, what cannot be searched and why."""
    yield from _work(report, language)
    for old, new in report.renamed:
        yield message("ingest.renamed", language, old=one_line(old), new=one_line(new))
    pruned = "ingest.would_prune" if report.dry_run else "ingest.pruned"
    for key, files in (("ingest.removed", report.removed), (pruned, report.pruned)):
        if files:
            more = [f"+ {len(files) - _NAMED:,}"] if len(files) > _NAMED else []
            yield message(key, language, files=", ".join([*map(one_line, files[:_NAMED]), *more]))
    slow = [
        message("ingest.seconds", language, file=one_line(result.file), seconds=result.seconds)
        for result in report.slowest
        if result.seconds >= _SLOW
    ]
    if slow:
        yield message("ingest.slowest", language, files=", ".join(slow))
    yield from _not_searchable(report, language)


def _work(report: IngestReport, language: Language) -> Iterator[str]:
    unchanged = ""
    if report.unchanged:
        files = _count(report.unchanged, "file", language)
        unchanged = message("ingest.unchanged", language, files=files)
        if report.failed_before:
            unchanged += ", " + message("ingest.failed_before", language, count=report.failed_before)
    read = [result for result in report.files if result.status.searchable]
    if not read:
        key = "ingest.would_nothing" if report.dry_run else "ingest.nothing"
        found = unchanged or (not report.files and message("ingest.no_files", language))
        if found:
            yield message(key, language, why=found)
        return
    yield message(
        "ingest.would_read" if report.dry_run else "ingest.read",
        language,
        files=_count(len(read), "file", language),
        searchable=sum(result.searchable_pages for result in read),
        pages=_count(report.pages, "page", language),
        chunks=_count(report.chunks, "chunk", language),
        embedded=_embedded(report, language),
        seconds=report.seconds.get("total", 0),
    )
    if unchanged:
        yield f"{unchanged.capitalize()}."


def _embedded(report: IngestReport, language: Language) -> str:
    """`120 embedded, 21 from the cache, 30,996 tokens, $0.0006`: what is free has no price."""
    key = "ingest.to_embed" if report.dry_run else "ingest.embedded"
    parts = [message(key, language, count=report.chunks_embedded)]
    if report.chunks_cached:
        parts.append(message("ingest.cached", language, count=report.chunks_cached))
    cost = report.usage.cost_usd
    if cost is None or cost or report.dry_run:
        parts.append(message("ingest.tokens", language, count=report.usage.input_tokens))
        parts.append(message("ingest.free", language) if cost == 0 else price_text(cost, language))
    return ", ".join(parts)


def _not_searchable(report: IngestReport, language: Language) -> Iterator[str]:
    """Every file that cannot be searched with its reason: the first ten, and how many more."""
    if report.stopped:
        why = one_line(translated(report.stopped, language))
        yield click.style(message("ingest.stopped", language, why=why), fg="red")
    found = report.not_searchable
    if not found:
        return
    files = _count(len(found), "file", language)
    yield click.style(message("ingest.not_searchable", language, files=files), fg="red")
    for result in found[:_NAMED]:
        reason = f": {one_line(translated(result.reason, language))}" if result.reason else ""
        yield f"  {one_line(result.file)}: {translated(result.status.value, language)}{reason}"
    if len(found) > _NAMED:
        yield "  " + message("ingest.more", language, count=len(found) - _NAMED)


def _count(number: int, noun: str, language: Language) -> str:
    return message(f"ingest.{noun}{'' if number == 1 else 's'}", language, count=number)
