"""The form in which a quote and a page are compared, and where a quote may begin and end on a page.

White space and dashes are not characters here but *gaps*: what stands between two solid characters. Line
breaks move, hyphens come and go at line ends, Hangul spacing varies; the solid characters do not. Two texts
are the same when their solid characters are equal and each gap is as good as its counterpart (`same_gap`).

"15" does not stand in "2015" or "15%", "5.2%" not in "-5.2%", "able" not in "unable", "GAAP" not in "non-GAAP".
Korean glues particles to nouns, so a quote may end before them.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress

from rag.text.language import is_particle
from rag.text.normalise import SOFT_HYPHENS, MappedText
from rag.text.patterns import lazy_compile

NONE, SPACE, HYPHEN, BREAK, DASH, SIGN, MANY = range(7)
"""Kinds of gap: nothing; white space; a tight dash (`a-b`); a dash that may be a line's hyphenation (`a- b`,
or a soft hyphen); a spaced dash (`a - b`); what may be a minus (`a -b`); several dashes (MANY + how many)."""

_QUOTES = "'`´‘’‚‛“”„‟«»‹›「」『』〝〞〟‵‶ʼʹ"
_DASHES = "‐‑‒–—―−⁃﹘﹣－⸺⸻─━"
_TABLE = {ord(c): '"' for c in _QUOTES}
_TABLE |= {ord(c): "-" for c in _DASHES}
_TABLE |= {ord(c): "~" for c in "∼～〜˜"} | {ord(c): "·" for c in "ㆍ・‧∙⋅･ᆞ"}
_TABLE |= {ord("〈"): "<", ord("〉"): ">", ord("⟨"): "<", ord("⟩"): ">"}
_TABLE |= {ord("。"): ".", ord("、"): ",", ord("，"): ",", ord("⁄"): "/", ord("∕"): "/"}

_ELLIPSIS = lazy_compile(r"\.(?:[ \u00a0]?\.){2,}|…+|⋯+")
_QUOTE_RUN = lazy_compile('"{2,}')
# After a digit the marks mean feet and inches, or minutes and seconds; elsewhere their kind means nothing.
_PRIME = lazy_compile("(?<=[0-9])(?:['‘’′]{2}|[\"“”„″])|(?<=[0-9])['‘’′]|[′″]")
_GAP = lazy_compile(rf"[\s\-{SOFT_HYPHENS}]+")
_VARIANT = lazy_compile("[" + "".join(map(chr, _TABLE)) + "]")
_SOFT = lazy_compile(f"[{SOFT_HYPHENS}]+")
_TIGHT_HYPHENS = "-‐‑\u00ad\ufffe\u0002﹣－"
_NUMBER_START = lazy_compile(r"[$€£¥₩]?[.]?\d")
_KOREAN_DATE = lazy_compile(r"(?<!\d)[12]\d{3}\.\d{1,2}\.\d{1,2}(?!\d)")


@dataclass(frozen=True, slots=True)
class Folded:
    """A text as solid characters: `starts[i]` to `ends[i]` is the source range of `solid[i]`, `gaps[i]` the
    kind of gap before it. `gaps` has one more entry, for what follows the last character."""

    source: str
    solid: str
    starts: array[int]
    ends: array[int]
    gaps: bytes

    def gap_text(self, index: int) -> str:
        """The source text of gap `index`."""
        start = self.ends[index - 1] if index else 0
        return self.source[start : self.starts[index] if index < len(self.solid) else len(self.source)]

    def hyphenated(self, index: int) -> bool:
        """Whether a word may go on across gap `index`: a hyphen, not a dash, is tight to what precedes."""
        return self.gaps[index] in (HYPHEN, BREAK) and self.gap_text(index)[:1] in _TIGHT_HYPHENS


def fold(text: str) -> Folded:
    """Fold a text for comparison."""
    mapped = MappedText.of(text)
    if not text.isascii():
        mapped = mapped.remove_invisible().compose().fold_forms()
    mapped = mapped.sub(_ELLIPSIS, "…").sub(_PRIME, _prime)
    mapped = mapped.replace_characters(_VARIANT, _TABLE).sub(_QUOTE_RUN, '"')
    folded = mapped.text
    kept = bytearray(b"\1") * len(folded)
    gaps = bytearray(len(folded) + 1)
    removed = 0
    for match in _GAP.finditer(folded):
        start, end = match.span()
        gaps[start - removed] = _gap_kind(match[0], start == 0)
        kept[start:end] = bytes(end - start)
        removed += end - start
    starts, ends = array("i", compress(mapped.origin, kept)), array("i", compress(mapped.until, kept))
    return Folded(text, _GAP.sub("", folded), starts, ends, bytes(gaps[: len(starts) + 1]))


def _prime(match: re.Match[str]) -> str:
    double = len(match[0]) == 2 or match[0] in '"“”„″'
    after_digit = match.start() > 0 and match.string[match.start() - 1].isdecimal()
    return ("″" if double else "′") if after_digit else '"'


@lru_cache(maxsize=1024)
def _gap_kind(gap: str, first: bool) -> int:
    plain = _SOFT.sub("", gap)
    soft = len(plain) < len(gap)
    dashes = len(re.findall("-+", plain))
    if dashes > 1:
        return min(MANY + dashes, 255)
    if not dashes:
        return BREAK if soft and gap[0] in SOFT_HYPHENS else SPACE if plain else NONE
    before, after = first or plain[0] != "-", plain[-1] != "-"
    if before:
        return DASH if after else SIGN
    return BREAK if after else HYPHEN


def is_cjk(character: str) -> bool:
    """Hangul, Han or kana: scripts in which white space says little."""
    return character >= "\u1100" and (
        "가" <= character <= "힣"
        or "\u2e80" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or character <= "\u11ff"
        or "\U00020000" <= character <= "\U0003ffff"
    )


def is_spaced(character: str) -> bool:
    """A letter or digit of a script that separates words by white space."""
    return (character.isalpha() or character.isdecimal()) and not is_cjk(character)


def same_gap(page: Folded, index: int, kind: int) -> bool:
    """Whether gap `index` (inside the text of `page`) is as good as one of another kind in the same place.

    Between digits, and between words, white space counts; around punctuation and Hangul it does not. A hyphen
    at a line's end may or may not belong to the word, unless a digit stands beside it.
    """
    pair = {page.gaps[index], kind}
    left, right = page.solid[index - 1], page.solid[index]
    if pair == {NONE, SPACE}:
        return not (is_spaced(left) and is_spaced(right)) and not _splits_number(page.solid, index)
    if pair == {NONE, BREAK}:
        return left.isalpha() and right.isalpha()
    if SIGN in pair:
        minus = is_spaced(left) and starts_number(page.solid, index)
        return pair <= {SIGN, HYPHEN, BREAK, DASH} and not minus
    return pair <= {HYPHEN, BREAK, DASH}


def starts_number(solid: str, index: int) -> bool:
    """Whether a number begins at `index`, its currency sign and decimal point included."""
    return bool(_NUMBER_START.match(solid, index))


def _splits_number(solid: str, index: int) -> bool:
    """Whether white space at `index` would part or join two numbers at a point, comma or colon."""
    left, right = solid[index - 1], solid[index]
    if left in ".,:":
        inside = right.isdecimal() and solid[index - 2 : index - 1].isdecimal()
    else:
        inside = right in ".,:" and left.isdecimal() and solid[index + 1 : index + 2].isdecimal()
    return inside and not _in_korean_date(solid, index)


def _in_korean_date(solid: str, index: int) -> bool:
    """Whether `index` lies in a date such as 2023. 5. 1., which is written with and without spaces."""
    offset = max(0, index - 9)
    return any(m.start() < index - offset < m.end() for m in _KOREAN_DATE.finditer(solid[offset : index + 9]))


_HANGUL_RUN = lazy_compile("[가-힣]+")
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
