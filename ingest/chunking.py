"""Splits cleaned pages into chunks along paragraph, sentence and row ends, with the spans they stand on.

A page is cut where the cuts cost least: the chunks should be of equal size below the limit, and a cut is cheap
before a heading, dearer between sentences, dearest between the rows of a table. A sentence that runs over the end
of a page stays whole, which is the only way a chunk crosses pages.

Reader processes come and go, and the exact tokenizer costs each of them 280 MB and most of a second. The weights
below were fitted by least squares to the XLM-RoBERTa tokenizer (multilingual-e5) on English and Korean reports
and articles; over passages of 900 characters the estimate is within 10 % for nine in ten, and its mean is exact.

A chunk of a report seldom says whose report it is. The header says so in words: the file's name, the title, the
period, the heading, and for the rest of a table its column heads. It is embedded and searched, never quoted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise, zip_longest
from pathlib import PurePosixPath

from ingest.clean.blocks import BlockKind, starts_item
from ingest.clean.document import CleanDocument, CleanPage, TextBlock
from ingest.clean.lines import LineJoiner
from ingest.discovery import Format
from ingest.raw import RawDocument, count_visible
from ingest.tables.labels import table_headers
from rag.text.language import language_of
from rag.text.sentences import is_finished, sentences
from rag.types import Chunk, Span, Table

_WORDS = re.compile("[A-Za-z\u00c0-\u024f]+")
_LONG_WORDS = re.compile("[A-Za-z\u00c0-\u024f]{7,}")
_CAPITALS = re.compile("[A-Z]{2,}")
_NUMBERS = re.compile("[0-9]+")
_HANGUL = re.compile("[가-힣]+")
_OTHER_CJK = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_SHORT_WORD = 6
_WORD, _LONG_LETTER, _CAPITAL = 1.17, 0.15, 0.24
_NUMBER, _DIGIT = 0.33, 0.45
_HANGUL_WORD, _SYLLABLE = 0.47, 0.59
_CJK, _REST = (
    2.0,
    0.49,
)  # what is left are marks, and the letters of other alphabets, which cost about as much


def estimate_tokens(text: str) -> float:
    """Tokens of a text, as a fraction so that the parts of a text sum up to the whole."""
    words, long_words, numbers = _WORDS.findall(text), _LONG_WORDS.findall(text), _NUMBERS.findall(text)
    digits = _length(numbers)
    rest = count_visible(text) - _length(words) - digits
    total = _WORD * len(words) + _LONG_LETTER * (_length(long_words) - _SHORT_WORD * len(long_words))
    total += _CAPITAL * _length(_CAPITALS.findall(text)) + _NUMBER * len(numbers) + _DIGIT * digits
    if not text.isascii():
        hangul, other = _HANGUL.findall(text), len(_OTHER_CJK.findall(text))
        syllables = _length(hangul)
        total += _HANGUL_WORD * len(hangul) + _SYLLABLE * syllables + _CJK * other
        rest -= syllables + other
    return total + _REST * rest


def _length(pieces: list[str]) -> int:
    return len("".join(pieces))


_SEPARATORS = re.compile(r"[_\-+.]+|(?<=[a-z가-힣])(?=[A-Z])|(?<=[A-Za-z가-힣])(?=(?:19|20)\d\d(?!\d))")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_PERIOD = re.compile(
    r"(?<!\d)((?:19|20)\d\d)\s?[-_ ]?(?:(Q[1-4]|H[12])|([1-4])\s?분기)|(?<![A-Za-z0-9])(Q[1-4])[-_ ]?((?:19|20)\d\d)"
)
_UNTITLED = re.compile(
    r"^(?:untitled|document\d*|microsoft word|제목 ?없음|powerpoint|presentation\d*|slide \d+|about:blank|print)\b"
    r"|\.(?:docx?|hwpx?|pdf|xlsx?|pptx?|indd|qxd|html?|tex|dvi|ps)$|^[\w-]{24,}$|^(?:https?|file):|^\W*$",
    re.IGNORECASE,
)
_LONGEST_TITLE = 120
_LONGEST_OPENING = 160
_LONGEST_HEADING = 120
_OPENING_LINES = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """What a document is and when it is about."""

    title: str
    metadata: Mapping[str, str]
    name: str
    """The file's name in words."""
    opening: str
    """The first lines of the first page with text."""


