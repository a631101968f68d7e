"""The language of a text, as far as the product must know it: Korean, English, or another."""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["ko", "en", "other"]

_HANGUL = re.compile("[가-힣ㄱ-ㆎ\u1100-\u11ff]")
_LATIN = re.compile("[A-Za-z]")
_LETTER = re.compile(r"[^\W\d_]")

KOREAN_SHARE = 0.5
"""Share of Hangul among the letters from which a text is Korean, whatever stands beside it."""
_ENGLISH_WORD = re.compile(
    r"\b(?:the|of|is|are|was|were|what|which|who|how|does|did|in|to|for|and)\b", re.IGNORECASE
)


def language_of(text: str) -> Language:
    """`ko`, `en` or `other`, by the scripts of the letters. A text without letters is `other`.

    A question such as "2023년 EBITDA는?" is Korean: its grammar is, whatever its terms are. With Hangul in
    the minority the words between decide: "What does 대한민국 mean?" is English.
    """
    letters = len(_LETTER.findall(text))
    if not letters:
        return "other"
    hangul = len(_HANGUL.findall(text))
    if hangul >= KOREAN_SHARE * letters or (hangul >= 0.05 * letters and not _ENGLISH_WORD.search(text)):
        return "ko"
    # Accented letters count as other scripts do: a little of them is a name, much is another language.
    return "en" if len(_LATIN.findall(text)) + hangul >= 0.9 * letters else "other"
