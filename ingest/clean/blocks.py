"""Puts lines together to paragraphs, and leaves headings, list items and table rows on lines of their own.

A clause of a contract or of company rules often runs on in the line of its heading: `제5조(수습기간) 신규로 ...`,
`Article 5 (Probation) Every ...`. There the heading ends where its number and title end; the line is body text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice, pairwise
from statistics import median

from ingest.clean.headings import LEADERS, HeadingRule, continued, numbered
from ingest.clean.lines import LineJoiner
from ingest.raw import Line, LineKind
from rag.text.normalise import SOFT_HYPHENS
from rag.text.sentences import is_finished

_NUMERIC = re.compile(r"[(\-–—+]?[$€£¥₩]?[(\-–—]?\d(?:[\d,.]*\d)?[)%]*[*†]?|[—–-]|N/?A|n\.m\.|[$€£¥₩%)(]+")
_MOST_LABEL_WORDS = 14
"""A row's label is shorter; a longer line that ends in figures is prose."""
_AMOUNT = re.compile(r"\d")
_LEADS = re.compile(
    r"^(?:at|of|by|to|was|were|is|are|than|in|from|and|or|for|with|about|over|under|between)$"
    r"|[가-힣](?:은|는|을|를|보다|에|로|에서|부터|까지)$"
)
_BULLET = re.compile(r"[•●○◦▪▫■□◆◇▶►➢✓※·ㆍ∙*–-]\s|[①-⑳㉠-㉻]")
_ITEM_NUMBER = re.compile(
    r"\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4}|[가나다라마바사아자차카타파하])[.)]\s"
    r"|(?:[QA]|문|답|질문|답변)\s?\d{0,3}[.:)]\s"
)
_SENTENCE_END = re.compile(r"[.!?。:;][\"'”’)\]」』》〉]*$")
_STOP = re.compile(r"[.!?。][\"'”’)\]」』]*(?:\s|$)")
_HYPHENS = (*SOFT_HYPHENS, "-", "‐")
_COLUMN_HEAD = 12
"""Characters up to which a bold line before a table is a column's head also with space between."""
_NEIGHBOURS = 6
_INLINE_SIZE = 1.35
"""Ratio of the heights of two fonts of one type size: a typewriter face in the text has other boxes than its own."""
_FEW_NEAR = 3
"""So many lines by themselves do not show how wide their column is."""
_COMMON_WORD = 8
"""Characters of a word and its space, as most words have at most."""
_WIDE_LINES = 3
"""The edge of a column is that of its third widest line: the title of a page may be wider than its columns."""
_HANGUL = re.compile(r"[가-힣]")
_TWO = re.compile(r"[가-힣][가-힣\s]")
"""A line's beginning of which the first syllable alone could stand on the line above: no mark clings to it."""
_ONE_SYLLABLE = 1.2
"""Widths of a syllable, measured roughly, that a line leaves free at its end when it may break after any."""
_JUSTIFIED = 0.15
"""Likewise what a line leaves that is the widest, or one of justified text: where it may break does not show."""
_RAGGED = {True: math.log(0.63 / 0.08), False: math.log(0.37 / 0.92)}
"""Log-odds of "between words" by whether a line leaves a syllable's width: most such lines do, few others."""
_AT_SPACES = 0.65
"""How many lines end between words where they may end anywhere: 0.4 by chance, 0.8 with TeX, which prefers spaces."""
_LEAST_LIKELY = -4.0
"""What one break can speak against "between words" at most, as log-odds: the spacing model errs now and then."""
_SURE = math.log(20)
_MOST_BREAKS = 300
"""Breaks looked at: more change no decision."""


class BlockKind(StrEnum):
    PARAGRAPH = "paragraph"
    HEADING = "heading"
    ROW = "row"
    HEADER_FOOTER = "furniture"


@dataclass(slots=True)
class Block:
    """Lines that belong together. `gap` says that white space stands above it."""

    kind: BlockKind
    lines: list[Line] = field(default_factory=list)
    gap: bool = False
    title: int = 0
    """Characters of the first line that are the number and title of a clause whose text follows them."""
    open: bool = True
    """Whether its last line reaches the edge of the column, as a line does from which text runs on."""


