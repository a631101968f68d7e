"""Walks the drawn objects of a PDFium page in painting order, those inside forms included."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pypdfium2.raw as c

TEXT, PATH, IMAGE, SHADING, FORM = (
    c.FPDF_PAGEOBJ_TEXT,
    c.FPDF_PAGEOBJ_PATH,
    c.FPDF_PAGEOBJ_IMAGE,
    c.FPDF_PAGEOBJ_SHADING,
    c.FPDF_PAGEOBJ_FORM,
)
_MAX_DEPTH = 8

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in points."""
Colour = tuple[int, int, int, int]
Matrix = tuple[float, float, float, float, float, float]
IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


Drawn = tuple[int, Any, int, Matrix]
"""An object's place in painting order, its handle, its type, and the matrix that takes it to the page."""


def drawn_objects(page: Any, limit: int) -> tuple[list[Drawn], list[Drawn]]:
    """The text objects of a page handle, and all others, at most about `limit` in all.

    Written for speed: a producer that draws every letter by itself puts thousands of objects on a page.
    """
    texts: list[Drawn] = []
    others: list[Drawn] = []
    get, kind_of = c.FPDFPage_GetObject, c.FPDFPageObj_GetType
    order = 0
    for index in range(min(limit, c.FPDFPage_CountObjects(page))):
        handle = get(page, index)
        kind = kind_of(handle)
        if kind == TEXT:
            texts.append((order, handle, TEXT, IDENTITY))
        elif kind != FORM:
            others.append((order, handle, kind, IDENTITY))
        else:
            for inner, inner_kind, matrix in _inside_form(handle, IDENTITY, limit, 1):
                order += 1
                (texts if inner_kind == TEXT else others).append((order, inner, inner_kind, matrix))
        order += 1
    return texts, others


def _inside_form(form: Any, matrix: Matrix, limit: int, depth: int) -> Iterator[tuple[Any, int, Matrix]]:
    inner = multiply(own_matrix(form), matrix)
    for index in range(min(limit, max(0, c.FPDFFormObj_CountObjects(form)))):
        handle = c.FPDFFormObj_GetObject(form, index)
        kind = c.FPDFPageObj_GetType(handle)
        if kind != FORM:
            yield handle, kind, inner
        elif depth < _MAX_DEPTH:
            yield from _inside_form(handle, inner, limit, depth + 1)


def own_matrix(handle: Any) -> Matrix:
    """The object's own matrix."""
    m = c.FS_MATRIX()
    if not c.FPDFPageObj_GetMatrix(handle, m):
        return IDENTITY
    return (m.a, m.b, m.c, m.d, m.e, m.f)


def multiply(first: Matrix, then: Matrix) -> Matrix:
    """The matrix that applies `first`, then `then` (PDF 1.7 reference, section 4.2.3)."""
    a, b, cc, d, e, f = first
    p, q, r, s, t, u = then
    linear = (a * p + b * r, a * q + b * s, cc * p + d * r, cc * q + d * s)
    return (*linear, e * p + f * r + t, e * q + f * s + u)


class Measure:
    """Reads bounds and colours into buffers that are made once: a page may hold thousands of objects."""

    def __init__(self) -> None:
        self._edges = (ctypes.c_float * 4)()
        self._colour = (ctypes.c_uint * 4)()
        self._edge_places = _elements(self._edges, ctypes.c_float)
        self._colour_places = _elements(self._colour, ctypes.c_uint)

    def bounds(self, handle: Any) -> Box | None:
        """Bounds in the coordinates of what holds the object, or None when PDFium has none."""
        if not c.FPDFPageObj_GetBounds(handle, *self._edge_places):
            return None
        return tuple(self._edges)

    def fill(self, handle: Any) -> Colour | None:
        """Fill colour as red, green, blue, alpha (0 to 255); None for patterns and the like."""
        return tuple(self._colour) if c.FPDFPageObj_GetFillColor(handle, *self._colour_places) else None

    def stroke(self, handle: Any) -> Colour | None:
        """Stroke colour, likewise."""
        return tuple(self._colour) if c.FPDFPageObj_GetStrokeColor(handle, *self._colour_places) else None


def _elements(array: Any, kind: Any) -> list[Any]:
    """A pointer to each element of a ctypes array."""
    step = ctypes.sizeof(kind)
    start = ctypes.addressof(array)
    return [ctypes.cast(start + step * i, ctypes.POINTER(kind)) for i in range(len(array))]


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


def address(handle: Any) -> int:
    """A handle as a number, to compare handles by; 0 for none. (`ctypes.cast` would take eight times as long.)"""
    return ctypes.addressof(handle.contents) if handle else 0
