"""Where a quote may begin and end on a page: at the edges of words and numbers, never inside.

"15" does not stand in "2015" or "15%", "5.2%" not in "-5.2%", "able" not in "unable", "GAAP" not in "non-GAAP".
Korean glues particles to nouns, so a quote may end before them.
"""

from __future__ import annotations

import re

from rag.text.folding import (
    BREAK,
    DASH,
    HYPHEN,
    MANY,
    NONE,
    SIGN,
    SPACE,
    Folded,
    is_cjk,
    is_spaced,
    starts_number,
)
from rag.text.korean import is_particle

_HANGUL_RUN = re.compile("[가-힣]+")
_LOST_SPACING = 16
"""Hangul characters in a row after which a text is taken to have lost its spaces."""
_MAGNITUDES = "%‰‱°¢십백천만억조경"


def same_empty_cells(page_gap: int, quote_gap: int) -> bool:
    """Whether the dashes that a quote ends with, a table's empty cells, are the page's too."""
    if quote_gap > MANY:
        return page_gap >= quote_gap
    return quote_gap not in (DASH, SIGN) or page_gap in (DASH, SIGN) or page_gap > MANY


def starts_well(page: Folded, quote: Folded, start: int) -> bool:
    """Whether the quote begins where a word or number of the page does, with its sign if it has one."""
    if starts_with_minus(quote, 0) or starts_with_minus(page, start):
        return starts_with_minus(quote, 0) and starts_with_minus(page, start)
    if not start:
        return True
    left, right = page.solid[start - 1], page.solid[start]
    gap = page.gaps[start]
    if gap in (HYPHEN, BREAK):
        return not (page.hyphenated(start) and left.isalnum() and right.isalnum())
    return gap != NONE or _can_start(page, start)


def starts_with_minus(folded: Folded, index: int) -> bool:
    """Whether a number begins at `index` and a minus sign stands before it."""
    if not starts_number(folded.solid, index):
        return False
    gap = folded.gaps[index]
    tight = gap == HYPHEN and not (index and folded.solid[index - 1].isalnum())
    return gap == SIGN or tight


def _can_start(page: Folded, start: int) -> bool:
    """Whether a quote may begin right after the character before `start`, with no gap between."""
    left, right = page.solid[start - 1], page.solid[start]
    before = page.solid[start - 2 : start - 1] if page.gaps[start - 1] == NONE else ""
    if right.isdecimal() and left in "$€£¥₩":
        return False
    if right.isdecimal() and left in ".,:":
        return before.isalpha() if left == "." else not before.isdecimal()
    if left in '"′&_@' and is_spaced(right):
        return not before.isalnum()
    if not _is_word(left) or not _is_word(right):
        return True
    if _is_hangul(right):
        return _spacing_lost(page, start)
    return is_cjk(right) and is_cjk(left)


def ends_well(page: Folded, end: int) -> bool:
    """Whether the quote ends where a word or number of the page does; Korean particles may follow."""
    if end == len(page.solid):
        return True
    left, right = page.solid[end - 1], page.solid[end]
    gap = page.gaps[end]
    if left.isdecimal() and right in "%‰" and gap in (NONE, SPACE) and "\n" not in page.gap_text(end):
        return False
    if gap in (HYPHEN, BREAK):
        return not (page.hyphenated(end) and left.isalnum() and right.isalnum())
    return gap != NONE or _can_end(page, end)


def _can_end(page: Folded, end: int) -> bool:
    """Whether a quote may end right before the character at `end`, with no gap between."""
    left, right = page.solid[end - 1], page.solid[end]
    after = page.solid[end + 1 : end + 2] if page.gaps[end + 1] == NONE else ""
    if left.isdecimal() and (right.isdigit() or right in _MAGNITUDES):
        return False
    if left in ".,:" and right.isdecimal():
        return not page.solid[end - 2 : end - 1].isdecimal()
    if left.isdecimal() and right in ".,:":
        return not after.isdecimal()
    if right in '"′&_@' and is_spaced(left):
        return not (after and is_spaced(after)) or _is_possessive(page, end)
    if not _is_word(left) or not _is_word(right):
        return True
    if _is_hangul(right):
        return _may_precede(page, end)
    return is_cjk(left) and is_cjk(right)


def _is_word(character: str) -> bool:
    return character.isalpha() or character.isdecimal()


def _is_possessive(page: Folded, end: int) -> bool:
    """Whether 's, and no more of a word, follows what ends at `end`."""
    if page.solid[end : end + 2] not in ('"s', '"S', "′s"):
        return False
    return page.gaps[end + 2] != NONE or not _is_word(page.solid[end + 2])


def _may_precede(page: Folded, end: int) -> bool:
    """Whether the Hangul glued to what ends at `end` is only particles, so that the noun before is whole."""
    run = _HANGUL_RUN.match(page.solid, end)
    suffix = run[0] if run else ""
    glued = next((i for i in range(1, len(suffix)) if page.gaps[end + i]), len(suffix))
    left = page.solid[end - 1]
    if is_particle(suffix[:glued], after_number=left.isdecimal()) or _spacing_lost(page, end):
        return True
    # A script change is a boundary of its own: "KBS방송" holds the word KBS.
    return is_spaced(left) and not left.isdecimal()


def _spacing_lost(page: Folded, index: int) -> bool:
    """Whether `index` lies in so long a run of Hangul that the page's text must have lost its spaces."""
    start = end = index
    lowest, highest = max(0, index - _LOST_SPACING), min(len(page.solid), index + _LOST_SPACING)
    while start > lowest and page.gaps[start] == NONE and _is_hangul(page.solid[start - 1]):
        start -= 1
    while end < highest and (end == index or page.gaps[end] == NONE) and _is_hangul(page.solid[end]):
        end += 1
    return end - start > _LOST_SPACING


def _is_hangul(character: str) -> bool:
    return "가" <= character <= "힣"
