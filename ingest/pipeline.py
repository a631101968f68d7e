"""The whole run: find, plan, read, embed, store; nothing lost when it ends early."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.discovery import Discovery, discover
from ingest.embedding import TooManyFailures
from ingest.engines import engine_for
from ingest.engines.local import reader_pool
from ingest.engines.work import Work
from ingest.options import IngestOptions, ReadOptions
from ingest.plan import IngestPlan, make_plan, read_again
from ingest.progress import FileResult, IngestProgress, IngestReport, NoProgress, ProgressReporter
from ingest.reading import ReadJob
from ingest.recording import DocumentRecorder
from ingest.target import IngestTarget
from ingest.workers import ReadOutcome
from rag.errors import BudgetReached, IndexLocked, IndexReadOnly
from rag.settings import Settings
from rag.tracing import span
from rag.types import DocumentRecord, Page, Status, Usage

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider
    from rag.store import IndexWriter


PagesOf = Callable[[str], Iterable[Page]]


class IngestRun:
    """A run: what it was asked, what it found, and what it reports."""

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
        discovery = discover(
            paths,
            globs=self.options.globs,
            excludes=self.options.excludes,
            skip=[self.settings.folder],
        )
        self.report.notes += discovery.notes
        for note in discovery.notes:
            self.reporter.note(note)
        return discovery

    def plan(self, discovery: Discovery, records: Sequence[DocumentRecord], pages_of: PagesOf) -> IngestPlan:
        """What is to be done with them, in view of the records of the index."""

        def again(source: DocumentRecord) -> bool:
            return read_again(
                source,
                retry=self.options.retry,
                options=self.options.read,
                passwords=self.options.passwords,
                pages_of=pages_of,
            )

        plan = make_plan(
            discovery, records, again, rebuild=self.options.rebuild, names_of=self.options.names_of
        )
        known = [*plan.unchanged, *(source for source, _ in plan.touched)]
        known += [replace(source, file=known.found.file) for source, known in plan.renamed]
        self.report.unchanged = len(plan.unchanged) + len(plan.touched)
        unread = [source for source in known if not source.status.searchable]
        self.report.failed_before = sum(source.status is not Status.UNSUPPORTED for source in unread)
        self.report.unread_before = [FileResult(s.file, s.status, s.reason) for s in unread]
        for rejected in plan.rejected:
            found = rejected.found
            assert found.problem is not None
            self.report.files.append(FileResult(found.file, found.problem, found.reason))
        self.report.seconds["plan"] = time.monotonic() - self._began
        self.reporter.start(len(plan.read), plan.bytes_to_read)
        return plan

    def conclude(self) -> None:
        """The run is over."""
        self.report.seconds["total"] = time.monotonic() - self._began


def jobs_of(plan: IngestPlan) -> list[ReadJob]:
    """Largest files first, so that none of them is left for one reader at the end."""
    ordered = sorted(plan.read, key=lambda known: (-known.found.size, known.found.file))
    return [ReadJob(known.found.file, known.found.path, known.found.format) for known in ordered]


class Preview(IngestRun):
    """A run that changes nothing."""

    def run(self, paths: Sequence[str | Path]) -> IngestReport:
        """Read what a real run would read, and count."""
        discovery = self.discover(paths)
        with ExitStack() as stack:
            index = self.target.peek()
            records: Sequence[DocumentRecord] = []
            pages_of: PagesOf = _no_pages
            cached: Callable[[Sequence[str]], Collection[int]] = _none_cached
            if index is not None:
                stack.enter_context(index)
                records, pages_of = index.documents(), index.pages
                with suppress(IndexLocked, IndexReadOnly):
                    cached = stack.enter_context(index.writer(wait=False)).cached_vectors
            read = self.target.reading(self.options.read, self.target.made_with)
            self._count(self.plan(discovery, records, pages_of), read, cached)
        self.report.usage = self._priced(self.report.tokens_embedded)
        self.conclude()
        return self.report

    def _count(
        self, plan: IngestPlan, read: ReadOptions, cached: Callable[[Sequence[str]], Collection[int]]
    ) -> None:
        self.report.renamed = [(old.file, known.found.file) for old, known in plan.renamed]
        gone = [source.file for source in plan.vanished]
        self.report.removed, self.report.pruned = ([], gone) if self.options.prune else (gone, [])
        seen: set[str] = set()
        passwords = self.options.passwords
        sizes = {known.found.file: known.found.size for known in plan.read}
        jobs = (replace(job, passwords=passwords.for_file(job.file)) for job in jobs_of(plan))
        with reader_pool(self.settings, read, self.reporter.pages_read) as pool:
            for outcome in pool.read(jobs):
                texts = list(dict.fromkeys(chunk.indexed_text for chunk in outcome.reading.chunks))
                fresh = [text for text in texts if text not in seen]
                known = cached(fresh)
                self.report.chunks_cached += len(known)
                paid = [text for place, text in enumerate(fresh) if place not in known]
                seen.update(fresh)
                self.report.chunks_embedded += len(paid)
                self.report.tokens_embedded += sum(map(self.target.provider.count_tokens, paid))
                self.report.files.append(_previewed(outcome))
                self.reporter.file_read(sizes[outcome.job.file], 0)
                self.reporter.file_done(self.report.files[-1])

    def _priced(self, tokens: int) -> Usage:
        from rag.usage.prices import load_prices

        price = load_prices(self.settings.prices).find(self.target.provider.spec)
        return Usage(tokens, 0, None if price is None else price.cost(tokens))


def _previewed(outcome: ReadOutcome) -> FileResult:
    reading = outcome.reading
    searchable = sum(page.status.searchable for page in reading.pages)
    return FileResult(
        outcome.job.file,
        reading.status,
        reading.reason,
        len(reading.pages),
        searchable,
        len(reading.chunks),
        outcome.seconds,
    )


def _no_pages(_file: str) -> list[Page]:
    return []


def _none_cached(_texts: Sequence[str]) -> Collection[int]:
    return ()


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
    kind = Preview if options.dry_run else _Ingest
    with span("pagequote.ingest") as one:
        report = kind(settings, options, progress or NoProgress(), embedder).run(paths)
        embedded = {"pagequote__chunks": report.chunks, "pagequote__chunks_embedded": report.chunks_embedded}
        one.set(pagequote__files=len(report.files), pagequote__pages=report.pages, **embedded)
    return report


class _Ingest(IngestRun):
    """A run that changes the index."""

    def run(self, paths: Sequence[str | Path]) -> IngestReport:
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
            failure = self._work(
                Work(
                    jobs_of(plan),
                    self.options.passwords,
                    read,
                    self.target,
                    writer,
                    recorder,
                    self.reporter,
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
        except (TooManyFailures, BudgetReached) as stop:
            cause = stop.cause if isinstance(stop, TooManyFailures) else stop
            work.recorder.fail_rest(f"not embedded: {cause}")
            self.report.stopped = str(cause)
            transient = isinstance(stop, TooManyFailures) and stop.cause.transient
            return None if transient else cause
        return None

    def _change_records(self, writer: IndexWriter, plan: IngestPlan) -> None:
        """What needs no reading: moved, rejected and vanished files."""
        for source, known in plan.touched:
            writer.rename(source.file, known.source(source.status, source.reason, source))
        for source, known in plan.renamed:
            writer.rename(source.file, known.source(source.status, source.reason, source))
            self.report.renamed.append((source.file, known.found.file))
        for known in plan.rejected:
            found = known.found
            assert found.problem is not None
            writer.put_record(known.source(found.problem, found.reason))
        gone = [source.file for source in plan.vanished]
        if self.options.prune:
            writer.prune(gone)
            self.report.pruned = gone
        else:
            writer.mark_removed(gone)
            self.report.removed = gone
