"""What a run tells while it works. Whoever shows it decides how often."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from rag.types import Status


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a file in this run."""

    file: str
    status: Status
    reason: str = ""
    pages: int = 0
    searchable_pages: int = 0
    chunks: int = 0
    seconds: float = 0.0
    """Reading, cleaning and splitting; embedding is shared between files."""


@dataclass(slots=True)
class Tally:
    """How far a run has come. Read it at any time, from any thread."""

    files: int = 0
    """Files to read in this run."""
    files_done: int = 0
    size: int = 0
    """Bytes to read."""
    size_read: int = 0
    pages: int = 0
    """Pages read so far."""
    chunks: int = 0
    """Chunks found so far."""
    chunks_done: int = 0
    """Chunks embedded, or found in the cache."""
    chunks_cached: int = 0
    cost_usd: float | None = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def pages_per_second(self) -> float:
        """Pages read a second, on average."""
        return self.pages / max(self.elapsed, 1e-6)

    @property
    def chunks_per_second(self) -> float:
        """Chunks made searchable a second, on average."""
        return self.chunks_done / max(self.elapsed, 1e-6)

    @property
    def fraction(self) -> float:
        """From 0 to 1: how much is done. How many chunks unread files hold is inferred from those read."""
        if not self.files:
            return 1.0
        read = self.size_read / self.size if self.size else 1.0
        if not read:
            return 0.0
        return min(1.0, read * (self.chunks_done / self.chunks if self.chunks else 1.0))

    @property
    def seconds_left(self) -> float | None:
        """Time left at the pace so far; None before there is one."""
        done = self.fraction
        return self.elapsed * (1 - done) / done if done > 0 else None


class Progress(Protocol):
    """What shows a run. The methods are called from one thread, except `advanced`, which any may call."""

    def started(self, tally: Tally) -> None:
        """The plan is made; `tally` will be kept up to date from now on."""

    def advanced(self, tally: Tally) -> None:
        """Pages were read or chunks embedded. Called often."""

    def finished(self, result: FileResult, tally: Tally) -> None:
        """A file is done, well or not."""

    def note(self, message: str) -> None:
        """One sentence that the user should see."""


class Silent:
    """Shows nothing."""

    def started(self, tally: Tally) -> None:
        """Nothing."""

    def advanced(self, tally: Tally) -> None:
        """Nothing."""

    def finished(self, result: FileResult, tally: Tally) -> None:
        """Nothing."""

    def note(self, message: str) -> None:
        """Nothing."""


class Teller:
    """Keeps the tally, and passes on what happens."""

    def __init__(self, progress: Progress) -> None:
        self.tally = Tally()
        self._progress = progress
        self._lock = threading.Lock()

    def start(self, files: int, size: int) -> None:
        """The plan is made."""
        self.tally.files, self.tally.size = files, size
        self._progress.started(self.tally)

    def pages_read(self, _file: str, pages: int) -> None:
        """Called by reader threads."""
        with self._lock:
            self.tally.pages += pages
        self._progress.advanced(self.tally)

    def file_read(self, size: int, chunks: int) -> None:
        """A file was read and gave so many chunks."""
        with self._lock:
            self.tally.size_read += size
            self.tally.chunks += chunks
        self._progress.advanced(self.tally)

    def chunks_done(self, count: int, *, cached: bool, cost_usd: float | None) -> None:
        """Chunks were embedded, or found in the cache."""
        with self._lock:
            self.tally.chunks_done += count
            self.tally.chunks_cached += count if cached else 0
            self.tally.cost_usd = cost_usd
        self._progress.advanced(self.tally)

    def file_done(self, result: FileResult) -> None:
        """A file is in the index, or in the ledger with the reason why not."""
        self.tally.files_done += 1
        self._progress.finished(result, self.tally)

    def note(self, message: str) -> None:
        """One sentence for the user."""
        self._progress.note(message)
