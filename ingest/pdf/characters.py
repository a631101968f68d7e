"""The characters of a PDFium text page as lines with their place and all their spaces."""

from __future__ import annotations

import ctypes
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from statistics import median
from typing import Any

import pypdfium2.raw as c

from ingest.pdf.hidden import HidingMethod
from ingest.pdf.objects import Box, call, number_of
from ingest.raw import Line
from rag.text.normalise import SOFT_HYPHENS

_LINE = re.compile(f"[^\r\n{SOFT_HYPHENS}]+[{SOFT_HYPHENS}]?|[\r\n{SOFT_HYPHENS}]+")
"""PDFium ends a line at a hyphen with a soft hyphen and nothing else: the next line follows at once."""
_BOLD = re.compile(r"bold|black|heavy|semib|demi", re.IGNORECASE)
_BOLD_WEIGHT = 600
_UPRIGHT = 0.01  # radians
_LONGEST_NAME = 128
_RECTANGLE = struct.Struct("4f").unpack  # FS_RECTF: left, top, right, bottom


@dataclass(slots=True)
class Frame:
    """Takes page coordinates to those of the page as it is read: origin at the corner, rotation applied."""

    box: Box
    rotation: int

    @property
    def width(self) -> float:
        """Of the page as it is read, in points."""
        return self.box[3] - self.box[1] if self.rotation in (90, 270) else self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Of the page as it is read, in points."""
        return self.box[2] - self.box[0] if self.rotation in (90, 270) else self.box[3] - self.box[1]

    def place(self, left: float, bottom: float, right: float, top: float) -> Box:
        """The same box in the coordinates of reading."""
        x, y = self.box[0], self.box[1]
        left, bottom, right, top = left - x, bottom - y, right - x, top - y
        if self.rotation == 0:
            return left, bottom, right, top
        if self.rotation == 90:
            return bottom, self.height - right, top, self.height - left
        if self.rotation == 180:
            return self.width - right, self.height - top, self.width - left, self.height - bottom
        return self.width - top, left, self.width - bottom, right


@dataclass(slots=True)
class PlacedLine:
    """A line and the characters of the text page that it is made of."""

    line: Line
    start: int
    end: int


class Characters:
    """The text of a text page, by character index."""

    def __init__(self, textpage: Any, frame: Frame) -> None:
        self.text: str = textpage.get_text_range()
        self._frame = frame
        self._page = number_of(textpage.raw)
        # The index calls count PDFium's own characters; they part from the text's only on odd pages.
        self._direct = len(self.text) == c.FPDFText_CountChars(textpage.raw)
        self._buffer = bytearray(16)
        self._rectangle = (ctypes.c_char * 16).from_buffer(self._buffer)
        self._box_of, self._object_at = call("FPDFText_GetLooseCharBox"), call("FPDFText_GetTextObject")
        self._font_of = call("FPDFTextObj_GetFont")
        self._bold_fonts: dict[int | None, bool] = {None: False}
        self._kept: list[int] | None = None
        self._plainly = self._direct  # while the text's offsets are PDFium's
        self._as_it_lies = frame.rotation == 0 and frame.box[0] == frame.box[1] == 0

    def drop(self, hidden: dict[int, HidingMethod]) -> Counter[str]:
        """Remove the characters of hidden objects; returns how many visible ones went, by way of hiding."""
        ways: Counter[str] = Counter()
        kept: list[int] = []
        for position, character in enumerate(self.text):
            way = hidden.get(self._object_at(self._page, self._index(position)))
            if way is None or (way is HidingMethod.EMPTY and character in " \r\n"):
                kept.append(position)
            elif not character.isspace():
                ways[way] += 1
        self._kept, self._plainly = kept, False
        self.text = "".join(self.text[position] for position in kept)
        return ways

    def fonts(self, positions: Sequence[int]) -> list[int | None]:
        """The font handles of characters, None where PDFium knows none."""
        indices = positions if self._plainly else list(map(self._index, positions))
        drawn = list(map(self._object_at, repeat(self._page), indices))
        fonts = {handle: self._font_of(handle) if handle else None for handle in dict.fromkeys(drawn)}
        return [fonts[handle] for handle in drawn]

    def tight_box(self, position: int) -> Box | None:
        """The bounds of what a character draws, in the page's own coordinates; None for one that is not upright."""
        index = self._index(position)
        if index < 0 or abs(call("FPDFText_GetCharAngle")(self._page, index)) > _UPRIGHT:
            return None
        sides = [ctypes.c_double() for _ in range(4)]  # left, right, bottom, top
        if not call("FPDFText_GetCharBox")(self._page, index, *map(ctypes.byref, sides)):
            return None
        left, right, bottom, top = (side.value for side in sides)
        return left, bottom, right, top

    def brightness(self, position: int) -> int:
        """Of a character's fill colour, 0 to 255; 0 where PDFium knows none."""
        parts = [ctypes.c_uint() for _ in range(4)]
        call("FPDFText_GetFillColor")(self._page, self._index(position), *map(ctypes.byref, parts))
        return sum(part.value for part in parts[:3]) // 3

    def replace(self, positions: Sequence[int], by: str) -> None:
        """Replace single characters, each by the one character `by`."""
        characters = list(self.text)
        for position in positions:
            characters[position] = by
        self.text = "".join(characters)

    def lines(self) -> list[PlacedLine]:
        """The lines that are not empty, in the order of the page's content."""
        lines: list[PlacedLine] = []
        start = 0
        for part in _LINE.findall(self.text):
            words = part.strip()
            if words:
                first = start + len(part) - len(part.lstrip())
                lines.append(PlacedLine(self._line(words, first), first, first + len(words)))
            start += len(part)
        return lines

    def _line(self, words: str, first: int) -> Line:
        last = first + len(words) - 1
        begin, end = self.box(first), self.box(last)
        if begin is None or end is None:
            return Line(words)
        # A bullet comes from a font of symbols, whose boxes have heights of their own.
        size = begin[3] - begin[1] if words[0].isalnum() else end[3] - end[1]
        return Line(
            words,
            min(begin[0], end[0]),
            max(begin[2], end[2]),
            begin[1],
            begin[3],
            size=round(size, 2),
            bold=self._bold(first) and self._bold(last),
        )

    def box(self, position: int) -> Box | None:
        """Where a character stands, or None when PDFium does not know."""
        index = position if self._plainly else self._index(position)
        if index < 0 or not self._box_of(self._page, index, self._rectangle):
            return None
        left, top, right, bottom = _RECTANGLE(self._buffer)
        return (left, bottom, right, top) if self._as_it_lies else self._frame.place(left, bottom, right, top)

    def _bold(self, position: int) -> bool:
        index = self._index(position)
        drawn = self._object_at(self._page, index)
        font = self._font_of(drawn) if drawn else None
        if font not in self._bold_fonts:
            self._bold_fonts[font] = self._is_bold(index)
        return self._bold_fonts[font]

    def _is_bold(self, index: int) -> bool:
        name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
        length = call("FPDFText_GetFontInfo")(self._page, index, name, 128, ctypes.byref(flags))
        if 0 < length <= 128 and _BOLD.search(name.value.decode("latin-1")):
            return True
        return bool(call("FPDFText_GetFontWeight")(self._page, index) >= _BOLD_WEIGHT)

    def _index(self, position: int) -> int:
        if self._kept is not None:
            position = self._kept[position] if position < len(self._kept) else -1
        if self._direct:
            return position
        return int(call("FPDFText_GetCharIndexFromTextIndex")(self._page, position))


