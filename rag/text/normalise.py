"""Unicode normalisation that remembers where every character came from.

Cleaning and folding change a page's text; a quote must still be found in what the page held. `MappedText`
carries, for each character, the range of source characters it stands for, through every operation here.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from rag.text.patterns import lazy_compile

SOFT_HYPHENS = "\u00ad\ufffe\u0002"
"""A hyphen at a line's end: the soft hyphen, and what PDFium writes for one (U+FFFE, formerly U+0002)."""

_INVISIBLE = (
    "\u0000-\u0001\u0003-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f"  # controls, but not white space
    "\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef"
)
INVISIBLE = lazy_compile(f"[{_INVISIBLE}]+")
"""Zero-width and control characters, direction marks, variation selectors and tags: nothing a reader sees."""

# A base character with what composes onto it: combining marks, or Hangul vowels and finals after an initial.
_CLUSTER = lazy_compile(
    "[\u1100-\u115f\ua960-\ua97c][\u1160-\u11a7\ud7b0-\ud7c6]+[\u11a8-\u11ff\ud7cb-\ud7fb]*"
    "|[가-힣][\u11a8-\u11ff]"
    "|.[\u0300-\u034e\u0350-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f]+",
    re.DOTALL,
)
# Characters whose canonical form is another character even when they stand alone.
_SINGLETONS = lazy_compile(
    "[\u0340-\u0344\u0374\u037e\u0387\u0958-\u095f\u1f71-\u1ffd\u2000\u2001\u2126\u212a\u212b\u2329\u232a"
    "\uf900-\ufaff\ufb1d-\ufb4e]"
)
# Blocks in which compatibility forms live; `plain_form` decides on each character.
_FORMS = lazy_compile(
    "[\u00b5\u0132\u0133\u013f\u0140\u0149\u017f\u01c4-\u01cc\u01f1-\u01f3\u03d0-\u03f9\u0587\u2011\u2024\u2025"
    "\u2034-\u2057\u20a8\u2100-\u214f\u2160-\u217f\u222c-\u2230\u2474-\u24b5\u2a0c\u2a74-\u2a76\u2e9f\u2ef3"
    "\u2f00-\u2fd5\u3036-\u303a\u3131-\u318e\u3200-\u33ff\ufb00-\ufdff\ufe10-\ufe6f\ufe70-\ufefc\uff01-\uffee"
    "\U0001d400-\U0001d7ff]"
)
_COMPAT_JAMO = lazy_compile("[ㄱ-ㅎ][ㅏ-ㅣ](?:[ㄱ-ㅎ](?![ㅏ-ㅣ]))?")
_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_FINALS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"

# Superscripts, subscripts, fractions and circled forms keep their shape: 10² is not 102, nor 1½ 11/2.
_FOLDED_FORMS = ("<wi", "<na", "<co", "<no", "<sq", "<fo", "<sm", "<ve", "<in", "<me", "<fi", "<is")
"""How the tags wide, narrow, compat, noBreak, square, font, small, vertical and Arabic positions begin."""


