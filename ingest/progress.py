"""How far a run has come while it lasts, and what it did, for the summary at its end and for `--json`."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from rag.types import Status, Usage


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


_FILE_BYTES = 20_000
"""What opening a file takes, as bytes to read: a page of text with its vectors takes about as long."""
_FAR_OFF = 60.0
"""Seconds by which, beyond twice its length, the time left must be wrong to be raised."""


@dataclass(slots=True)
class ProgressCounts:
    """How far a run has come. Read it at any time, from any thread."""

    files: int = 0
    """Files to read in this run."""
    files_done: int = 0
    size: int = 0
    """Bytes to read."""
    size_read: int = 0
    files_read: int = 0
    """Files read, whose chunks may still wait to be embedded."""
    pages: int = 0
    """Pages read so far."""
    chunks: int = 0
    """Chunks found so far."""
    chunks_done: int = 0
    """Chunks embedded, or found in the cache."""
    chunks_cached: int = 0
    cost_usd: float | None = 0.0
    started: float = field(default_factory=time.monotonic)
    _furthest: float = 0.0
    _least_left: float | None = None

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
        """From 0 to 1: how much is done; it never falls.

        What the files not read yet hold is inferred from those that were read: by their bytes, and by their number,
        because a small file takes time too.
        """
        if not self.files:
            return 1.0
        read = (self.size_read + self.files_read * _FILE_BYTES) / (self.size + self.files * _FILE_BYTES)
        embedded = self.chunks_done / self.chunks if self.chunks else 1.0
        self._furthest = max(self._furthest, min(1.0, read * embedded))
        return self._furthest

    @property
    def seconds_left(self) -> float | None:
        """Time left at the pace so far; None before there is one.

        A pace that varies does not make it rise: it waits, and is corrected only when it was wrong by far.
        """
        done = self.fraction
        if done <= 0:
            return None
        left = self.elapsed * (1 - done) / done
        if self._least_left is None or left < self._least_left or left > 2 * self._least_left + _FAR_OFF:
            self._least_left = left
        return self._least_left


class IngestProgress(Protocol):
    """What shows a run. The methods are called from one thread, except `advanced`, which any may call."""

    def started(self, counts: ProgressCounts) -> None:
        """The plan is made; `counts` will be kept up to date from now on."""

    def advanced(self, counts: ProgressCounts) -> None:
        """Pages were read or chunks embedded. Called often."""

    def finished(self, result: FileResult, counts: ProgressCounts) -> None:
        """A file is done, well or not."""

    def note(self, message: str) -> None:
        """One sentence that the user should see."""


class NoProgress:
    """Shows nothing."""

    def started(self, counts: ProgressCounts) -> None:
        """Nothing."""

    def advanced(self, counts: ProgressCounts) -> None:
        """Nothing."""

    def finished(self, result: FileResult, counts: ProgressCounts) -> None:
        """Nothing."""

    def note(self, message: str) -> None:
        """Nothing."""


class ProgressReporter:
    """Counts what is done, and passes on what happens."""

    def __init__(self, progress: IngestProgress) -> None:
        self.counts = ProgressCounts()
        self._progress = progress
        self._lock = threading.Lock()

    def start(self, files: int, size: int) -> None:
        """The plan is made."""
        self.counts.files, self.counts.size = files, size
        self._progress.started(self.counts)

    def pages_read(self, _file: str, pages: int) -> None:
        """Called by reader threads."""
        with self._lock:
            self.counts.pages += pages
        self._progress.advanced(self.counts)

    def file_read(self, size: int, chunks: int) -> None:
        """A file was read and gave so many chunks."""
        with self._lock:
            self.counts.size_read += size
            self.counts.files_read += 1
            self.counts.chunks += chunks
        self._progress.advanced(self.counts)

    def chunks_done(self, count: int, *, cached: bool, cost_usd: float | None) -> None:
        """Chunks were embedded, or found in the cache."""
        with self._lock:
            self.counts.chunks_done += count
            self.counts.chunks_cached += count if cached else 0
            self.counts.cost_usd = cost_usd
        self._progress.advanced(self.counts)

    def file_done(self, result: FileResult) -> None:
        """A file is in the index, or recorded there with the reason why not."""
        self.counts.files_done += 1
        self._progress.finished(result, self.counts)

    def note(self, message: str) -> None:
        """One sentence for the user."""
        self._progress.note(message)


_SLOWEST = 5


@dataclass(slots=True)
class IngestReport:
    """The outcome of `ingest()`."""

    index: str
    dry_run: bool = False
    files: list[FileResult] = field(default_factory=list)
    """Files that this run read or rejected."""
    unchanged: int = 0
    renamed: list[tuple[str, str]] = field(default_factory=list)
    """(old name, new name)"""
    removed: list[str] = field(default_factory=list)
    """No longer in the folder; still searchable."""
    pruned: list[str] = field(default_factory=list)
    failed_before: int = 0
    """Unchanged files that an earlier run could not read; `--retry` tries them again."""
    unread_before: list[FileResult] = field(default_factory=list)
    """Unchanged files that are not searchable, with the reason that an earlier run found."""
    chunks_embedded: int = 0
    chunks_cached: int = 0
    tokens_embedded: int = 0
    """Estimated in a dry run: what would be embedded."""
    usage: Usage = field(default_factory=Usage)
    seconds: dict[str, float] = field(default_factory=dict)
    """`plan`, `embed`, `store`, `total`; reading goes on beside the others."""
    notes: list[str] = field(default_factory=list)
    stopped: str = ""
    """Why the run ended before all files were done; empty when it did not."""

    @property
    def by_status(self) -> dict[Status, int]:
        """Files of this run by status."""
        return dict(Counter(result.status for result in self.files).most_common())

    @property
    def not_searchable(self) -> list[FileResult]:
        """Every file below the given paths that cannot be searched, by name."""
        found = [result for result in (*self.files, *self.unread_before) if not result.status.searchable]
        return sorted(found, key=lambda result: result.file)

    @property
    def slowest(self) -> list[FileResult]:
        """The files that took longest to read, slowest first."""
        return sorted(self.files, key=lambda result: -result.seconds)[:_SLOWEST]

    @property
    def pages(self) -> int:
        """Pages read in this run."""
        return sum(result.pages for result in self.files)

    @property
    def chunks(self) -> int:
        """Chunks of the files of this run."""
        return sum(result.chunks for result in self.files)

    @property
    def exit_code(self) -> int:
        """0 when every file can be searched, 3 when one cannot."""
        return 3 if self.not_searchable or self.stopped else 0

    def spend(self, stage: str, began: float) -> None:
        """Add the time since `began` (of `time.monotonic`) to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - began

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "index": self.index,
            "dry_run": self.dry_run,
            "files": [asdict(result) | {"seconds": round(result.seconds, 3)} for result in self.files],
            "by_status": self.by_status,
            "unchanged": self.unchanged,
            "failed_before": self.failed_before,
            "not_searchable": [
                {"file": result.file, "status": result.status.value, "reason": result.reason}
                for result in self.not_searchable
            ],
            "renamed": [{"from": old, "to": new} for old, new in self.renamed],
            "removed": self.removed,
            "pruned": self.pruned,
            "pages": self.pages,
            "chunks": {"embedded": self.chunks_embedded, "cached": self.chunks_cached},
            "tokens": self.tokens_embedded,
            "cost_usd": self.usage.cost_usd,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "stopped": self.stopped,
            "notes": self.notes,
        }
