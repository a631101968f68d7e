"""Cleans a whole document: raw lines in, page texts with their blocks out.

A line is a header or footer when the same words (figures aside) are at the same height of neighbouring pages, when it
is nothing but the page's number, or when it carries that number as others at its height carry theirs ("2.7 Safety
25", with another title on each page); and only while every line further out is one too, so that what repeats inside
the text stays text. The tables of a page get their place in its cleaned text.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.clean.blocks import Block, BlockKind, breaks_between_words, build_blocks
from ingest.clean.headings import HeadingRule
from ingest.clean.lines import LineJoiner, plain
from ingest.raw import APART, Line, LineKind, RawPage, RawRow, RawTable
from rag.text.normalise import SOFT_HYPHENS
from rag.types import Cell, Page, Row, Table

_DEPTH = 4
"""Lines looked at from each edge."""
_MARGIN = 0.15
"""Share of the page's height at each edge in which headers and footers are."""
_SAME_HEIGHT = 4.0  # points
_NEIGHBOURS = 2
"""Left and right pages have headers of their own, so the one after the next counts as a neighbour."""
_LONGEST = 160
_LEAST_NUMBERED = 3
"""Pages that must carry their numbers at one height, so that a figure in the text is not taken for one."""

_FIGURES = re.compile(r"\d+|\b[ivxlc]+\b", re.IGNORECASE)
_PAGE_NUMBER = re.compile(
    r"[-–—\[(|\s]*(?:(?:page|p\.|쪽|페이지|제)\s*)?(\d{1,5}|[ivxlc]{1,7})(?:\s*(?:쪽|페이지|면))?"
    r"(?:\s*(?:/|of|중)\s*\d{1,5})?[-–—\])|\s.]*",
    re.IGNORECASE,
)
_CARRIED = re.compile(r"^(\d{1,4})(?=[\s|])|(?<=[\s|])(\d{1,4})$")
"""A line that begins or ends with a number."""
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


def find_headers_and_footers(pages: Sequence[RawPage]) -> dict[int, set[int]]:
    """For every page number, the positions (in `page.lines`) of its running headers and footers."""
    edges = {page.number: (_edge(page, top=True), _edge(page, top=False)) for page in pages}
    keys: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for page in pages:
        for position in _both(edges[page.number]):
            line = page.lines[position]
            keys[_key(line.text)].append((page.number, _height(page, line)))
    offset = _number_offset(pages, edges)
    numbered = _numbered_lines(pages, edges)
    headers_footers: dict[int, set[int]] = {}
    for page in pages:
        found: set[int] = set()
        for edge in edges[page.number]:
            for position in edge:
                line = page.lines[position]
                runs = (page.number, position) in numbered or _runs(page, line, keys, len(pages))
                if not (runs or _is_number(line.text, page, offset)):
                    break
                found.add(position)
        if len(found) < len(page.lines):  # a page of nothing but repeats is content
            headers_footers[page.number] = found
    return headers_footers


def _edge(page: RawPage, *, top: bool) -> list[int]:
    """Positions of the outermost lines, from the edge inwards."""
    positions = range(len(page.lines))
    if page.height > 0 and all(line.placed for line in page.lines):
        order = sorted(positions, key=lambda p: page.lines[p].middle, reverse=top)
    else:
        order = list(positions) if top else list(reversed(positions))
    return [p for p in order[:_DEPTH] if len(page.lines[p].text) <= _LONGEST]


def _both(edges: tuple[list[int], list[int]]) -> Iterable[int]:
    return dict.fromkeys([*edges[0], *edges[1]])


def _key(text: str) -> str:
    return " ".join(_FIGURES.sub("#", text).casefold().split())


def _height(page: RawPage, line: Line) -> float:
    """Distance from the nearer edge in points; negative from the bottom, so that both edges stay apart."""
    if not line.placed or page.height <= 0:
        return 0.0
    below_top = page.height - line.middle
    return below_top if below_top < line.middle else -line.middle


def _runs(page: RawPage, line: Line, keys: dict[str, list[tuple[int, float]]], total: int) -> bool:
    """Whether neighbouring pages have the same line at the same height."""
    if not _in_margin(page, line):
        return False
    key = _key(line.text)
    if not any(character.isalpha() for character in key) and "#" not in key:
        return False
    here = _height(page, line)
    others = {
        number for number, height in keys[key] if number != page.number and abs(height - here) <= _SAME_HEIGHT
    }
    near = [n for n in others if abs(n - page.number) <= _NEIGHBOURS]
    # Two tables that happen to continue on two pages of a long document are no running header.
    return bool(near) and (len(others) + 1 >= 3 or total <= 4)