@dataclass(frozen=True, slots=True)
class MappedText:
    """A text with, for each of its characters, the source range `origin[i]` to `until[i]` (exclusive).

    The arrays have one int per character of `text`. A character that was inserted has an empty range. Ranges
    never go backwards, so a range of the text maps to one range of the source.
    """

    text: str
    origin: array[int]
    until: array[int]

    @classmethod
    def of(cls, text: str) -> MappedText:
        """The identity: every character stands for itself."""
        numbers = _numbers(-(-len(text) // 4096))
        return cls(text, numbers[: len(text)], numbers[1 : len(text) + 1])

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """The source range behind characters `start` to `end` (exclusive); empty if that range is empty."""
        if start >= end:
            at = self.origin[start] if start < len(self.text) else (self.until[-1] if self.until else 0)
            return at, at
        return self.origin[start], self.until[end - 1]

    def sub(self, pattern: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str]) -> MappedText:
        """Replace every match by a literal string, or by what a function makes of the match.

        A replacement of the same length maps character to character; of another, each of its characters maps
        to the whole match.
        """
        pieces: list[str] = []
        origin, until = array("i"), array("i")
        at = 0
        for match in pattern.finditer(self.text):
            start, end = match.span()
            new = replacement if isinstance(replacement, str) else replacement(match)
            pieces += (self.text[at:start], new)
            origin.extend(self.origin[at:start])
            until.extend(self.until[at:start])
            if len(new) == end - start:
                origin.extend(self.origin[start:end])
                until.extend(self.until[start:end])
            else:
                first, last = self.source_span(start, end)
                origin.extend([first] * len(new))
                until.extend([last] * len(new))
            at = end
        if not pieces:
            return self
        pieces.append(self.text[at:])
        origin.extend(self.origin[at:])
        until.extend(self.until[at:])
        return MappedText("".join(pieces), origin, until)

    def replace_characters(self, pattern: re.Pattern[str], table: Mapping[int, str]) -> MappedText:
        """Replace each character that `pattern` matches by the one that `table` has for its code point."""
        text = pattern.sub(lambda m: table[ord(m[0])], self.text)
        if len(text) != len(self.text):
            raise ValueError("replace_characters maps one character to one; use sub for anything else")
        return MappedText(text, self.origin, self.until)

    def compose(self) -> MappedText:
        """NFC; Hangul written as separate letters, conjoining or compatibility jamo, becomes syllables."""
        composed = self
        if not unicodedata.is_normalized("NFC", self.text):
            composed = composed.sub(_CLUSTER, lambda m: unicodedata.normalize("NFC", m[0]))
            composed = composed.sub(_SINGLETONS, lambda m: unicodedata.normalize("NFC", m[0]))
        return composed.sub(_COMPAT_JAMO, lambda m: _syllable(m[0]))

    def fold_forms(self) -> MappedText:
        """Ligatures, full- and half-width, squared and other compatibility forms become the plain letters."""
        return self if self.text.isascii() else self.sub(_FORMS, lambda m: plain_form(m[0])).compose()

    def remove_invisible(self) -> MappedText:
        """Without zero-width and control characters (soft hyphens stay: they carry a decision)."""
        return self.sub(INVISIBLE, "")


@lru_cache(maxsize=8)
def _numbers(blocks: int) -> array[int]:
    """0, 1, 2, ... over so many blocks of 4,096: copying a slice is far faster than converting a range."""
    return array("i", range(blocks * 4096 + 1))


def count_visible(text: str) -> int:
    """Characters that are not white space."""
    return len(text) - sum(map(text.count, " \n\r\t\u00a0\u3000\f\v"))


def display_name(name: str) -> str:
    """A file name as shown and stored: composed (macOS gives NFD), without invisible characters."""
    return INVISIBLE.sub("", unicodedata.normalize("NFC", name))


@lru_cache(maxsize=4096)
def plain_form(character: str) -> str:
    """The plain letters of a compatibility character, or the character itself if its form carries meaning."""
    decomposition = unicodedata.decomposition(character)
    if not decomposition.startswith(_FOLDED_FORMS):
        return character
    # One level at a time, not NFKC, which would make m2 of ㎡.
    parts = (plain_form(chr(int(code, 16))) for code in decomposition.split()[1:])
    plain = unicodedata.normalize("NFC", "".join(parts))
    # Spacing diacritics decompose to a space and a mark, which would then compose with a neighbour.
    return plain if plain.strip() == plain else character


def _syllable(jamo: str) -> str:
    """One Hangul syllable of two or three compatibility jamo (Unicode standard, section 3.12)."""
    final = _FINALS.find(jamo[2]) + 1 if len(jamo) == 3 else 0
    initial = _INITIALS.find(jamo[0])
    if initial < 0 or (len(jamo) == 3 and not final):
        return jamo
    return chr(0xAC00 + (initial * 21 + ord(jamo[1]) - ord("ㅏ")) * 28 + final)
