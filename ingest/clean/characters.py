"""Characters as they are stored: composed, ligatures and compatibility forms plain, nothing invisible."""

from __future__ import annotations

import re
import unicodedata

from ingest.raw import count_visible
from rag.text.normalise import INVISIBLE, SOFT_HYPHENS, plain_form

_BLANKS = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_INNER_SOFT_HYPHEN = re.compile(f"[{SOFT_HYPHENS}](?!\\s*$)")
_GLYPH_NAMES = re.compile(r"(?:/[A-Za-z]{0,4}\d{1,6}){2,}|\(cid:\d+\)")
_UNREADABLE = re.compile(r"[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f]|[\U000f0000-\U0010ffff]")


class _PlainForms(dict[int, str]):
    """A translation table that is filled as characters are met."""

    def __missing__(self, code: int) -> str:
        form = self[code] = plain_form(chr(code))
        return form


_PLAIN = _PlainForms()


def plain(text: str) -> str:
    """A text as it is stored, white space within lines as single blanks.

    A soft hyphen stays at the very end of the text, where it says that a word goes on; elsewhere it goes.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_PLAIN))
        text = INVISIBLE.sub("", _INNER_SOFT_HYPHEN.sub("", text))
    elif not text.isprintable():
        text = INVISIBLE.sub("", _INNER_SOFT_HYPHEN.sub("", text))
    return _BLANKS.sub(" ", text).strip(" ")


def unify_line_ends(text: str) -> str:
    """Every kind of line end as a line feed."""
    return _LINE_ENDS.sub("\n", text)


def unreadable_share(text: str) -> float:
    """From 0 to 1: how much of a text's visible characters no reader could read.

    Replacement and private-use characters, control characters, and glyph names in place of letters.
    """
    bad = len(_UNREADABLE.findall(text)) if _UNREADABLE.search(text) else 0
    if "/" in text or "(cid:" in text:
        bad += sum(len(match) for match in _GLYPH_NAMES.findall(text))
    return min(1.0, bad / max(1, count_visible(text))) if bad else 0.0


def readable_count(text: str) -> int:
    """Visible characters that a reader could read."""
    visible = count_visible(text)
    return round(visible * (1.0 - unreadable_share(text)))
