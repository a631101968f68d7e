"""`rag show`: the page that an answer cites, or any page, with the quote marked in its text or on its picture."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.options import Passwords
from rag.answering.citations import page_hash
from rag.answering.originals import CurrentPages, original_of
from rag.cli.app import EXIT_DONE, EXIT_FAILED
from rag.cli.options import as_typed, examples, json_option, with_settings
from rag.cli.output import one_line, print_json, tell
from rag.cli.render import difference_text, page_name
from rag.errors import RagError, UsageError
from rag.messages import Language, message
from rag.pipeline.forms import citation_form, citations_of
from rag.pipeline.state import LAST_ANSWER, read_state_file, write_state_bytes
from rag.rendering.pages import MarkedCell, render_page
from rag.rendering.safe import safe_text
from rag.store import Index, open_index
from rag.text.language import language_for
from rag.text.matching import find_quote
from rag.types import Cell, Citation, Page, QuoteStatus, Span

if TYPE_CHECKING:
    from rag.settings import Settings

_AROUND = 400
"""Characters of the page shown on either side of the quote."""


@click.command(
    epilog=examples(
        "rag show 1",
        "rag show 2 --png page.png",
        "rag show --file manual.pdf --page 4 --quote 'Sample volume 10 ml' --open",
        note="Exit codes: 0 shown, 1 the quote is not on the page.",
    )
)
@click.argument("number", required=False)
@click.option("--file", "file", metavar="NAME", help="A file of the index, as `rag status` names it.")
@click.option("--page", type=click.IntRange(min=1), metavar="N", help="Its physical page, from 1.")
@click.option(
    "--quote", default="", callback=as_typed, metavar="TEXT", help="Words to look up and mark there."
)
@click.option("--png", type=click.Path(dir_okay=False), metavar="FILE", help="Draw the page, quote marked.")
@click.option("--open", "open_picture", is_flag=True, help="Open the picture in the system's viewer.")
@click.option(
    "--password", multiple=True, metavar="TEXT", help="Password for an encrypted PDF. Repeat for more."
)
@click.option(
    "--passwords",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Passwords, lines of `pattern: password`.",
)
@json_option
@with_settings()
def command(
    settings: Settings,
    number: str | None,
    file: str | None,
    page: int | None,
    quote: str,
    png: str | None,
    open_picture: bool,
    password: tuple[str, ...],
    passwords: str | None,
    as_json: bool,
) -> int:
    """Show citation NUMBER of the last answer, or any quote, on its page."""
    given = (number is not None, file is not None, page is not None)
    if given not in ((True, False, False), (False, True, True)):
        raise click.UsageError("Give the number of a citation, or --file and --page.")
    with open_index(settings.index, notify=tell) as index:
        if number is not None:
            saved = _of_last_answer(settings, number)
            citation = recheck(index, saved, language_for(saved.quote, settings.language))
        else:
            citation = _cite(index, str(file), int(page or 1), quote)
        citation = _checked_against_original(index, citation, language_for(citation.quote, settings.language))
        picture = None
        if png is not None or open_picture:
            keys = Passwords.load(password, passwords).for_file(citation.file)
            picture = draw_page(index, citation, None if png is None else Path(png), keys)
        if as_json:
            shown = index.page(citation.file, citation.page)
            text, drawn = None if shown is None else shown.text, None if picture is None else str(picture)
            print_json({"citation": citation_form(citation), "text": text, "png": drawn})
        else:
            _print(index, citation, picture, language_for(citation.quote, settings.language))
    if picture is not None and open_picture:
        click.launch(str(picture))
    return EXIT_DONE if citation.verified else EXIT_FAILED


def _print(index: Index, citation: Citation, picture: Path | None, language: Language) -> None:
    click.echo(page_around(index, citation, language))
    if (cell := citation.cell) is not None:
        item, unit = " · ".join((*cell.row, *cell.column)), f" ({cell.unit})" if cell.unit else ""
        click.secho(safe_text(f"\n{item}: {cell.value}{unit}"), bold=True)
    if not citation.verified:
        reason = safe_text(citation.note) or message("command.not_on_page", language)
        click.secho("\n" + reason, fg="red")
    if citation.difference:
        click.echo(difference_text(citation.difference, language))
    if picture is not None:
        click.echo(message("command.picture", language, path=picture))


# -- which quote --------------------------------------------------------------------------------------------------


def _of_last_answer(settings: Settings, number: str) -> Citation:
    answer = read_state_file(settings.index, LAST_ANSWER)
    if answer is None:
        raise UsageError("There is no last answer to show: ask first, or give --file and --page.")
    return numbered(citations_of(answer), number)


def numbered(citations: Sequence[Citation], number: str) -> Citation:
    """The citation with that number. Raises UsageError naming those that exist."""
    for citation in citations:
        if str(citation.n) == number.strip("[] "):
            return citation
    numbers = ", ".join(str(citation.n) for citation in citations) or "none"
    raise UsageError(f"The last answer has no citation {number or '(give its number)'}: it has {numbers}.")


def _cite(index: Index, file: str, page: int, quote: str) -> Citation:
    """A citation of `quote` on a page, looked up now; without a quote, of the page as a whole.

    Raises UsageError when the index has no such page, naming the file that is nearest.
    """
    found = index.page(file, page)
    if found is None:
        raise _no_page(index, file, page)
    spans = _find(quote, found)
    status = QuoteStatus.FOUND if spans or not quote else QuoteStatus.MISSING
    return Citation(1, file, page, quote, status, spans, page_label=found.label)


def recheck(index: Index, citation: Citation, language: Language) -> Citation:
    """The citation of a saved answer as it is today: its quote is looked up again when the page has changed.

    A note says so in `language`.
    """
    page = index.page(citation.file, citation.page)
    if not citation.verified or (page is not None and page_hash(page) == citation.page_hash):
        return citation
    spans = _find(citation.quote, page) if page is not None else ()
    note = message("command.page_gone" if page is None else "command.page_changed", language)
    status = citation.status if spans else QuoteStatus.MISSING
    return replace(citation, spans=spans, status=status, note=note)


def _checked_against_original(index: Index, citation: Citation, language: Language) -> Citation:
    """The citation, no longer found when its document is gone or has changed since it was indexed."""
    pages = CurrentPages(index)
    pages.page(citation.file, citation.page)
    if not pages.outdated:
        return citation
    note = message("answer.document_outdated", language, file=citation.file)
    return replace(citation, status=QuoteStatus.MISSING, spans=(), note=note)


def _find(quote: str, page: Page) -> tuple[Span, ...]:
    match = find_quote(quote, page.text) if quote else None
    return tuple(Span(page.number, start, end) for start, end in match.parts) if match else ()


def _no_page(index: Index, file: str, page: int) -> UsageError:
    count = len(index.pages(file))
    if count:
        return UsageError(f"{file} has the pages 1 to {count}: there is no page {page}.")
    nearest = difflib.get_close_matches(file, [source.file for source in index.documents()], n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]}?" if nearest else "`rag status` lists the files."
    return UsageError(f"The index has no pages of {file}: {hint}")


# -- the page -----------------------------------------------------------------------------------------------------


def page_around(index: Index, citation: Citation, language: Language) -> str:
    """The page's text around the quote with the quote marked; the whole page when there is no quote."""
    head = (
        f"{one_line(citation.file)}, {page_name(citation.file, citation.page, citation.page_label, language)}"
    )
    lines = [click.style(head, bold=True)]
    for number in dict.fromkeys((citation.page, *(span.page for span in citation.spans))):
        page = index.page(citation.file, number)
        if page is None:
            lines.append(message("command.page_not_indexed", language, page=number))
            continue
        if number != citation.page:
            lines.append(click.style(page_name(citation.file, number, page.label, language), bold=True))
        lines.append(_marked(page.text, [s for s in citation.spans if s.page == number], citation.quote))
    return "\n".join(lines)


