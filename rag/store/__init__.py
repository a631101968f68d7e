"""The index: in a folder, where SQLite is the truth and FAISS and Tantivy are derived from it, or in PostgreSQL with
pgvector (`rag.store.postgres`). `open_index` opens either; `Index.snapshot()` is what one question reads.

Nothing heavy is imported until a name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.store.copying import CopyReport, copy_index
    from rag.store.filters import Filter
    from rag.store.index import Index, open_index
    from rag.store.snapshot import DocumentStatus, PageProblem, ScoredChunk, ScoredPage, Snapshot, Totals
    from rag.store.spec import FORMAT_VERSION, IndexSpec
    from rag.store.writer import IndexWriter

__all__ = [
    "FORMAT_VERSION",
    "CopyReport",
    "DocumentStatus",
    "Filter",
    "Index",
    "IndexSpec",
    "IndexWriter",
    "PageProblem",
    "ScoredChunk",
    "ScoredPage",
    "Snapshot",
    "Totals",
    "copy_index",
    "open_index",
]

_HOMES = {
    "CopyReport": "copying",
    "FORMAT_VERSION": "spec",
    "Filter": "filters",
    "ScoredChunk": "snapshot",
    "Index": "index",
    "IndexSpec": "spec",
    "IndexWriter": "writer",
    "DocumentStatus": "snapshot",
    "ScoredPage": "snapshot",
    "PageProblem": "snapshot",
    "Snapshot": "snapshot",
    "Totals": "snapshot",
    "copy_index": "copying",
    "open_index": "index",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