def subject_of(file: str, kind: Format, raw: RawDocument, document: CleanDocument) -> Subject:
    """Title, metadata and what else names the document called `file` in the index."""
    path = PurePosixPath(file)
    name = name_words(path.stem)
    title = _title(raw.title, document) or name
    opening = _opening(document, title)
    sample = " ".join(page.page.text[:2000] for page in document.pages[:3])
    found = {
        "folder": "" if str(path.parent) == "." else str(path.parent),
        "format": kind.value,
        "title": title,
        "author": raw.author[:_LONGEST_TITLE],
        "period": _period(path.stem) or _period(title) or _period(opening),
        "language": language_of(sample),
        "created": raw.created,
    }
    return Subject(title, {key: value for key, value in found.items() if value}, name, opening)


def with_header(piece: Piece, subject: Subject) -> Chunk:
    """The chunk with the header it is embedded with."""
    parts = [subject.name]
    if not _says(subject.name, subject.title):
        parts.append(subject.title)
    if piece.chunk.page > 1 and not _says(" ".join(parts), subject.opening):
        parts.append(subject.opening)
    heading = piece.chunk.heading[:_LONGEST_HEADING]
    if heading and not piece.chunk.text.startswith(heading[:40]) and not _says(" ".join(parts), heading):
        parts.append(heading)
    if piece.table_head:
        parts.append(piece.table_head)
    return replace(piece.chunk, header="\n".join(parts))


def name_words(stem: str) -> str:
    """A file name in words: `ACME_2023Q2_10-Q` becomes `ACME 2023 Q2 10 Q`."""
    spaced = _SEPARATORS.sub(" ", stem)
    return " ".join(re.sub(r"((?:19|20)\d\d)(?=[QH]\d)", r"\1 ", spaced).split())


def _title(stated: str, document: CleanDocument) -> str:
    """The title the file states when it is one, else the first heading of its first pages."""
    stated = " ".join(stated.split())[:_LONGEST_TITLE]
    if len(stated) > 3 and not _UNTITLED.search(stated):
        return stated
    for clean in document.pages[:2]:
        for block in clean.blocks[:12]:
            if block.kind is BlockKind.HEADING:
                return clean.page.text[block.start : block.end][:_LONGEST_TITLE]
    return ""


def _opening(document: CleanDocument, title: str) -> str:
    for clean in document.pages[:5]:
        lines = [line for line in _body_lines(clean) if not _says(title, line)]
        if lines:
            return " ".join(lines[:_OPENING_LINES])[:_LONGEST_OPENING]
    return ""


def _body_lines(clean: CleanPage) -> list[str]:
    return [
        clean.page.text[block.start : block.end]
        for block in clean.blocks
        if block.kind is not BlockKind.HEADER_FOOTER
        and sum(map(str.isalpha, clean.page.text[block.start : block.end])) > 3
    ]


def _period(text: str) -> str:
    """`2023`, `2023 Q2` or `2022-2023`, when a text names it."""
    match = _PERIOD.search(text)
    if match:
        year = match[1] or match[5]
        part = match[2] or match[4] or f"Q{match[3]}"
        return f"{year} {part.upper()}"
    years = sorted(set(_YEAR.findall(text)))
    if not years:
        return ""
    return years[0] if len(years) == 1 else f"{years[0]}-{years[-1]}"


def _says(text: str, other: str) -> bool:
    """Whether every word of `other` stands in `text` already."""
    words = set(text.casefold().split())
    return all(word in words for word in other.casefold().split())


_SPLIT_WORD = re.compile(r"\S+")
_TABLE_HEAD_LINES = 3
_LONGEST_HEAD = 300

