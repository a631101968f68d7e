"""Paints a page with and without some of its objects, to see whether a reader could see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingest.pdf.calls import call
from ingest.pdf.objects import Box

CONTRAST = 24
"""Of 255: colours nearer to each other than this cannot be told apart by a reader."""
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
