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


def row_of(group: Sequence[PlacedLine], positions: Positions) -> VisualRow:
    """The segments of the lines of one visual row."""
    segments = [segment for placed in group for segment in _segments(placed, positions)]
    segments.sort(key=lambda segment: segment.x0)
    return VisualRow([placed.line for placed in group], _joined(segments))


def _segments(placed: PlacedLine, positions: Positions) -> list[Segment]:
    line = placed.line
    size = max(4.0, line.size or line.y1 - line.y0)
    found: list[Segment] = []
    for match in _WORD.finditer(line.text):
        first, last = positions(placed, match.start()), positions(placed, match.end() - 1)
        if first is None or last is None:
            continue
        word = plain(match[0])
        if not word:
            continue
        if found and not _cut(found[-1], word, first[0] - found[-1].x1, size):
            found[-1].text += f" {word}"
            found[-1].x1 = max(found[-1].x1, last[2])
        else:
            found.append(Segment(line, word, first[0], last[2]))
    for segment in found:
        segment.kind()
    return found


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