def _marked(text: str, spans: list[Span], quote: str) -> str:
    """`text` around the spans; all of it when the whole page was asked for, its beginning without a span."""
    spans = [span for span in spans if 0 <= span.start < span.end <= len(text)]
    if not spans:
        end = _end_of_words(text, 0, 2 * _AROUND) if quote else len(text)
        return safe_text(text[:end]) + ("…" if end < len(text) else "")
    first, last = min(span.start for span in spans), max(span.end for span in spans)
    begin = _start_of_words(text, first - _AROUND, first)
    end = _end_of_words(text, last, last + _AROUND)
    pieces = ["…" if begin else ""]
    at = begin
    for span in sorted(spans, key=lambda s: s.start):
        pieces.append(safe_text(text[at : span.start]))
        # the signs stay where colours are stripped, in a pipe or a file
        pieces.append(click.style(f"»{safe_text(text[max(span.start, at) : span.end])}«", reverse=True))
        at = max(at, span.end)
    return "".join([*pieces, safe_text(text[at:end]), "…" if end < len(text) else ""])


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


def cell_on_page(index: Index, citation: Citation) -> Cell | None:
    """The cell that a citation stands on, as its page has it now; None without one."""
    wanted = citation.cell
    if wanted is None:
        return None
    for table in index.tables(citation.file, citation.page):
        for row in table.rows:
            if row.path == wanted.row and any(
                s.start < row.end and row.start < s.end for s in citation.spans
            ):
                for cell in row.cells:
                    column = table.columns[cell.column] if cell.column < len(table.columns) else ()
                    if (cell.text, column) == (wanted.value, wanted.column):
                        return cell
    return None


def draw_page(
    index: Index, citation: Citation, path: Path | None = None, passwords: Sequence[str] = ()
) -> Path:
    """Draw the page with the quote marked, to `path` or beside the index. Returns where the PNG is.

    `passwords` are tried one after the other when the PDF asks for one.

    Raises RagError when the file is no PDF, is gone, or the picture cannot be written.
    """
    source, page = index.document(citation.file), index.page(citation.file, citation.page)
    if source is None or page is None:
        raise _no_page(index, citation.file, citation.page)
    quotes = [page.text[span.start : span.end] for span in citation.spans if span.page == page.number]
    original = original_of(index, citation.file)
    if original is None:
        raise RagError(
            f"{citation.file} has changed or is gone since it was indexed, so its page is not drawn: "
            "run `rag ingest`."
        )
    found = cell_on_page(index, citation)
    headers = () if citation.cell is None else citation.cell.column
    marked = None if found is None or found.box is None else MarkedCell(found.box, headers)
    picture = render_page(original, page.number, quotes, cell=marked, passwords=passwords)
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