def _in_margin(page: RawPage, line: Line) -> bool:
    return not line.placed or page.height <= 0 or abs(_height(page, line)) <= _MARGIN * page.height


def _numbered_lines(
    pages: Sequence[RawPage], edges: dict[int, tuple[list[int], list[int]]]
) -> set[tuple[int, int]]:
    """Page number and position of the outermost lines that begin or end with the number of their page.

    The printed numbers may differ from the physical ones, but on all pages by the same.
    """
    found: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
    for page in pages:
        for position in (edge[0] for edge in edges[page.number] if edge):
            line = page.lines[position]
            if line.placed and page.height > 0 and _in_margin(page, line):
                numbers = {match[1] or match[2] for match in _CARRIED.finditer(line.text)} - {None}
                for number in numbers:
                    found[int(number) - page.number].append((page.number, position, _height(page, line)))
    best = max(found.values(), key=len, default=[])
    return {
        (number, position)
        for number, position, height in best
        if sum(abs(height - other) <= _SAME_HEIGHT for _, _, other in best) >= _LEAST_NUMBERED
    }


def _number_offset(pages: Sequence[RawPage], edges: dict[int, tuple[list[int], list[int]]]) -> int | None:
    """By how much printed numbers commonly differ from physical ones; None when that shows on no two pages."""
    votes: Counter[int] = Counter()
    for page in pages:
        for position in _both(edges[page.number]):
            value = _page_number(page.lines[position].text)
            if value is not None:
                votes[value - page.number] += 1
    if not votes:
        return None
    offset, count = votes.most_common(1)[0]
    return offset if count >= 2 else None


def _is_number(text: str, page: RawPage, offset: int | None) -> bool:
    value = _page_number(text)
    if value is None:
        return False
    return value == page.number or str(value) == page.label or value - page.number == offset


def _page_number(text: str) -> int | None:
    match = _PAGE_NUMBER.fullmatch(text)
    if not match:
        return None
    digits = match[1]
    if digits.isdigit():
        return int(digits)
    values = [_ROMAN[letter] for letter in digits.lower()]
    return sum(-v if v < n else v for v, n in zip(values, [*values[1:], 0], strict=True))


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A block of a page: characters `start` to `end` (exclusive) of the page's text."""

    kind: BlockKind
    start: int
    end: int
    title: int = 0
    """Characters from `start` that are the number and title of a clause whose text follows them."""
    open: bool = True
    """Whether it ends a page with a line that reaches the edge, as one does from which text runs on."""


@dataclass(frozen=True, slots=True)
class CleanPage:
    """A page as it will be stored, with its blocks in reading order."""

    page: Page
    blocks: tuple[TextBlock, ...]
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class CleanDocument:
    """All pages, and the joiner that learned how this document spaces its words."""

    pages: tuple[CleanPage, ...]
    joiner: LineJoiner


def clean(pages: Sequence[RawPage], *, headers_footers: bool = True) -> CleanDocument:
    """Normalise characters, mark headers and footers, join lines to paragraphs, and write out the text of every page.

    `headers_footers=False` is for formats without printed pages.
    """
    for page in pages:
        for line in page.lines:
            parts = line.text.split(APART) if line.mark is LineKind.ROW else [line.text]
            line.text = APART.join(map(plain, parts))
        page.lines = [line for line in page.lines if line.text]
    edges = find_headers_and_footers(pages) if headers_footers else {}
    body = [
        [line for position, line in enumerate(page.lines) if position not in edges.get(page.number, ())]
        for page in pages
    ]
    rule = HeadingRule(line for lines in body for line in lines)
    blocks = [build_blocks(lines, rule) for lines in body]
    joiner = LineJoiner(lambda: (line.text for lines in body for line in lines))
    words_kept = breaks_between_words(blocks, joiner, typed=not headers_footers)
    written = [
        _write(page, found, edges.get(page.number, set()), joiner, words_kept=words_kept)
        for page, found in zip(pages, blocks, strict=True)
    ]
    return CleanDocument(tuple(written), joiner)


