"""Find out where a claimed quote really stands in the stored pages.

The order of the search decides the verdict: the cited passage's own pages (found), then the pages of the other
retrieved passages and the rest of their files (found elsewhere: the citation is corrected), then the nearest
wording on the retrieved pages (altered: the difference is shown), else not found. The page of a citation is
always the page the words were found on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from rag.answering.markers import Quote
from rag.answering.tables import Tables
from rag.messages import Language, message
from rag.text.alterations import Alteration, closest
from rag.text.matching import MatchIndex
from rag.text.patterns import lazy_compile
from rag.text.sentences import sentences as split_sentences
from rag.types import Citation, Page, Passage, QuoteStatus, Span, Status


class PageSource(Protocol):
    """Stored pages by file; `rag.store.index.Index` is one."""

    def page(self, file: str, number: int) -> Page | None:
        """The page, or None when the index has no such page."""

    def pages(self, file: str) -> Sequence[Page]:
        """All pages of the file in order; empty when the index does not have it."""


_PARAGRAPH = lazy_compile(r"section (\d+), paragraph (\d+)")
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


class PageTexts:
    """The stored pages that quotes are looked up in, each folded once.

    `language` is that of the notes on what was found in them.
    """

    def __init__(self, pages: PageSource, language: Language = "en") -> None:
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
    for start, end in [*sorted(page.headers_footers), (len(page.text), len(page.text))]:
        piece = page.text[at:start]
        if piece.strip():
            yield at + len(piece) - len(piece.lstrip()), at + len(piece.rstrip())
        at = max(at, end)


SEARCHED_PAGES = 400
"""Most pages, beyond the retrieved ones, that one quote is looked for on (about a millisecond each)."""


def page_hash(page: Page | None) -> str:
    """SHA-256 of the stored text of a page, in hexadecimal; empty when there is no page."""
    return hashlib.sha256(page.text.encode()).hexdigest() if page else ""


def check_quote(quote: Quote, passages: Sequence[Passage], library: PageTexts) -> Citation:
    """The verdict on one quote, as a citation numbered 0.

    `passages` are those given to the answerer, in the order of their numbers.
    """
    cited = _cited(quote, passages)
    if not quote.text:
        return _missing(quote, cited, library.language)
    if cited is not None:
        # of two true places in a file the answerer meant the one on the page that it named
        named = library.find(quote.text, cited.file, quote.page) if quote.page is not None else ()
        spans = named or _in_passage(quote, cited, library)
        if spans:
            return _found(quote, cited, cited, spans, library)
    for passage in _unique_pages(passages):
        spans = _in_passage(quote, passage, library)
        if spans:
            return _found(quote, cited, passage, spans, library)
    for file, number in islice(_rest(cited, passages, library), SEARCHED_PAGES):
        spans = library.find(quote.text, file, number)
        if spans:
            origin = next(p for p in passages if p.file == file)
            return _found(quote, cited, origin, spans, library)
    return _altered(quote, cited, passages, library) or _missing(quote, cited, library.language)


def _cited(quote: Quote, passages: Sequence[Passage]) -> Passage | None:
    return passages[quote.passage - 1] if quote.passage and 0 < quote.passage <= len(passages) else None


def _in_passage(quote: Quote, passage: Passage, library: PageTexts) -> tuple[Span, ...]:
    """The spans of the quote on the passage's pages, the place nearest to the passage preferred."""
    starts = {span.page: span.start for span in reversed(passage.spans)}
    for number in range(passage.page, passage.page_end + 1):
        spans = library.find(quote.text, passage.file, number, starts.get(number))
        if spans:
            return spans
    return ()


def _unique_pages(passages: Sequence[Passage]) -> list[Passage]:
    return list({(p.file, p.page, p.page_end): p for p in reversed(passages)}.values())[::-1]


def _rest(
    cited: Passage | None, passages: Sequence[Passage], library: PageTexts
) -> Iterator[tuple[str, int]]:
    """The pages of the retrieved files that no passage covers, the cited file's first."""
    covered = {(p.file, n) for p in passages for n in range(p.page, p.page_end + 1)}
    around = {p.file: p.page for p in reversed([*([cited] if cited else []), *passages])}
    for file in dict.fromkeys(p.file for p in ([cited] if cited else []) + list(passages)):
        for number in library.others(file, around[file]):
            if (file, number) not in covered:
                yield file, number


