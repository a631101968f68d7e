"""Write a picture as PNG: eight bits RGB, which is all a rendered page needs, so no imaging library is."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_RGB = 2  # colour type 2: truecolour
_LEVEL = 6


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """The PNG file (ISO/IEC 15948) of `pixels`, uint8 [height, width, 3] in the order red, green, blue."""
    import numpy as np

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
