"""The whole run: find, plan, read, embed, store; nothing lost when it ends early."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.engines import Work, engine_for
from ingest.filing import Filing
from ingest.giving_up import GaveUp
from ingest.options import IngestOptions
from ingest.plan import Plan
from ingest.preview import Preview
from ingest.progress import FileResult, Progress, Silent
from ingest.report import Report
from ingest.run import Run, jobs_of
from rag.errors import BudgetReached
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider
    from rag.store import IndexWriter

__all__ = ["IngestOptions", "ingest"]


def ingest(
    paths: Sequence[str | Path],
    *,
    settings: Settings,
    options: IngestOptions | None = None,
    progress: Progress | None = None,
    embedder: EmbeddingProvider | None = None,
) -> Report:
    """Bring the index `settings.index` up to date with the documents below `paths`.

    `embedder` replaces the embedding model that the settings or the index name. Files that cannot be read or
    embedded are in the report and in the ledger, and raise nothing.

    Raises UsageError for a path that does not exist, IndexMismatch when the index was made otherwise,
    IndexLocked, IndexReadOnly; a ProviderError when the embedding model cannot be used at all, and
    BudgetReached, both after everything finished was stored and published. With the engine `ray` also
    MissingExtra, and EngineError when the cluster cannot be used.
    """
    options = options or IngestOptions()
    kind = Preview if options.dry_run else _Ingest
    return kind(settings, options, progress or Silent(), embedder).run(paths)


class _Ingest(Run):
    """A run that changes the index."""

    def run(self, paths: Sequence[str | Path]) -> Report:
        if self.options.read.ocr:
            from ingest.pdf.ocr import require_tesseract

            require_tesseract(self.options.read.ocr_languages)
        discovery = self.discover(paths)
        with (
            self.target.open(rebuild=self.options.rebuild) as index,
            index.writer(wait=self.options.wait, on_wait=self.teller.note) as writer,
        ):
            plan = self.plan(discovery, writer.sources(), writer.latest.pages)
            self._change_ledger(writer, plan)
            read = self.target.reading(self.options.read, index.spec)
            filing = Filing(writer, plan.read, self.teller, self.report)
            failure = self._work(
                Work(
                    jobs_of(plan),
                    self.options.passwords,
                    read,
                    self.target,
                    writer,
                    filing,
                    self.teller,
                    self.report,
                )
            )
            if not self.report.stopped:
                writer.prune(source.file for source in plan.superseded)
        self.report.usage = self.target.usage()
        self.conclude()
        if failure is not None:
            raise failure
        return self.report

    def _work(self, work: Work) -> Exception | None:
        """Read, embed and store. Returns what must be raised once everything finished is published."""
        try:
            if work.jobs:
                engine_for(self.settings).run(work)
        except (GaveUp, BudgetReached) as stop:
            cause = stop.cause if isinstance(stop, GaveUp) else stop
            work.filing.fail_rest(f"not embedded: {cause}")
            self.report.stopped = str(cause)
            transient = isinstance(stop, GaveUp) and stop.cause.transient
            return None if transient else cause
        return None

    def _change_ledger(self, writer: IndexWriter, plan: Plan) -> None:
        """What needs no reading: moved, rejected and vanished files."""
        for source, known in plan.touched:
            writer.rename(source.file, known.source(source.status, source.reason, source))
        for source, known in plan.renamed:
            writer.rename(source.file, known.source(source.status, source.reason, source))
            self.report.renamed.append((source.file, known.found.file))
        for known in plan.rejected:
            found = known.found
            assert found.problem is not None
            writer.put_source(known.source(found.problem, found.reason))
            self.report.files.append(FileResult(found.file, found.problem, found.reason))
        gone = [source.file for source in plan.vanished]
        if self.options.prune:
            writer.prune(gone)
            self.report.pruned = gone
        else:
            writer.mark_removed(gone)
            self.report.removed = gone
