"""How far an ingest has come, on standard error: a bar at a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ingest.progress import FileResult, IngestProgress, ProgressCounts
from rag.cli.render import plain_line
from rag.types import Status

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

_LINE_EVERY = 15.0  # seconds, so that a log stays readable


@contextmanager
def showing() -> Iterator[IngestProgress]:
    """What fits standard error. When the run ends early, a sentence says what is done and kept."""
    shown: _Bar | _Lines = _Bar() if sys.stderr.isatty() else _Lines()
    try:
        yield shown
    except BaseException:
        shown.close()
        if shown.tally is not None and shown.tally.files:
            click.echo(
                f"{shown.tally.files_done:,} of {shown.tally.files:,} files are done and kept.", err=True
            )
        raise
    shown.close()


def line_of(tally: ProgressCounts) -> str:
    """Files, pages, chunks, rates, time left and cost in one line."""
    parts = [
        f"{tally.files_done:,}/{tally.files:,} files",
        f"{tally.pages:,} pages ({tally.pages_per_second:,.0f}/s)",
        f"{tally.chunks_done:,}/{tally.chunks:,} chunks ({tally.chunks_per_second:,.0f}/s)",
    ]
    if tally.seconds_left is not None:
        parts.append(f"{_clock(tally.seconds_left)} left")
    if tally.cost_usd is None:
        parts.append("price unknown")
    elif tally.cost_usd:
        parts.append(f"${tally.cost_usd:.4f}")
    return " · ".join(parts)


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _trouble(result: FileResult) -> str | None:
    """A line for a file that cannot be searched, as soon as that is known."""
    if result.status.searchable or result.status is Status.EMPTY:
        return None
    reason = f": {plain_line(result.reason)}" if result.reason else ""
    return f"{plain_line(result.file)}: {result.status.value}{reason}"


class _Lines:
    """Progress for a log. The run's threads all report to it."""

    def __init__(self) -> None:
        self.tally: ProgressCounts | None = None
        self._said = time.monotonic()
        self._lock = threading.Lock()

    def started(self, tally: ProgressCounts) -> None:
        self.tally = tally

    def advanced(self, tally: ProgressCounts) -> None:
        with self._lock:
            if time.monotonic() - self._said < _LINE_EVERY:
                return
            self._said = time.monotonic()
        click.echo(line_of(tally), err=True)

    def finished(self, result: FileResult, tally: ProgressCounts) -> None:
        if (trouble := _trouble(result)) is not None:
            click.echo(trouble, err=True)
        self.advanced(tally)

    def note(self, message: str) -> None:
        click.echo(plain_line(message), err=True)

    def close(self) -> None:
        """Nothing is open."""


class _Bar:
    """Progress at a terminal: one bar, with notes and troubles scrolling above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as Bars

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
        self._bars.update(self._task, completed=tally.fraction, line=line_of(tally))

    def finished(self, result: FileResult, tally: ProgressCounts) -> None:
        if (trouble := _trouble(result)) is not None:
            self.note(trouble)
        self.advanced(tally)

    def note(self, message: str) -> None:
        self._bars.console.print(plain_line(message), markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._bars.stop()
