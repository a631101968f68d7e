"""A picture of a PDF page with quotes marked, as a reader would with a felt pen."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from rag.errors import RagError
from rag.text.matching import MatchIndex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_RGB = 2  # colour type 2: truecolour
_LEVEL = 6


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """The PNG file (ISO/IEC 15948) of `pixels`, uint8 [height, width, 3] in the order red, green, blue."""
    height, width, _ = pixels.shape
    # Every row is preceded by its filter; "up" (2) makes the white of a page compress to nearly nothing.
    rows = np.full((height, 1 + 3 * width), 2, np.uint8)
    flat = np.ascontiguousarray(pixels).reshape(height, 3 * width)
    rows[:, 1:] = flat
    rows[1:, 1:] -= flat[:-1]
    header = _HEADER.pack(width, height, 8, _RGB, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), _LEVEL)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_SAME_LINE = 0.5
"""Share of the lower box's height by which two boxes on one line overlap."""
_SHORTEST_PART = 12
"""Characters of a piece that is still looked for when a quote does not stand on the page in one piece."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in PDF points, the origin at the lower left, as the page's own content has it."""

    left: float
    bottom: float
    right: float
    top: float

    def joined(self, other: Rect) -> Rect:
        """The smallest rectangle around both."""
        return Rect(
            min(self.left, other.left),
            min(self.bottom, other.bottom),
            max(self.right, other.right),
            max(self.top, other.top),
        )

    def beside(self, other: Rect) -> bool:
        """Whether both stand on one line."""
        overlap = min(self.top, other.top) - max(self.bottom, other.bottom)
        lower = min(self.top - self.bottom, other.top - other.bottom)
        return overlap > _SAME_LINE * lower


def boxes_on(page: Any, quotes: Sequence[str]) -> list[Rect]:
    """One rectangle for each line of each quote on an open pypdfium2 page; empty for a quote that is not there.

    A quote comes from the stored text, which was cleaned: columns put in order, words repaired. Where the page's raw
    characters do not hold it in one piece, its lines are looked for one by one, or its halves.
    """
    textpage = page.get_textpage()
    try:
        codes = [pdfium_c.FPDFText_GetUnicode(textpage, i) for i in range(textpage.count_chars())]
        index = MatchIndex("".join(map(_character, codes)))
        ranges = [found for quote in quotes for found in _ranges(index, quote)]
        return [rect for start, end in ranges for rect in _lines(textpage, start, end)]
    finally:
        textpage.close()


def _character(code: int) -> str:
    """One character for each of PDFium's, so that positions in the text are its character numbers."""
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else " "


def _ranges(index: MatchIndex, quote: str) -> Iterator[tuple[int, int]]:
    match = index.find(quote)
    if match is not None:
        yield from match.parts
        return
    for piece in _pieces(quote):
        found = index.find(piece)
        if found is not None:
            yield from found.parts


def _pieces(quote: str) -> Iterator[str]:
    """The lines of the quote; of a single line its halves, when they are long enough to be told apart."""
    lines = [line for line in quote.splitlines() if line.strip()]
    if len(lines) > 1:
        yield from lines
        return
    words = quote.split()
    middle = len(words) // 2
    for half in (" ".join(words[:middle]), " ".join(words[middle:])):
        if len(half) >= _SHORTEST_PART:
            yield half


def _lines(textpage: Any, start: int, end: int) -> Iterator[Rect]:
    """The characters' boxes joined line by line."""
    line: Rect | None = None
    for i in range(start, end):
        box = Rect(*textpage.get_charbox(i, loose=True))
        if box.right <= box.left or box.top <= box.bottom:
            continue
        if line is not None and not line.beside(box):
            yield line
            line = None
        line = box if line is None else line.joined(box)
    if line is not None:
        yield line


@dataclass(frozen=True, slots=True)
class MarkedCell:
    """A cell of a table to mark, and the headers of its column, outermost first."""

    box: tuple[float, float, float, float]
    """Left, bottom, right, top in points on the page as it is read: from its corner, turned upright."""
    headers: tuple[str, ...] = ()


