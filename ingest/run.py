"""What every run begins and ends with, whether it changes the index or only says what it would do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.discover import Discovery, discover
from ingest.ledger import FAILURES, read_again
from ingest.options import IngestOptions
from ingest.plan import Plan, make_plan
from ingest.progress import Progress, Teller
from ingest.reading import Job
from ingest.report import Report
from ingest.target import Target
from rag.settings import Settings
from rag.types import Page, Source

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider

PagesOf = Callable[[str], Iterable[Page]]


class Run:
    """A run: what it was asked, what it found, and what it reports."""

    def __init__(
        self,
        settings: Settings,
        options: IngestOptions,
        progress: Progress,
        embedder: EmbeddingProvider | None,
    ) -> None:
        self.settings = settings
        self.options = options
        self.teller = Teller(progress)
        self.report = Report(settings.shown_index, dry_run=options.dry_run)
        self.target = Target(settings, self.teller, embedder)
        self._began = time.monotonic()

    def discover(self, paths: Sequence[str | Path]) -> Discovery:
        """The files below the paths. Raises UsageError for a path that does not exist."""
        discovery = discover(
            paths,
            globs=self.options.globs,
            excludes=self.options.excludes,
            skip=[self.settings.folder],
        )
        self.report.notes += discovery.notes
        for note in discovery.notes:
            self.teller.note(note)
        return discovery

    def plan(self, discovery: Discovery, ledger: Sequence[Source], pages_of: PagesOf) -> Plan:
        """What is to be done with them, in view of the ledger."""

        def again(source: Source) -> bool:
            return read_again(
                source,
                retry=self.options.retry,
                options=self.options.read,
                passwords=self.options.passwords,
                pages_of=pages_of,
            )

        plan = make_plan(discovery, ledger, again, rebuild=self.options.rebuild)
        self.report.unchanged = len(plan.unchanged) + len(plan.touched)
        self.report.failed_before = sum(source.status in FAILURES for source in plan.unchanged)
        self.report.seconds["plan"] = time.monotonic() - self._began
        self.teller.start(len(plan.read), plan.bytes_to_read)
        return plan

    def conclude(self) -> None:
        """The run is over."""
        self.report.seconds["total"] = time.monotonic() - self._began


def jobs_of(plan: Plan) -> list[Job]:
    """Largest files first, so that none of them is left for one reader at the end."""
    ordered = sorted(plan.read, key=lambda known: (-known.found.size, known.found.file))
    return [Job(known.found.file, known.found.path, known.found.format) for known in ordered]
