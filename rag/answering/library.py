"""The stored pages, ready for quotes to be looked up in: one page, or the break between two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answering.pages import Pages
from rag.answering.wording import Language
from rag.text.alterations import Alteration, closest
from rag.text.matching import MatchIndex
from rag.text.sentences import sentences as split_sentences
from rag.types import Page, Span

_EDGE = 2000
"""Characters at a page's end and at the next one's start in which a quote may cross the page break."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a searched text: from `offset` on it is the page's text from `start` to `end`."""

    offset: int
    page: int
    start: int
    end: int


class _Searchable:
    """A page, or the break between two pages, ready for quotes to be looked up in."""

    def __init__(self, file: str, pieces: Sequence[tuple[Page, int, int]]) -> None:
        self.file = file
        self._pieces: list[_Piece] = []
        text = ""
        for page, start, end in pieces:
            text += "\n" if text else ""
            self._pieces.append(_Piece(len(text), page.number, start, end))
            text += page.text[start:end]
        self.index = MatchIndex(text)

    def find(self, quote: str, near: int | None = None) -> tuple[Span, ...]:
        """The page spans of the quote; empty when it is not here. `near` is an offset in the first page."""
        match = self.index.find(quote, near=None if near is None else near - self._pieces[0].start)
        return self._spans(match.parts) if match else ()

    def nearest(self, quote: str) -> tuple[Alteration, tuple[Span, ...]] | None:
        """The wording nearest to the quote, when there is one near enough."""
        found = closest(quote, self.index)
        return (found, self._spans([(found.start, found.end)])) if found else None

    def _spans(self, parts: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
        return tuple(span for start, end in parts for span in self._on_pages(start, end))

    def _on_pages(self, start: int, end: int) -> Iterator[Span]:
        for piece in self._pieces:
            low = max(start - piece.offset, 0) + piece.start
            high = min(end - piece.offset + piece.start, piece.end)
            if low < high:
                yield Span(piece.page, low, high)


class Library:
    """The stored pages that quotes are proven against, each folded once.

    `language` is that of the notes on what was found in them.
    """

    def __init__(self, pages: Pages, language: Language = "en") -> None:
        self.language = language
        self._pages = pages
        self._searchable: dict[tuple[str, int, bool], _Searchable | None] = {}
        self._sentences: dict[tuple[str, int], list[tuple[int, int]]] = {}

    def page(self, file: str, number: int) -> Page | None:
        """The stored page, or None."""
        return self._pages.page(file, number)

    def find(self, quote: str, file: str, number: int, near: int | None = None) -> tuple[Span, ...]:
        """The spans of the quote on the page, or across its end; empty when it does not stand there."""
        here = self._get(file, number, crossing=False)
        if here is None:
            return ()
        spans = here.find(quote, near)
        if spans:
            return spans
        crossing = self._get(file, number, crossing=True)
        return crossing.find(quote) if crossing else ()

    def nearest(self, quote: str, file: str, number: int) -> tuple[Alteration, tuple[Span, ...]] | None:
        """The wording nearest to the quote on the page or across its end."""
        places = (self._get(file, number, crossing=crossing) for crossing in (False, True))
        found = [near for place in places if place and (near := place.nearest(quote))]
        return max(found, key=lambda near: near[0].ratio, default=None)

    def words(self, file: str, spans: Sequence[Span]) -> str:
        """The pages' own words at the spans; what was left out between them shows as an ellipsis."""
        words = ""
        before: Span | None = None
        for span in spans:
            page = self.page(file, span.page)
            if before is not None:
                words += " " if before.page != span.page else " … "
            words += page.text[span.start : span.end] if page else ""
            before = span
        return words

    def sentences(self, file: str, number: int) -> list[tuple[int, int]]:
        """The ranges of the sentences of a page's text; empty when there is no such page."""
        key = (file, number)
        if key not in self._sentences:
            page = self.page(file, number)
            self._sentences[key] = split_sentences(page.text) if page else []
        return self._sentences[key]

    def others(self, file: str, around: int) -> Iterator[int]:
        """Numbers of the file's pages, the nearest to `around` first."""
        numbers = [page.number for page in self._pages.pages(file)]
        return iter(sorted(numbers, key=lambda number: (abs(number - around), number)))

    def _get(self, file: str, number: int, *, crossing: bool) -> _Searchable | None:
        key = (file, number, crossing)
        if key not in self._searchable:
            self._searchable[key] = self._crossing(file, number) if crossing else self._single(file, number)
        return self._searchable[key]

    def _single(self, file: str, number: int) -> _Searchable | None:
        page = self.page(file, number)
        return _Searchable(file, [(page, 0, len(page.text))]) if page else None

    def _crossing(self, file: str, number: int) -> _Searchable | None:
        """The end of a page and the start of the next, without the running footer and header between them."""
        first, second = self.page(file, number), self.page(file, number + 1)
        if first is None or second is None:
            return None
        tail = [(first, a, b) for a, b in _body(first) if b > len(first.text) - _EDGE]
        head = [(second, a, b) for a, b in _body(second) if a < _EDGE]
        return _Searchable(file, tail + head)


def _body(page: Page) -> Iterator[tuple[int, int]]:
    """The ranges of a page's text that are not running headers or footers, without white space at their ends."""
    at = 0
    for start, end in [*sorted(page.furniture), (len(page.text), len(page.text))]:
        piece = page.text[at:start]
        if piece.strip():
            yield at + len(piece) - len(piece.lstrip()), at + len(piece.rstrip())
        at = max(at, end)
