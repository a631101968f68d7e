"""Finds the fonts of a PDF whose characters are not the ones they draw, and marks their text as unreadable."""

from __future__ import annotations

import ctypes
from collections import defaultdict

from ingest.clean.garbled import is_noise, may_hold_noise
from ingest.pdf.characters import Characters
from ingest.pdf.objects import call

UNREADABLE = "\ufffd"
_ENOUGH = 4_000
"""Characters of a font after which more change no verdict."""
_LONGEST_NAME = 128


class FontJudge:
    """The fonts of one document. Text of a font is collected over pages until there is enough for a verdict."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = defaultdict(str)

    def mark(self, text: Characters) -> int:
        """Replace the characters of a page that garbled fonts draw; returns how many visible ones they are."""
        if not may_hold_noise(text.text):
            return 0
        places: dict[int, list[int]] = defaultdict(list)
        for position, font in enumerate(text.fonts()):
            if font and not text.text[position].isspace():
                places[font].append(position)
        names = {font: _name(font) for font in places}
        for font, found in places.items():
            known = self._texts[names[font]]
            if len(known) < _ENOUGH:
                self._texts[names[font]] = f"{known} {_words(text.text, found)}"
        garbled = [at for font, found in places.items() if is_noise(self._texts[names[font]]) for at in found]
        text.replace(garbled, UNREADABLE)
        return len(garbled)


def _words(text: str, positions: list[int]) -> str:
    """The characters at the positions, with a blank where others lie between."""
    return "".join(
        text[at] if at - 1 == before else f" {text[at]}"
        for before, at in zip([-2, *positions], positions, strict=False)
    )


def _name(font: int) -> str:
    """The font's name in the document; its address where it has none."""
    buffer = ctypes.create_string_buffer(_LONGEST_NAME)
    length = call("FPDFFont_GetBaseFontName")(font, buffer, _LONGEST_NAME)
    return buffer.value.decode("latin-1") if 1 < length <= _LONGEST_NAME else f"#{font}"