def cell_boxes(page: Any, cell: MarkedCell) -> list[Rect]:
    """On an open pypdfium2 page the rectangle of the cell, then those of its headers above it that are found.

    On a page that is turned the headers are not looked for.
    """
    found = [_on_page(page, cell.box)]
    if page.get_rotation():
        return found
    textpage = page.get_textpage()
    try:
        for header in reversed([header for header in cell.headers if header.strip()]):
            search, above = textpage.search(header), []
            while (match := search.get_next()) is not None:
                above += [
                    rect for rect in _lines(textpage, match[0], sum(match)) if rect.bottom >= found[0].top - 1
                ]
            nearest = min(above, key=lambda rect: (_aside(rect, found[0]), rect.bottom), default=None)
            if nearest is not None and _aside(nearest, found[0]) < _NEAR_COLUMN:
                found.append(nearest)
    finally:
        textpage.close()
    return found


def _aside(rect: Rect, cell: Rect) -> float:
    """Points between two rectangles from left to right; 0 for one above the other."""
    return max(0.0, cell.left - rect.right, rect.left - cell.right)


def _on_page(page: Any, box: tuple[float, float, float, float]) -> Rect:
    """A box of the upright page in the page's own coordinates."""
    left, bottom, right, top = box
    x, y, far_x, far_y = page.get_bbox()
    width, height = far_x - x, far_y - y
    turned = {
        90: (width - top, left, width - bottom, right),
        180: (width - right, height - top, width - left, height - bottom),
        270: (bottom, height - right, top, height - left),
    }.get(page.get_rotation(), box)
    return Rect(turned[0] + x, turned[1] + y, turned[2] + x, turned[3] + y)


SCALE = 2.0
"""Default pixels per point: 144 dots per inch, easily read on a screen."""
LARGEST = 25_000_000
"""Most pixels of a picture; a larger page is drawn at a smaller scale."""
_LOCK = threading.Lock()
"""PDFium may be used by one thread at a time."""
_YELLOW = (1.0, 0.93, 0.35)
_ORANGE = (1.0, 0.72, 0.3)
_NEAR_COLUMN = 100.0
"""Points by which a column's header may stand beside its figures: one to the left, the others to the right."""
_PADDING = 1.5
"""Points by which a mark is larger than the letters."""


_AROUND = (48.0, 42.0)
"""Points that a picture cropped to its quotes shows to the left and right of them, above and below."""
_NARROWEST = 300.0
"""Points that a cropped picture is wide at least: less would be enlarged beyond what is easily read."""


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page as a PNG, and where the marks are on it."""

    png: bytes
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """Left, top, right and bottom of each mark, as shares of the picture's width and height."""


def draw_page(
    path: str | Path,
    page: int,
    quotes: Sequence[str] = (),
    *,
    cell: MarkedCell | None = None,
    scale: float = SCALE,
    crop: bool = False,
    passwords: Sequence[str] = (),
) -> PagePicture:
    """The picture of a PDF's page (`page` counted from 1), the quotes marked; one that is not there is not marked.

    A cell is marked in a colour of its own, its headers as the quotes are. `crop` shows the marks with a little
    around them. `passwords` are tried on an encrypted file. Raises RagError when the file is not a PDF that can be
    read, or has no such page.
    """
    with _open(path, page, passwords) as opened:
        width, height = opened.get_size()
        scale = min(scale, (LARGEST / max(width * height, 1.0)) ** 0.5)
        bitmap = opened.render(scale=scale, rev_byteorder=True)
        convert = bitmap.get_posconv(opened)
        pixels = bitmap.to_numpy()[:, :, :3].copy()
        value, *headers = cell_boxes(opened, cell) if cell is not None else (None,)
        marks = [_corners(rect, convert) for rect in [*boxes_on(opened, quotes), *headers]]
        for corners in marks:
            _mark(pixels, corners, _YELLOW)
        if value is not None:
            marks.append(_corners(value, convert))
            _mark(pixels, marks[-1], _ORANGE)
    if crop and marks:
        left, top, right, bottom = _frame(marks, scale, pixels.shape[1])
        pixels = pixels[top:bottom, left:right]
        marks = [(x - left, y - top, x2 - left, y2 - top) for x, y, x2, y2 in marks]
    high, wide, _ = pixels.shape
    shares = tuple((x / wide, y / high, min(x2 / wide, 1.0), min(y2 / high, 1.0)) for x, y, x2, y2 in marks)
    return PagePicture(encode_png(pixels), shares)


