"""Cuts the lines of a PDF page at wide gaps into segments: the cells that a row of a table may be made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ingest.clean.lines import plain
from ingest.pdf.characters import PlacedLine
from ingest.pdf.objects import Box
from ingest.raw import Line
from rag.text.figures import is_figure, is_period

Positions = Callable[[PlacedLine, int], Box | None]
"""The box of the character at an offset of a line's text."""

GAP = 0.75
"""A gap between words as wide as this share of the type size separates cells; justified prose stays below it."""
FIGURE_GAP = 0.45
"""The same between two figures, which no prose sets apart: columns of figures may be close."""
_STEADY = 0.55
"""Share of the type size that a letter takes at most on average; where words with the blank behind them take no more,
there is no gap."""
_STEADY_LINE = 0.46
"""The same for a whole line of prose."""
_PROSE_BLANKS = 7
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"\S+")
_CURRENCY = re.compile(r"[-–—(]?(?:(?:US|HK|NT|[ACSR])?\$|[€£¥₩])\(?")
_CLOSING = re.compile(r"[)%]{1,2}|%\)|\([a-z]\)|[*†‡§]+")


@dataclass(slots=True)
class Segment:
    """Words of one line that belong together, x from `x0` to `x1` in points."""

    line: Line
    text: str
    x0: float
    x1: float
    figure: bool = False
    period: bool = False

    @property
    def centre(self) -> float:
        return (self.x0 + self.x1) / 2

    def kind(self) -> None:
        """Set what the text is."""
        self.figure, self.period = is_figure(self.text), is_period(self.text)


@dataclass(slots=True)
class VisualRow:
    """Lines at one height, as their segments from left to right."""

    lines: list[Line]
    segments: list[Segment] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return self.lines[0].middle

    @property
    def height(self) -> float:
        return max(line.y1 - line.y0 for line in self.lines)

    @property
    def x0(self) -> float:
        return self.segments[0].x0

    @property
    def x1(self) -> float:
        return self.segments[-1].x1

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)

    @property
    def words(self) -> int:
        return sum(len(segment.text.split()) for segment in self.segments)


def visual_rows(lines: Sequence[PlacedLine]) -> list[list[PlacedLine]]:
    """Lines that stand side by side and follow each other in reading order, grouped."""
    rows: list[list[PlacedLine]] = []
    for placed in lines:
        if rows and _beside(rows[-1][-1].line, placed.line):
            rows[-1].append(placed)
        else:
            rows.append([placed])
    return rows


def _beside(a: Line, b: Line) -> bool:
    if not (a.placed and b.placed):
        return False
    low, high = max(a.y0, b.y0), min(a.y1, b.y1)
    apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1
    return apart and high - low > 0.4 * min(a.y1 - a.y0, b.y1 - b.y0)


def row_of(group: Sequence[PlacedLine], positions: Positions, *, closely: bool = False) -> VisualRow:
    """The segments of the lines of one visual row; `closely` measures every gap, which takes a while."""
    segments = [segment for placed in group for segment in _segments(placed, positions, closely)]
    segments.sort(key=lambda segment: segment.x0)
    return VisualRow([placed.line for placed in group], _joined(segments))


def _segments(placed: PlacedLine, positions: Positions, closely: bool) -> list[Segment]:
    line = placed.line
    text = line.text
    size = max(4.0, line.size or line.y1 - line.y0)
    if not closely and _runs_on(line, size):
        return [Segment(line, plain(text), line.x0, line.x1)]
    found: list[Segment] = []
    start = end = 0  # of the last word, whose right edge is measured only where a gap may follow
    left = 0.0
    for match in _WORD.finditer(text):
        word = match[0] if match[0].isascii() else plain(match[0])
        first = positions(placed, match.start()) if word else None
        if first is None:
            continue
        steady = not closely and first[0] - left < _STEADY * size * (match.start() - start)
        if found and (
            (steady and not _DIGIT.search(text, start, end))
            or not _gap_follows(placed, found[-1], end, first[0], word, size, positions)
        ):
            found[-1].text += f" {word}"
        else:
            found.append(Segment(line, word, first[0], first[0]))
        start, end, left = match.start(), match.end(), first[0]
    if found:
        last = positions(placed, end - 1)
        found[-1].x1 = last[2] if last is not None else line.x1
    for segment in found:
        segment.kind()
    return found


def _gap_follows(
    placed: PlacedLine,
    before: Segment,
    end: int,
    x: float,
    word: str,
    size: float,
    positions: Positions,
) -> bool:
    """Whether the word at `x` begins a new segment; `end` is the offset behind the word before."""
    box = positions(placed, end - 1)
    before.x1 = box[2] if box is not None else x
    return _cut(before, word, x - before.x1, size)


def _runs_on(line: Line, size: float) -> bool:
    """Whether a long line is set without wide gaps, as its width for its characters tells: it is not measured."""
    text = line.text
    if text.count(" ") < _PROSE_BLANKS or not text.isascii() or text[-1].isdigit() or text[-1] in ")%":
        return False
    return line.x1 - line.x0 < _STEADY_LINE * size * len(text)


def _cut(before: Segment, word: str, gap: float, size: float) -> bool:
    """Whether a gap in points before a word separates it from the segment before."""
    if gap > GAP * size:
        return True
    return (
        gap > FIGURE_GAP * size
        and is_figure(before.text)
        and (is_figure(word) or bool(_CURRENCY.fullmatch(word)))
    )


def _joined(segments: list[Segment]) -> list[Segment]:
    """A currency sign joins the figure after it, a closing bracket or percent sign the one before."""
    joined: list[Segment] = []
    for segment in segments:
        before = joined[-1] if joined else None
        opens = before is not None and _CURRENCY.fullmatch(before.text) and segment.figure
        closes = before is not None and before.figure and _CLOSING.fullmatch(segment.text)
        if before is not None and (opens or closes) and before.line is segment.line:
            before.text += f"{' ' if opens else ''}{segment.text}"
            before.x1 = segment.x1
            before.kind()
            before.figure = True
        else:
            joined.append(segment)
    return joined