def build_blocks(lines: Sequence[Line], rule: HeadingRule) -> list[Block]:
    """The blocks of a page, in reading order."""
    layout = _Layout(lines)
    blocks: list[Block] = []
    for position, line in enumerate(lines):
        kind = _kind(line, rule, layout, position)
        previous = lines[position - 1] if position else None
        if kind is BlockKind.PARAGRAPH and blocks and blocks[-1].kind is BlockKind.HEADING:
            ends = not layout.runs_on(position) and rule.ends_heading(blocks[-1].lines, line)
            kind = BlockKind.HEADING if ends else kind
        if blocks and previous is not None and _belongs(blocks[-1], kind, previous, line, layout, position):
            blocks[-1].lines.append(line)
        else:
            gap = previous is not None and layout.gap_above(previous, line)
            blocks.append(Block(kind, [line], gap, _title(line) if kind is BlockKind.PARAGRAPH else 0))
    _name_table_heads(blocks, rule)
    for block in blocks:
        block.gap = block.gap or block.kind is not BlockKind.ROW
    if blocks:
        blocks[-1].open = layout.reaches_edge(len(lines) - 1)
    return blocks


def _name_table_heads(blocks: list[Block], rule: HeadingRule) -> None:
    """Bold lines tight to rows are column heads or subtotals of the table, unless they are set larger."""
    for block, following in pairwise(blocks):
        last = block.lines[-1]
        tight = not following.gap or len(last.text) <= _COLUMN_HEAD
        if (
            block.kind is BlockKind.HEADING
            and following.kind is BlockKind.ROW
            and tight
            and not rule.is_larger(last)
        ):
            block.kind = BlockKind.ROW


def _may_be_inline(above: Line, line: Line) -> bool:
    """Whether a line in other type may go on a sentence: it begins with a small letter, or in a word set apart."""
    if line.text[:1].islower():
        return True
    return above.bold == line.bold and 1 / _INLINE_SIZE <= above.size / line.size <= _INLINE_SIZE


def starts_item(text: str) -> bool:
    """Whether a text begins with a bullet, or the number of a list item or clause."""
    return bool(_BULLET.match(text) or _ITEM_NUMBER.match(text)) or numbered(text) is not None


def _is_unfinished(above: str, line: str) -> bool:
    """Whether the sentence of a line goes on in the next."""
    return not _SENTENCE_END.search(above) or (above.endswith(".") and not is_finished(above, line))


def _figures_at_end(words: Sequence[str]) -> tuple[int, int]:
    """How many words stand before the figures that a line ends in, and how many of those are amounts."""
    figures = amounts = 0
    for word in reversed(words):
        if not _NUMERIC.fullmatch(word):
            break
        figures += 1
        amounts += bool(_AMOUNT.search(word)) or word in {"—", "–", "-"}
    return len(words) - figures, amounts


def _amounts(text: str) -> int:
    """How many amounts a line ends in."""
    return _figures_at_end(text.split())[1]


def _leads_to_figure(text: str) -> bool:
    """Whether the words before the figure at a line's end ask for one, as the label of a row does not."""
    words = text.split()
    label, _ = _figures_at_end(words)
    return label > 0 and _LEADS.search(words[label - 1]) is not None


def is_row(text: str) -> bool:
    """Whether a line looks like a row of a table: it ends in two or more figures, or is all figures."""
    words = text.split()
    label, amounts = _figures_at_end(words)
    if amounts >= 2:
        return label <= _MOST_LABEL_WORDS or amounts >= 4
    # A label and one amount; a year or a bare count may end a line of prose.
    return (
        amounts == 1 and label <= _MOST_LABEL_WORDS // 2 and bool(re.search(r"[$€£¥₩%]|\d[.,]\d", words[-1]))
    )


def _kind(line: Line, rule: HeadingRule, layout: _Layout, position: int) -> BlockKind:
    if line.mark is not LineKind.UNKNOWN:
        return BlockKind(line.mark.value)
    if is_row(line.text) and not layout.is_prose(position):
        return BlockKind.ROW
    if _BULLET.match(line.text):
        return BlockKind.PARAGRAPH
    if not rule.is_heading(line):
        return BlockKind.PARAGRAPH
    text = not rule.is_set_apart(line) and (layout.runs_on(position) or layout.runs_in(position))
    return BlockKind.PARAGRAPH if text else BlockKind.HEADING


def _title(line: Line) -> int:
    """Length of the number and title that a line of text begins with; a number alone tells nothing."""
    found = numbered(line.text)
    return found.title if found and found.titled else 0


def _belongs(block: Block, kind: BlockKind, above: Line, line: Line, layout: _Layout, position: int) -> bool:
    """Whether `line` goes on with the block whose last line is `above`."""
    if block.kind is not kind or line.mark is not LineKind.UNKNOWN or kind is BlockKind.ROW:
        return False
    if layout.starts_item(above, line, position) or LEADERS.search(above.text):
        return False
    if kind is BlockKind.HEADING:
        return (
            layout.same_type(above, line) and not layout.gap_above(above, line) and layout.full(position - 1)
        )
    return layout.flows(above, line, position)


