"""Embeds the chunks of finished files in groups, and stores each file when its last chunk has its vector.

What a provider was paid for goes to the embedding cache batch by batch, before anything else can fail.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ingest.progress import FileResult, Teller
from ingest.report import Report
from rag.errors import ContextTooLong, ProviderError
from rag.types import Document, Status, Usage

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider
    from rag.store import IndexWriter

GROUP = 512
"""Chunks handed to the provider at a time; it makes its own batches of them."""
_LOST_GROUPS = 2
"""Groups in a row that fail for a transient reason before the run gives up."""


class GaveUp(Exception):
    """The provider cannot be used for now; `cause` says why."""

    def __init__(self, cause: ProviderError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(slots=True, eq=False)
class Pending:
    """A file that was read and waits for vectors."""

    document: Document
    seconds: float
    vectors: list[Any] = field(default_factory=list)
    """By chunk; None where one is missing."""
    missing: int = 0


class Embedder:
    """Collects documents, embeds their chunks, and writes what is complete."""

    def __init__(
        self,
        writer: IndexWriter,
        provider: Callable[[], EmbeddingProvider],
        teller: Teller,
        report: Report,
        usage: Callable[[], Usage],
    ) -> None:
        self._writer, self._provider, self._teller, self._report = writer, provider, teller, report
        self._usage = usage
        self._waiting: deque[Pending] = deque()
        self._wanted: dict[str, list[tuple[Pending, int]]] = {}
        """Texts without a vector, and who waits for each."""
        self._lost = 0

    @property
    def backlog(self) -> int:
        """Texts that wait to be embedded."""
        return len(self._wanted)

    def add(self, document: Document, seconds: float) -> None:
        """Take a document in; what the cache knows needs no embedding."""
        texts = [chunk.indexed_text for chunk in document.chunks]
        cached = self._writer.cached_vectors(texts)
        pending = Pending(document, seconds, [cached.get(place) for place in range(len(texts))])
        for place, text in enumerate(texts):
            if pending.vectors[place] is None:
                pending.missing += 1
                self._wanted.setdefault(text, []).append((pending, place))
        self._waiting.append(pending)
        if cached:
            self._report.chunks_cached += len(cached)
            self._teller.chunks_done(len(cached), cached=True, cost_usd=self._usage().cost_usd)
        self._store_complete()

    def embed_group(self) -> None:
        """Embed up to a group of the waiting texts and store the files that are complete.

        Raises GaveUp when the provider refuses for good or keeps failing; BudgetReached.
        """
        texts = list(self._wanted)[:GROUP]
        if not texts:
            return
        texts.sort(key=len)  # batches of like length waste nothing on padding
        began = time.monotonic()
        try:
            provider = self._provider()
            provider.embed(texts, lambda places, vectors: self._keep([texts[p] for p in places], vectors))
            self._lost = 0
        except ContextTooLong as error:
            self._fail_holders([text for text in texts if text in self._wanted], error)
        except ProviderError as error:
            self._lost += 1
            if not error.transient or self._lost >= _LOST_GROUPS:
                raise GaveUp(error) from error
            self._teller.note(f"Embedding failed and will be tried once more: {error}")
        finally:
            self._count("embed", began)
            self._store_complete()

    def fail_rest(self, reason: str) -> None:
        """Give up on what is still waiting: the next run tries it again."""
        for pending in list(self._waiting):
            self._fail(pending, reason)
        self._wanted.clear()

    def _keep(self, texts: Sequence[str], vectors: Any) -> None:
        self._writer.cache_vectors(texts, vectors)
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
        self._teller.chunks_done(done, cached=False, cost_usd=self._usage().cost_usd)

    def _store_complete(self) -> None:
        began = time.monotonic()
        for pending in [p for p in self._waiting if not p.missing]:
            self._waiting.remove(pending)
            self._writer.put(pending.document, pending.vectors)
            self._teller.file_done(_result(pending.document, pending.seconds))
            self._report.files.append(_result(pending.document, pending.seconds))
        self._writer.publish_if_due()
        self._count("store", began)

    def _fail_holders(self, texts: Sequence[str], error: ProviderError) -> None:
        """A text that the model cannot take fails its file; the others go on."""
        for text in texts:
            for pending, _ in self._wanted.pop(text, ()):
                if pending in self._waiting:
                    self._fail(pending, f"not embedded: {error}")

    def _fail(self, pending: Pending, reason: str) -> None:
        self._waiting.remove(pending)
        source, pages = pending.document.source, pending.document.pages
        failed = [
            replace(p, status=Status.FAILED, reason=reason) if p.status.searchable else p for p in pages
        ]
        self._writer.put_source(replace(source, status=Status.FAILED, reason=reason), failed)
        result = FileResult(source.file, Status.FAILED, reason, len(pages))
        self._report.files.append(result)
        self._teller.file_done(result)

    def _count(self, stage: str, began: float) -> None:
        self._report.seconds[stage] = self._report.seconds.get(stage, 0.0) + time.monotonic() - began


def _result(document: Document, seconds: float) -> FileResult:
    source = document.source
    return FileResult(
        source.file,
        source.status,
        source.reason,
        len(document.pages),
        sum(page.status.searchable for page in document.pages),
        len(document.chunks),
        seconds,
    )
