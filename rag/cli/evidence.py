"""A quote where it stands: marked in the text of its page, or on a picture of the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag.cli.messages import Language, say
from rag.cli.render import page_name, plain, plain_line
from rag.errors import RagError, UsageError
from rag.types import Citation, Page, QuoteStatus, Span

if TYPE_CHECKING:
    from rag.store import Index

_AROUND = 400  # characters of the page shown on either side of the quote


def chosen(citations: Sequence[Citation], number: str) -> Citation:
    """The citation with that number. Raises UsageError naming those that exist."""
    for citation in citations:
        if str(citation.n) == number.strip("[] "):
            return citation
    numbers = ", ".join(str(citation.n) for citation in citations) or "none"
    raise UsageError(f"The last answer has no citation {number or '(give its number)'}: it has {numbers}.")


def cite(index: Index, file: str, page: int, quote: str) -> Citation:
    """A citation of `quote` on a page, looked up now; without a quote, of the page as a whole.

    Raises UsageError when the index has no such page, naming the file that is nearest.
    """
    stored = index.page(file, page)
    if stored is None:
        raise UsageError(_no_page(index, file, page))
    spans = _stands(quote, stored)
    status = QuoteStatus.FOUND if spans or not quote else QuoteStatus.MISSING
    return Citation(1, file, page, quote, status, spans, page_label=stored.label)


def current(index: Index, citation: Citation, language: Language) -> Citation:
    """The citation of a kept answer as it stands today: its quote is looked up anew when the page has changed.

    A note says so in `language`.
    """
    from rag.answering.citations import page_hash

    page = index.page(citation.file, citation.page)
    if not citation.verified or (page is not None and page_hash(page) == citation.page_hash):
        return citation
    spans = _stands(citation.quote, page) if page is not None else ()
    note = say("page_changed" if page is not None else "page_gone", language)
    status = citation.status if spans else QuoteStatus.MISSING
    return replace(citation, spans=spans, status=status, note=note)


def checked_against_original(index: Index, citation: Citation, language: Language) -> Citation:
    """The citation, no longer found when its document is gone or has changed since it was indexed."""
    from rag.answering.originals import CurrentPages

    pages = CurrentPages(index)
    pages.page(citation.file, citation.page)
    if not pages.outdated:
        return citation
    note = say("document_outdated", language)
    return replace(citation, status=QuoteStatus.MISSING, spans=(), note=note)


def _stands(quote: str, page: Page) -> tuple[Span, ...]:
    if not quote:
        return ()
    from rag.text.matching import find_quote

    match = find_quote(quote, page.text)
    return tuple(Span(page.number, start, end) for start, end in match.parts) if match else ()


def _no_page(index: Index, file: str, page: int) -> str:
    import difflib

    count = len(index.pages(file))
    if count:
        return f"{file} has the pages 1 to {count}: there is no page {page}."
    nearest = difflib.get_close_matches(file, [source.file for source in index.sources()], n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]}?" if nearest else "`rag status` lists the files."
    return f"The index has no pages of {file}: {hint}"


def evidence_text(index: Index, citation: Citation, language: Language) -> str:
    """The page's text around the quote with the quote marked; the whole page when there is no quote."""
    head = f"{plain_line(citation.file)}, {page_name(citation.page, citation.page_label, language)}"
    lines = [click.style(head, bold=True)]
    for number in dict.fromkeys((citation.page, *(span.page for span in citation.spans))):
        page = index.page(citation.file, number)
        if page is None:
            lines.append(say("page_not_indexed", language, page=number))
            continue
        if number != citation.page:
            lines.append(click.style(page_name(number, page.label, language), bold=True))
        lines.append(_marked(page.text, [s for s in citation.spans if s.page == number], citation.quote))
    return "\n".join(lines)


def _marked(text: str, spans: list[Span], quote: str) -> str:
    """`text` around the spans; all of it when the whole page was asked for, its beginning when nothing stands."""
    spans = [span for span in spans if 0 <= span.start < span.end <= len(text)]
    if not spans:
        end = _end_of_words(text, 0, 2 * _AROUND) if quote else len(text)
        return plain(text[:end]) + ("…" if end < len(text) else "")
    first, last = min(span.start for span in spans), max(span.end for span in spans)
    begin = _start_of_words(text, first - _AROUND, first)
    end = _end_of_words(text, last, last + _AROUND)
    pieces = ["…" if begin else ""]
    at = begin
    for span in sorted(spans, key=lambda s: s.start):
        pieces.append(plain(text[at : span.start]))
        # the signs stay where colours are stripped, in a pipe or a file
        pieces.append(click.style(f"»{plain(text[max(span.start, at) : span.end])}«", reverse=True))
        at = max(at, span.end)
    return "".join([*pieces, plain(text[at:end]), "…" if end < len(text) else ""])


def _start_of_words(text: str, begin: int, limit: int) -> int:
    """`begin`, or where the first whole word after it begins when it falls within one; never past `limit`."""
    if begin <= 0:
        return 0
    space = re.compile(r"\S*\s*").match(text, begin - 1, limit)  # one back: a word that begins here is whole
    return space.end() if space is not None and space.end() < limit else begin


def _end_of_words(text: str, limit: int, end: int) -> int:
    """`end`, or the end of the last whole word before it when it falls within one; never before `limit`."""
    if end >= len(text):
        return len(text)
    space = re.search(r"\s+\S*\Z", text[limit : end + 1])  # one on: a word that ends here is whole
    return limit + space.start() if space is not None else end


def picture_of(
    index: Index, citation: Citation, path: Path | None = None, passwords: Sequence[str] = ()
) -> Path:
    """Draw the page with the quote marked, to `path` or beside the index. Returns where the PNG is.

    `passwords` are tried one after the other when the PDF asks for one.

    Raises RagError when the file is no PDF, is gone, or the picture cannot be written.
    """
    from rag.answering.originals import original_of
    from rag.pipeline.state import write_state_bytes
    from rag.rendering.pages import render_page

    source, page = index.source(citation.file), index.page(citation.file, citation.page)
    if source is None or page is None:
        raise UsageError(_no_page(index, citation.file, citation.page))
    here = [page.text[span.start : span.end] for span in citation.spans if span.page == page.number]
    original = original_of(index, citation.file)
    if original is None:
        raise RagError(
            f"{citation.file} has changed or is gone since it was indexed, so its page is not drawn: "
            "run `rag ingest`."
        )
    picture = render_page(original, page.number, here, passwords=passwords)
    if path is None:
        stem = re.sub(r"[^\w.-]+", "-", Path(citation.file).stem)[:80]
        path = write_state_bytes(index.location, f"pictures/{stem}-p{page.number}.png", picture)
        if path is None:
            raise RagError("No folder for the picture can be written: name a file with --png.")
        return path
    try:
        path.write_bytes(picture)
    except OSError as error:
        raise RagError(f"The picture cannot be written to {path}: {error.strerror}.") from None
    return path


def evidence_form(index: Index, citation: Citation, picture: Path | None) -> dict[str, Any]:
    """The JSON form of `rag show`."""
    from rag.cli.forms import citation_form

    page = index.page(citation.file, citation.page)
    return {
        "citation": citation_form(citation),
        "text": None if page is None else page.text,
        "png": None if picture is None else str(picture),
    }
