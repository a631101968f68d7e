"""Embeds the chunks of files that were read in groups, and stores each file when its last chunk has its vector.

What a provider was paid for goes to the embedding cache batch by batch, before anything else can fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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


class FailurePolicy:
    """Tries a provider once more after a passing failure, and not after another one."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._lost = 0

    def succeeded(self) -> None:
        """A group was embedded."""
        self._lost = 0

    def failed(self, error: ProviderError) -> None:
        """A group was not. Raises TooManyFailures when it makes no sense to go on."""
        self._lost += 1
        if not error.transient or self._lost >= _LOST_GROUPS:
            raise TooManyFailures(error) from error
        self._note(f"Embedding failed and will be tried once more: {error}")


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
        filing: DocumentRecorder,
        target: IngestTarget,
        teller: ProgressReporter,
        report: IngestReport,
    ) -> None:
        self._cache, self._filing, self._target = writer, filing, target
        self._teller, self._report = teller, report
        self._waiting: list[Pending] = []
        self._wanted: dict[str, list[tuple[Pending, int]]] = {}
        """Texts without a vector, and who waits for each."""
        self._patience = FailurePolicy(teller.note)

    @property
    def backlog(self) -> int:
        """Texts that wait to be embedded."""
        return len(self._wanted)

    def add(self, document: Document) -> None:
        """Take a document in; what the cache knows needs no embedding."""
        texts = [chunk.indexed_text for chunk in document.chunks]
        cached = self._cache.cached_vectors(texts)
        pending = Pending(document, [cached.get(place) for place in range(len(texts))])
        for place, text in enumerate(texts):
            if pending.vectors[place] is None:
                pending.missing += 1
                self._wanted.setdefault(text, []).append((pending, place))
        self._waiting.append(pending)
        if cached:
            self._report.chunks_cached += len(cached)
            self._tell(len(cached), cached=True)
        self._store_complete()

    def embed_group(self) -> None:
        """Embed up to a group of the waiting texts and store the files that are complete.

        Raises TooManyFailures when the provider refuses for good or keeps failing; BudgetReached.
        """
        texts = list(self._wanted)[:GROUP]
        if not texts:
            return
        texts.sort(key=len)  # batches of like length waste nothing on padding
        began = time.monotonic()
        try:
            provider = self._target.provider
            provider.embed(texts, lambda places, vectors: self._keep([texts[p] for p in places], vectors))
            self._patience.succeeded()
        except ContextTooLong as error:
            self._fail_holders(error.texts or [text for text in texts if text in self._wanted], error)
        except ProviderError as error:
            self._patience.failed(error)
        finally:
            self._report.spend("embed", began)
            self._store_complete()

    def _keep(self, texts: Sequence[str], vectors: Any) -> None:
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
        self._teller.chunks_done(chunks, cached=cached, cost_usd=self._target.usage().cost_usd)

    def _store_complete(self) -> None:
        for pending in [p for p in self._waiting if not p.missing]:
            self._waiting.remove(pending)
            self._filing.store(pending.document, pending.vectors)
        self._filing.publish_if_due()

    def _fail_holders(self, texts: Sequence[str], error: ProviderError) -> None:
        """A text that the model cannot take fails its file; the others go on."""
        for text in texts:
            for pending, _ in self._wanted.pop(text, ()):
                if pending in self._waiting:
                    self._waiting.remove(pending)
                    self._filing.fail(pending.document, f"not embedded: {error}")
