"""Records what becomes of every file: in the index, in the report, and for whoever watches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingest.plan import KnownFile
from ingest.progress import FileResult, IngestReport, ProgressReporter
from ingest.reading import Reading
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
        status, reason = reading.status, reading.reason
        if _changed_meanwhile(known):
            status, reason = Status.FAILED, "it was changed while it was being read"
        source = replace(known.source(status, reason), title=reading.title, metadata=reading.metadata)
        if status.searchable:
            document = Document(source, reading.pages, reading.chunks, reading.tables)
            self._waiting[file] = document, seconds
            return document
        pages = [] if status is Status.FAILED else reading.pages
        self._writer.put_record(source, pages)
        self._done(FileResult(file, status, reason, len(pages), seconds=seconds))
        return None

    def store(self, document: Document, vectors: Any) -> None:
        """A file has all its vectors, one for each chunk: it goes into the index in one transaction."""
        began = time.monotonic()
        source = document.record
        _, seconds = self._waiting.pop(source.file)
        self._writer.put(document, vectors)
        self._done(
            FileResult(
                source.file,
                source.status,
                source.reason,
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
        source, pages = document.record, document.pages
        del self._waiting[source.file]
        failed = [
            replace(p, status=Status.FAILED, reason=reason) if p.status.searchable else p for p in pages
        ]
        self._writer.put_record(replace(source, status=Status.FAILED, reason=reason), failed)
        self._done(FileResult(source.file, Status.FAILED, reason, len(pages)))

    def fail_rest(self, reason: str) -> None:
        """The run ends before the others: what waits fails, and so does what was not read."""
        for document, _ in list(self._waiting.values()):
            self.fail(document, reason)
        while self._unread:
            file, known = self._unread.popitem()
            self._writer.put_record(known.source(Status.FAILED, reason))
            self._report.files.append(FileResult(file, Status.FAILED, reason))

    def _done(self, result: FileResult) -> None:
        self._report.files.append(result)
        self._reporter.file_done(result)


def _changed_meanwhile(known: KnownFile) -> bool:
    try:
        stat = known.found.path.stat()
    except OSError:
        return True
    return (stat.st_size, stat.st_mtime_ns) != (known.found.size, known.found.mtime_ns)
