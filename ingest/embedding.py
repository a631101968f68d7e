"""Takes the files of a run from read to done: embedded and stored, or recorded with the reason why not.

Chunks are embedded in groups, and a file is stored when its last chunk has its vector. What a provider was paid for
goes to the embedding cache batch by batch, before anything else can fail.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from ingest.options import ReadOptions
from ingest.plan import KnownFile
from ingest.progress import FileResult, IngestReport, ProgressReporter
from ingest.reading import Reading, ReadJob
from ingest.target import IngestTarget
from rag.errors import ContextTooLong, ProviderError
from rag.types import Document, Status

if TYPE_CHECKING:
    from rag.store import IndexWriter


class DocumentRecorder:
    """The files of a run: unread, then waiting for vectors, then done. Each is done exactly once."""

    def __init__(
        self,
        writer: IndexWriter,
        files: Sequence[KnownFile],
        reporter: ProgressReporter,
        report: IngestReport,
    ) -> None:
        self._writer, self._reporter, self._report = writer, reporter, report
        self._unread = {known.found.file: known for known in files}
        self._waiting: dict[str, tuple[Document, float]] = {}

    def size_of(self, file: str) -> int:
        """Bytes of a file that was not taken yet."""
        return self._unread[file].found.size

    def take(self, file: str, reading: Reading, seconds: float) -> Document | None:
        """A file was read in so many seconds: what to embed of it, or None when it is done as it is."""
        known = self._unread.pop(file)
        self._reporter.file_read(known.found.size, len(reading.chunks))
        status, reason = reading.status, reading.reason
        try:
            stat = known.found.path.stat()
            changed = (stat.st_size, stat.st_mtime_ns) != (known.found.size, known.found.mtime_ns)
        except OSError:
            changed = True
        if changed:
            status, reason = Status.FAILED, "it was changed while it was being read"
        record = replace(known.record(status, reason), title=reading.title, metadata=reading.metadata)
        if status.searchable:
            document = Document(record, reading.pages, reading.chunks, reading.tables)
            self._waiting[file] = document, seconds
            return document
        pages = [] if status is Status.FAILED else reading.pages
        self._writer.put_record(record, pages)
        self._done(FileResult(file, status, reason, len(pages), seconds=seconds))
        return None

    def store(self, document: Document, vectors: Any) -> None:
        """A file has all its vectors, one for each chunk: it goes into the index in one transaction."""
        began = time.monotonic()
        record = document.record
        _, seconds = self._waiting.pop(record.file)
        self._writer.put(document, vectors)
        self._done(
            FileResult(
                record.file,
                record.status,
                record.reason,
                len(document.pages),
                sum(page.status.searchable for page in document.pages),
                len(document.chunks),
                seconds,
            )
        )
        self._report.spend("store", began)

    def publish_if_due(self) -> None:
        """Let readers see what is stored, now and then."""
        began = time.monotonic()
        self._writer.publish_if_due()
        self._report.spend("store", began)

    def fail(self, document: Document, reason: str) -> None:
        """A file cannot be embedded for now; the next run tries it again."""
        record, pages = document.record, document.pages
        del self._waiting[record.file]
        failed = [
            replace(p, status=Status.FAILED, reason=reason) if p.status.searchable else p for p in pages
        ]
        self._writer.put_record(replace(record, status=Status.FAILED, reason=reason), failed)
        self._done(FileResult(record.file, Status.FAILED, reason, len(pages)))

    def fail_rest(self, reason: str) -> None:
        """The run ends before the others: what waits fails, and so does what was not read."""
        for document, _ in list(self._waiting.values()):
            self.fail(document, reason)
        while self._unread:
            file, known = self._unread.popitem()
            self._writer.put_record(known.record(Status.FAILED, reason))
            self._report.files.append(FileResult(file, Status.FAILED, reason))

    def _done(self, result: FileResult) -> None:
        self._report.files.append(result)
        self._reporter.file_done(result)


@dataclass(frozen=True, slots=True)
class Work:
    """What an engine is to do, and with what. It takes every job to its end.

    It raises TooManyFailures when the embedding model refuses for good or keeps failing, and BudgetReached; what is
    not done then is left to the recorder.
    """

    jobs: Sequence[ReadJob]
    """Largest file first, so that none of them is left for one reader at the end."""
    read: ReadOptions
    target: IngestTarget
    writer: IndexWriter
    recorder: DocumentRecorder
    reporter: ProgressReporter
    report: IngestReport


_LOST_GROUPS = 2
"""Groups of texts in a row that fail for a transient reason before the run gives up."""


class TooManyFailures(Exception):
    """The provider cannot be used for now; `cause` says why."""

    def __init__(self, cause: ProviderError) -> None:
        super().__init__(str(cause))
        self.cause = cause


GROUP = 512
"""Chunks handed to the provider at a time; it makes its own batches of them."""


@dataclass(slots=True, eq=False)
class Pending:
    """A file that was read and waits for vectors."""

    document: Document
    vectors: list[Any] = field(default_factory=list)
    """By chunk; None where one is missing."""
    missing: int = 0


class Embedder:
    """Collects documents, embeds their chunks, and writes what is complete."""

    def __init__(self, work: Work) -> None:
        self._cache, self._recorder, self._target = work.writer, work.recorder, work.target
        self._reporter, self._report = work.reporter, work.report
        self._waiting: list[Pending] = []
        self._wanted: dict[str, list[tuple[Pending, int]]] = {}
        """Texts without a vector, and who waits for each."""
        self._queue: dict[str, None] = {}
        """Those of them that are not in a group which was taken."""
        self._failures = 0
        """Groups in a row that were not embedded."""

    @property
    def backlog(self) -> int:
        """Texts that wait to be taken in a group."""
        return len(self._queue)

    def take(self, file: str, reading: Reading, seconds: float) -> None:
        """A file was read in so many seconds: embed it, unless it cannot be searched.

        What the cache knows needs no embedding.
        """
        document = self._recorder.take(file, reading, seconds)
        if document is None:
            return
        texts = [chunk.indexed_text for chunk in document.chunks]
        cached = self._cache.cached_vectors(texts)
        pending = Pending(document, [cached.get(place) for place in range(len(texts))])
        for place, text in enumerate(texts):
            if pending.vectors[place] is None:
                pending.missing += 1
                if text not in self._wanted:
                    self._wanted[text] = []
                    self._queue[text] = None
                self._wanted[text].append((pending, place))
        self._waiting.append(pending)
        if cached:
            self._report.chunks_cached += len(cached)
            self._tell(len(cached), cached=True)
        self.give_back(())

    def embed_group(self) -> None:
        """Embed up to a group of the waiting texts here and store the files that are complete.

        Raises TooManyFailures when the provider refuses for good or keeps failing; BudgetReached.
        """
        texts = self.take_group(GROUP)
        began = time.monotonic()
        failure: ProviderError | None = None
        try:
            provider = self._target.provider
            provider.embed(texts, lambda places, vectors: self.keep([texts[p] for p in places], vectors))
        except ProviderError as error:
            failure = error
        finally:
            self._report.spend("embed", began)
            self.give_back(texts)
        self.group_ended(texts, failure)

    def take_group(self, size: int) -> list[str]:
        """Up to `size` of the waiting texts, each to be kept, refused or given back."""
        texts = list(islice(self._queue, size))
        for text in texts:
            del self._queue[text]
        return sorted(texts, key=len)  # batches of like length waste nothing on padding

    def give_back(self, texts: Sequence[str]) -> None:
        """Texts of a group wait again, as far as they have no vectors; files that are complete are stored."""
        self._queue.update(dict.fromkeys(text for text in texts if text in self._wanted))
        for pending in [p for p in self._waiting if not p.missing]:
            self._waiting.remove(pending)
            self._recorder.store(pending.document, pending.vectors)
        self._recorder.publish_if_due()

    def group_ended(self, texts: Sequence[str], error: ProviderError | None) -> None:
        """A group was embedded or not: after a passing failure it is tried once more.

        Raises TooManyFailures when it makes no sense to go on.
        """
        if error is None:
            self._failures = 0
        elif isinstance(error, ContextTooLong):
            refused = error.texts or [text for text in texts if text in self._wanted]
            self.refuse(refused, f"not embedded: {error}")
        else:
            self._failures += 1
            if not error.transient or self._failures >= _LOST_GROUPS:
                raise TooManyFailures(error) from error
            self._reporter.note(f"Embedding failed and will be tried once more: {error}")

    def refuse(self, texts: Sequence[str], reason: str) -> None:
        """Texts that the model cannot take fail their files; the others go on."""
        for text in texts:
            self._queue.pop(text, None)
            for pending, _ in self._wanted.pop(text, ()):
                if pending in self._waiting:
                    self._waiting.remove(pending)
                    self._recorder.fail(pending.document, reason)

    def keep(self, texts: Sequence[str], vectors: Any) -> None:
        """Texts have their vectors, one row for each: they are in the embedding cache when this returns."""
        self._cache.cache_vectors(texts, vectors)
        done = 0
        for text, vector in zip(texts, vectors, strict=True):
            holders = self._wanted.pop(text)
            for pending, place in holders:
                pending.vectors[place] = vector
                pending.missing -= 1
            done += len(holders)
            pending, place = holders[0]
            self._report.tokens_embedded += pending.document.chunks[place].tokens
        self._report.chunks_embedded += len(texts)
        self._tell(done, cached=False)

    def _tell(self, chunks: int, *, cached: bool) -> None:
        self._reporter.chunks_done(chunks, cached=cached, cost_usd=self._target.usage().cost_usd)
