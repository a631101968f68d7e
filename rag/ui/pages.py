"""The page that a citation points to: its picture with the quote marked, its text and its address."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

from rag.answering.originals import original_of
from rag.errors import RagError
from rag.rendering.pages import PagePicture
from rag.store import Snapshot
from rag.types import Citation, Passage, Span
from rag.ui.processes import CANNOT, SECONDS

PICTURE = "/evidence/picture"
"""Where the pictures of pages are served; the query is that of `CitedPage.address`."""
SCALE = 2.0
SMALL = 0.22
"""Scale of a thumbnail: a letter page is some 130 pixels wide."""
_PICTURES = 128
"""Pictures that are cached, a few hundred kilobytes each."""
_AT_ONCE = 2
_WAIT = SECONDS + 10.0
_MOST_MARKS = 40
_LINE = 90
"""Characters of a line that are marked around a word that was looked for, so that it is told from others like it."""


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

    @classmethod
    def of_address(cls, query: Mapping[str, str]) -> Self | None:
        """What `address` wrote; None for anything else. The index alone says what is there."""
        try:
            marks = [mark.split(":") for mark in query.get("marks", "").split(",") if mark][:_MOST_MARKS]
            spans = tuple(Span(int(page), *map(int, characters.split("-", 1))) for page, characters in marks)
            return cls(query["file"], int(query.get("page", "1")), spans)
        except (KeyError, ValueError, TypeError):
            return None

    def address(self, **more: object) -> str:
        """The query of a link that opens this page with its marks."""
        marks = ",".join(f"{span.page}:{span.start}-{span.end}" for span in self.spans[:_MOST_MARKS])
        return urlencode(
            {"file": self.file, "page": self.page, **({"marks": marks} if marks else {}), **more}
        )

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
    picture: PagePicture | None
    problem: str = ""
    """Why there is no picture: `changed`, `no_pages`, or a sentence."""

    @property
    def top(self) -> float:
        """Where the first mark is, as a share of the picture's height."""
        return min((box[1] for box in self.picture.boxes), default=0.0) if self.picture else 0.0


def view_page(
    index: Snapshot, cited: CitedPage, number: int, pictures: Pictures, passwords: Sequence[str] = ()
) -> DrawnPage:
    """Page `number` of the cited document, with the quote marked when it is there.

    Raises RagError when the index has no such page.
    """
    page, count = index.page(cited.file, number), len(index.pages(cited.file))
    if page is None:
        raise RagError(f"The index has no page {number} of {cited.file} any more.")
    ranges = tuple(cited.ranges(number, page.text))
    original = original_of(index, cited.file)
    picture, problem = None, ""
    if original is None:
        problem = "changed"
    elif not _is_pdf(original):
        problem = "no_pages"
    else:
        try:
            quotes = [page.text[start:end] for start, end in ranges]
            picture = pictures.draw(original, number, quotes, passwords=passwords)
        except RagError as error:
            problem = str(error)
    return DrawnPage(number, count, page.text, ranges, picture, problem)


def find_in_document(index: Snapshot, file: str, words: str) -> Iterator[CitedPage]:
    """Each page of a document that holds `words`, their lines marked; capitals and small letters are the same."""
    wanted = " ".join(words.split()).casefold()
    for page in index.pages(file) if wanted else ():
        text, at, spans = page.text.casefold(), -1, list[Span]()
        if len(text) != len(page.text):  # a letter that has no small form of its own length
            text = page.text
        while (at := text.find(wanted, at + 1)) >= 0 and len(spans) < _MOST_MARKS:
            start = max(text.rfind("\n", 0, at) + 1, at - _LINE // 2)
            end = text.find("\n", at + len(wanted))
            spans.append(
                Span(page.number, start, min(len(text) if end < 0 else end, at + len(wanted) + _LINE // 2))
            )
        if spans:
            yield CitedPage(file, page.number, tuple(spans))


def _is_pdf(path: Path) -> bool:
    if path.suffix.lower() == ".pdf":
        return True
    with path.open("rb") as file:
        return b"%PDF-" in file.read(1024)


@dataclass(slots=True)
class Pictures:
    """Draws pages in processes of their own, a few at a time, and caches the last ones."""

    _cache: OrderedDict[tuple[object, ...], PagePicture] = field(default_factory=OrderedDict)
    _changing: threading.Lock = field(default_factory=threading.Lock)
    _slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))

    def draw(
        self,
        path: Path,
        page: int,
        quotes: Sequence[str] = (),
        *,
        scale: float = SCALE,
        crop: bool = False,
        passwords: Sequence[str] = (),
    ) -> PagePicture:
        """As `rag.rendering.pages.draw_page`. Raises RagError when the page cannot be drawn."""
        key = (path, path.stat().st_mtime_ns, page, tuple(quotes), scale, crop)
        with self._changing:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        job = {"path": str(path), "page": page, "quotes": list(quotes), "scale": scale, "crop": crop}
        with self._slots:
            picture = _drawn(job | {"passwords": list(passwords)}, path.name)
        with self._changing:
            self._cache[key] = picture
            while len(self._cache) > _PICTURES:
                self._cache.popitem(last=False)
        return picture


def _drawn(job: Mapping[str, object], name: str) -> PagePicture:
    """What a process of its own draws. Raises RagError."""
    page = job["page"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rag.ui.processes", "draw"],
            input=json.dumps(job).encode(),
            capture_output=True,
            timeout=_WAIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RagError(f"Page {page} of {name} takes too long to be drawn.") from None
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip() if done.returncode == CANNOT else ""
        raise RagError(reason or f"Page {page} of {name} cannot be drawn.")
    boxes, _, png = done.stdout.partition(b"\n")
    return PagePicture(png, tuple((a, b, c, d) for a, b, c, d in json.loads(boxes)))


def picture_png(
    index: Snapshot | None, query: Mapping[str, str], pictures: Pictures, passwords: Sequence[str]
) -> bytes | None:
    """The PNG for a query of `CitedPage.address`; `crop` and `small` as well. None when there is no such picture."""
    cited = CitedPage.of_address(query)
    page = None if index is None or cited is None else index.page(cited.file, cited.page)
    if index is None or cited is None or page is None:
        return None
    original = original_of(index, cited.file)
    if original is None:
        return None
    small = "small" in query
    quotes = [] if small else [page.text[a:b] for a, b in cited.ranges(cited.page, page.text)]
    try:
        scale = SMALL if small else SCALE
        return pictures.draw(
            original, cited.page, quotes, scale=scale, crop="crop" in query, passwords=passwords
        ).png
    except RagError:
        return None
