"""What the tests of an index in PostgreSQL share beside their server."""

from __future__ import annotations

from rag.store import Index
from rag.types import Document
from tests.store.corpus import vectors_of


def schema_of(location: str) -> str:
    """The schema of an address that a test made."""
    return location.rpartition("=")[2]


def put(index: Index, *items: Document) -> None:
    """Store and publish documents."""
    with index.writer() as writer:
        for item in items:
            writer.put(item, vectors_of(item))