class _Layout:
    """Distances on one page."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self._full: dict[int, bool] = {}
        self._edges: dict[tuple[int, int, bool], float] = {}
        steps = [a.middle - b.middle for a, b in pairwise(lines) if a.placed and b.placed]
        sizes = [line.size for line in lines if line.size > 0]
        self._size = median(sizes) if sizes else 0.0
        usual = [step for step in steps if 0.5 * self._size < step < 3 * self._size]
        # The lower quartile: lines within paragraphs are nearer to each other than paragraphs are.
        self._leading = sorted(usual)[len(usual) // 4] if usual else 1.2 * self._size
        self._apart = [True, *(self.gap_above(a, b) for a, b in pairwise(lines))]
        self._continued = continued([line.text for line in lines])

    def line(self, position: int) -> Line:
        """The line at a position."""
        return self._lines[position]

    def gap_above(self, above: Line, line: Line) -> bool:
        """Whether more than the usual space lies between two lines (or the next column begins)."""
        if not (above.placed and line.placed):
            return False
        step = above.middle - line.middle
        return step <= 0 or step > 1.35 * max(self._leading, 0.9 * min(above.size, line.size))

    def same_type(self, above: Line, line: Line) -> bool:
        """Whether two lines are set alike."""
        if not above.size or not line.size:
            return True
        return 0.87 <= above.size / line.size <= 1.15 and above.bold == line.bold

    def runs_on(self, position: int) -> bool:
        """Whether the next line goes on with this one, as far as white space and type tell."""
        if position + 1 >= len(self._lines):
            return False
        line, following = self._lines[position], self._lines[position + 1]
        return (
            self.same_type(line, following)
            and not self.gap_above(line, following)
            and self.full(position)
            and not starts_item(following.text)
        )

    def runs_in(self, position: int) -> bool:
        """Whether an unfinished sentence of the line above runs into this one."""
        if position == 0 or position in self._continued:
            return False
        above, line = self._lines[position - 1], self._lines[position]
        return _is_unfinished(above.text, line.text) and self.flows(above, line, position)

    def flows(self, above: Line, line: Line, position: int) -> bool:
        """Whether prose runs on from one line to the next."""
        unfinished = _is_unfinished(above.text, line.text)
        if not self.same_type(above, line) and not (unfinished and _may_be_inline(above, line)):
            return False
        if above.text.endswith(_HYPHENS) and line.text[:1].islower():
            return True
        if not (above.placed and line.placed):
            return self.full(position - 1)
        step = above.middle - line.middle
        if step <= 0:  # the next column, or a line that was drawn out of order
            return unfinished and self.full(position - 1) and line.x0 != above.x0
        if self.gap_above(above, line):
            return False
        indent = line.x0 - min(o.x0 for o in self._around(position) if o.placed and o.x0 < line.x1)
        if (
            indent > 0.8 * self._size
            and above.x0 <= line.x0 - 0.8 * self._size
            and not unfinished
            and not starts_item(above.text)
        ):
            return False
        return self.full(position - 1)

    def full(self, position: int) -> bool:
        """Whether the first word of the next line would not have fitted at the end of this one."""
        known = self._full.get(position)
        if known is None:
            known = self._full[position] = self._is_full(position)
        return known

    def _is_full(self, position: int) -> bool:
        line, following = self._lines[position], self._lines[position + 1]
        first = len(following.text.split(" ", 1)[0])
        near = self._around(position)
        if not line.placed:
            longest = max(len(other.text) for other in near)
            return len(line.text) + 1 + first > 0.92 * longest and len(line.text) > 20
        edge = max(other.x1 for other in near if other.placed and other.x0 < line.x1 and other.x1 > line.x0)
        advance = (line.x1 - line.x0) / max(1, len(line.text))
        reach = line.x1 + (first + 1.5) * advance
        if reach < edge or len(near) > _FEW_NEAR or following.text[:1].islower():
            return reach >= edge
        # Two or three lines by themselves may all be short: those of the column tell how wide it is.
        return reach >= self._column_edge(line)

    def _column_edge(self, line: Line) -> float:
        """The right edge of the lines of this type that begin where this one does; 0 when they are few."""
        key = (round(line.x0), round(line.size), line.bold)
        if key not in self._edges:
            like = [o for o in self._lines if o.placed and abs(o.x0 - line.x0) < 0.5 * self._size]
            ends = sorted(o.x1 for o in like if self.same_type(o, line))
            self._edges[key] = ends[-_WIDE_LINES] if len(ends) >= 2 * _WIDE_LINES else 0.0
        return self._edges[key]

    def is_prose(self, position: int) -> bool:
        """Whether a line that ends in a figure is part of a sentence: one runs into it, or from it to an end."""
        if _amounts(self._lines[position].text) > 1:
            return False
        if self.runs_in(position) and not _amounts(self._lines[position - 1].text):
            return True
        if not self.runs_on(position):
            return False
        below = self._lines[position + 1].text
        return not _amounts(below) and bool(
            _STOP.search(below) or _leads_to_figure(self._lines[position].text)
        )

    def reaches_edge(self, position: int) -> bool:
        """Whether a common word would not have fitted behind this line."""
        line, near = self._lines[position], self._around(position)
        if not line.placed:
            return len(line.text) > max(20.0, 0.85 * max(len(other.text) for other in near))
        advance = (line.x1 - line.x0) / max(1, len(line.text))
        return line.x1 + _COMMON_WORD * advance >= self._edge(line, near)

    def slack(self, position: int) -> float:
        """White space at the end of a line, in widths of its characters."""
        line = self._lines[position]
        wide = len(_HANGUL.findall(line.text)) + 0.5 * (len(line.text) - len(_HANGUL.findall(line.text)))
        edge = self._edge(line, self._around(position))
        return (edge - line.x1) * wide / max(1.0, line.x1 - line.x0)

    def _edge(self, line: Line, near: Sequence[Line]) -> float:
        """The right edge of the column, as far as the lines near this one and those that begin like it tell."""
        ends = [o.x1 for o in near if o.placed and o.x0 < line.x1 and o.x1 > line.x0]
        return max([*ends, self._column_edge(line)], default=line.x1)

    def starts_item(self, above: Line, line: Line, position: int) -> bool:
        """Whether a list item or clause begins. A sentence may end in "다. " or "2. " at a line's start, too."""
        if _BULLET.match(line.text) or position in self._continued:
            return True
        finished = not _is_unfinished(above.text, line.text) or not self.full(position - 1)
        return finished and (_ITEM_NUMBER.match(line.text) or numbered(line.text)) is not None

    def _around(self, position: int) -> Sequence[Line]:
        """The lines near one with no gap between: a column's edge is not that of the full page above it."""
        first = last = position
        while first > max(0, position - _NEIGHBOURS) and not self._apart[first]:
            first -= 1
        while last < min(len(self._lines) - 1, position + _NEIGHBOURS) and not self._apart[last + 1]:
            last += 1
        return self._lines[first : last + 1]


