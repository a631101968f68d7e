"""Compares digits and letters as a page draws them with what its fonts say they are.

A font's character map (ToUnicode) can say 98 where the page shows 40: a reader sees one figure, a program quotes
another. A sample of each font's characters is cut from the painted page and compared with the same characters in the
standard fonts. Designs differ, so only a clear likeness to another character counts.
"""

from __future__ import annotations

import ctypes
import re
from collections import defaultdict
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as c
from numpy.typing import NDArray

from ingest.pdf.characters import Characters, font_name

DIGITS = frozenset("0123456789")
_COMPARED = re.compile("[0-9A-Za-z]")
_LOOKED_AT = re.compile("[0-9]|(?<![A-Za-z])[A-Za-z]")
"""Every digit, and one letter of each word: enough to see which fonts are there."""
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_SIDE = 24
"""Pixels of the square that a character is scaled to before it is compared."""
_SCALE = 3.0
"""Pixels a point: a digit of 7-point type is 15 pixels high."""
_MAX_PIXELS = 3_000
_CONTRAST = 60
_LEAST_HEIGHT = 4.0
_SAMPLES = 3
_CLEARLY = 0.12
"""Correlation by which another character must be nearer. Of 479 pairs of font and digit in 21 filings no true one is
over 0.08, and 98 % of wrong ones are over 0.1, in bold, italic and condensed type, too."""
_LIKE = 0.7
"""Correlation from which a cut-out looks like a character of the standard fonts at all: 19 of 20 digits of those
filings do, and one that a ruled line crosses does not."""
_ENOUGH_LETTERS = 4
_MOST_COMPARED = 12
_MOST_LETTERS = 0.6
"""A font whose letters are mostly drawn as other ones: of the fonts of those filings the worst has a third."""
_FONTS = ("Helvetica", "Helvetica-Bold", "Helvetica-Oblique", "Times-Roman", "Times-Bold", "Times-Italic",
          "Courier", "Courier-Bold")  # fmt: skip

Glyph = NDArray[np.float32]


class ShapeJudge:
    """The fonts of one document, by name; a font is looked at where its characters first appear."""

    def __init__(self) -> None:
        self._judged: dict[str, set[str]] = defaultdict(set)
        self._false: dict[str, set[str]] = defaultdict(set)

    def false_positions(self, page: Any, text: Characters) -> list[int]:
        """Where the text of a page (pypdfium2's) has characters that show other ones."""
        found = _by_font(text, [match.start() for match in _LOOKED_AT.finditer(text.text)])
        if any(font not in self._judged for font in found):
            found = _by_font(text, [match.start() for match in _COMPARED.finditer(text.text)])
        samples: dict[str, dict[str, list[int]]] = {}
        for font, places in found.items():
            judged = self._judged.get(font, set())
            new = {x: at[:_SAMPLES] for x, at in places.items() if x in DIGITS and x not in judged}
            if not judged:
                letters = [x for x in places if x in _LETTERS]
                new |= {x: places[x][:1] for x in letters[:_MOST_COMPARED]}
            if new:
                samples[font] = new
        if samples:
            self._judge(page, text, samples)
        if not any(self._false[font] for font in found):
            return []
        everywhere = _by_font(text, [match.start() for match in _COMPARED.finditer(text.text)])
        return sorted(
            at
            for font, places in everywhere.items()
            for x in places.keys() & self._false[font]
            for at in places[x]
        )

    def _judge(self, page: Any, text: Characters, samples: dict[str, dict[str, list[int]]]) -> None:
        painted = _Painted(page)
        for font, places in samples.items():
            likeness = {x: painted.likeness(x, text, positions) for x, positions in places.items()}
            self._judged[font] |= likeness.keys()
            wrong = {x for x, other in likeness.items() if other is not None and other > _CLEARLY}
            self._false[font] |= wrong & DIGITS
            compared = [x for x, other in likeness.items() if other is not None and x in _LETTERS]
            if len(compared) >= _ENOUGH_LETTERS and len(wrong - DIGITS) > _MOST_LETTERS * len(compared):
                self._false[font] |= _LETTERS


def _by_font(text: Characters, positions: list[int]) -> dict[str, dict[str, list[int]]]:
    """The positions by font and character. Fonts of one name are numbered as they appear on the page."""
    keys: dict[int, str] = {}
    names: dict[str, int] = defaultdict(int)
    found: dict[str, dict[str, list[int]]] = {}
    for at, font in zip(positions, text.fonts(positions), strict=True):
        if not font:
            continue
        if font not in keys:
            name = font_name(font)
            keys[font] = f"{name}#{names[name]}"
            names[name] += 1
        found.setdefault(keys[font], {}).setdefault(text.text[at], []).append(at)
    return found


