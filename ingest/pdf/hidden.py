"""Finds text that a page carries but does not show.

Cheap tests over the drawn objects name suspects; what only looks suspicious (a colour like the background's,
something painted over it, a clip, a layer) is confirmed by painting the page with and without it.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat
from typing import Any, NamedTuple

import pypdfium2.raw as c

from ingest.pdf.objects import (
    IDENTITY,
    IMAGE,
    PATH,
    SHADING,
    TEXT,
    Box,
    Colour,
    Drawing,
    Matrix,
    PageObjectReader,
    area,
    call,
    centre,
    contains,
    intersect,
    multiply,
    number_of,
    transform,
)
from ingest.visibility import CONTRAST, WHITE, same_to_the_eye

_SCALE = 1.5  # 108 dots an inch: 5-point type is 7 pixels high
_MAX_PIXELS = 2_500


@dataclass(slots=True)
class Canvas:
    """A painted page: rows of `stride` bytes, `channels` bytes a pixel; `scale` pixels a point."""

    pixels: bytes
    stride: int
    width: int
    height: int
    channels: int
    scale: float
    box: Box
    """The part of the page that was painted."""

    def differs(self, other: Canvas, box: Box) -> bool:
        """Whether any pixel under `box` has changed by as much as a reader could see."""
        left = max(0, int((box[0] - self.box[0]) * self.scale) - 1)
        right = min(self.width, int((box[2] - self.box[0]) * self.scale) + 2)
        top = max(0, int((self.box[3] - box[3]) * self.scale) - 1)
        bottom = min(self.height, int((self.box[3] - box[1]) * self.scale) + 2)
        for row in range(top, bottom):
            here = slice(row * self.stride + left * self.channels, row * self.stride + right * self.channels)
            mine, theirs = self.pixels[here], other.pixels[here]
            if mine != theirs and any(abs(x - y) >= CONTRAST for x, y in zip(mine, theirs, strict=True)):
                return True
        return False


def visible_objects(objects: Sequence[tuple[int, Box]], page: Any, box: Box) -> set[int]:
    """Handles of those objects (handle and bounds) whose absence can be seen on the painted page."""
    set_active = call("FPDFPageObj_SetIsActive")
    before = paint(page, box)
    for handle, _ in objects:
        set_active(handle, False)
    try:
        after = paint(page, box)
    finally:
        for handle, _ in objects:
            set_active(handle, True)
    return {handle for handle, bounds in objects if before.differs(after, bounds)}


def paint(page: Any, box: Box) -> Canvas:
    """Render a page without its rotation; `box` is its visible part."""
    longest = max(box[2] - box[0], box[3] - box[1], 1.0)
    scale = min(_SCALE, _MAX_PIXELS / longest)
    bitmap = page.render(scale=scale, rotation=-page.get_rotation() % 360, may_draw_forms=False)
    try:
        return Canvas(
            bytes(bitmap.buffer), bitmap.stride, bitmap.width, bitmap.height, bitmap.n_channels, scale, box
        )
    finally:
        bitmap.close()


_MAX_CAREFUL = 1_500  # above this many text objects on a page, clips and layers are not looked at
_FEW = 300
"""Up to so many text objects on a page each is judged; of more, those of every `_STEP`th character."""
_STEP = 8
_SCAN_SHARE = 0.5
"""A page whose images cover this share of it is a scan, and invisible text on it is its text layer."""
_FIGURE_SHARE = 0.2
_TINY = 2.0  # points; the smallest type that print uses on purpose is 4
_OPAQUE = 250
_FAINT = 12
_INVISIBLE_MODES = (c.FPDF_TEXTRENDERMODE_INVISIBLE, c.FPDF_TEXTRENDERMODE_CLIP)
_PATTERN = (191, 191, 191)
"""What PDFium gives for the colour of a pattern: such text is painted to see whether it shows."""
_SQUEEZED = 8.0
"""A run of text that is narrower than so many times its height may be squeezed: a thousand letters at 1 % are."""


class HidingMethod(StrEnum):
    """How a text was hidden, in the words of the ingest report."""

    INVISIBLE = "invisible"
    TRANSPARENT = "transparent"
    BACKGROUND = "colour of the background"
    TINY = "tiny type"
    OFF_PAGE = "off the page"
    COVERED = "covered"
    CLIPPED = "clipped away"
    LAYER = "hidden layer"
    ZERO_WIDTH = "zero-width characters"
    PATTERN = "pattern"
    MASKED = "masked"
    EMPTY = "empty glyphs"
    REPLACED = "replacement text that is not drawn"


_CERTAIN = (HidingMethod.INVISIBLE, HidingMethod.TRANSPARENT, HidingMethod.TINY, HidingMethod.OFF_PAGE)


@dataclass(slots=True)
class PaintedShape:
    """Something painted that text may stand on or vanish under."""

    order: int
    box: Box
    colour: tuple[int, int, int] | None
    """None for images and patterns: what they show is not known."""
    opaque: bool
    image: bool


class _Text(NamedTuple):
    order: int
    handle: int
    matrix: Matrix
    box: Box
    mode: int
    colour: Colour | None


@dataclass(slots=True)
class PageObjects:
    """What the objects of a page tell: hidden text by handle, and how much of the page is pictures."""

    hidden: dict[int, HidingMethod] = field(default_factory=dict)
    image_share: float = 0.0
    shapes: int = 0

    @property
    def scan(self) -> bool:
        return self.image_share >= _SCAN_SHARE


def remove_replacement_text(drawing: Drawing) -> bool:
    """Take away what marks of the text objects say in place of what is drawn (`ActualText`); whether any did.

    A text page that is loaded afterwards has the characters of the drawn glyphs. Blanks and hyphens may stay.
    """
    texts = [handle for handle, kind in zip(drawing.handles, drawing.kinds, strict=True) if kind == TEXT]
    mark_of, found, judged = call("FPDFPageObj_GetMark"), False, dict[int, bool]()
    for handle, count in zip(texts, map(_count_marks, texts), strict=True):
        for index in range(count - 1, -1, -1):
            mark = mark_of(handle, index)
            if mark not in judged:
                judged[mark] = _replaces(mark)
            if judged[mark]:
                found = bool(call("FPDFPageObj_RemoveMark")(handle, mark)) or found
    return found


def _replaces(mark: int) -> bool:
    """Whether a mark gives letters or digits as replacement text; one too long to look at does."""
    buffer, length = (ctypes.c_ushort * 64)(), ctypes.c_ulong()
    says = call("FPDFPageObjMark_GetParamStringValue")
    if not says(mark, b"ActualText", buffer, ctypes.sizeof(buffer), ctypes.byref(length)):
        return False
    if length.value > ctypes.sizeof(buffer):
        return True
    return any(map(str.isalnum, bytes(buffer)[: max(0, length.value - 2)].decode("utf-16-le", "replace")))


def inspect(page: Any, textpage: Any, drawing: Drawing, page_box: Box) -> PageObjects:
    """Look through the drawn objects of a page (pypdfium2's page and text page); `page_box` is its visible part."""
    shapes = _shapes(drawing)
    count = drawing.kinds.count(TEXT)
    found = PageObjects(shapes=len(shapes))
    covered = sum(area(intersect(s.box, page_box)) for s in shapes if s.image)
    found.image_share = min(1.0, covered / max(1.0, area(page_box)))
    judge = _Judge(page_box, shapes, found.scan, careful=count <= _MAX_CAREFUL)
    if count > _FEW and not any(map(judge.suspect, _sample(drawing, textpage))):
        return found
    texts = (_measured(at, handle, drawing) for at, handle, _ in drawing.of(TEXT.__eq__))
    suspects = [(text, way) for text in texts if (way := judge.suspect(text)) is not None]
    doubtful = [(text.handle, text.box) for text, way in suspects if way not in _CERTAIN]
    shown = visible_objects(doubtful, page, page_box) if doubtful else set()
    found.hidden = {text.handle: way for text, way in suspects if text.handle not in shown}
    return found


_reader = PageObjectReader()
_mode_of = call("FPDFTextObj_GetTextRenderMode")
_clip_of = call("FPDFPageObj_GetClipPath")
_count_clips = call("FPDFClipPath_CountPaths")
_count_marks = call("FPDFPageObj_CountMarks")
_font_of = call("FPDFTextObj_GetFont")
_is_embedded = call("FPDFFont_GetIsEmbedded")
_has_transparency = call("FPDFPageObj_HasTransparency")


def _shapes(drawing: Drawing) -> list[PaintedShape]:
    shapes: list[PaintedShape] = []
    for order, handle, kind in drawing.of(TEXT.__ne__):
        box = _bounds(handle, drawing)
        if box is not None and box[2] - box[0] > 3 and box[3] - box[1] > 3:  # rules hide nothing
            shape = _shape(order, handle, kind, box)
            if shape is not None:
                shapes.append(shape)
    return shapes


def _bounds(handle: int, drawing: Drawing) -> Box | None:
    box = _reader.bounds(handle)
    if box is None or not drawing.matrices:
        return box
    return transform(box, drawing.matrix(handle))


def _measured(order: int, handle: int, drawing: Drawing) -> _Text:
    box = _bounds(handle, drawing) or (0.0, 0.0, 0.0, 0.0)
    mode = _mode_of(handle)
    stroked = mode == c.FPDF_TEXTRENDERMODE_STROKE
    colour = _reader.stroke(handle) if stroked else _reader.fill(handle)
    return _Text(order, handle, drawing.matrix(handle), box, mode, colour)


def _sample(drawing: Drawing, textpage: Any) -> Iterator[_Text]:
    """The objects of every so many characters: some producers draw each letter as an object of its own."""
    order = dict(zip(drawing.handles, range(len(drawing.handles)), strict=True))
    count = c.FPDFText_CountChars(textpage.raw)
    at = map(call("FPDFText_GetTextObject"), repeat(number_of(textpage.raw)), range(0, count, _STEP))
    return (_measured(order[handle], handle, drawing) for handle in dict.fromkeys(at) if handle in order)


def _shape(order: int, handle: int, kind: int, box: Box) -> PaintedShape | None:
    if kind == IMAGE:
        see_through = bool(call("FPDFPageObj_HasTransparency")(handle))
        return PaintedShape(order, box, None, opaque=not see_through, image=True)
    if kind == SHADING:
        return PaintedShape(order, box, None, opaque=False, image=False)
    if kind != PATH:
        return None
    fill_mode, stroke = ctypes.c_int(), ctypes.c_int()
    drawn = call("FPDFPath_GetDrawMode")(handle, ctypes.byref(fill_mode), ctypes.byref(stroke))
    if not drawn or not fill_mode.value:
        return None
    colour = _reader.fill(handle)
    if colour is None:
        return PaintedShape(order, box, None, opaque=False, image=False)
    if colour[3] < _FAINT:
        return None
    opaque = colour[3] >= _OPAQUE
    return PaintedShape(order, box, colour[:3] if opaque else None, opaque=opaque, image=False)


class _Judge:
    def __init__(self, page_box: Box, shapes: list[PaintedShape], scan: bool, *, careful: bool) -> None:
        self._page_box, self._shapes, self._scan, self._careful = page_box, shapes, scan, careful
        self._figures = [s.box for s in shapes if s.image and area(s.box) >= _FIGURE_SHARE * area(page_box)]
        self._covers = [s for s in shapes if s.opaque]
        self._last_cover = self._covers[-1].order if self._covers else -1
        self._readable: dict[Colour | None, bool] = {None: True}
        self._type3: dict[int, bool] = {}

    def suspect(self, text: _Text) -> HidingMethod | None:
        """In what way a text may be hidden, or None."""
        box, mode = text.box, text.mode
        width, height = box[2] - box[0], box[3] - box[1]
        if width <= 0 and height <= 0:
            return None  # blanks draw nothing
        if mode in _INVISIBLE_MODES:
            return None if self._layer_of_scan(text) else HidingMethod.INVISIBLE
        left, bottom, right, top = self._page_box
        if not (box[0] <= right and box[2] >= left and box[1] <= top and box[3] >= bottom):
            return HidingMethod.OFF_PAGE
        if (height < _TINY or width < _SQUEEZED * height) and _is_tiny(text):
            return HidingMethod.TINY
        return self._by_glyphs(text) or self._by_colour(text)

    def _by_glyphs(self, text: _Text) -> HidingMethod | None:
        """Where bounds and colour say nothing of what is drawn: unless it shows when it is painted."""
        left, bottom, right, top = text.box
        flat = top <= bottom or right <= left
        # of a font that is not in the file this machine may just lack the glyphs
        if self._is_type3(text.handle) or (flat and _is_embedded(_font_of(text.handle)) != 0):
            return HidingMethod.EMPTY
        if _has_transparency(text.handle) and (text.colour is None or text.colour[3] >= _FAINT):
            return HidingMethod.MASKED
        return HidingMethod.PATTERN if text.colour is not None and text.colour[:3] == _PATTERN else None

    def _by_colour(self, text: _Text) -> HidingMethod | None:
        """Faded, covered, clipped away or in a hidden layer."""
        order, colour = text.order, text.colour
        readable = self._readable.get(colour)
        if readable is None:
            readable = self._readable[colour] = self._reads_anywhere(colour)
        if not readable and (way := self._faded(text)):
            return way
        if order < self._last_cover and self._covered(text):
            return HidingMethod.COVERED
        return self._careful_suspect(text) if self._careful else None

    def _is_type3(self, handle: int) -> bool:
        """Whether the font's glyphs are drawings of the file's own, whose bounds the file may state as it likes."""
        font = _font_of(handle)
        if font not in self._type3:
            size = ctypes.c_size_t()
            known = font and call("FPDFFont_GetFontData")(font, None, 0, ctypes.byref(size))
            self._type3[font] = bool(known) and size.value == 0
        return self._type3[font]

    def _reads_anywhere(self, colour: Colour | None) -> bool:
        """Whether text of this colour shows on the paper and on all that is painted on the page."""
        if colour is None:
            return True
        grounds = [WHITE, *(s.colour for s in self._shapes if s.colour is not None)]
        return colour[3] >= _FAINT and not any(same_to_the_eye(colour[:3], ground) for ground in grounds)

    def _faded(self, text: _Text) -> HidingMethod | None:
        """Transparent, or of the colour of the topmost thing below it."""
        assert text.colour is not None
        if text.colour[3] < _FAINT:
            return HidingMethod.TRANSPARENT
        below = (s for s in reversed(self._shapes) if s.order < text.order and _inside(text.box, s.box))
        shape = next(below, None)
        ground = WHITE if shape is None else shape.colour
        alike = ground is not None and same_to_the_eye(text.colour[:3], ground)
        return HidingMethod.BACKGROUND if alike else None

    def _layer_of_scan(self, text: _Text) -> bool:
        return self._scan or any(_inside(text.box, figure) for figure in self._figures)

    def _covered(self, text: _Text) -> bool:
        """Painted over afterwards; by a scan's picture it is that scan's text layer."""
        for shape in reversed(self._covers):
            if shape.order < text.order:
                return False
            if contains(shape.box, text.box):
                return not (shape.image and self._layer_of_scan(text))
        return False

    def _careful_suspect(self, text: _Text) -> HidingMethod | None:
        clip = _clip_of(text.handle)
        if clip and _count_clips(clip) > 0 and _outside_clip(text, clip):
            return HidingMethod.CLIPPED
        return HidingMethod.LAYER if _in_layer(text.handle) else None


def _is_tiny(text: _Text) -> bool:
    """Whether the font size on the page is under 2 points: a full stop has small bounds in any size."""
    size = _reader.font_size(text.handle)
    own = _reader.matrix(text.handle)
    a, b, cc, d, _, _ = own if text.matrix is IDENTITY else multiply(own, text.matrix)
    return size * min(math.hypot(a, b), math.hypot(cc, d)) < _TINY


def _outside_clip(text: _Text, clip: int) -> bool:
    for path in range(_count_clips(clip)):
        xs, ys = [], []
        for index in range(max(0, call("FPDFClipPath_CountPathSegments")(clip, path))):
            segment = call("FPDFClipPath_GetPathSegment")(clip, path, index)
            x, y = ctypes.c_float(), ctypes.c_float()
            if call("FPDFPathSegment_GetPoint")(segment, ctypes.byref(x), ctypes.byref(y)):
                xs.append(x.value)
                ys.append(y.value)
        if not xs:
            continue
        clip_box = transform((min(xs), min(ys), max(xs), max(ys)), text.matrix)
        if area(intersect(text.box, clip_box)) <= 0:
            return True
    return False


def _in_layer(handle: int) -> bool:
    """Whether the object is marked as optional content (`/OC /Name BDC`)."""
    marks = _count_marks(handle)
    if marks <= 0:
        return False
    name = (ctypes.c_ushort * 4)()
    length = ctypes.c_ulong()
    for index in range(marks):
        mark = call("FPDFPageObj_GetMark")(handle, index)
        named = call("FPDFPageObjMark_GetName")(mark, name, ctypes.sizeof(name), ctypes.byref(length))
        # "OC" in UTF-16 with its terminator takes six bytes
        if named and length.value == 6 and (name[0], name[1]) == (ord("O"), ord("C")):
            return True
    return False


def _inside(box: Box, outer: Box) -> bool:
    x, y = centre(box)
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]
