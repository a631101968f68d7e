"""The whole run: find, plan, read in processes, embed, store; nothing lost when it ends early."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.discover import Discovery, discover
from ingest.embedding import GROUP, Embedder, GaveUp
from ingest.ledger import FAILURES, read_again
from ingest.limits import ReadOptions
from ingest.passwords import Passwords
from ingest.plan import Known, Plan, make_plan
from ingest.progress import FileResult, Progress, Silent, Teller
from ingest.reading import Job
from ingest.report import Report
from ingest.workers import Outcome, ReaderPool
from rag.errors import BudgetReached, IndexLocked, IndexMissing, IndexReadOnly
from rag.settings import Settings
from rag.types import Document, Page, Source, Status, Usage

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider
    from rag.store import Index, IndexSpec, IndexWriter
    from rag.usage.meter import Meter

_MOST_WORKERS = 8

PagesOf = Callable[[str], Iterable[Page]]


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What a run is asked to do, beyond the settings."""

    globs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    retry: bool = False
    """Read again what could not be read before, although it has not changed."""
    rebuild: bool = False
    """Begin with an empty index; embeddings that were paid for are kept."""
    prune: bool = False
    """Take files that vanished from the folder out of the index."""
    dry_run: bool = False
    """Say what would be done and cost; change nothing."""
    passwords: Passwords = field(default_factory=Passwords)
    read: ReadOptions = field(default_factory=ReadOptions)
    """Limits and the way of reading. Its chunk sizes are replaced by those of the settings or the index."""
    wait: bool | float = True
    """Whether, or for how many seconds, to wait for another process that writes the index."""


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
    BudgetReached, both after everything finished was stored and published.
    """
    run = _Run(settings, options or IngestOptions(), progress or Silent(), embedder)
    return run.preview(paths) if run.options.dry_run else run.run(paths)


class _Run:
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
        self._embedder = embedder
        self._made_with: IndexSpec | None = None
        self._began = time.monotonic()

    # -- a real run -----------------------------------------------------------------------------------------

    def run(self, paths: Sequence[str | Path]) -> Report:
        if self.options.read.ocr:
            from ingest.pdf.ocr import require_tesseract

            require_tesseract(self.options.read.ocr_languages)
        discovery = self._discover(paths)
        with self._index() as index, index.writer(wait=self.options.wait, on_wait=self.teller.note) as writer:
            self._options_of(index.spec)
            plan = self._plan(discovery, writer.sources(), writer.latest.pages)
            self._change_ledger(writer, plan)
            failure = self._read_and_embed(writer, plan)
        self._conclude()
        if failure is not None:
            raise failure
        return self.report

    def _read_and_embed(self, writer: IndexWriter, plan: Plan) -> Exception | None:
        """Read, embed and store. Returns what must be raised once everything finished is published."""
        embedder = Embedder(writer, lambda: self._provider, self.teller, self.report, self._usage)
        known = {k.found.file: k for k in plan.read}
        try:
            with self._pool() as pool:
                for outcome in pool.read(self._jobs(plan)):
                    self._take(outcome, known.pop(outcome.job.file), writer, embedder)
                    while embedder.backlog >= GROUP or (embedder.backlog and not pool.waiting):
                        embedder.embed_group()
                while embedder.backlog:
                    embedder.embed_group()
        except (GaveUp, BudgetReached) as stop:
            return self._stop_early(stop, known, writer, embedder)
        writer.prune(source.file for source in plan.superseded)
        return None

    def _take(self, outcome: Outcome, known: Known, writer: IndexWriter, embedder: Embedder) -> None:
        """A file was read: hand it to the embedder, or write down why it cannot be searched."""
        reading = outcome.reading
        self.teller.file_read(known.found.size, len(reading.chunks))
        status, reason = reading.status, reading.reason
        if _changed_meanwhile(known):
            status, reason = Status.FAILED, "it was changed while it was being read"
        source = replace(known.source(status, reason), title=reading.title, metadata=reading.metadata)
        if status.searchable:
            embedder.add(Document(source, reading.pages, reading.chunks), outcome.seconds)
            return
        pages = [] if status is Status.FAILED else reading.pages
        writer.put_source(source, pages)
        result = FileResult(source.file, status, reason, len(pages), seconds=outcome.seconds)
        self.report.files.append(result)
        self.teller.file_done(result)

    def _stop_early(
        self, stop: GaveUp | BudgetReached, unread: dict[str, Known], writer: IndexWriter, embedder: Embedder
    ) -> Exception | None:
        cause: Exception = stop.cause if isinstance(stop, GaveUp) else stop
        reason = f"not embedded: {cause}"
        embedder.fail_rest(reason)
        for known in unread.values():
            writer.put_source(known.source(Status.FAILED, reason))
            self.report.files.append(FileResult(known.found.file, Status.FAILED, reason))
        self.report.stopped = str(cause)
        transient = isinstance(stop, GaveUp) and stop.cause.transient
        return None if transient else cause

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

    # -- a dry run ------------------------------------------------------------------------------------------

    def preview(self, paths: Sequence[str | Path]) -> Report:
        discovery = self._discover(paths)
        with ExitStack() as stack:
            index = self._existing_index()
            ledger: Sequence[Source] = []
            pages_of: PagesOf = _no_pages
            cached: Callable[[Sequence[str]], Collection[int]] = _none_cached
            if index is not None:
                stack.enter_context(index)
                self._made_with = None if self._asks_otherwise(index.spec) else index.spec
                ledger, pages_of = index.sources(), index.pages
                with suppress(IndexLocked, IndexReadOnly):
                    cached = stack.enter_context(index.writer(wait=False)).cached_vectors
            self._options_of(self._made_with)
            self._count_texts(self._plan(discovery, ledger, pages_of), cached)
        self._conclude()
        return self.report

    def _count_texts(self, plan: Plan, cached: Callable[[Sequence[str]], Collection[int]]) -> None:
        self.report.renamed = [(old.file, known.found.file) for old, known in plan.renamed]
        gone = [source.file for source in plan.vanished]
        self.report.removed, self.report.pruned = ([], gone) if self.options.prune else (gone, [])
        seen: set[str] = set()
        with self._pool() as pool:
            for outcome in pool.read(self._jobs(plan)):
                texts = list(dict.fromkeys(chunk.indexed_text for chunk in outcome.reading.chunks))
                fresh = [text for text in texts if text not in seen]
                known = cached(fresh)
                self.report.chunks_cached += len(known)
                paid = [text for place, text in enumerate(fresh) if place not in known]
                seen.update(fresh)
                self.report.chunks_embedded += len(paid)
                self.report.tokens_embedded += sum(map(self._provider.count_tokens, paid))
                self.report.files.append(_previewed(outcome))
                self.teller.file_done(self.report.files[-1])
        self.report.usage = self._priced(self.report.tokens_embedded)

    def _priced(self, tokens: int) -> Usage:
        from rag.usage.prices import load_prices

        price = load_prices(self.settings.prices).find(self._provider.spec)
        return Usage(tokens, 0, None if price is None else price.cost(tokens))

    # -- what both share ------------------------------------------------------------------------------------

    def _discover(self, paths: Sequence[str | Path]) -> Discovery:
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

    def _plan(self, discovery: Discovery, ledger: Sequence[Source], pages_of: PagesOf) -> Plan:
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

    def _jobs(self, plan: Plan) -> Iterator[Job]:
        """Largest files first, so that none of them is left for one reader at the end."""
        for known in sorted(plan.read, key=lambda k: (-k.found.size, k.found.file)):
            found = known.found
            yield Job(found.file, found.path, found.format, self.options.passwords.for_file(found.file))

    def _pool(self) -> ReaderPool:
        count = self.settings.workers or min(_MOST_WORKERS, _processors())
        return ReaderPool(count, self._read_options, self.teller.pages_read)

    def _options_of(self, spec: IndexSpec | None) -> None:
        """An index keeps the chunk sizes it was made with."""
        tokens = self.settings.chunk_tokens if spec is None else spec.chunk_tokens
        overlap = self.settings.chunk_overlap if spec is None else spec.chunk_overlap
        self._read_options = replace(self.options.read, chunk_tokens=tokens, chunk_overlap=overlap)

    def _existing_index(self) -> Index | None:
        from rag.store import open_index

        try:
            return open_index(self.settings.index, notify=self.teller.note)
        except IndexMissing:
            return None

    def _index(self) -> Index:
        """Open the index, or make it. An index keeps its embeddings unless others are asked for."""
        from rag.store import open_index

        existing = None if self.options.rebuild else self._existing_index()
        if existing is not None and not self._asks_otherwise(existing.spec):
            self._made_with = existing.spec
            return existing
        if existing is not None:
            existing.close()
        wanted = self._wanted_spec()
        return open_index(
            self.settings.index, create=wanted, rebuild=self.options.rebuild, notify=self.teller.note
        )

    def _asks_otherwise(self, spec: IndexSpec) -> bool:
        """Whether this run names embeddings or chunk sizes other than the index has."""
        if self._embedder is not None and self._embedder.id != spec.embedding_id:
            return True
        asked = self.settings.embeddings
        if self._embedder is None and asked is not None and asked != spec.embedding_model:
            return True
        sizes = {"chunk_tokens": spec.chunk_tokens, "chunk_overlap": spec.chunk_overlap}
        return any(
            self.settings.origin(name) != "default" and getattr(self.settings, name) != value
            for name, value in sizes.items()
        )

    def _wanted_spec(self) -> IndexSpec:
        from rag.store import IndexSpec
        from rag.text.keywords import TOKENISER_ID

        return IndexSpec(
            embedding_model=self._provider.spec,
            embedding_id=self._provider.id,
            dimension=self._provider.dimension,
            chunk_tokens=self.settings.chunk_tokens,
            chunk_overlap=self.settings.chunk_overlap,
            tokeniser=TOKENISER_ID,
        )

    @cached_property
    def _provider(self) -> EmbeddingProvider:
        """The embedding model, opened when there is something to embed."""
        if self._embedder is not None:
            return self._embedder
        from rag.providers.registry import default_specs, embedding_model

        made = self._made_with
        spec = default_specs(self.settings)[1] if made is None else made.embedding_model
        dimension = None if made is None else made.dimension
        return embedding_model(
            spec, self.settings, meter=self._meter, dimension=dimension, notify=self.teller.note
        )

    @cached_property
    def _meter(self) -> Meter:
        from rag.providers.registry import new_meter

        return new_meter(self.settings)

    def _usage(self) -> Usage:
        return self._meter.usage if self._embedder is None else Usage()

    def _conclude(self) -> None:
        if not self.options.dry_run:
            self.report.usage = self._usage()
        self.report.seconds["total"] = time.monotonic() - self._began


def _previewed(outcome: Outcome) -> FileResult:
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


def _changed_meanwhile(known: Known) -> bool:
    try:
        stat = known.found.path.stat()
    except OSError:
        return True
    return (stat.st_size, stat.st_mtime_ns) != (known.found.size, known.found.mtime_ns)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
