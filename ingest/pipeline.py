"""The whole run: find, plan, read, embed, store; nothing lost when it ends early."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.discovery import Discovery, discover
from ingest.embedding import GROUP, DocumentRecorder, Embedder, TooManyFailures, Work
from ingest.options import IngestOptions, ReadOptions
from ingest.plan import IngestPlan, PagesOf, make_plan
from ingest.progress import FileResult, IngestProgress, IngestReport, NoProgress, ProgressReporter
from ingest.reading import ReadJob
from ingest.target import IngestTarget
from ingest.workers import ReaderPool
from rag.errors import BudgetReached, IndexLocked, IndexReadOnly
from rag.settings import Settings
from rag.tracing import span
from rag.types import DocumentRecord, Status, Usage
from rag.usage.prices import load_prices

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider
    from rag.store import IndexWriter


__all__ = ["IngestOptions", "ingest"]


def ingest(
    paths: Sequence[str | Path],
    *,
    settings: Settings,
    options: IngestOptions | None = None,
    progress: IngestProgress | None = None,
    embedder: EmbeddingProvider | None = None,
) -> IngestReport:
    """Bring the index `settings.index` up to date with the documents below `paths`.

    `embedder` replaces the embedding model that the settings or the index name. Files that cannot be read or
    embedded are in the report and recorded in the index, and raise nothing.

    Raises UsageError for a path that does not exist, IndexMismatch when the index was made otherwise,
    IndexLocked, IndexReadOnly; a ProviderError when the embedding model cannot be used at all, and
    BudgetReached, both after everything finished was stored and published. With the engine `ray` also
    MissingExtra, and EngineError when the cluster cannot be used.
    """
    options = options or IngestOptions()
    kind = _Preview if options.dry_run else _Ingest
    with span("pagequote.ingest") as one:
        report = kind(settings, options, progress or NoProgress(), embedder).run(paths)
        embedded = {"pagequote__chunks": report.chunks, "pagequote__chunks_embedded": report.chunks_embedded}
        one.set(pagequote__files=len(report.files), pagequote__pages=report.pages, **embedded)
    return report


class _IngestRun:
    """What a run was asked, what it found, and what it reports."""

    def __init__(
        self,
        settings: Settings,
        options: IngestOptions,
        progress: IngestProgress,
        embedder: EmbeddingProvider | None,
    ) -> None:
        self.settings = settings
        self.options = options
        self.reporter = ProgressReporter(progress)
        self.report = IngestReport(settings.shown_index, dry_run=options.dry_run)
        self.target = IngestTarget(settings, self.reporter, embedder)
        self._began = time.monotonic()

    def discover(self, paths: Sequence[str | Path]) -> Discovery:
        """The files below the paths. Raises UsageError for a path that does not exist."""
        options, own = self.options, self.settings.folder
        discovery = discover(paths, globs=options.globs, excludes=options.excludes, skip=[own])
        self.report.notes += discovery.notes
        for note in discovery.notes:
            self.reporter.note(note)
        return discovery

    def plan(self, discovery: Discovery, records: Sequence[DocumentRecord], pages_of: PagesOf) -> IngestPlan:
        """What is to be done with them, in view of the records of the index."""
        plan = make_plan(discovery, records, self.options, pages_of)
        known = [*plan.unchanged, *(record for record, _ in plan.touched)]
        known += [replace(record, file=known.found.file) for record, known in plan.renamed]
        self.report.unchanged = len(plan.unchanged) + len(plan.touched)
        unread = [record for record in known if not record.status.searchable]
        self.report.failed_before = sum(record.status is not Status.UNSUPPORTED for record in unread)
        self.report.unread_before = [FileResult(r.file, r.status, r.reason) for r in unread]
        for rejected in plan.rejected:
            found = rejected.found
            assert found.problem is not None
            self.report.files.append(FileResult(found.file, found.problem, found.reason))
        self.report.seconds["plan"] = time.monotonic() - self._began
        self.reporter.start(len(plan.read), sum(known.found.size for known in plan.read))
        return plan

    def jobs(self, plan: IngestPlan) -> list[ReadJob]:
        """Largest files first, so that none of them is left for one reader at the end."""
        ordered = sorted(plan.read, key=lambda known: (-known.found.size, known.found.file))
        passwords_for = self.options.passwords.for_file
        return [ReadJob(f.file, f.path, f.format, passwords_for(f.file)) for f in (k.found for k in ordered)]

    def reader_pool(self, read: ReadOptions) -> ReaderPool:
        """The processes that read the files."""
        return ReaderPool(self.settings.workers, read, self.reporter.pages_read)

    def concluded(self, usage: Usage) -> IngestReport:
        """The report of a run that is over."""
        self.report.usage = usage
        self.report.seconds["total"] = time.monotonic() - self._began
        return self.report


class _Preview(_IngestRun):
    """A run that changes nothing."""

    def run(self, paths: Sequence[str | Path]) -> IngestReport:
        """Read what a real run would read, and count."""
        discovery = self.discover(paths)
        with ExitStack() as stack:
            index, writer = self.target.peek(), None
            if index is not None:
                stack.enter_context(index)
                with suppress(IndexLocked, IndexReadOnly):
                    writer = stack.enter_context(index.writer(wait=False))
            read = self.target.reading(self.options.read, self.target.made_with)
            records, pages_of = (index.documents(), index.pages) if index is not None else ([], lambda _: [])
            self._count(self.plan(discovery, records, pages_of), read, writer)
        tokens = self.report.tokens_embedded
        price = load_prices(self.settings.prices).find(self.target.provider.spec)
        return self.concluded(Usage(tokens, 0, None if price is None else price.cost(tokens)))

    def _count(self, plan: IngestPlan, read: ReadOptions, cache: IndexWriter | None) -> None:
        report = self.report
        report.renamed = [(old.file, known.found.file) for old, known in plan.renamed]
        gone = [record.file for record in plan.vanished]
        report.removed, report.pruned = ([], gone) if self.options.prune else (gone, [])
        seen: set[str] = set()
        sizes = {known.found.file: known.found.size for known in plan.read}
        with self.reader_pool(read) as pool:
            for outcome in pool.read(self.jobs(plan)):
                reading, file = outcome.reading, outcome.job.file
                texts = list(dict.fromkeys(chunk.indexed_text for chunk in reading.chunks))
                fresh = [text for text in texts if text not in seen]
                cached = cache.cached_vectors(fresh) if cache is not None else {}
                report.chunks_cached += len(cached)
                paid = [text for place, text in enumerate(fresh) if place not in cached]
                seen.update(fresh)
                report.chunks_embedded += len(paid)
                report.tokens_embedded += sum(map(self.target.provider.count_tokens, paid))
                searchable = sum(page.status.searchable for page in reading.pages)
                counts = len(reading.pages), searchable, len(reading.chunks), outcome.seconds
                report.files.append(FileResult(file, reading.status, reading.reason, *counts))
                self.reporter.file_read(sizes[file], 0)
                self.reporter.file_done(report.files[-1])


class _Ingest(_IngestRun):
    """A run that changes the index."""

    def run(self, paths: Sequence[str | Path]) -> IngestReport:
        """Read, embed and store what is new or changed. Raises as `ingest` does."""
        if self.options.read.ocr:
            from ingest.pdf.ocr import require_tesseract

            require_tesseract(self.options.read.ocr_languages)
        discovery = self.discover(paths)
        with (
            self.target.open(rebuild=self.options.rebuild) as index,
            index.writer(wait=self.options.wait, on_wait=self.reporter.note) as writer,
        ):
            plan = self.plan(discovery, writer.documents(), writer.latest.pages)
            self._change_records(writer, plan)
            read = self.target.reading(self.options.read, index.spec)
            recorder = DocumentRecorder(writer, plan.read, self.reporter, self.report)
            jobs = self.jobs(plan)
            failure = self._work(Work(jobs, read, self.target, writer, recorder, self.reporter, self.report))
            if not self.report.stopped:
                writer.prune(record.file for record in plan.superseded)
        report = self.concluded(self.target.usage())
        if failure is not None:
            raise failure
        return report

    def _work(self, work: Work) -> Exception | None:
        """Read, embed and store. Returns what must be raised once everything finished is published."""
        try:
            if work.jobs and self.settings.engine == "ray":
                from ingest.engines.ray_cluster import import_ray

                import_ray(self.settings)  # before a module that imports it does
                from ingest.engines.ray_engine import run_on_ray

                run_on_ray(self.settings, work)
            elif work.jobs:
                self._read_and_embed(work)
        except (TooManyFailures, BudgetReached) as stop:
            cause = stop.cause if isinstance(stop, TooManyFailures) else stop
            work.recorder.fail_rest(f"not embedded: {cause}")
            self.report.stopped = str(cause)
            transient = isinstance(stop, TooManyFailures) and stop.cause.transient
            return None if transient else cause
        return None

    def _read_and_embed(self, work: Work) -> None:
        """Read in processes and embed here, with whole files in memory only while they wait for vectors."""
        embedder = Embedder(work)
        with self.reader_pool(work.read) as pool:
            for outcome in pool.read(work.jobs):
                embedder.take(outcome.job.file, outcome.reading, outcome.seconds)
                while embedder.backlog >= GROUP or (embedder.backlog and not pool.waiting):
                    embedder.embed_group()
            while embedder.backlog:
                embedder.embed_group()

    def _change_records(self, writer: IndexWriter, plan: IngestPlan) -> None:
        """What needs no reading: moved, rejected and vanished files."""
        for record, known in [*plan.touched, *plan.renamed]:
            writer.rename(record.file, known.record(record.status, record.reason, record))
        self.report.renamed = [(record.file, known.found.file) for record, known in plan.renamed]
        for known in plan.rejected:
            assert known.found.problem is not None
            writer.put_record(known.record(known.found.problem, known.found.reason))
        gone = [record.file for record in plan.vanished]
        if self.options.prune:
            writer.prune(gone)
            self.report.pruned = gone
        else:
            writer.mark_removed(gone)
            self.report.removed = gone