def _found(
    quote: Quote, cited: Passage | None, origin: Passage, spans: tuple[Span, ...], library: PageTexts
) -> Citation:
    """The citation of a quote that stands in `origin.file` at `spans`."""
    number = spans[0].page
    page = library.page(origin.file, number)
    note = _correction(quote, cited, origin.file, number, library.language)
    return Citation(
        n=0,
        file=origin.file,
        page=number,
        quote=library.words(origin.file, spans),
        status=QuoteStatus.MOVED if note else QuoteStatus.FOUND,
        spans=spans,
        page_label=page.label if page else "",
        claimed_page=(quote.page or (cited.page if cited else None)) if note else None,
        claimed_file=cited.file if note and cited else "",
        note=note,
        chunk_id=origin.chunk_id,
        ocr=page is not None and page.status is Status.OCR,
        page_hash=page_hash(page),
        cell=quote.cell,
    )


def _correction(quote: Quote, cited: Passage | None, file: str, page: int, language: Language) -> str:
    """What to tell the reader when the quote stands elsewhere than the answerer said; empty when it does not."""
    if cited is None:
        return (
            "" if quote.passage is None else message("answer.no_such_passage", language, number=quote.passage)
        )
    if cited.file != file:
        claimed = {"claimed_file": cited.file, "claimed": cited.page}
        return message("answer.other_file", language, **claimed, file=file, page=page)
    if quote.page is not None:
        return (
            ""
            if quote.page == page
            else message("answer.other_page", language, claimed=quote.page, page=page)
        )
    if not cited.page <= page <= cited.page_end:
        return message("answer.other_page", language, claimed=cited.page, page=page)
    return ""


def _altered(
    quote: Quote, cited: Passage | None, passages: Sequence[Passage], library: PageTexts
) -> Citation | None:
    """The citation of a quote that nearly stands on a retrieved page: the cited one if it does there at all."""
    for group in ([cited] if cited else [], _unique_pages(passages)):
        found = [
            (near[0].ratio, passage, *near)
            for passage in group
            for number in range(passage.page, passage.page_end + 1)
            if (near := library.nearest(quote.text, passage.file, number))
        ]
        if found:
            _, passage, alteration, spans = max(found, key=lambda item: item[0])
            note = message("answer.altered", library.language)
            return _unproven(quote, cited, passage, spans, alteration, note)
    return None


def _unproven(
    quote: Quote,
    cited: Passage | None,
    passage: Passage,
    spans: tuple[Span, ...],
    alteration: Alteration,
    note: str,
) -> Citation:
    changes = tuple((change.op, change.quoted, change.page) for change in alteration.changes)
    return Citation(
        n=0,
        file=passage.file,
        page=spans[0].page,
        quote=quote.text,
        status=QuoteStatus.ALTERED,
        spans=spans,
        page_label=passage.page_label,
        claimed_page=quote.page or (cited.page if cited else None),
        claimed_file=cited.file if cited else "",
        note=note,
        difference=changes,
        chunk_id=passage.chunk_id,
        ocr=passage.ocr,
    )


def _missing(quote: Quote, cited: Passage | None, language: Language) -> Citation:
    return Citation(
        n=0,
        file=cited.file if cited else "",
        page=cited.page if cited else 0,
        quote=quote.text,
        status=QuoteStatus.MISSING,
        claimed_page=quote.page,
        claimed_file=cited.file if cited else "",
        note=message("answer.missing" if quote.text else "answer.no_quote", language),
        chunk_id=cited.chunk_id if cited else None,
    )


def located(citation: Citation, library: PageTexts, tables: Tables | None) -> Citation:
    """The citation with its place as the page label: `Budget!C14`, `Budget!B14:D14`, `section 2, paragraph 7`.

    A page of a sheet is labelled with the sheet; one of a section with the first paragraph on it, and the paragraph
    of the quote is counted from there: every line of such a page's text is one.
    """
    if not citation.spans:
        return citation
    if citation.cell is not None and citation.cell.name:
        return replace(citation, page_label=citation.cell.name)
    span = citation.spans[0]
    page = library.page(citation.file, span.page)
    if page is None or not page.label:
        return citation
    if section := _PARAGRAPH.fullmatch(page.label):
        before = sum(bool(line.strip()) for line in page.text[: span.start].split("\n")[:-1])
        label = f"section {section[1]}, paragraph {int(section[2]) + before}"
        return replace(citation, page_label=label)
    names: list[str] = []
    for table in tables.tables(citation.file, span.page) if tables is not None else ():
        for row in table.rows:
            if row.name and row.start < span.end and row.end > span.start:
                whole = [row.name] if span.start <= row.start else []
                inside = [c.name for c in row.cells if c.start < span.end and c.end > span.start]
                names += [*whole, *inside] or [row.name]
    if not names:
        return citation
    first, last = names[0], names[-1].rpartition("!")[2]
    return replace(citation, page_label=first if len(names) == 1 else f"{first}:{last}")
