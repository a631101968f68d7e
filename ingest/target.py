"""Which index a run writes, with which embeddings and chunk sizes, and what they have cost."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ingest.options import ReadOptions
from ingest.progress import ProgressReporter
from rag.errors import IndexMissing
from rag.providers.registry import default_specs, embedding_model, new_meter
from rag.settings import Settings
from rag.store import Index, IndexSpec, open_index
from rag.text.keywords import TOKENISER_ID
from rag.types import Usage

if TYPE_CHECKING:
    from rag.providers.embedding import EmbeddingProvider
    from rag.usage.meter import Meter


class IngestTarget:
    """The index of a run and its embedding model. An index keeps what it was made with."""

    def __init__(
        self, settings: Settings, reporter: ProgressReporter, embedder: EmbeddingProvider | None
    ) -> None:
        """`embedder` replaces the model that the settings or the index name."""
        self.settings = settings
        self.embedder = embedder
        self.made_with: IndexSpec | None = None
        self._reporter = reporter

    # -- the index ------------------------------------------------------------------------------------------

    def open(self, *, rebuild: bool) -> Index:
        """Open the index, or make it. An index keeps its embeddings unless others are asked for."""
        existing = None if rebuild else self._existing()
        if existing is not None and not self._asks_otherwise(existing.spec):
            self.made_with = existing.spec
            return existing
        if existing is not None:
            existing.close()
        wanted = self._wanted_spec()
        return open_index(self.settings.index, create=wanted, rebuild=rebuild, notify=self._reporter.note)

    def peek(self) -> Index | None:
        """The index as it is, when there is one, for a run that changes nothing."""
        index = self._existing()
        if index is not None and not self._asks_otherwise(index.spec):
            self.made_with = index.spec
        return index

    def reading(self, options: ReadOptions, spec: IndexSpec | None) -> ReadOptions:
        """The options with the chunk sizes of an index made with `spec`, or else those of the settings."""
        tokens = self.settings.chunk_tokens if spec is None else spec.chunk_tokens
        overlap = self.settings.chunk_overlap if spec is None else spec.chunk_overlap
        return replace(options, chunk_tokens=tokens, chunk_overlap=overlap)

    def _existing(self) -> Index | None:
        try:
            return open_index(self.settings.index, notify=self._reporter.note)
        except IndexMissing:
            return None

    def _asks_otherwise(self, spec: IndexSpec) -> bool:
        """Whether this run names embeddings or chunk sizes other than the index has."""
        if self.embedder is not None and self.embedder.id != spec.embedding_id:
            return True
        asked = self.settings.embeddings
        if self.embedder is None and asked is not None and asked != spec.embedding_model:
            return True
        sizes = {"chunk_tokens": spec.chunk_tokens, "chunk_overlap": spec.chunk_overlap}
        return any(
            self.settings.origin(name) != "default" and getattr(self.settings, name) != value
            for name, value in sizes.items()
        )

    def _wanted_spec(self) -> IndexSpec:
        return IndexSpec(
            embedding_model=self.provider.spec,
            embedding_id=self.provider.id,
            dimension=self.provider.dimension,
            chunk_tokens=self.settings.chunk_tokens,
            chunk_overlap=self.settings.chunk_overlap,
            tokeniser=TOKENISER_ID,
        )

    # -- the model ------------------------------------------------------------------------------------------

    @property
    def embedding_spec(self) -> str:
        """The embedding model's name, as it is written in settings."""
        return default_specs(self.settings)[1] if self.made_with is None else self.made_with.embedding_model

    @cached_property
    def provider(self) -> EmbeddingProvider:
        """The embedding model, opened when there is something to embed."""
        if self.embedder is not None:
            return self.embedder
        dimension = None if self.made_with is None else self.made_with.dimension
        return embedding_model(
            self.embedding_spec,
            self.settings,
            meter=self.meter,
            dimension=dimension,
            notify=self._reporter.note,
        )

    @cached_property
    def meter(self) -> Meter:
        """What this run spends, and its cap."""
        return new_meter(self.settings)

    def usage(self) -> Usage:
        """What the run has used so far."""
        return self.meter.usage if self.embedder is None else Usage()