def _write(
    page: RawPage, blocks: list[Block], headers_footers: set[int], joiner: LineJoiner, *, words_kept: bool
) -> CleanPage:
    heads, feet = _header_and_footer_blocks(page, headers_footers)
    parts: list[str] = []
    placed: list[TextBlock] = []
    places: dict[int, tuple[int, int]] = {}
    length = 0
    for block in [*heads, *blocks, *feet]:
        text = ""
        for line in block.lines:
            text = joiner.join(text, line.text, words_kept=words_kept) if text else line.text
        text = text.rstrip(SOFT_HYPHENS)
        if not text:
            continue
        if parts:
            separator = "\n\n" if block.gap else "\n"
            parts.append(separator)
            length += len(separator)
        parts.append(text)
        placed.append(TextBlock(block.kind, length, length + len(text), block.title, block.open))
        if block.kind is BlockKind.ROW:
            places[id(block.lines[0])] = length, length + len(text)
        length += len(text)
    stored = Page(
        number=page.number,
        text="".join(parts),
        status=page.status,
        reason=page.reason or page.note,
        label=page.label,
        characters=page.characters,
        headers_footers=tuple((b.start, b.end) for b in placed if b.kind is BlockKind.HEADER_FOOTER),
    )
    tables = placed_tables(page.tables, page.number, stored.text, places)
    return CleanPage(stored, tuple(placed), tables)


def _header_and_footer_blocks(page: RawPage, headers_footers: set[int]) -> tuple[list[Block], list[Block]]:
    """Headers from the top down, footers likewise; what was drawn last may stand at the top."""
    lines = [page.lines[position] for position in sorted(headers_footers)]
    if all(line.placed for line in lines) and page.height > 0:
        lines.sort(key=lambda line: -line.middle)
        heads = [line for line in lines if line.middle > page.height / 2]
    else:
        half = len(page.lines) / 2
        heads = [page.lines[position] for position in sorted(headers_footers) if position < half]
    feet = [line for line in lines if line not in heads]
    head_blocks = [Block(BlockKind.HEADER_FOOTER, [line]) for line in heads]
    foot_blocks = [Block(BlockKind.HEADER_FOOTER, [line], gap=place == 0) for place, line in enumerate(feet)]
    return head_blocks, foot_blocks


Range = tuple[int, int]


def placed_tables(
    tables: Sequence[RawTable], page: int, text: str, places: Mapping[int, Range]
) -> tuple[Table, ...]:
    """The tables whose rows are in the page's text. `places` has the range of each line there, by the line's id.

    A table of which cleaning left nothing (a running header, lines that another reader gave) is dropped.
    """
    found: list[Table] = []
    for table in tables:
        rows = [row for raw in table.rows if (row := _placed_row(raw, text, places)) is not None]
        if not rows:
            continue
        heads = [places[id(line)] for line in table.head if id(line) in places]
        start = min(row.start for row in rows)
        start = min([start, *(first for first, _ in heads if first < start)])
        end = max(row.end for row in rows)
        columns = tuple(tuple(path) for path in table.columns)
        found.append(Table(page, table.title, table.unit, columns, tuple(rows), start, end))
    return tuple(found)


def _placed_row(raw: RawRow, text: str, places: Mapping[int, Range]) -> Row | None:
    ranges = [places[id(line)] for line in raw.lines if id(line) in places]
    if not ranges:
        return None
    cells: list[Cell] = []
    cursors: dict[int, int] = {}
    for cell in raw.cells:
        place = places.get(id(cell.line))
        if place is None:
            continue
        end = place[1] if cell.through is None else places.get(id(cell.through), place)[1]
        match = _find(cell.text, text, cursors.get(id(cell.line), place[0]), end)
        if match is not None:
            cursors[id(cell.line)] = match[1]
            cells.append(Cell(cell.column, cell.text, *match, cell.box, cell.name))
    start, end = min(a for a, _ in ranges), max(b for _, b in ranges)
    return Row(raw.path, start, end, tuple(cells), raw.name) if cells else None


def _find(words: str, text: str, start: int, end: int) -> Range | None:
    """Where the words of a cell are in a line of the text, whatever white space is between them."""
    at = text.find(words, start, end)
    if at >= 0:
        return at, at + len(words)
    pattern = re.compile(r"\s*".join(map(re.escape, words.split())))
    match = pattern.search(text, start, end)
    return match.span() if match else None
