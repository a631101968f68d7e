"""Puts lines together to paragraphs, and leaves headings, list items and table rows on lines of their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from statistics import median

from ingest.raw import Line, LineKind
from rag.text.normalise import SOFT_HYPHENS

_LONGEST = 110
_MOST_WORDS = 16
_LARGER = 1.13
_NUMBERED = re.compile(
    r"^(?:(?:item|part|chapter|section|article|appendix|note|annex|schedule)\s+(?:\d{1,3}[A-Z]?|[IVXLC]+)\b[.:]?"
    r"|\d{1,2}(?:\.\d{1,2}){1,3}\.?\s+[A-Z가-힣]"
    r"|제\s?\d{1,3}\s?(?:조|장|절|관|편)(?:의\s?\d+)?(?:\s?[\[(（].{1,40}[\])）]|\s|$)"
    r"|(?:부칙|별표|별지|붙임)\b|[IVX]{1,4}\.\s|[ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ]\.?\s)",
    re.IGNORECASE,
)
_ENDS_SENTENCE = re.compile(r"[.;,。]$|(?:다|요|니까)[.]?$")
_LETTERS = re.compile(r"[^\W\d_]")
_LEADERS = re.compile(r"\.{4,}|(?:\. ){3,}|…{2,}")


class HeadingRule:
    """The rule for one document, which knows how its running text is set."""

    def __init__(self, lines: Iterable[Line]) -> None:
        sizes: Counter[float] = Counter()
        bold = total = 0
        for line in lines:
            sizes[round(line.size, 1)] += len(line.text)
            bold += len(line.text) if line.bold else 0
            total += len(line.text)
        self._body = sizes.most_common(1)[0][0] if sizes else 0.0
        self._bold_means_something = bold < 0.3 * max(1, total)

    def is_heading(self, line: Line) -> bool:
        """Whether a line is a section heading."""
        text = line.text
        if len(text) > _LONGEST or len(text.split()) > _MOST_WORDS or len(_LETTERS.findall(text)) < 2:
            return False
        if _LEADERS.search(text) or text[:1].islower():
            return False  # an entry of a table of contents; the middle of a sentence
        numbered = bool(_NUMBERED.match(text))
        if _ENDS_SENTENCE.search(text) and not (numbered and len(text) < 60):
            return False
        if self.is_larger(line):
            return True
        return (line.bold and self._bold_means_something) or (numbered and len(text) <= 80)

    def is_larger(self, line: Line) -> bool:
        """Whether a line is set in larger type than the running text."""
        return self._body > 0 and line.size >= _LARGER * self._body


_NUMERIC = re.compile(r"[(\-–—+]?[$€£¥₩]?[(\-–—]?\d(?:[\d,.]*\d)?[)%]*[*†]?|[—–-]|N/?A|n\.m\.|[$€£¥₩%)(]+")
_MOST_LABEL_WORDS = 14
"""A row's label is shorter; a longer line that ends in figures is prose."""
_AMOUNT = re.compile(r"\d")
_BULLET = re.compile(r"[•●○◦▪▫■□◆◇▶►➢✓※·ㆍ∙*–-]\s|[①-⑳㉠-㉻]")
_BLOCKS_NUMBERED = re.compile(r"\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4}|[가나다라마바사아자차카타파하])[.)]\s")
_SENTENCE_END = re.compile(r"[.!?。:;][\"'”’)\]」』》〉]*$")
_HYPHENS = (*SOFT_HYPHENS, "-", "‐")
_COLUMN_HEAD = 12
"""Characters up to which a bold line before a table is a column's head also with space between."""
_NEIGHBOURS = 6
_HANGUL = re.compile(r"[가-힣]")


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


def build_blocks(lines: Sequence[Line], rule: HeadingRule) -> list[Block]:
    """The blocks of a page, in reading order."""
    layout = _Layout(lines)
    blocks: list[Block] = []
    for position, line in enumerate(lines):
        kind = _kind(line, rule)
        previous = lines[position - 1] if position else None
        if blocks and previous is not None and _belongs(blocks[-1], kind, previous, line, layout, position):
            blocks[-1].lines.append(line)
        else:
            gap = previous is not None and layout.gap_above(previous, line)
            blocks.append(Block(kind, [line], gap))
    _name_table_heads(blocks, rule)
    for block in blocks:
        block.gap = block.gap or block.kind is not BlockKind.ROW
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


