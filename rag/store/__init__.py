"""The index: in a folder, where SQLite is the truth and FAISS and Tantivy are derived from it, or in a PostgreSQL
database with pgvector (`rag.store.postgres`). `open_index` opens either, behind one facade.

Nothing heavy is imported until a name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.store.cache import EmbeddingCache, open_cache
    from rag.store.copying import CopyReport, copy_index
    from rag.store.filters import Filter
    from rag.store.index import Index, ScoredChunk, ScoredPage, open_index
    from rag.store.ledger import DocumentStatus, PageProblem, Totals
    from rag.store.spec import FORMAT_VERSION, IndexSpec
    from rag.store.writer import IndexWriter

__all__ = [
    "FORMAT_VERSION",
    "CopyReport",
    "DocumentStatus",
    "EmbeddingCache",
    "Filter",
    "Index",
    "IndexSpec",
    "IndexWriter",
    "PageProblem",
    "ScoredChunk",
    "ScoredPage",
    "Totals",
    "copy_index",
    "open_cache",
    "open_index",
]

_HOMES = {
    "CopyReport": "copying",
    "EmbeddingCache": "cache",
    "FORMAT_VERSION": "spec",
    "Filter": "filters",
    "ScoredChunk": "index",
    "Index": "index",
    "IndexSpec": "spec",
    "IndexWriter": "writer",
    "DocumentStatus": "ledger",
    "ScoredPage": "index",
    "PageProblem": "ledger",
    "Totals": "ledger",
    "copy_index": "copying",
    "open_cache": "cache",
    "open_index": "index",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
