"""Embeds the chunks of files that were read in groups, and stores each file when its last chunk has its vector.

What a provider was paid for goes to the embedding cache batch by batch, before anything else can fail.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from ingest.progress import IngestReport, ProgressReporter
from ingest.recording import DocumentRecorder
from ingest.target import IngestTarget
from rag.errors import ContextTooLong, ProviderError
from rag.types import Document

if TYPE_CHECKING:
    from rag.store import IndexWriter


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

    def __init__(
        self,
        writer: IndexWriter,
        recorder: DocumentRecorder,
        target: IngestTarget,
        reporter: ProgressReporter,
        report: IngestReport,
    ) -> None:
        self._cache, self._recorder, self._target = writer, recorder, target
        self._reporter, self._report = reporter, report
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

    def add(self, document: Document) -> None:
        """Take a document in; what the cache knows needs no embedding."""
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