# What a cut before a unit costs, in the units of the squared share by which a chunk misses the target size.
_CUT_AT_HEADING = 0.0
_CUT_AT_PARAGRAPH = 0.02
_CUT_AT_SENTENCE = 0.06
_CUT_IN_TABLE = 0.12
_CUT_AFTER_HEADING = 1.0
_CUT_IN_SENTENCE = 0.5


@dataclass(frozen=True, slots=True)
class Unit:
    """What is not cut: a sentence, a heading, a row, or a piece of an overlong sentence."""

    spans: tuple[Span, ...]
    tokens: float
    kind: BlockKind
    heading: str
    cut: float
    """Cost of a cut before it."""
    table_head: str = ""
    """For a row: the column heads above its table."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk before its header is written."""

    chunk: Chunk
    table_head: str


def split(document: CleanDocument, *, limit: int, overlap: int = 0) -> list[Piece]:
    """The chunks of a document, in reading order.

    `limit` is the largest chunk and `overlap` what neighbours on a page share, both in (estimated) tokens.
    """
    texts = {clean.page.number: clean.page.text for clean in document.pages}
    pieces: list[Piece] = []
    for _, group in groupby(_units(document, limit), key=lambda unit: unit.spans[0].page):
        units = list(group)
        for start, end in _cuts(units, limit):
            first = _overlapping(units, start, overlap)
            pieces.append(_piece(units[first:end], len(pieces), texts, document.joiner))
    return pieces


def _units(document: CleanDocument, limit: int) -> Iterator[Unit]:
    """Units in reading order; the head of a sentence that a page end cuts waits for its tail."""
    heading = ""
    waiting: Unit | None = None
    for clean, following in zip_longest(document.pages, document.pages[1:]):
        page = clean
        if waiting is not None:
            tail, page = _tail(waiting, clean, document)
            waiting = _merged(waiting, tail)
        units, heading = _page_units(page, heading, limit)
        if waiting is not None and units:
            yield waiting
            waiting = None
        if units and following is not None and _runs_over(units[-1], clean, following):
            waiting = units.pop()
        yield from units
    if waiting is not None:
        yield waiting


def _page_units(clean: CleanPage, heading: str, limit: int) -> tuple[list[Unit], str]:
    units: list[Unit] = []
    page, text = clean.page.number, clean.page.text
    blocks = _body(clean)
    table_head = ""
    for position, block in enumerate(blocks):
        words = text[block.start : block.end]
        if block.kind is BlockKind.HEADING:
            follows_heading = position > 0 and blocks[position - 1].kind is BlockKind.HEADING
            heading = f"{heading} {words}" if follows_heading and len(heading) < 80 else words
            cut = _CUT_AFTER_HEADING if follows_heading else _CUT_AT_HEADING
            units.append(_unit(page, block.start, block.end, text, block.kind, heading, cut))
        elif block.kind is BlockKind.ROW:
            first = position == 0 or blocks[position - 1].kind is not BlockKind.ROW
            table = next((t for t in clean.tables if t.start <= block.start < t.end), None)
            if table is not None:
                units += _table_units(table, page, block, text, heading, limit)
                continue
            if first:
                table_head = _table_head(blocks, position, text)
            cut = _CUT_AT_PARAGRAPH if first else _CUT_IN_TABLE
            units += _pieces(page, block, text, heading, cut, limit, table_head)
        else:
            if block.title:
                heading = text[block.start : block.start + block.title]
            units += _sentence_units(page, block, text, heading, limit)
    return _kept_with_heading(_whole_rows(units, clean.tables)), heading


def _table_units(
    table: Table, page: int, block: TextBlock, text: str, heading: str, limit: int
) -> list[Unit]:
    """A line of a table: its headers stay with its first row, and every row knows the headers."""
    row = next((row for row in table.rows if row.start <= block.start < row.end), None)
    begins = block.start == table.start
    in_head = not begins and block.start <= table.rows[0].start
    cut = _CUT_AT_PARAGRAPH if begins else _CUT_AFTER_HEADING if in_head else _CUT_IN_TABLE
    return _pieces(page, block, text, heading, cut, limit, table_headers(table, row.path[:-1] if row else ()))


