"""The page that a citation points to: its picture with the quote marked, its text, and the document itself."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rag.answering.originals import original_of
from rag.errors import RagError
from rag.store import Snapshot
from rag.types import Citation, Passage, Span
from rag.ui.draw_process import CANNOT, SECONDS

SCALE = 2.0
_PICTURES = 64
"""Pictures that are cached, a few hundred kilobytes each."""
_AT_ONCE = 2
_WAIT = SECONDS + 10.0


@dataclass(frozen=True, slots=True)
class CitedPage:
    """A page of a document with the words to be marked on it."""

    file: str
    page: int
    spans: tuple[Span, ...] = ()
    label: str = ""
    """The printed page label of the page it starts with."""

    @classmethod
    def of_citation(cls, citation: Citation) -> CitedPage:
        return cls(citation.file, citation.page, citation.spans, citation.page_label)

    @classmethod
    def of_passage(cls, passage: Passage) -> CitedPage:
        return cls(passage.file, passage.page, passage.spans, passage.page_label)

    def ranges(self, page: int, text: str) -> list[tuple[int, int]]:
        """The character ranges to mark on a page, in order and without overlap."""
        found: list[tuple[int, int]] = []
        for span in sorted(self.spans, key=lambda s: s.start):
            start, end = max(span.start, found[-1][1] if found else 0), min(span.end, len(text))
            if span.page == page and start < end:
                found.append((start, end))
        return found


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """One page as it is shown."""

    number: int
    pages: int
    text: str
    ranges: tuple[tuple[int, int], ...]
    picture: bytes | None
    problem: str = ""
    """Why there is no picture."""


def view_page(index: Snapshot, cited: CitedPage, number: int, pictures: Pictures) -> DrawnPage:
    """Page `number` of the cited document, with the quote marked when it is there.

    Raises RagError when the index has no such page.
    """
    page, count = index.page(cited.file, number), len(index.pages(cited.file))
    if page is None:
        raise RagError(f"The index has no page {number} of {cited.file} any more.")
    ranges = tuple(cited.ranges(number, page.text))
    quotes = [page.text[start:end] for start, end in ranges]
    original = original_of(index, cited.file)
    picture, problem = None, ""
    if original is None:
        problem = "changed"
    elif original.suffix.lower() != ".pdf" and not _is_pdf(original):
        problem = "no_pages"
    else:
        try:
            picture = pictures.draw(original, number, quotes)
        except RagError as error:
            problem = str(error)
    return DrawnPage(number, count, page.text, ranges, picture, problem)


def _is_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return b"%PDF-" in file.read(1024)


@dataclass(slots=True)
class Pictures:
    """Draws pages in processes of their own, a few at a time, and caches the last ones."""

    scale: float = SCALE
    _cache: OrderedDict[tuple[object, ...], bytes] = field(default_factory=OrderedDict)
    _changing: threading.Lock = field(default_factory=threading.Lock)
    _slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))

    def draw(self, path: Path, page: int, quotes: Sequence[str]) -> bytes:
        """The PNG of a page with the quotes marked. Raises RagError when it cannot be drawn."""
        key = (path, path.stat().st_mtime_ns, page, tuple(quotes), self.scale)
        with self._changing:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        with self._slots:
            png = self._run(path, page, quotes)
        with self._changing:
            self._cache[key] = png
            while len(self._cache) > _PICTURES:
                self._cache.popitem(last=False)
        return png

    def _run(self, path: Path, page: int, quotes: Sequence[str]) -> bytes:
        job = {"path": str(path), "page": page, "quotes": list(quotes), "scale": self.scale}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "rag.ui.draw_process"],
                input=json.dumps(job).encode(),
                capture_output=True,
                timeout=_WAIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RagError(f"Page {page} of {path.name} takes too long to be drawn.") from None
        if done.returncode == 0:
            return done.stdout
        reason = done.stderr.decode("utf-8", "replace").strip() if done.returncode == CANNOT else ""
        raise RagError(reason or f"Page {page} of {path.name} cannot be drawn.")