def font_name(font: int) -> str:
    """The font's name in the document; its address where it has none."""
    buffer = ctypes.create_string_buffer(_LONGEST_NAME)
    length = call("FPDFFont_GetBaseFontName")(font, buffer, _LONGEST_NAME)
    return buffer.value.decode("latin-1") if 1 < length <= _LONGEST_NAME else f"#{font}"


_LONG = re.compile(r"[A-Za-z\u00c0-\u024f]{15,}|[가-힣]{12,}")
"""A word of so many letters is one in three hundred in English prose, and rarer in Korean: enough to find a page."""
_RATHER_LONG = re.compile(r"[A-Za-z\u00c0-\u024f]{11,}|[가-힣]{8,}")
"""On a page that has lost spaces, words of so many letters are looked into."""
_APART = 0.06
"""Share of the type size by which the gap between two words is wider than that between letters; kerning is less."""
_INNER_MARK = re.compile(r"[\w)\]”’\"'.,;:!?%][\w(\[“‘\"']")


def restore_spaces(lines: Iterable[PlacedLine], box: Callable[[int], Box | None]) -> None:
    """Put back the spaces of lines whose words are set apart by position alone, closer than PDFium takes for a space.

    PDFium wants about a sixth of the type size between two words. Tightly justified text has less, and comes out as
    "wasacollection". Looking at every character's place is slow, so only words that are likely too long to be one
    are looked into, and the rest of a line once such a word shows gaps. `box` gives the place of a character of the
    page's text.
    """
    placed_lines = [placed for placed in lines if placed.line.placed]
    if not any(_has_gaps(placed, _LONG, box) for placed in placed_lines):
        return
    for placed in placed_lines:
        if _has_gaps(placed, _RATHER_LONG, box):
            _insert(placed, box)


def _has_gaps(placed: PlacedLine, words: re.Pattern[str], box: Callable[[int], Box | None]) -> bool:
    """Whether one of the long words of a line has gaps inside."""
    for match in words.finditer(placed.line.text):
        gaps = _gaps(placed, *match.span(), box)
        if max(gaps) - median(gaps) > _APART * placed.line.size:
            return True
    return False


def _gaps(placed: PlacedLine, start: int, end: int, box: Callable[[int], Box | None]) -> list[float]:
    """White space behind each character from `start` to `end` - 2, in points."""
    boxes = [box(placed.start + at) for at in range(start, end)]
    return [b[0] - a[2] if a and b else 0.0 for a, b in pairwise(boxes)]


def _insert(placed: PlacedLine, box: Callable[[int], Box | None]) -> None:
    text = placed.line.text
    gaps = _gaps(placed, 0, len(text), box)
    letters = [gap for gap, pair in zip(gaps, pairwise(text), strict=True) if " " not in pair]
    limit = median(letters) + _APART * placed.line.size
    parts = [text[0]]
    for at, gap in enumerate(gaps):
        if gap > limit and _INNER_MARK.fullmatch(text[at : at + 2]):
            parts.append(" ")
        parts.append(text[at + 1])
    placed.line.text = "".join(parts)
