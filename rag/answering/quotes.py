"""Find out where a claimed quote really stands in the stored pages.

The order of the search decides the verdict: the cited passage's own pages (found), then the pages of the other
retrieved passages and the rest of their files (found elsewhere: the citation is corrected), then the nearest
wording on the retrieved pages (altered: the difference is shown), else not found. The page of a citation is
always the page the words were found on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice

from rag.answering.draft import Quote
from rag.answering.library import Library
from rag.answering.wording import Language, say
from rag.text.alterations import Alteration
from rag.types import Citation, Page, Passage, QuoteStatus, Span, Status

SEARCHED_PAGES = 400
"""Most pages, beyond the retrieved ones, that one quote is looked for on (about a millisecond each)."""


def page_hash(page: Page | None) -> str:
    """SHA-256 of the stored text of a page, in hexadecimal; empty when there is no page."""
    return hashlib.sha256(page.text.encode()).hexdigest() if page else ""


def prove_quote(quote: Quote, passages: Sequence[Passage], library: Library) -> Citation:
    """The verdict on one quote, as a citation numbered 0.

    `passages` are those given to the answerer, in the order of their numbers.
    """
    cited = _cited(quote, passages)
    if not quote.text:
        return _missing(quote, cited, library.language)
    if cited is not None:
        spans = _on_named_page(quote, cited, library) or _in_passage(quote, cited, library)
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


def _on_named_page(quote: Quote, cited: Passage, library: Library) -> tuple[Span, ...]:
    """The spans of the quote on the page the answerer named: of two true places in a file it meant that one."""
    return library.find(quote.text, cited.file, quote.page) if quote.page is not None else ()


def _in_passage(quote: Quote, passage: Passage, library: Library) -> tuple[Span, ...]:
    """The spans of the quote on the passage's pages, the place nearest to the passage preferred."""
    starts = {span.page: span.start for span in reversed(passage.spans)}
    for number in range(passage.page, passage.page_end + 1):
        spans = library.find(quote.text, passage.file, number, starts.get(number))
        if spans:
            return spans
    return ()


def _unique_pages(passages: Sequence[Passage]) -> list[Passage]:
    return list({(p.file, p.page, p.page_end): p for p in reversed(passages)}.values())[::-1]


def _rest(cited: Passage | None, passages: Sequence[Passage], library: Library) -> Iterator[tuple[str, int]]:
    """The pages of the retrieved files that no passage covers, the cited file's first."""
    covered = {(p.file, n) for p in passages for n in range(p.page, p.page_end + 1)}
    around = {p.file: p.page for p in reversed([*([cited] if cited else []), *passages])}
    for file in dict.fromkeys(p.file for p in ([cited] if cited else []) + list(passages)):
        for number in library.others(file, around[file]):
            if (file, number) not in covered:
                yield file, number


def _found(
    quote: Quote, cited: Passage | None, origin: Passage, spans: tuple[Span, ...], library: Library
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
    )


def _correction(quote: Quote, cited: Passage | None, file: str, page: int, language: Language) -> str:
    """What to tell the reader when the quote stands elsewhere than the answerer said; empty when it does not."""
    if cited is None:
        return "" if quote.passage is None else say("no_such_passage", language, number=quote.passage)
    if cited.file != file:
        claimed = {"claimed_file": cited.file, "claimed": cited.page}
        return say("other_file", language, **claimed, file=file, page=page)
    if quote.page is not None:
        return "" if quote.page == page else say("other_page", language, claimed=quote.page, page=page)
    if not cited.page <= page <= cited.page_end:
        return say("other_page", language, claimed=cited.page, page=page)
    return ""


def _altered(
    quote: Quote, cited: Passage | None, passages: Sequence[Passage], library: Library
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
            note = say("altered", library.language)
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
        note=say("missing" if quote.text else "no_quote", language),
        chunk_id=cited.chunk_id if cited else None,
    )
