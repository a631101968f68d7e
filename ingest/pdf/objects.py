"""Walks the drawn objects of a PDFium page in painting order, those inside forms included.

pypdfium2 declares a pointer type for every kind of handle, and ctypes makes an object of each that passes. Pages
with thousands of drawn objects are asked about one by one, where plain numbers take half the time.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import Any

import pypdfium2.raw as c


@cache
def call(name: str) -> Any:
    """The function `name` of PDFium; pointers go in and come out as numbers, and null as None.

    Buffers and `ctypes.byref(...)` are passed as usual.
    """
    declared = getattr(c, name)
    prototype = ctypes.CFUNCTYPE(_plain(declared.restype), *map(_plain, declared.argtypes))
    return prototype(ctypes.cast(declared, ctypes.c_void_p).value or 0)


def number_of(handle: Any) -> int:
    """A handle of pypdfium2 as a number."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def _plain(kind: Any) -> Any:
    is_pointer = isinstance(kind, type) and issubclass(kind, ctypes._Pointer)
    return ctypes.c_void_p if is_pointer else kind


TEXT, PATH, IMAGE, SHADING, FORM = (
    c.FPDF_PAGEOBJ_TEXT,
    c.FPDF_PAGEOBJ_PATH,
    c.FPDF_PAGEOBJ_IMAGE,
    c.FPDF_PAGEOBJ_SHADING,
    c.FPDF_PAGEOBJ_FORM,
)
_MAX_DEPTH = 8
_MOST_OBJECTS = _MOST_IN_FORMS = 40_000
_FLOATS = struct.Struct("4f").unpack
_NUMBERS = struct.Struct("4I").unpack

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in points."""
Colour = tuple[int, int, int, int]
Matrix = tuple[float, float, float, float, float, float]
IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(slots=True)
class Drawing:
    """What a page draws, in painting order, the contents of forms in the place of the forms."""

    handles: list[int]
    kinds: list[int]
    matrices: dict[int, Matrix]
    """Of objects inside forms, by handle: what takes their coordinates to the page's."""

    def of(self, wanted: Callable[[int], bool]) -> list[tuple[int, int, int]]:
        """Place in painting order, handle and type of the objects of the wanted types."""
        return [(at, self.handles[at], kind) for at, kind in enumerate(self.kinds) if wanted(kind)]

    def matrix(self, handle: int) -> Matrix:
        """The matrix of an object, that of the page itself unless it is inside a form."""
        return self.matrices.get(handle, IDENTITY)


def drawing_of(page: Any) -> Drawing:
    """The drawn objects of pypdfium2's page, at most about `_MOST_OBJECTS` of them.

    Written for speed: a producer that draws every letter by itself puts thousands of objects on a page.
    """
    handle = number_of(page.raw)
    count = min(_MOST_OBJECTS, call("FPDFPage_CountObjects")(handle))
    handles = list(map(call("FPDFPage_GetObject"), repeat(handle), range(count)))
    kinds = list(map(call("FPDFPageObj_GetType"), handles))
    if FORM not in kinds:
        return Drawing(handles, kinds, {})
    unfolded = Drawing([], [], {})
    for handle, kind in zip(handles, kinds, strict=True):
        _unfold(handle, kind, IDENTITY, 0, unfolded)
    return unfolded


def _unfold(handle: int, kind: int, matrix: Matrix, depth: int, into: Drawing) -> None:
    """Append an object, or in place of a form what it draws."""
    if kind != FORM:
        into.handles.append(handle)
        into.kinds.append(kind)
        if matrix is not IDENTITY:
            into.matrices[handle] = matrix
        return
    if depth >= _MAX_DEPTH or len(into.handles) >= _MOST_IN_FORMS:
        return
    inner = multiply(own_matrix(handle), matrix)
    get, kind_of = call("FPDFFormObj_GetObject"), call("FPDFPageObj_GetType")
    for index in range(max(0, call("FPDFFormObj_CountObjects")(handle))):
        child = get(handle, index)
        _unfold(child, kind_of(child), inner, depth + 1, into)


def own_matrix(handle: int) -> Matrix:
    """The object's own matrix."""
    m = c.FS_MATRIX()
    if not call("FPDFPageObj_GetMatrix")(handle, ctypes.byref(m)):
        return IDENTITY
    return (m.a, m.b, m.c, m.d, m.e, m.f)


def multiply(first: Matrix, then: Matrix) -> Matrix:
    """The matrix that applies `first`, then `then` (PDF 1.7 reference, section 4.2.3)."""
    a, b, cc, d, e, f = first
    p, q, r, s, t, u = then
    linear = (a * p + b * r, a * q + b * s, cc * p + d * r, cc * q + d * s)
    return (*linear, e * p + f * r + t, e * q + f * s + u)


class PageObjectReader:
    """Reads bounds and colours into buffers that are made once: a page may hold thousands of objects."""

    def __init__(self) -> None:
        self._buffer = bytearray(16)
        self._memory = (ctypes.c_char * 16).from_buffer(self._buffer)
        start = ctypes.addressof(self._memory)
        self._places = (start, start + 4, start + 8, start + 12)
        self._matrix = (ctypes.c_float * 6)()
        self._size = ctypes.c_float()
        self._where = ctypes.addressof(self._matrix), ctypes.addressof(self._size)
        self._get_matrix, self._get_size = call("FPDFPageObj_GetMatrix"), call("FPDFTextObj_GetFontSize")
        self._get_bounds = call("FPDFPageObj_GetBounds")
        self._get_fill = call("FPDFPageObj_GetFillColor")
        self._get_stroke = call("FPDFPageObj_GetStrokeColor")

    def bounds(self, handle: int) -> Box | None:
        """Bounds in the coordinates of what holds the object, or None when PDFium has none."""
        if not self._get_bounds(handle, *self._places):
            return None
        box: Box = _FLOATS(self._buffer)
        return box

    def fill(self, handle: int) -> Colour | None:
        """Fill colour as red, green, blue, alpha (0 to 255); None for patterns and the like."""
        return self._colour() if self._get_fill(handle, *self._places) else None

    def stroke(self, handle: int) -> Colour | None:
        """Stroke colour, likewise."""
        return self._colour() if self._get_stroke(handle, *self._places) else None

    def matrix(self, handle: int) -> Matrix:
        """The object's own matrix."""
        if not self._get_matrix(handle, self._where[0]):
            return IDENTITY
        a, b, cc, d, e, f = self._matrix
        return a, b, cc, d, e, f

    def font_size(self, handle: int) -> float:
        """Of a text object, in its own units; 0 when PDFium has none."""
        return abs(self._size.value) if self._get_size(handle, self._where[1]) else 0.0

    def _colour(self) -> Colour:
        colour: Colour = _NUMBERS(self._buffer)
        return colour


def transform(box: Box, m: Matrix) -> Box:
    """The bounding box of a transformed box."""
    a, b, cc, d, e, f = m
    corners = [(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs = [a * x + cc * y + e for x, y in corners]
    ys = [b * x + d * y + f for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def area(box: Box) -> float:
    """Area in square points; 0 for an inverted box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def intersect(a: Box, b: Box) -> Box:
    """The common part, inverted when there is none."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def contains(outer: Box, inner: Box, slack: float = 1.0) -> bool:
    """Whether `inner` lies within `outer`, give or take `slack` points."""
    return (
        outer[0] - slack <= inner[0]
        and outer[1] - slack <= inner[1]
        and outer[2] + slack >= inner[2]
        and outer[3] + slack >= inner[3]
    )


def centre(box: Box) -> tuple[float, float]:
    """The middle of a box."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
