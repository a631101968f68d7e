"""The facade: what the rest of pagequote knows of an index, whatever it is kept in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rag import places
from rag.errors import UsageError
from rag.store.filters import Filter
from rag.store.ledger import DocumentStatus, PageProblem, Totals
from rag.store.postgres.location import driver, is_postgres
from rag.store.spec import IndexSpec
from rag.types import DocumentRecord, Page, Passage, Table

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

    from rag.store.rows import Vectors
    from rag.store.vectorstore import IndexVectorStore
    from rag.store.writer import IndexWriter

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """A chunk that a search found."""

    chunk_id: int
    score: float


@dataclass(frozen=True, slots=True)
class ScoredPage:
    """A page that a keyword search found."""

    file: str
    page: int
    score: float


class Index(ABC):
    """An open index, safe to read from several threads.

    Every method answers from one generation, the one that was published when the index was opened or last
    refreshed; writing through `writer()` refreshes it.
    """

    location: str
    spec: IndexSpec
    generation: int
    embeddings: Embeddings | None = None

    # -- searching ------------------------------------------------------------------------------------------

    @abstractmethod
    def search_dense(self, vector: Any, k: int, where: Filter | None = None) -> list[ScoredChunk]:
        """The `k` chunks nearest to `vector` (shape [dimension]) by cosine; equal scores by chunk id.

        Raises IndexMismatch when the vector has another dimension.
        """

    @abstractmethod
    def search_keywords(
        self, terms: Sequence[str] | Mapping[str, float], k: int, where: Filter | None = None
    ) -> list[ScoredChunk]:
        """The `k` best chunks by BM25 for tokens of `rag.text.keywords`, or for tokens with weights."""

    @abstractmethod
    def search_pages(
        self,
        terms: Sequence[str] | Mapping[str, float],
        k: int,
        where: Filter | None = None,
        *,
        head: bool = False,
    ) -> list[ScoredPage]:
        """The `k` best pages by BM25 over their whole text, or over their beginnings alone."""

    # -- chunks and pages -----------------------------------------------------------------------------------

    @abstractmethod
    def passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """The chunks with these ids, in this order; unknown ones are left out."""

    @abstractmethod
    def neighbours(self, chunk_id: int, before: int = 1, after: int = 1) -> list[Passage]:
        """A chunk with those before and after it in its file, in reading order."""

    @abstractmethod
    def chunks_of_page(self, file: str, page: int) -> list[int]:
        """Ids of the chunks that touch a page, in reading order."""

    @abstractmethod
    def chunks_of_pages(self, pages: Sequence[tuple[str, int]]) -> dict[tuple[str, int], list[int]]:
        """`chunks_of_page` for many pages at once, by (file, page)."""

    @abstractmethod
    def locate(self, chunk_ids: Sequence[int]) -> dict[int, tuple[str, int, int]]:
        """File, first and last page of chunks, by id: what ranking needs, without reading texts."""

    @abstractmethod
    def vectors(self, chunk_ids: Sequence[int]) -> Vectors:
        """Unit embeddings of chunks, shape [n, dimension]. Raises LookupError for an unknown chunk."""

    @abstractmethod
    def page(self, file: str, number: int) -> Page | None:
        """A stored page, or None."""

    @abstractmethod
    def pages(self, file: str) -> list[Page]:
        """All stored pages of a file, in order."""

    @abstractmethod
    def tables(self, file: str, number: int) -> list[Table]:
        """The tables of a stored page, in order; none for a page without tables or an unknown page."""

    # -- the ledger -----------------------------------------------------------------------------------------

    @abstractmethod
    def source(self, file: str) -> DocumentRecord | None:
        """The ledger's row of a file, or None."""

    @abstractmethod
    def sources(self) -> list[DocumentRecord]:
        """The whole ledger, by file name."""

    @abstractmethod
    def document_statuses(self) -> list[DocumentStatus]:
        """The whole ledger with the counts of pages and chunks, by file name."""

    @abstractmethod
    def page_problems(self) -> list[PageProblem]:
        """The pages of all files that are not plainly ok, by file name and number, without their texts."""

    @abstractmethod
    def characters(self) -> dict[str, int]:
        """Characters extracted from the pages of each file, by file; files without pages are left out."""

    @abstractmethod
    def counts(self) -> Totals:
        """Files by status, pages, searchable pages, chunks."""

    @abstractmethod
    def verify(self) -> list[str]:
        """Compare the database and what is derived from it; one sentence for each fault, none when sound."""

    # -- life -----------------------------------------------------------------------------------------------

    @abstractmethod
    def refresh(self) -> bool:
        """Move on to the newest published generation. True when there was a newer one."""

    @abstractmethod
    def writer(
        self, *, wait: bool | float = True, on_wait: Notify | None = None
    ) -> AbstractContextManager[IndexWriter]:
        """The one writer; publishes at the end unless an error ends it.

        wait: True (for ever), False (not at all) or seconds. Raises IndexLocked, IndexReadOnly.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of files and locks."""

    def vector_store(self) -> IndexVectorStore:
        """This index as a LangChain VectorStore."""
        from rag.store.vectorstore import IndexVectorStore

        return IndexVectorStore(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_index(
    location: str | Path,
    *,
    embeddings: Embeddings | None = None,
    create: IndexSpec | None = None,
    rebuild: bool = False,
    notify: Notify | None = None,
) -> Index:
    """Open the index at `location`, a folder or the address of a PostgreSQL database (`rag.store.postgres`).

    embeddings: what `Index.vector_store()` embeds with. create: make the index when it is missing, and
    require an existing one to be made the same way. rebuild: with `create`, first empty an existing index of
    any kind; its paid embeddings are kept. notify: gets a sentence for everything that was repaired.

    Raises IndexMissing, IndexMismatch, IndexDamaged, IndexLocked, IndexReadOnly; MissingExtra for a database
    when psycopg is not installed.
    """
    say = notify or (lambda _: None)
    if "://" in str(location):
        if not is_postgres(location):
            raise UsageError(
                f"an index cannot be kept in {places.shown(str(location))}: use a folder, for example --index .rag, "
                "or a database, for example --index postgresql://localhost/NAME."
            )
        driver()
        from rag.store.postgres.index import PostgresIndex

        return PostgresIndex.open(str(location), embeddings, create, rebuild, say)
    from rag.store.embedded import EmbeddedIndex

    return EmbeddedIndex.open(Path(location), embeddings, create, rebuild, say)
