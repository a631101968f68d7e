"""Whether a document is still what was indexed: nothing of one that is gone or has changed counts as found."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from rag import index_location
from rag.answering.citations import PageSource
from rag.answering.tables import Tables
from rag.text.paths import path_of
from rag.types import DocumentRecord, Page, Table

_DIGESTS = 1_000
"""Digests remembered by path, size and time: a question cites a few documents, a page draws from one."""
_OWN_DEPTH = 2
"""Folders below the root that must exist for a missing document to be gone; with fewer, as `/home` alone, the
index comes from another machine and its documents were never here."""


class DocumentState(StrEnum):
    """What has become of an indexed document on this machine."""

    CURRENT = "current"
    CHANGED = "changed"
    GONE = "gone"
    ELSEWHERE = "elsewhere"
    """It was indexed on another machine, or never was a file."""


class SourceIndex(PageSource, Tables, Protocol):
    """What is needed of an index; `rag.store.index.Index` is one."""

    location: str

    def document(self, file: str) -> DocumentRecord | None:
        """The record of a document, or None."""


def document_state(source: DocumentRecord, *, shared: bool = False) -> DocumentState:
    """Compare a document with its row in the index, by its bytes where its size or time do not tell.

    shared: the index is used by several machines, so that a file that is not here may be on another.
    """
    if not source.path or not source.content_hash:
        return DocumentState.ELSEWHERE
    path = path_of(source.path)
    try:
        stat = path.stat()
        if stat.st_size == source.size and path.is_file():
            same = _digest(path, stat.st_size, stat.st_mtime_ns) == source.content_hash
            return DocumentState.CURRENT if same else DocumentState.CHANGED
        return DocumentState.CHANGED
    except (FileNotFoundError, NotADirectoryError):
        return DocumentState.ELSEWHERE if shared or not _was_here(path) else DocumentState.GONE
    except (OSError, ValueError):
        return DocumentState.ELSEWHERE


def original_of(index: SourceIndex, file: str) -> Path | None:
    """The document as it was indexed; None when it is gone or has other bytes now.

    The index may come from elsewhere and name any path. Only a file with the very bytes that were indexed is
    handed out, so that nobody learns from it what the index does not say already.
    """
    source = index.document(file)
    if source is None or document_state(source) is not DocumentState.CURRENT:
        return None
    return path_of(source.path)


class CurrentPages:
    """The pages of an index, without those of documents that are gone or have changed since. One for each check.

    pages = CurrentPages(index)
    checked = check_draft(draft, passages, pages)
    print(pages.outdated)
    """

    def __init__(self, index: SourceIndex) -> None:
        self._index = index
        self._shared = index_location.is_url(index.location)
        self._states: dict[str, DocumentState] = {}

    @property
    def outdated(self) -> tuple[str, ...]:
        """The documents that were asked for and are gone or have changed."""
        wrong = (DocumentState.CHANGED, DocumentState.GONE)
        return tuple(file for file, state in self._states.items() if state in wrong)

    def page(self, file: str, number: int) -> Page | None:
        """The page, or None when the index has no such page that is current."""
        return self._index.page(file, number) if self._is_current(file) else None

    def pages(self, file: str) -> Sequence[Page]:
        """All pages of the file in order; empty when the index does not have it, or an outdated version."""
        return self._index.pages(file) if self._is_current(file) else ()

    def tables(self, file: str, number: int) -> Sequence[Table]:
        """The tables of a page; none when the index does not have it, or an outdated version."""
        return self._index.tables(file, number) if self._is_current(file) else ()

    def _is_current(self, file: str) -> bool:
        if file not in self._states:
            source = self._index.document(file)
            missing = DocumentState.ELSEWHERE  # the index has no pages of it either
            self._states[file] = missing if source is None else document_state(source, shared=self._shared)
        return self._states[file] in (DocumentState.CURRENT, DocumentState.ELSEWHERE)


_digests: OrderedDict[tuple[Path, int, int], str] = OrderedDict()
_digesting = threading.Lock()


def _digest(path: Path, size: int, mtime_ns: int) -> str:
    key = (path, size, mtime_ns)
    with _digesting:
        if key not in _digests:
            with path.open("rb") as file:
                _digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
            while len(_digests) > _DIGESTS:
                _digests.popitem(last=False)
        return _digests[key]


def _was_here(path: Path) -> bool:
    """Whether enough of the path to a missing file exists for it to have been on this machine."""
    nearest = next((parent for parent in path.parents if parent.is_dir()), None)
    return nearest is not None and len(nearest.parts) > _OWN_DEPTH
