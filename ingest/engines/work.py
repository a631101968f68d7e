"""What an engine is, and the work that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ingest.options import Passwords, ReadOptions
from ingest.progress import IngestReport, ProgressReporter
from ingest.reading import ReadJob
from ingest.recording import DocumentRecorder
from ingest.target import IngestTarget

if TYPE_CHECKING:
    from rag.store import IndexWriter


@dataclass(frozen=True, slots=True)
class Work:
    """What an engine is to do, and with what."""

    jobs: Sequence[ReadJob]
    """Largest file first, so that none of them is left for one reader at the end. Without passwords."""
    passwords: Passwords
    read: ReadOptions
    target: IngestTarget
    writer: IndexWriter
    recorder: DocumentRecorder
    reporter: ProgressReporter
    report: IngestReport


class Engine(Protocol):
    """Reads and embeds."""

    def run(self, work: Work) -> None:
        """Take every job to its end.

        Raises TooManyFailures when the embedding model refuses for good or keeps failing, and BudgetReached; what is
        not done then is left to the recorder.
        """
