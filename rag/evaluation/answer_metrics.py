"""Metrics over answers: a given answer against gold answers, of which the best counts.

Every function takes the answer as given and a sequence of gold answers that is not empty, and returns a value
between 0 and 1. `language` chooses the official normalisation: KorQuAD's for `ko`, SQuAD's otherwise.

SQuAD: Rajpurkar et al. (2016), evaluate-v1.1. KorQuAD: Lim, Kim and Lee (2019), evaluate-v1.0. Both are kept
to the letter, ASCII punctuation only and all, so that figures can be compared with published ones.

`$1,577 million`, `1577.0` and `1.577 billion dollars` are the same figure, and so are `3억 5천만 원` and
`350,000,000원`. A figure is a value with a unit; magnitudes are multiplied out. Where only one side names a
magnitude ("in USD millions" often stands in the question), the other may be read in thousands, millions or
billions.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_KORQUAD_MARKS = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))
_SPACE = re.compile(r"\s+")


def squad(text: str) -> str:
    """Lower case, no ASCII punctuation, no English articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def korquad(text: str) -> str:
    """Quotation marks and brackets become spaces, then lower case, no ASCII punctuation, single spaces."""
    return " ".join(text.translate(_KORQUAD_MARKS).lower().translate(_PUNCTUATION).split())


def fold(text: str) -> str:
    """Compatibility forms composed (NFKC), white space removed, lower case: for "stands in the answer"."""
    return _SPACE.sub("", unicodedata.normalize("NFKC", text)).lower()


_MAGNITUDES = {
    "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12,
    "k": 1e3, "m": 1e6, "mn": 1e6, "mm": 1e6, "bn": 1e9, "b": 1e9, "tn": 1e12,
    "십": 1e1, "백": 1e2, "천": 1e3, "만": 1e4, "억": 1e8, "조": 1e12,
}  # fmt: skip
_UNITS = {
    "%": "%", "percent": "%", "per cent": "%", "퍼센트": "%", "프로": "%",
    "$": "$", "usd": "$", "us$": "$", "dollar": "$", "dollars": "$", "달러": "$",
    "€": "€", "eur": "€", "euro": "€", "euros": "€", "유로": "€",
    "£": "£", "gbp": "£", "pound": "£", "pounds": "£",
    "₩": "₩", "krw": "₩", "won": "₩", "원": "₩", "¥": "¥", "jpy": "¥", "yen": "¥", "엔": "¥",
}  # fmt: skip
_IMPLIED_MAGNITUDES = (1.0, 1e3, 1e6, 1e9)
_NEGATIVE = "-−–"


