"""What every kind of index does the same way: all that is read from the rows of one generation."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import IndexDamaged, IndexError_, IndexLocked, IndexMismatch, IndexReadOnly
from rag.store import generations
from rag.store.index import Index, Notify, PageHit
from rag.store.ledger import LedgerEntry, PageProblem, Totals
from rag.store.rows import Vectors
from rag.store.snapshot import Snapshot
from rag.store.sql import Database
from rag.store.state import State, read_state
from rag.types import Page, Passage, Source

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings


class StoredIndex(Index):
    """An index whose rows are in an SQL database; the searches are left to the kinds of index."""

    _database: Database
    _snapshot: Snapshot

    def __init__(
        self, location: str, database: Database, embeddings: Embeddings | None, notify: Notify
    ) -> None:
        self.location = location
        self.embeddings = embeddings
        self._database = database
        self._notify = notify
        self._pinning = threading.Lock()

    @property
    def database(self) -> Database:
        """The rows as they are now, whoever may see them."""
        return self._database

    @property
    def snapshot(self) -> Snapshot:
        """The rows of the generation that is read."""
        return self._snapshot

    def refresh(self) -> bool:
        with self._pinning:
            state = self._state()
            if (state.spec, state.published) == (self.spec, self.generation):
                return False
            self._pin()
            return True

    @abstractmethod
    def _pin(self) -> None:
        """Read the published generation from now on."""

    def _state(self) -> State:
        """The state that the database has now."""
        return read_state(self._database)

    def _publish_leftovers(self) -> None:
        """Publish what a killed writer finished, unless a writer is at work or nothing can be written.

        What was published before can be read on a full disk, too; the next writer publishes the rest.
        """
        if not generations.pending(self._database, read_state(self._database)):
            return
        try:
            with self.writer(wait=False):
                pass
        except (IndexDamaged, IndexMismatch):
            raise
        except (IndexError_, OSError) as error:
            if not isinstance(error, (IndexLocked, IndexReadOnly)):
                self._notify(f"What an interrupted run had finished is not published yet: {error}")
        else:
            self._notify(f"Published what an interrupted run had finished in {self.location}.")

    def passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        return self._snapshot.passages(chunk_ids)

    def neighbours(self, chunk_id: int, before: int = 1, after: int = 1) -> list[Passage]:
        return self._snapshot.neighbours(chunk_id, before, after)

    def chunks_of_page(self, file: str, page: int) -> list[int]:
        return self._snapshot.chunks_of_page(file, page)

    def chunks_of_pages(self, pages: Sequence[tuple[str, int]]) -> dict[tuple[str, int], list[int]]:
        return self._snapshot.chunks_of_pages(pages)

    def locate(self, chunk_ids: Sequence[int]) -> dict[int, tuple[str, int, int]]:
        return self._snapshot.locate(chunk_ids)

    def vectors(self, chunk_ids: Sequence[int]) -> Vectors:
        return self._snapshot.vectors(chunk_ids, self.spec.dimension)

    def page(self, file: str, number: int) -> Page | None:
        return next(iter(self._snapshot.pages(file, number)), None)

    def pages(self, file: str) -> list[Page]:
        return self._snapshot.pages(file)

    def source(self, file: str) -> Source | None:
        return self._snapshot.ledger.source(file)

    def sources(self) -> list[Source]:
        return self._snapshot.ledger.sources()

    def ledger(self) -> list[LedgerEntry]:
        return self._snapshot.ledger.entries()

    def page_problems(self) -> list[PageProblem]:
        return self._snapshot.ledger.page_problems()

    def characters(self) -> dict[str, int]:
        return self._snapshot.ledger.characters()

    def counts(self) -> Totals:
        return self._snapshot.ledger.totals()

    def _unit_query(self, vector: Any) -> Vectors:
        query = np.asarray(vector, dtype=np.float32).reshape(-1)
        if query.size != self.spec.dimension:
            raise IndexMismatch(
                f"{self.location} holds embeddings of {self.spec.dimension} numbers "
                f"({self.spec.embedding_model}) and the question came as {query.size}: "
                "ask with the same embeddings, or run `rag ingest --rebuild PATH`."
            )
        length = float(np.linalg.norm(query))
        if not np.isfinite(length):
            raise ValueError("the embedding of the question holds values that are not finite numbers")
        return query / np.float32(length) if length else query

    def _page_hits(self, found: Sequence[tuple[int, int, float]]) -> list[PageHit]:
        """From content, page number and score; pages of contents that are not visible are left out."""
        files = self._snapshot.files_of_contents([content for content, _, _ in found])
        return [PageHit(files[content], page, score) for content, page, score in found if content in files]


def weights_of(terms: Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    """Terms with their weights; of a list, how often each was asked for: BM25 adds a repeated term up."""
    if isinstance(terms, Mapping):
        return dict(terms)
    weights: dict[str, float] = {}
    for term in terms:
        weights[term] = weights.get(term, 0.0) + 1.0
    return weights
