"""A picture of a PDF page with quotes marked, as a reader would with a felt pen."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import RagError
from rag.rendering.boxes import Rect, boxes_on
from rag.rendering.png import encode_png

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCALE = 2.0
"""Default pixels per point: 144 dots per inch, easily read on a screen."""
LARGEST = 25_000_000
"""Most pixels of a picture; a larger page is drawn at a smaller scale."""
_LOCK = threading.Lock()
"""PDFium may be used by one thread at a time."""
_YELLOW = (1.0, 0.93, 0.35)
_PADDING = 1.5
"""Points by which a mark is larger than the letters."""


def render_page(
    path: str | Path,
    page: int,
    quotes: Sequence[str] = (),
    *,
    scale: float = SCALE,
    passwords: Sequence[str] = (),
) -> bytes:
    """The PNG of a PDF's page (`page` counted from 1) with the quotes marked; one that is not there is not marked.

    `passwords` are tried on an encrypted file. Raises RagError when the file is not a PDF that can be read, or has
    no such page.
    """
    with _open(path, page, passwords) as opened:
        width, height = opened.get_size()
        scale = min(scale, (LARGEST / max(width * height, 1.0)) ** 0.5)
        bitmap = opened.render(scale=scale, rev_byteorder=True)
        convert = bitmap.get_posconv(opened)
        pixels = bitmap.to_numpy()[:, :, :3].copy()
        for rect in boxes_on(opened, quotes):
            _mark(pixels, _corners(rect, convert))
    return encode_png(pixels)


def quote_boxes(path: str | Path, page: int, quote: str, *, passwords: Sequence[str] = ()) -> list[Rect]:
    """The rectangles, one a line, that the quote takes on the page; empty when it is not there.

    Raises RagError as `render_page` does.
    """
    with _open(path, page, passwords) as opened:
        return boxes_on(opened, [quote])


def _corners(rect: Rect, convert: Any) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a rectangle in pixels, whichever way the page is turned."""
    first = convert.to_bitmap(rect.left - _PADDING, rect.top + _PADDING)
    second = convert.to_bitmap(rect.right + _PADDING, rect.bottom - _PADDING)
    (left, right), (top, bottom) = sorted((first[0], second[0])), sorted((first[1], second[1]))
    return max(left, 0), max(top, 0), max(right, 0), max(bottom, 0)


def _mark(pixels: NDArray[np.uint8], corners: tuple[int, int, int, int]) -> None:
    """Tint a rectangle: white turns yellow, black letters stay black."""
    import numpy as np

    left, top, right, bottom = corners
    area = pixels[top:bottom, left:right]
    area[:] = (area * np.array(_YELLOW)).astype(np.uint8)


@contextmanager
def _open(path: str | Path, page: int, passwords: Sequence[str]) -> Iterator[Any]:
    """The open page of a PDF. Raises RagError."""
    path = Path(path)
    if not path.is_file():
        raise RagError(f"{path} is not there any more, so its page cannot be drawn.")
    with _LOCK:
        yield from _opened(path, page, passwords)


def _opened(path: Path, page: int, passwords: Sequence[str]) -> Iterator[Any]:
    import pypdfium2 as pdfium

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
    import pypdfium2 as pdfium

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