def _whole_rows(units: list[Unit], tables: Sequence[Table]) -> list[Unit]:
    """Units with the lines of a row that takes several made one."""
    rows = {row.start: row.end for table in tables for row in table.rows}
    whole: list[Unit] = []
    end = -1
    for unit in units:
        span = unit.spans[0]
        if span.start < end and whole:
            last = whole[-1]
            joined = Span(span.page, last.spans[0].start, span.end)
            whole[-1] = replace(last, spans=(joined,), tokens=last.tokens + unit.tokens)
        else:
            whole.append(unit)
        end = max(end, rows.get(span.start, -1))
    return whole


def _sentence_units(page: int, block: TextBlock, text: str, heading: str, limit: int) -> list[Unit]:
    units: list[Unit] = []
    for start, end in sentences(text[block.start : block.end]):
        cut = _CUT_AT_SENTENCE if units else _CUT_AT_HEADING if block.title else _CUT_AT_PARAGRAPH
        part = TextBlock(block.kind, block.start + start, block.start + end)
        units += _pieces(page, part, text, heading, cut, limit, "")
    return units


def _pieces(
    page: int, block: TextBlock, text: str, heading: str, cut: float, limit: int, table_head: str
) -> list[Unit]:
    """One unit, or several when the text alone exceeds the limit: then it is cut between words."""
    whole = _unit(page, block.start, block.end, text, block.kind, heading, cut, table_head)
    if whole.tokens <= limit:
        return [whole]
    parts = math.ceil(whole.tokens / (0.9 * limit))
    starts = [match.start() for match in _SPLIT_WORD.finditer(text, block.start, block.end)]
    if len(starts) < parts:  # no spaces to cut at: cut anywhere
        starts = list(range(block.start, block.end))
    bounds = [starts[len(starts) * k // parts] for k in range(parts)] + [block.end]
    units: list[Unit] = []
    for start, end in pairwise(bounds):
        stop = start + len(text[start:end].rstrip())
        price = cut if not units else _CUT_IN_SENTENCE
        units += _pieces(page, TextBlock(block.kind, start, stop), text, heading, price, limit, table_head)
    return units


def _unit(
    page: int,
    start: int,
    end: int,
    text: str,
    kind: BlockKind,
    heading: str,
    cut: float,
    table_head: str = "",
) -> Unit:
    tokens = estimate_tokens(text[start:end])
    return Unit((Span(page, start, end),), tokens, kind, heading, cut, table_head)


def _kept_with_heading(units: list[Unit]) -> list[Unit]:
    """A cut right after a heading would part it from what it announces."""
    for position in range(1, len(units)):
        if units[position - 1].kind is BlockKind.HEADING:
            units[position] = replace(units[position], cut=_CUT_AFTER_HEADING)
    return units


def _table_head(blocks: Sequence[TextBlock], position: int, text: str) -> str:
    """The caption and column heads of the table whose first row is at `position`."""
    lines: list[str] = []
    for block in reversed(blocks[max(0, position - _TABLE_HEAD_LINES) : position]):
        words = text[block.start : block.end]
        if block.kind is BlockKind.ROW or len(words) > _LONGEST_HEAD // 2:
            break
        lines.insert(0, words)
    first = text[blocks[position].start : blocks[position].end]
    return "\n".join([*lines, first])[:_LONGEST_HEAD]


def _body(clean: CleanPage) -> list[TextBlock]:
    return [block for block in clean.blocks if block.kind is not BlockKind.HEADER_FOOTER]


def _runs_over(unit: Unit, clean: CleanPage, following: CleanPage) -> bool:
    """Whether the last sentence of a page goes on at the top of the next."""
    last, first = _body(clean)[-1:], _body(following)[:1]
    if (
        not last
        or not first
        or unit.kind is not BlockKind.PARAGRAPH
        or first[0].kind is not BlockKind.PARAGRAPH
    ):
        return False
    if following.page.number != clean.page.number + 1 or not last[0].open or first[0].title:
        return False
    head = clean.page.text[unit.spans[-1].start : unit.spans[-1].end]
    tail = following.page.text[first[0].start : first[0].end]
    if starts_item(tail):
        return False
    return not is_finished(head, tail) and not head.endswith((":", ";"))


def _tail(head: Unit, clean: CleanPage, document: CleanDocument) -> tuple[Unit, CleanPage]:
    """The rest of a sentence at the top of a page, and the page without it."""
    before = next(page for page in document.pages if page.page.number == head.spans[-1].page).page.text
    text, block = clean.page.text, _body(clean)[0]
    begun, words = before[head.spans[-1].start : head.spans[-1].end], text[block.start : block.end]
    joined = document.joiner.join(begun, words)
    end = sentences(joined)[0][1] - (len(joined) - len(words))
    end = end if end > 0 else len(words)
    tail = _unit(clean.page.number, block.start, block.start + end, text, block.kind, head.heading, head.cut)
    start = block.start + end + len(words[end:]) - len(words[end:].lstrip())
    rest = [replace(b, start=start) if b is block else b for b in clean.blocks]
    return tail, CleanPage(clean.page, tuple(b for b in rest if b.start < b.end))


def _merged(head: Unit, tail: Unit) -> Unit:
    return replace(head, spans=head.spans + tail.spans, tokens=head.tokens + tail.tokens)


def _cuts(units: list[Unit], limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of units that make chunks, by dynamic programming over all ways to cut a page."""
    total = sum(unit.tokens for unit in units)
    target = total / math.ceil(total / limit) if total > limit else max(total, 1.0)
    best = [0.0] + [math.inf] * len(units)
    came_from = [0] * (len(units) + 1)
    for start, unit in enumerate(units):
        size = 0.0
        for end in range(start + 1, len(units) + 1):
            size += units[end - 1].tokens
            if size > limit and end > start + 1:
                break
            cost = best[start] + (unit.cut if start else 0.0) + ((size - target) / target) ** 2
            if cost < best[end]:
                best[end], came_from[end] = cost, start
    bounds = [len(units)]
    while bounds[-1] > 0:
        bounds.append(came_from[bounds[-1]])
    bounds.reverse()
    yield from pairwise(bounds)


def _overlapping(units: list[Unit], start: int, overlap: int) -> int:
    """Where a chunk begins that shares up to `overlap` tokens of whole units with the one before."""
    shared = 0.0
    while start > 0 and overlap > 0:
        shared += units[start - 1].tokens
        if shared > overlap or units[start].cut == _CUT_AT_HEADING:
            break
        start -= 1
    return start


def _piece(units: list[Unit], ordinal: int, texts: dict[int, str], joiner: LineJoiner) -> Piece:
    spans = _coalesced(units)
    text = ""
    for span in spans:
        part = texts[span.page][span.start : span.end]
        text = joiner.join(text, part) if text else part
    inside = next((unit.heading for unit in units if unit.kind is not BlockKind.HEADING), units[0].heading)
    tokens = round(sum(unit.tokens for unit in units))
    head = units[0].table_head if units[0].cut in (_CUT_IN_TABLE, _CUT_AFTER_HEADING) else ""
    return Piece(Chunk(ordinal, spans, text, heading=inside, tokens=max(1, tokens)), head)


def _coalesced(units: Sequence[Unit]) -> tuple[Span, ...]:
    """One span for each page: units of a page follow each other, and furniture stands at its edges."""
    spans: list[Span] = []
    for span in (span for unit in units for span in unit.spans):
        if spans and spans[-1].page == span.page:
            spans[-1] = Span(span.page, spans[-1].start, span.end)
        else:
            spans.append(span)
    return tuple(spans)
