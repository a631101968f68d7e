"""What a run did, for the summary at its end and for `--json`."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ingest.ledger import FAILURES
from ingest.progress import FileResult
from rag.types import Status, Usage

_SLOWEST = 5


@dataclass(slots=True)
class Report:
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
    def failed(self) -> list[FileResult]:
        """Files of this run that could not be read or embedded."""
        return [result for result in self.files if result.status in FAILURES]

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
        """0 when every file was done, 3 when some failed."""
        return 3 if self.failed or self.stopped else 0

    def spend(self, stage: str, began: float) -> None:
        """Add the time since `began` (of `time.monotonic`) to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - began

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "index": self.index,
            "dry_run": self.dry_run,
            "files": [
                {
                    "file": result.file,
                    "status": result.status.value,
                    "reason": result.reason,
                    "pages": result.pages,
                    "searchable_pages": result.searchable_pages,
                    "chunks": result.chunks,
                    "seconds": round(result.seconds, 3),
                }
                for result in self.files
            ],
            "by_status": {status.value: count for status, count in self.by_status.items()},
            "unchanged": self.unchanged,
            "failed_before": self.failed_before,
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
