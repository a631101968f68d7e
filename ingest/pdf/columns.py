"""Keeps the reading order of two-column pages whose content was written across both columns.

Most producers write column after column, and PDFium keeps that order. Where a page was written row by row,
PDFium gives lines that run across the gutter, or left and right lines in turn. Tables look alike, and their
rows must stay on a line, so only prose is taken apart: on both sides mostly words, and lines that fill their
column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.pdf.characters import PlacedLine
    from ingest.pdf.objects import Box

Positions = Callable[["PlacedLine", int], "Box | None"]
"""The box of the character at a position of a line."""

_MIN_LINES = 6
_MIDDLE = (0.3, 0.7)
"""The gutter lies in this part of the page's width."""
_GAP = 0.8
"""A gap between columns is at least this multiple of the line height."""
_MOST = 0.6
_BLANK = re.compile(r"(?<=\S)\s+(?=\S)")
_WORD = re.compile(r"[^\W\d_]{2,}|[가-힣]")
_NUMBER = re.compile(r"\d")


def split_columns(lines: list[PlacedLine], width: float, positions: Positions) -> list[PlacedLine]:
    """The lines in reading order; lines across a gutter become two. `width` of the page in points."""
    placed = [p for p in lines if p.line.placed]
    if len(placed) < _MIN_LINES or width <= 0:
        return lines
    wide = [p for p in placed if p.line.x0 < _MIDDLE[0] * width and p.line.x1 > _MIDDLE[1] * width]
    if len(wide) >= _MIN_LINES and _reads_like_prose(wide, 6) and _has_gaps(wide, width, positions):
        return _split_merged(lines, wide, width, positions)
    return _unweave(lines, placed, width)


def _has_gaps(wide: list[PlacedLine], width: float, positions: Positions) -> bool:
    """A look at three lines, since asking for places is slow."""
    sample = [wide[len(wide) * k // 4] for k in (1, 2, 3)]
    return sum(_gap(p, positions, width) is not None for p in sample) >= 2


def _gap(placed: PlacedLine, positions: Positions, width: float) -> tuple[float, float, int] | None:
    """The widest white gap in the middle of a line: its left and right edge and the character after it."""
    best: tuple[float, float, int] | None = None
    needed = _GAP * max(4.0, placed.line.y1 - placed.line.y0)
    text = placed.line.text
    for blank in _BLANK.finditer(text, len(text) // 6, len(text) - len(text) // 6):
        before, after = positions(placed, blank.start() - 1), positions(placed, blank.end())
        if before is None or after is None or after[0] - before[2] < needed:
            continue
        centre = (before[2] + after[0]) / 2
        wider = best is None or after[0] - before[2] > best[1] - best[0]
        if wider and _MIDDLE[0] * width <= centre <= _MIDDLE[1] * width:
            best = (before[2], after[0], blank.end())
    return best


def _split_merged(
    lines: list[PlacedLine], wide: list[PlacedLine], width: float, positions: Positions
) -> list[PlacedLine]:
    gaps = {id(p): gap for p in wide if (gap := _gap(p, positions, width)) is not None}
    if len(gaps) < _MOST * len(wide):
        return lines
    gutter = median((left + right) / 2 for left, right, _ in gaps.values())
    halves = {
        id(p): _halves(p, gaps[id(p)])
        for p in wide
        if id(p) in gaps and gaps[id(p)][0] - 2 <= gutter <= gaps[id(p)][1] + 2
    }
    pairs = list(halves.values())
    if len(pairs) < _MOST * len(wide) or not (
        _is_prose([left for left, _ in pairs]) and _is_prose([right for _, right in pairs])
    ):
        return lines
    pieces: list[PlacedLine] = []
    for placed in lines:
        pieces.extend(halves.get(id(placed), (placed,)))
    return _by_column(pieces, gutter)


def _halves(placed: PlacedLine, gap: tuple[float, float, int]) -> tuple[PlacedLine, PlacedLine]:
    left, right, at = gap
    line = placed.line
    head, tail = line.text[:at].rstrip(), line.text[at:]
    return (
        replace(placed, line=replace(line, text=head, x1=left), end=placed.start + len(head)),
        replace(placed, line=replace(line, text=tail, x0=right), start=placed.start + at),
    )


def _unweave(lines: list[PlacedLine], placed: list[PlacedLine], width: float) -> list[PlacedLine]:
    """Left and right lines that take turns are put column by column."""
    middle = width / 2
    slack = 0.02 * width
    left = [p for p in placed if p.line.x1 <= middle + slack]
    right = [p for p in placed if p.line.x0 >= middle - slack]
    rights = set(map(id, right))
    one_sided = [p for p in placed if p.line.x1 <= middle + slack or id(p) in rights]
    fewer = min(len(left), len(right))
    if fewer < _MIN_LINES // 2:
        return lines
    turns = sum((a in rights) != (b in rights) for a, b in pairwise(map(id, one_sided)))
    if turns < _MOST * 2 * fewer or not (_is_prose(left) and _is_prose(right)):
        return lines
    return _by_column(lines, middle)


def _by_column(pieces: list[PlacedLine], gutter: float) -> list[PlacedLine]:
    """Between lines that cross the gutter, first what stands left of it, then what stands right."""
    ordered: list[PlacedLine] = []
    left: list[PlacedLine] = []
    right: list[PlacedLine] = []
    for piece in pieces:
        if not piece.line.placed or piece.line.x0 < gutter < piece.line.x1:
            ordered += [*left, *right, piece]
            left, right = [], []
        elif piece.line.x1 <= gutter:
            left.append(piece)
        else:
            right.append(piece)
    return [*ordered, *left, *right]


def _reads_like_prose(side: list[PlacedLine], least: int) -> bool:
    """Mostly words, `least` of them on the middling line."""
    texts = [p.line.text for p in side]
    if sum(len(_NUMBER.findall(text)) for text in texts) > 0.15 * sum(map(len, texts)):
        return False
    return median(len(_WORD.findall(text)) for text in texts) >= least


def _is_prose(side: list[PlacedLine]) -> bool:
    """Mostly words, and most lines end near the right edge of the column."""
    if not _reads_like_prose(side, 3):
        return False
    start, end = median(p.line.x0 for p in side), max(p.line.x1 for p in side)
    filled = sum(p.line.x1 >= end - 0.2 * max(1.0, end - start) for p in side)
    return filled >= _MOST * len(side)