class _Painted:
    """A page painted large enough to compare its characters."""

    def __init__(self, page: Any) -> None:
        self._left, bottom, right, self._top = page.get_bbox()
        longest = max(right - self._left, self._top - bottom, 1.0)
        self._scale = min(_SCALE, _MAX_PIXELS / longest)
        self._pixels = _grey(page, self._scale)

    def likeness(self, character: str, text: Characters, positions: list[int]) -> float | None:
        """By how much the drawn character is more like another one, in the middle of the samples; None for none."""
        others = DIGITS if character in DIGITS else _LETTERS
        same = {character, character.lower(), character.upper()}  # small capitals are letters, too
        margins = []
        for at in positions:
            glyph = self._cut(text, at)
            if glyph is not None:
                alike = _correlations(glyph)
                other = max(alike[x] for x in others - same)
                margins.append(other - max(alike[x] for x in same & others) if other > _LIKE else 0.0)
        return median(margins) if margins else None

    def _cut(self, text: Characters, position: int) -> Glyph | None:
        """The character as it is painted, None where it is too small or too faint to tell."""
        box = text.tight_box(position)
        if box is None or box[3] - box[1] < _LEAST_HEIGHT:
            return None
        left, right = (
            round((box[0] - self._left) * self._scale),
            round((box[2] - self._left) * self._scale) + 1,
        )
        top, bottom = round((self._top - box[3]) * self._scale), round((self._top - box[1]) * self._scale) + 1
        pixels = self._pixels[max(0, top) : bottom, max(0, left) : right]
        if min(pixels.shape) < 2 or int(pixels.max()) - int(pixels.min()) < _CONTRAST:
            return None
        around = self._pixels[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2]
        low, high = float(pixels.min()), float(pixels.max())
        ink = (pixels.astype(np.float32) - low) / np.float32(high - low)
        if text.brightness(position) < float(np.median(around)):
            ink = np.float32(1.0) - ink
        return _normalised(ink)


def _grey(page: Any, scale: float) -> NDArray[np.uint8]:
    bitmap = page.render(
        scale=scale, rotation=-page.get_rotation() % 360, grayscale=True, may_draw_forms=False
    )
    pixels: NDArray[np.uint8] = bitmap.to_numpy().copy()
    bitmap.close()
    return pixels[:, :, 0] if pixels.ndim == 3 else pixels


def _normalised(ink: Glyph) -> Glyph | None:
    """Ink between 0 and 1, cropped and scaled to the height of a square, as a unit vector; None for a speck."""
    rows, columns = np.nonzero(ink.max(axis=1) > 0.4)[0], np.nonzero(ink.max(axis=0) > 0.4)[0]
    if len(rows) < 6 or not len(columns):
        return None
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    across = max(1, min(_SIDE, round(_SIDE * width / height)))
    y = np.minimum(np.arange(_SIDE * 4) * height // (_SIDE * 4), height - 1)
    x = np.minimum(np.arange(across * 4) * width // (across * 4), width - 1)
    square = np.zeros((_SIDE, _SIDE), np.float32)
    left = (_SIDE - across) // 2
    square[:, left : left + across] = ink[np.ix_(y, x)].reshape(_SIDE, 4, across, 4).mean(axis=(1, 3))
    vector: Glyph = square.ravel() - square.mean()
    length = float(np.linalg.norm(vector))
    return vector / length if length else None


def _correlations(glyph: Glyph) -> dict[str, float]:
    """How much a cut-out is like each digit and letter in the standard font that is nearest."""
    characters, starts, references = _references()
    best = np.maximum.reduceat(references @ glyph, starts)
    return dict(zip(characters, best.tolist(), strict=True))


@cache
def _references() -> tuple[list[str], list[int], NDArray[np.float32]]:
    """Every digit and letter, where its rows begin, and a row for each standard font that it is drawn in.

    PDFium carries those fonts (PDF 1.7 reference, section 5.5.1).
    """
    characters = sorted(DIGITS | _LETTERS)
    document = pdfium.PdfDocument.new()
    page = document.new_page(40 * len(characters) + 40, 50 * len(_FONTS) + 40)
    found: dict[str, list[Glyph]] = defaultdict(list)
    for row, name in enumerate(_FONTS):
        font = c.FPDFText_LoadStandardFont(document.raw, name.encode())
        for column, character in enumerate(characters):
            drawn = c.FPDFPageObj_CreateTextObj(document.raw, font, 30.0)
            written = (ctypes.c_ushort * 2)(ord(character), 0)
            c.FPDFText_SetText(drawn, written)
            c.FPDFPageObj_Transform(drawn, 1, 0, 0, 1, 20 + 40 * column, 20 + 50 * row)
            c.FPDFPage_InsertObject(page.raw, drawn)
    c.FPDFPage_GenerateContent(page.raw)
    scale = 1.5
    pixels = np.float32(1.0) - _grey(page, scale).astype(np.float32) / np.float32(255)
    for row in range(len(_FONTS)):
        bottom = pixels.shape[0] - round((20 + 50 * row - 12) * scale)
        for column, character in enumerate(characters):
            left = round((20 + 40 * column - 6) * scale)
            glyph = _normalised(pixels[bottom - round(50 * scale) : bottom, left : left + round(38 * scale)])
            if glyph is not None:
                found[character].append(glyph)
    document.close()
    drawn_ones = sorted(found)
    starts = np.cumsum([0, *(len(found[character]) for character in drawn_ones)])[:-1].tolist()
    return drawn_ones, starts, np.array([glyph for character in drawn_ones for glyph in found[character]])
