"""Leading a question to the documents that it names, softly: a bonus, never a filter.

A hard filter by name was measured to be worse: when the guess is wrong the right page is gone for good.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag.text.patterns import lazy_compile
from rag.types import DocumentRecord

_YEAR = lazy_compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
# FY18, FY'18, FY 2018, Q2'23, Q22023: a year glued to a fiscal mark, in two or four digits
_MARKED_YEAR = lazy_compile(r"(?:\bFY|\bQ[1-4])[\s'’]{0,2}((?:19|20)?\d\d)(?!\d)", re.I)
# "23년도", "23년 2분기" are years; "10년간" and "30년" are spans of time
_KOREAN_SHORT_YEAR = lazy_compile(r"(?<!\d)(\d\d)\s?년(?:도|(?=\s?(?:[1-4]\s?분기|[상하]반기|\d{1,2}월)))")
_QUARTER = lazy_compile(
    r"(?<![A-Z])Q\s?([1-4])|(?<!\d)([1-4])Q(?=\d{2}|\b)|(?<!\d)([1-4])\s?(?:/4)?\s?분기", re.I
)
_QUARTER_WORD = lazy_compile(r"\b(first|second|third|fourth)[\s-]+quarter", re.I)
_WORDS = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_CENTURY_TURN = 70  # two-digit years: 00-69 are 20xx, 70-99 are 19xx, as POSIX strptime has it


@dataclass(frozen=True, slots=True)
class Periods:
    """The years (four digits) and quarters (1 to 4) that a text names."""

    years: frozenset[int]
    quarters: frozenset[int]

    def __bool__(self) -> bool:
        return bool(self.years or self.quarters)


def periods_in(text: str) -> Periods:
    """Years and quarters named in `text`, in English or Korean, also in a file name."""
    text = unicodedata.normalize("NFKC", text).replace("_", " ")
    years = {int(year) for year in _YEAR.findall(text)}
    years |= {_full(year) for year in _MARKED_YEAR.findall(text)}
    years |= {_full(year) for year in _KOREAN_SHORT_YEAR.findall(text)}
    quarters = {int(next(filter(None, groups))) for groups in _QUARTER.findall(text)}
    quarters |= {_WORDS[word.lower()] for word in _QUARTER_WORD.findall(text)}
    return Periods(frozenset(years), frozenset(quarters))


def agreement(asked: Periods, covered: Periods) -> float:
    """How well a document's periods fit the question's, from -0.25 to 1.

    The latest year asked for counts most: a report of that year also prints the years before it. The report
    of the following year prints it as a comparison, so it fits half. A quarterly document fits a question
    about a whole year a little worse than an annual one. Chosen by hand, not fitted.
    """
    score = _year_agreement(asked.years, covered.years)
    if asked.quarters and covered.quarters:
        score += 0.25 if asked.quarters & covered.quarters else -0.25
    elif covered.quarters and asked.years:
        score -= 0.25
    return max(-0.25, min(1.0, score))


def _year_agreement(asked: frozenset[int], covered: frozenset[int]) -> float:
    if not asked or not covered:
        return 0.0
    if max(asked) in covered:
        return 0.75
    near = asked & covered or {year + 1 for year in asked} & covered
    return 0.375 if near else 0.0


def _full(year: str) -> int:
    value = int(year)
    if value >= 100:
        return value
    return value + (2000 if value < _CENTURY_TURN else 1900)


_WORD = lazy_compile(r"[^\W_]+")
_HANGUL = lazy_compile(r"[가-힣]")
_CAPITALS = lazy_compile(r"(?<!\w)[A-Z][\w&.]*[A-Z](?!\w)", re.ASCII)  # also before a Korean particle
# Words in file names that say what kind of file it is, not what it is about.
_KIND = lazy_compile(r"\d+|v\d+|q[1-4]|fy\d+|final|draft|copy|scan|dated|pdf|doc|the|of|and|for|a|an", re.I)
_YEAR_OR_FORM = lazy_compile(r"(?:19|20)\d\d\w?\d?|\d+[KQ]", re.I)
_LIKELY_ID = lazy_compile(r"[\d\W_]+")
# A period alone says little; with the name it decides between the years of one subject.
_PERIOD_WEIGHT = 0.5
_PERIOD_WITHOUT_NAME = 0.25


@dataclass(frozen=True, slots=True)
class _Named:
    """What a document is called."""

    words: frozenset[str]
    acronyms: frozenset[str]
    periods: Periods


class Router:
    """Scores documents by how clearly a question names them.

    Built once for the sources of an index; `route` then costs time with the words of the question and the
    documents that share one of them, not with the number of documents. Documents of the same years are many:
    how well they fit is told once for all of them.
    """

    def __init__(self, sources: Iterable[DocumentRecord]) -> None:
        self._named: dict[str, _Named] = {source.file: _named(source) for source in sources}
        self._by_word: dict[str, list[str]] = defaultdict(list)
        self._by_acronym: dict[str, list[str]] = defaultdict(list)
        for file, named in self._named.items():
            for word in named.words:
                self._by_word[word].append(file)
            for acronym in named.acronyms:
                self._by_acronym[acronym].append(file)
        self._by_period: dict[Periods, list[str]] = defaultdict(list)
        for file, named in self._named.items():
            self._by_period[named.periods].append(file)
        rarity = {word: math.log(1 + len(self._named) / len(files)) for word, files in self._by_word.items()}
        self._rarity = rarity
        self._mass = {file: sum(rarity[w] for w in sorted(n.words)) or 1.0 for file, n in self._named.items()}

    def route(self, question: str) -> Mapping[str, float]:
        """Bonus by file, from just above 0 to 1.5; files that are not named are left out.

        The name counts up to 1 (its rarer words count more: inverse document frequency over names), a fitting
        year or quarter up to 0.5 more.
        """
        names = self._names(question)
        asked = periods_in(question)
        if not names:
            return self._by_period_alone(asked)
        scores = {}
        fits = self._fits(asked)
        for file, score in names.items():
            bonus = score + _PERIOD_WEIGHT * fits[self._named[file].periods]
            if bonus > 0:
                scores[file] = bonus
        return scores

    def _names(self, question: str) -> dict[str, float]:
        found: dict[str, float] = defaultdict(float)
        for word in self._mentioned(question):
            weight = self._rarity[word]
            for file in self._by_word[word]:
                found[file] += weight
        # squared: one common word of a longer name is a weak hint, the whole name a strong one
        scores = {file: min(1.0, mass / self._mass[file]) ** 2 for file, mass in found.items()}
        for capitals in _CAPITALS.findall(unicodedata.normalize("NFKC", question)):
            for file in self._by_acronym.get(capitals.casefold().replace(".", ""), ()):
                scores[file] = 1.0
        return scores

    def _by_period_alone(self, asked: Periods) -> dict[str, float]:
        if not asked:
            return {}
        return {
            file: _PERIOD_WITHOUT_NAME * fit
            for periods, fit in self._fits(asked).items()
            if periods and fit > 0
            for file in self._by_period[periods]
        }

    def _fits(self, asked: Periods) -> dict[Periods, float]:
        return {periods: agreement(asked, periods) for periods in self._by_period}

    def _mentioned(self, question: str) -> set[str]:
        """Name words that stand in the question: as a word, as two or three joined, or before a particle."""
        words = [w.casefold() for w in _WORD.findall(unicodedata.normalize("NFKC", question))]
        found = {word for word in words if word in self._by_word}
        for size in (2, 3):
            joined = ("".join(words[i : i + size]) for i in range(len(words) - size + 1))
            found.update(word for word in joined if word in self._by_word)
        for word in words:
            if _HANGUL.search(
                word
            ):  # particles are glued to the name, so the name is a beginning of the word
                stems = (word[:end] for end in range(2, len(word)))
                found.update(stem for stem in stems if stem in self._by_word)
        return found


def _named(source: DocumentRecord) -> _Named:
    stem = source.file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    words = _name_words(stem)
    if len(words) < 2:  # a short or meaningless file name: the title may say more
        words = words + [w for w in _name_words(source.title) if w not in words]
    return _Named(
        words=frozenset(w.casefold() for w in words),
        acronyms=frozenset(_acronyms(words)),
        periods=periods_in(stem) or periods_in(f"{source.title} {source.metadata.get('period', '')}"),
    )


def _name_words(name: str) -> list[str]:
    """The words of a file name or title that say what it is about."""
    name = unicodedata.normalize("NFKC", name)
    if _LIKELY_ID.fullmatch(name):  # accession numbers and the like
        return []
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [
        word for word in _WORD.findall(name) if not (_KIND.fullmatch(word) or _YEAR_OR_FORM.fullmatch(word))
    ]


def _acronyms(words: Sequence[str]) -> Iterable[str]:
    """Initials of two to five words, also joined by the "n" or "&" that stands for "and"."""
    initials = [word[0].casefold() for word in words if word[0].isalpha() and word[0].isascii()]
    for end in range(2, min(5, len(initials)) + 1):
        for joint in ("", "n", "&"):
            yield joint.join(initials[:end])
