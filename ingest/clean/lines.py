"""What stands between two lines of one paragraph: a space, nothing, or a hyphen that goes or stays.

Korean typesetting breaks lines between any two syllables, and a PDF does not say which. The document itself
does: inside its lines it shows which syllables end words, which begin them, and how long words are. Those counts,
smoothed by small tables of particles, endings and lengths, give the odds of a space at the break (naive Bayes
with back-off from three syllables to one).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property

from rag.text.normalise import INVISIBLE, SOFT_HYPHENS, count_visible, plain_form

_BLANKS = re.compile(r"[^\S\n]+")
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


_HANGUL = re.compile("[가-힣]")
_WORD = re.compile(r"\S+")
_CONTEXT = 3
_ENOUGH = 150_000
"""Characters after which counting more changes no decision."""
_LENGTHS = (0.001, 0.06, 0.2, 0.26, 0.2, 0.11, 0.06, 0.035, 0.02, 0.012, 0.008, 0.005, 0.003, 0.002, 0.001)
"""How often a Korean word has 0, 1, 2, ... characters, particles included; worth `_LENGTH_SMOOTHING` words."""
_LENGTH_SMOOTHING = 20
_LENGTH_WEIGHT = 0.7
"""Below 1, since the contexts already tell a part of it."""
_LENGTH_BIAS = 1.5
_SMOOTHING = 2.0
"""Pseudo-counts that a shorter context is worth against what was counted for a longer one."""
_SPACES = 0.33
"""Share of Hangul positions of running text that are followed by a space."""
_LOGIT_SPACES = math.log(_SPACES / (1 - _SPACES))

# Particles and endings close a word; what is listed first does so nearly always. They seldom open one.
_CLOSERS = {
    **dict.fromkeys("는을를은", 0.88),
    **dict.fromkeys("의며된", 0.75),
    **dict.fromkeys("에로와고서도", 0.55),
    **dict.fromkeys("이가과다한할인게만년월일", 0.45),
    "0": 0.15,  # a unit or particle follows a figure without a space
    "제": 0.05,
    **dict.fromkeys(("^및", "^더", "^수"), 0.9),
}
_OPENERS = {
    **dict.fromkeys("는을를은었였겠습됐했됩니", 0.02),
    **dict.fromkeys("며의에으까께처", 0.08),
    **dict.fromkeys("로와고다서", 0.12),
    **dict.fromkeys("된되하한할", 0.25),
    **dict.fromkeys("그또및것수", 0.6),
    **dict.fromkeys("0a", 0.85),  # Hangul before a figure or a Latin word is a word of its own
    **dict.fromkeys(("수$", "및$", "등$", "때$", "더$", "중$"), 0.95),
}


def contains_hangul(text: str) -> bool:
    """Whether a text has a Hangul syllable."""
    return _HANGUL.search(text) is not None


class SpacingModel:
    """Where this document puts spaces. `lines` are its lines before any are joined."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._ends: Counter[str] = Counter()
        self._goes_on: Counter[str] = Counter()
        self._begins: Counter[str] = Counter()
        self._inside: Counter[str] = Counter()
        self._lengths: Counter[int] = Counter()
        budget = _ENOUGH
        for line in lines:
            if budget > 0 and contains_hangul(line):
                budget -= len(line)
                self._learn(_classes(line))

    def log_odds(self, left: str, right: str) -> float:
        """Log-odds that `left`, a line's last word, and `right`, the next line's first, are two words."""
        before, after = _classes(left), _classes(right)
        if before[-1:] == after[:1] == "a":
            return math.inf  # Latin words break with a hyphen or not at all
        # how much likelier two words of these lengths are than one of both
        lengths = self._length(len(left)) + self._length(len(right)) - self._length(len(left) + len(right))
        return (
            _LENGTH_WEIGHT * (lengths + _LENGTH_BIAS)
            + _log_odds(self._ends, self._goes_on, _tails(before), _CLOSERS)
            + _log_odds(self._begins, self._inside, _heads(after), _OPENERS)
            - _LOGIT_SPACES
        )

    def _length(self, length: int) -> float:
        expected = _LENGTH_SMOOTHING * _LENGTHS[min(length, len(_LENGTHS) - 1)]
        return math.log((self._lengths[length] + expected) / (self._lengths.total() + _LENGTH_SMOOTHING))

    def _learn(self, line: str) -> None:
        words = list(_WORD.finditer(line))
        for place, word in enumerate(words):
            text = word[0]
            for at in range(1, len(text)):
                if text[at - 1] == text[at] and text[at] in "0a":
                    continue  # no line is broken inside a figure or a Latin word
                self._goes_on.update(_tails(text[:at]))
                self._inside.update(_heads(text[at:]))
            # The outer words of a line may be halves themselves: their outer edges teach nothing.
            if place < len(words) - 1:
                self._ends.update(_tails(text))
            if 0 < place < len(words) - 1:
                self._lengths[len(text)] += 1
            if place > 0:
                self._begins.update(_heads(text))


