"""What proving needs from the index: its stored pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.types import Page


class Pages(Protocol):
    """Stored pages by file; `rag.store.index.Index` is one."""

    def page(self, file: str, number: int) -> Page | None:
        """The page, or None when the index has no such page."""

    def pages(self, file: str) -> Sequence[Page]:
        """All pages of the file in order; empty when the index does not have it."""
