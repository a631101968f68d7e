"""What stands between two lines of one paragraph: a space, nothing, or a hyphen that goes or stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property

from ingest.clean.korean import SpacingModel, contains_hangul
from rag.text.normalise import SOFT_HYPHENS

_SOFT = tuple(SOFT_HYPHENS)
_HYPHENS = (*_SOFT, "-", "‐")
_LONGEST_WORD = 80  # looking no further back keeps long paragraphs from costing their length squared
_HYPHENATED = re.compile(rf"([^\W\d_]+(?:['’-][^\W\d_]+)*)[-‐{SOFT_HYPHENS}]$")
_WORD_START = re.compile(r"^[^\W\d_]+")
_WORDS = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*")
_NO_SPACE_AFTER = tuple("([{“‘《〈「『【")
_NO_SPACE_BEFORE = tuple(")]}”’》〉」』】,.!?;:%…。、，")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


class Joiner:
    """Joins the lines of one document; it learns from the document's own lines, when first asked to."""

    def __init__(self, lines: Callable[[], Iterable[str]]) -> None:
        self._lines = lines

    @cached_property
    def _spacing(self) -> SpacingModel:
        return SpacingModel(self._lines())

    @cached_property
    def _vocabulary(self) -> set[str]:
        """Words and hyphenated compounds inside lines, in small letters."""
        words: set[str] = set()
        for line in self._lines():
            words.update(word.lower() for word in _WORDS.findall(line)[:-1])
        return words

    def join(self, left: str, right: str, *, words_kept: bool = False) -> str:
        """One text of two successive lines. `words_kept` says that this document breaks between words only."""
        if left.endswith(_HYPHENS):
            hyphenated = _HYPHENATED.search(left[-_LONGEST_WORD:])
            if hyphenated and _WORD_START.match(right):
                return self._join_hyphenated(left, right, hyphenated[1])
            left = left.rstrip(SOFT_HYPHENS)
        return left + self.between(left, right, words_kept=words_kept) + right

    def between(self, left: str, right: str, *, words_kept: bool = False) -> str:
        """A space or nothing, for a line break without a hyphen."""
        if not left or not right or left.endswith(_NO_SPACE_AFTER) or right.startswith(_NO_SPACE_BEFORE):
            return ""
        if _CJK.match(left[-1]) and _CJK.match(right[0]):
            return ""
        last, first = left[-_LONGEST_WORD:].rpartition(" ")[2], right.partition(" ")[0]
        if words_kept or not last or not first or not (contains_hangul(last) or contains_hangul(first)):
            return " "
        return " " if self._spacing.space_between(last, first) else ""

    def _join_hyphenated(self, left: str, right: str, head: str) -> str:
        tail = _WORD_START.match(right)
        assert tail is not None
        soft = left.endswith(_SOFT)
        stem = left[:-1]
        whole, compound = (head + tail[0]).lower(), f"{head}-{tail[0]}".lower()
        # PDFium writes a soft hyphen for every hyphen at a line's end, so it decides nothing by itself.
        if whole in self._vocabulary:
            keep = False
        elif compound in self._vocabulary:
            keep = True
        else:
            keep = not tail[0][0].islower() or "-" in head or (len(head) == 1 and not soft)
        return f"{stem}-{right}" if keep else stem + right