def _log_odds(
    space: Counter[str], no_space: Counter[str], contexts: list[str], prior: dict[str, float]
) -> float:
    known = (prior[context] for context in reversed(contexts) if context in prior)
    share = next(known, _SPACES)
    for context in contexts:
        yes, no = space[context], no_space[context]
        share = (yes + _SMOOTHING * share) / (yes + no + _SMOOTHING)
    return math.log(share / (1 - share))


def _tails(text: str) -> list[str]:
    """The last one, two and three characters; a word that is no longer than that also as a whole."""
    tails = [text[-length:] for length in range(1, min(_CONTEXT, len(text)) + 1)]
    return [*tails, f"^{text}"] if len(text) <= _CONTEXT else tails


def _heads(text: str) -> list[str]:
    """The first one, two and three characters; a word that is no longer than that also as a whole."""
    heads = [text[:length] for length in range(1, min(_CONTEXT, len(text)) + 1)]
    return [*heads, f"{text}$"] if len(text) <= _CONTEXT else heads


_DIGIT = re.compile(r"\d")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_HAN = re.compile(r"[\u4e00-\u9fff]")


def _classes(text: str) -> str:
    """Digits, Latin letters and Chinese characters each as one class."""
    return _HAN.sub("漢", _LATIN.sub("a", _DIGIT.sub("0", text)))


_SOFT = tuple(SOFT_HYPHENS)
_HYPHENS = (*_SOFT, "-", "‐")
_LONGEST_WORD = 80  # looking no further back keeps long paragraphs from costing their length squared
_HYPHENATED = re.compile(rf"([^\W\d_]+(?:['’-][^\W\d_]+)*)[-‐{SOFT_HYPHENS}]$")
_WORD_START = re.compile(r"^[^\W\d_]+")
_WORDS = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*")
_NO_SPACE_AFTER = tuple("([{“‘《〈「『【")
_NO_SPACE_BEFORE = tuple(")]}”’》〉」』】,.!?;:%…。、，")
_STOPPED = re.compile(r"[.,!?;:][\"'”’]?$")
"""No Korean word goes on behind these marks, but a figure does: 12. / 5 is one."""
_FIGURES = re.compile(r"\d\d")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


class LineJoiner:
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

    def likelihood_ratio(self, left: str, right: str) -> float:
        """How much likelier the end of a line and the start of the next, both Korean, are of two words than of one.

        As a logarithm: what words look like alone, without how often a line ends between words.
        """
        last, first = left[-_LONGEST_WORD:].rpartition(" ")[2], right.partition(" ")[0]
        return self._spacing.log_odds(last, first) - _LOGIT_SPACES

    def between(self, left: str, right: str, *, words_kept: bool = False) -> str:
        """A space or nothing, for a line break without a hyphen."""
        if not left or not right or left.endswith(_NO_SPACE_AFTER) or right.startswith(_NO_SPACE_BEFORE):
            return ""
        if _CJK.match(left[-1]) and _CJK.match(right[0]):
            return ""
        last, first = left[-_LONGEST_WORD:].rpartition(" ")[2], right.partition(" ")[0]
        if _STOPPED.search(last) and not _FIGURES.search(last[-2:-1] + first[:1]):
            return " "
        if words_kept or not last or not first or not (contains_hangul(last) or contains_hangul(first)):
            return " "
        return " " if self._spacing.log_odds(last, first) > 0 else ""

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