def _alternatives(words: Sequence[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_LATIN_MAGNITUDES = _alternatives([w for w in _MAGNITUDES if w.isascii()])
_WORD_UNITS = _alternatives([u for u in _UNITS if (u.isascii() and u.isalpha()) or u == "per cent"])
_OTHER_UNITS = _alternatives([u for u in _UNITS if not u.replace(" ", "").isalpha() or not u.isascii()])
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_CURRENCY = r"us\$|[$€£₩¥]"
_FIGURE = re.compile(
    rf"(?:(?P<outside>{_CURRENCY})\s?)?(?P<open>\()?(?P<sign>(?<![\w)])[{_NEGATIVE}]\s?)?"
    rf"(?:(?P<before>{_CURRENCY})\s?)?(?P<inner>(?<![\w)\s])[{_NEGATIVE}])?"
    rf"(?<![\d.,])(?P<digits>{_DIGITS})"
    rf"(?P<korean>\s?[십백천만억조]+(?:\s?(?:{_DIGITS})\s?[십백천만억조]+)*(?:\s?(?:{_DIGITS})(?=\s?[원달유]))?)?"
    rf"(?:\s?(?P<magnitude>{_LATIN_MAGNITUDES})(?![a-z]))?(?P<close>\))?"
    rf"(?:\s?(?P<unit>(?:{_WORD_UNITS})(?![a-z])|{_OTHER_UNITS}))?"
)
_FALL_BEFORE = re.compile(
    r"\b(?:loss|losses|lost|fell|fall|falling|decrease\w*|declin\w+|dropp?\w*|down|negative|"
    r"reduc\w+|minus)\b|감소|하락|손실|적자|줄어|마이너스"
)
_FALL_AFTER = re.compile(r"^\W{0,2}(?:decrease|decline|drop|loss|lower|감소|하락|줄|손실|적자)")
_COUNTER = 2  # letters of a counter after a figure: 년, 월, 명, 시간
_REACH = 40  # characters before a figure in which a word says that it is a fall
_KOREAN_PART = re.compile(rf"(?P<digits>{_DIGITS})?\s?(?P<steps>[십백천만억조]*)")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in a text."""

    value: float
    """Multiplied out: 1.5 million is 1500000.0; negative for a minus sign or accounting brackets."""
    unit: str = ""
    """A currency sign or `%`; empty when none is written."""
    scaled: bool = False
    """Whether a magnitude was written."""
    whole: bool = True
    """A plain count or a year, without unit, magnitude, decimals or separators: only equality will do."""
    falls: bool = False
    """Whether the words around it say that it is a decrease or a loss, so that its sign may be left out."""


def figures(text: str) -> list[Figure]:
    """The figures of a text, in order."""
    normal = unicodedata.normalize("NFKC", text).lower()
    return [_figure(match, normal) for match in _FIGURE.finditer(normal)]


def is_figure(text: str) -> bool:
    """Whether a text is a figure and nothing else but a unit or a Korean counter (`15년`)."""
    normal = unicodedata.normalize("NFKC", text).lower()
    rest, count = _FIGURE.subn(" ", normal)
    letters = [c for c in rest if c.isalpha()]
    return count > 0 and not any(c.isascii() for c in letters) and len(letters) <= _COUNTER * count


def numeric_match(answer: str, golds: Sequence[str], tolerance: float = 0.01) -> float | None:
    """1 when every figure of some gold answer stands in the answer; None when no gold answer has a figure.

    `tolerance` is relative and covers rounding; whole numbers without unit, years above all, must be equal.
    """
    wanted = [found for gold in golds if (found := figures(gold))]
    if not wanted:
        return None
    given = figures(answer)
    return float(any(all(any(agree(one, g, tolerance) for g in given) for one in gold) for gold in wanted))


def agree(one: Figure, other: Figure, tolerance: float = 0.01) -> bool:
    """Whether two figures say the same; a unit that one side leaves out is taken to be the other's."""
    if one.unit and other.unit and one.unit != other.unit:
        return False
    if "%" in (one.unit, other.unit) or one.scaled == other.scaled:
        factors: tuple[float, ...] = (1.0,)
    else:
        factors = _IMPLIED_MAGNITUDES
    plain, scaled = (one, other) if other.scaled else (other, one)
    # one side writes a minus sign and the other says "a loss of"
    opposite = plain.value * scaled.value < 0
    signed = -plain.value if opposite and (plain if plain.value > 0 else scaled).falls else plain.value
    allowed = 1e-9 if one.whole and other.whole else tolerance
    return any(math.isclose(signed * factor, scaled.value, rel_tol=allowed) for factor in factors)


def _figure(match: re.Match[str], text: str) -> Figure:
    digits, korean, magnitude = match["digits"], match["korean"] or "", match["magnitude"]
    value = _korean_value(digits + korean) if korean else float(digits.replace(",", ""))
    value *= _MAGNITUDES.get(magnitude or "", 1.0)
    unit = _UNITS.get(match["unit"] or match["before"] or match["outside"] or "", "")
    bracketed = bool(match["open"] and match["close"]) and (bool(unit) or "," in digits)
    scaled = bool(korean or magnitude)
    whole = not (unit or scaled or "," in digits or "." in digits or bracketed)
    before, after = text[max(0, match.start() - _REACH) : match.start()], text[match.end() :]
    falls = bool(_FALL_BEFORE.search(before) or _FALL_AFTER.search(after[:_REACH]))
    negative = bool(match["sign"] or match["inner"]) or bracketed
    return Figure(-value if negative else value, unit, scaled, whole, falls)


def _korean_value(text: str) -> float:
    """`3억 5천만` is 350000000: 만, 억 and 조 close a group of 십, 백 and 천."""
    total = group = 0.0
    for part in _KOREAN_PART.finditer(text):
        if not part["digits"] and not part["steps"]:
            continue
        amount = float(part["digits"].replace(",", "")) if part["digits"] else 1.0
        for step in part["steps"]:
            if _MAGNITUDES[step] < 1e4:
                amount *= _MAGNITUDES[step]
            else:
                total += (group + amount) * _MAGNITUDES[step]
                group = amount = 0.0
        group += amount
    return total + group


# Hangul carries its particles on the word, so each syllable is a token; elsewhere a run of letters or digits
_ROUGE_TOKENS = re.compile(r"[가-힣㐀-鿿぀-ヿ]|[^\W_가-힣㐀-鿿぀-ヿ]+")


def exact_match(answer: str, golds: Sequence[str], language: str = "en") -> float:
    """1 when the answer equals a gold answer after normalisation."""
    normal = korquad if language == "ko" else squad
    return float(any(normal(answer) == normal(gold) for gold in golds))


def token_f1(answer: str, golds: Sequence[str]) -> float:
    """SQuAD's F1: overlap of words as multisets, the harmonic mean of precision and recall."""
    return max(f1(squad(answer).split(), squad(gold).split()) for gold in golds)


def character_f1(answer: str, golds: Sequence[str]) -> float:
    """KorQuAD's F1: overlap of characters other than spaces, as multisets."""
    characters = korquad(answer).replace(" ", "")
    return max(f1(characters, korquad(gold).replace(" ", "")) for gold in golds)


def answer_f1(answer: str, golds: Sequence[str], language: str = "en") -> float:
    """The F1 that is official for the language: by characters for Korean, by words otherwise."""
    return character_f1(answer, golds) if language == "ko" else token_f1(answer, golds)


def answer_hit(answer: str, golds: Sequence[str]) -> float:
    """1 when a gold answer stands in the answer, white space and case folded."""
    folded = fold(answer)
    return float(any(fold(gold) in folded for gold in golds))


def rouge_l(answer: str, golds: Sequence[str]) -> float:
    """ROUGE-L (Lin 2004): F1 of the longest common subsequence of words, or of syllables in Korean."""
    given = _ROUGE_TOKENS.findall(answer.lower())
    scores = []
    for gold in golds:
        tokens = _ROUGE_TOKENS.findall(gold.lower())
        common = _longest_common_subsequence(given, tokens)
        scores.append(2.0 * common / (len(given) + len(tokens)) if common else 0.0)
    return max(scores)


def f1(given: Sequence[Hashable], gold: Sequence[Hashable]) -> float:
    """F1 of two multisets; 0 when they share nothing, also when both are empty, as SQuAD 1.1 has it."""
    shared = (Counter(given) & Counter(gold)).total()
    return 2.0 * shared / (len(given) + len(gold)) if shared else 0.0


def _longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Its length, in O(len(one) * len(other)) time and one row of memory."""
    row = [0] * (len(other) + 1)
    for token in one:
        diagonal = 0
        for j, against in enumerate(other, start=1):
            above = row[j]
            row[j] = diagonal + 1 if token == against else max(above, row[j - 1])
            diagonal = above
    return row[-1]