def is_row(text: str) -> bool:
    """Whether a line looks like a row of a table: it ends in two or more figures, or is all figures."""
    words = text.split()
    figures = amounts = 0
    for word in reversed(words):
        if not _NUMERIC.fullmatch(word):
            break
        figures += 1
        amounts += bool(_AMOUNT.search(word)) or word in {"—", "–", "-"}
    label = len(words) - figures
    if amounts >= 2:
        return label <= _MOST_LABEL_WORDS or amounts >= 4
    # A label and one amount; a year or a bare count may end a line of prose.
    return (
        amounts == 1 and label <= _MOST_LABEL_WORDS // 2 and bool(re.search(r"[$€£¥₩%]|\d[.,]\d", words[-1]))
    )


def _kind(line: Line, rule: HeadingRule) -> BlockKind:
    if line.mark is not LineKind.UNKNOWN:
        return BlockKind(line.mark.value)
    if is_row(line.text):
        return BlockKind.ROW
    return (
        BlockKind.HEADING if rule.is_heading(line) and not _BULLET.match(line.text) else BlockKind.PARAGRAPH
    )


def _belongs(block: Block, kind: BlockKind, above: Line, line: Line, layout: _Layout, position: int) -> bool:
    """Whether `line` goes on with the block whose last line is `above`."""
    if block.kind is not kind or line.mark is not LineKind.UNKNOWN or kind is BlockKind.ROW:
        return False
    if layout.starts_item(above, line, position):
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
        steps = [a.middle - b.middle for a, b in pairwise(lines) if a.placed and b.placed]
        sizes = [line.size for line in lines if line.size > 0]
        self._size = median(sizes) if sizes else 0.0
        usual = [step for step in steps if 0.5 * self._size < step < 3 * self._size]
        # The lower quartile: lines within paragraphs are nearer to each other than paragraphs are.
        self._leading = sorted(usual)[len(usual) // 4] if usual else 1.2 * self._size
        self._apart = [True, *(self.gap_above(a, b) for a, b in pairwise(lines))]

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

    def flows(self, above: Line, line: Line, position: int) -> bool:
        """Whether prose runs on from one line to the next."""
        unfinished = not _SENTENCE_END.search(above.text)
        if not self.same_type(above, line) and not (unfinished and line.text[:1].islower()):
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
        indent = line.x0 - self._left(position)
        if (
            indent > 0.8 * self._size
            and above.x0 <= line.x0 - 0.8 * self._size
            and not self._hangs(position - 1)
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
        return line.x1 + (first + 1.5) * advance >= edge

    def slack(self, position: int) -> float:
        """White space at the end of a line, in widths of its characters."""
        line = self._lines[position]
        near = [o for o in self._around(position) if o.placed and o.x0 < line.x1 and o.x1 > line.x0]
        wide = len(_HANGUL.findall(line.text)) + 0.5 * (len(line.text) - len(_HANGUL.findall(line.text)))
        return (max((o.x1 for o in near), default=line.x1) - line.x1) * wide / max(1.0, line.x1 - line.x0)

    def _left(self, position: int) -> float:
        line = self._lines[position]
        return min(other.x0 for other in self._around(position) if other.placed and other.x0 < line.x1)

    def starts_item(self, above: Line, line: Line, position: int) -> bool:
        """Whether a list item begins. A sentence may end in "다. " or "2. " at the start of a line, too."""
        if _BULLET.match(line.text):
            return True
        finished = bool(_SENTENCE_END.search(above.text)) or not self.full(position - 1)
        return finished and _BLOCKS_NUMBERED.match(line.text) is not None

    def _hangs(self, position: int) -> bool:
        text = self._lines[position].text
        return bool(_BULLET.match(text) or _BLOCKS_NUMBERED.match(text))

    def _around(self, position: int) -> Sequence[Line]:
        """The lines near one with no gap between: a column's edge is not that of the full page above it."""
        first = last = position
        while first > max(0, position - _NEIGHBOURS) and not self._apart[first]:
            first -= 1
        while last < min(len(self._lines) - 1, position + _NEIGHBOURS) and not self._apart[last + 1]:
            last += 1
        return self._lines[first : last + 1]


def breaks_between_words(pages: Sequence[Sequence[Block]]) -> bool:
    """Whether a Korean document breaks its lines between words only: then lines end raggedly.

    Lines that may break at any syllable leave less than one syllable's width at the end.
    """
    ragged = total = 0
    for blocks in pages:
        for block in blocks:
            if block.kind is not BlockKind.PARAGRAPH or len(block.lines) < 3:
                continue
            layout = _Layout(block.lines)
            for position, line in enumerate(block.lines[:-1]):
                if line.placed and _HANGUL.search(line.text):
                    total += 1
                    ragged += layout.slack(position) > 1.5
    return total >= 8 and ragged > 0.3 * total
