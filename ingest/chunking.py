"""Splits cleaned pages into chunks along paragraph, sentence and row ends, with the spans they stand on.

A page is cut where the cuts cost least: the chunks should be of equal size below the limit, and a cut is cheap
before a heading, dearer between sentences, dearest between the rows of a table. A sentence that runs over the end
of a page stays whole, which is the only way a chunk crosses pages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise, zip_longest

from ingest.clean.blocks import BlockKind, starts_item
from ingest.clean.document import CleanDocument, CleanPage, TextBlock
from ingest.clean.lines import LineJoiner
from ingest.tables.rows import table_headers
from rag.text.sentences import is_finished, sentences
from rag.text.tokens import estimate_tokens
from rag.types import Chunk, Span, Table

_SPLIT_WORD = re.compile(r"\S+")
_TABLE_HEAD_LINES = 3
_LONGEST_HEAD = 300
_LONGEST_TERM = 60

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
            spans, tokens = waiting.spans + tail.spans, waiting.tokens + tail.tokens
            waiting = replace(waiting, spans=spans, tokens=tokens)
        cut = _PageUnits(page, heading, limit)
        units, heading = cut.units, cut.heading
        if waiting is not None:
            yield waiting
            waiting = None
        if units and following is not None and _runs_over(units[-1], clean, following):
            waiting = units.pop()
        yield from units
    if waiting is not None:
        yield waiting


class _PageUnits:
    """Cuts one page into units."""

    def __init__(self, clean: CleanPage, heading: str, limit: int) -> None:
        """heading: under which the page begins; afterwards the one under which it ends."""
        self.heading = heading
        self._page, self._text, self._limit = clean.page.number, clean.page.text, limit
        self._units: list[Unit] = []
        blocks, table_head = _body(clean), ""
        for position, block in enumerate(blocks):
            above = blocks[position - 1].kind if position else None
            if block.kind is BlockKind.HEADING:
                goes_on = above is BlockKind.HEADING
                words = self._text[block.start : block.end]
                self.heading = f"{self.heading} {words}" if goes_on and len(self.heading) < 80 else words
                cut = _CUT_AFTER_HEADING if goes_on else _CUT_AT_HEADING
                self._units.append(_unit(self._page, block, self._text, self.heading, cut))
            elif block.kind is not BlockKind.ROW:
                self._add_sentences(block)
            elif table := next((t for t in clean.tables if t.start <= block.start < t.end), None):
                self._add_table_line(table, block)
            else:
                first = above is not BlockKind.ROW
                table_head = _table_head(blocks, position, self._text) if first else table_head
                self._add(block, _CUT_AT_PARAGRAPH if first else _CUT_IN_TABLE, table_head)
        self.units = _whole_rows(self._units, clean.tables)
        for place, (before, unit) in enumerate(pairwise(self.units), start=1):
            # a cut would part a heading or term from what it announces
            if before.kind is BlockKind.HEADING or _is_term(before, unit, self._text):
                self.units[place] = replace(unit, cut=_CUT_AFTER_HEADING)

    def _add_sentences(self, block: TextBlock) -> None:
        if block.title:
            self.heading = self._text[block.start : block.start + block.title]
        cut = _CUT_AT_HEADING if block.title else _CUT_AT_PARAGRAPH
        for start, end in sentences(self._text[block.start : block.end]):
            self._add(TextBlock(block.kind, block.start + start, block.start + end), cut)
            cut = _CUT_AT_SENTENCE

    def _add_table_line(self, table: Table, block: TextBlock) -> None:
        """A line of a table: its headers stay with its first row, and every row knows the headers."""
        row = next((row for row in table.rows if row.start <= block.start < row.end), None)
        begins = block.start == table.start
        in_head = not begins and block.start <= table.rows[0].start
        cut = _CUT_AT_PARAGRAPH if begins else _CUT_AFTER_HEADING if in_head else _CUT_IN_TABLE
        self._add(block, cut, table_headers(table, row.path[:-1] if row else ()))

    def _add(self, block: TextBlock, cut: float, table_head: str = "") -> None:
        """One unit, or several when the text alone exceeds the limit: then it is cut between words."""
        text = self._text
        whole = _unit(self._page, block, text, self.heading, cut, table_head)
        if whole.tokens <= self._limit:
            self._units.append(whole)
            return
        parts = math.ceil(whole.tokens / (0.9 * self._limit))
        starts = [match.start() for match in _SPLIT_WORD.finditer(text, block.start, block.end)]
        if len(starts) < parts:  # no spaces to cut at: cut anywhere
            starts = list(range(block.start, block.end))
        bounds = [starts[len(starts) * k // parts] for k in range(parts)] + [block.end]
        for start, end in pairwise(bounds):
            stop = start + len(text[start:end].rstrip())
            self._add(TextBlock(block.kind, start, stop), cut, table_head)
            cut = _CUT_IN_SENTENCE


def _unit(page: int, block: TextBlock, text: str, heading: str, cut: float, table_head: str = "") -> Unit:
    tokens = estimate_tokens(text[block.start : block.end])
    return Unit((Span(page, block.start, block.end),), tokens, block.kind, heading, cut, table_head)


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


def _is_term(unit: Unit, following: Unit, text: str) -> bool:
    """Whether a unit is a line of a few words without a stop, and a sentence in a paragraph of its own follows."""
    if unit.kind is not BlockKind.PARAGRAPH or following.kind is not BlockKind.PARAGRAPH:
        return False
    if following.cut != _CUT_AT_PARAGRAPH or unit.cut != _CUT_AT_PARAGRAPH:
        return False
    line, sentence = (text[one.spans[0].start : one.spans[-1].end] for one in (unit, following))
    return len(line) <= _LONGEST_TERM and line[-1:].isalnum() and sentence.endswith((".", "。"))


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
    begins = TextBlock(block.kind, block.start, block.start + end)
    tail = _unit(clean.page.number, begins, text, head.heading, head.cut)
    start = block.start + end + len(words[end:]) - len(words[end:].lstrip())
    rest = [replace(b, start=start) if b is block else b for b in clean.blocks]
    return tail, CleanPage(clean.page, tuple(b for b in rest if b.start < b.end))


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
    """One span for each page: units of a page follow each other, and headers and footers are at its edges."""
    spans: list[Span] = []
    for span in (span for unit in units for span in unit.spans):
        if spans and spans[-1].page == span.page:
            spans[-1] = Span(span.page, spans[-1].start, span.end)
        else:
            spans.append(span)
    return tuple(spans)