def breaks_between_words(pages: Sequence[Sequence[Block]], joiner: LineJoiner, *, typed: bool) -> bool:
    """Whether a Korean document breaks its lines between words only.

    Two signs, weighed as odds (naive Bayes): such lines end raggedly, where lines that may break at any syllable
    leave less than one syllable's width; and the words on both sides of its breaks are likely words. `typed` says
    that the format has no page layout: lines that somebody typed end between words, until much speaks against it.
    """
    breaks = list(islice(_korean_breaks(pages), _MOST_BREAKS))
    slack = [layout.slack(position) for layout, position in breaks]
    evidence = _SURE if typed else 0.0
    for layout, position in breaks:
        words = joiner.likelihood_ratio(layout.line(position).text, layout.line(position + 1).text)
        anywhere = _AT_SPACES + (1 - _AT_SPACES) * math.exp(-max(words, 2 * _LEAST_LIKELY))
        evidence += max(_LEAST_LIKELY, -math.log(anywhere))
    evidence += sum(_RAGGED[width > _ONE_SYLLABLE] for width in slack if width > _JUSTIFIED)
    return evidence > 0


def _korean_breaks(pages: Sequence[Sequence[Block]]) -> Iterator[tuple[_Layout, int]]:
    """The line breaks inside paragraphs that have Hangul on both sides, each by the position of its first line."""
    for blocks in pages:
        layout, at = _Layout([line for block in blocks for line in block.lines]), 0
        for block in blocks:
            last = at + len(block.lines) - 1
            for position in range(at, last if block.kind is BlockKind.PARAGRAPH else at):
                line = layout.line(position)
                if line.placed and _HANGUL.search(line.text) and _TWO.match(layout.line(position + 1).text):
                    yield layout, position
            at = last + 1