def _frame(marks: Sequence[tuple[int, int, int, int]], scale: float, width: int) -> tuple[int, int, int, int]:
    """What a cropped picture shows, in pixels."""
    beside, above = (round(points * scale) for points in _AROUND)
    left, right = min(m[0] for m in marks) - beside, max(m[2] for m in marks) + beside
    missing = max(round(_NARROWEST * scale) - (right - left), 0)
    left, right = left - missing // 2, right + missing // 2
    return (
        max(left, 0),
        max(min(m[1] for m in marks) - above, 0),
        min(right, width),
        max(m[3] for m in marks) + above,
    )


def render_page(
    path: str | Path,
    page: int,
    quotes: Sequence[str] = (),
    *,
    cell: MarkedCell | None = None,
    scale: float = SCALE,
    passwords: Sequence[str] = (),
) -> bytes:
    """The PNG alone that `draw_page` gives."""
    return draw_page(path, page, quotes, cell=cell, scale=scale, passwords=passwords).png


def _corners(rect: Rect, convert: Any) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a rectangle in pixels, whichever way the page is turned."""
    first = convert.to_bitmap(rect.left - _PADDING, rect.top + _PADDING)
    second = convert.to_bitmap(rect.right + _PADDING, rect.bottom - _PADDING)
    (left, right), (top, bottom) = sorted((first[0], second[0])), sorted((first[1], second[1]))
    return max(left, 0), max(top, 0), max(right, 0), max(bottom, 0)


def _mark(
    pixels: NDArray[np.uint8], corners: tuple[int, int, int, int], colour: tuple[float, float, float]
) -> None:
    """Tint a rectangle: white takes the colour, black letters stay black."""
    left, top, right, bottom = corners
    area = pixels[top:bottom, left:right]
    area[:] = (area * np.array(colour)).astype(np.uint8)


@contextmanager
def _open(path: str | Path, page: int, passwords: Sequence[str]) -> Iterator[Any]:
    """The open page of a PDF. Raises RagError."""
    path = Path(path)
    if not path.is_file():
        raise RagError(f"{path} is not there any more, so its page cannot be drawn.")
    with _LOCK:
        yield from _opened(path, page, passwords)


def _opened(path: Path, page: int, passwords: Sequence[str]) -> Iterator[Any]:
    document = _document(path, page, passwords)
    try:
        if not 1 <= page <= len(document):
            raise RagError(f"{path.name} has {len(document)} pages: there is no page {page} to draw.")
        opened = document[page - 1]
        try:
            yield opened
        finally:
            opened.close()
    except pdfium.PdfiumError as error:
        raise RagError(f"Page {page} of {path.name} cannot be drawn: PDFium could not read it.") from error
    finally:
        document.close()


def _document(path: Path, page: int, passwords: Sequence[str]) -> Any:
    """The open PDF. PDFium takes any password for a file that needs none."""
    reason = "it is not a PDF that can be read"
    for password in passwords or (None,):
        try:
            return pdfium.PdfDocument(path, password=password)
        except pdfium.PdfiumError as error:
            if "password" not in str(error).lower():
                break
            needs = "it needs a password (`rag show --password`)"
            reason = needs if password is None else "none of the passwords given opens it"
    raise RagError(f"Page {page} of {path.name} cannot be drawn: {reason}.")
