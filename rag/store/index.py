"""The index as the rest of pagequote opens it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rag.store.backend import OpenIndex, open_backend
from rag.store.spec import IndexSpec
from rag.store.writer import Notify

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

    from rag.store.vectorstore import IndexVectorStore


class Index(OpenIndex):
    """An open index: `snapshot()` to read it, `writer()` to write it, `vector_store()` for LangChain.

    with open_index(".rag") as index:
        snapshot = index.snapshot()
        for found in snapshot.search_keywords(["wharf"], k=3):
            print(snapshot.passages([found.chunk_id])[0].text)
    """

    def vector_store(self) -> IndexVectorStore:
        """This index as a LangChain VectorStore."""
        from rag.store.vectorstore import IndexVectorStore  # LangChain takes long to import

        return IndexVectorStore(self)


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
    backend = open_backend(location, create=create, rebuild=rebuild, notify=notify)
    try:
        return Index(backend, embeddings)
    except BaseException:
        backend.close()
        raise
