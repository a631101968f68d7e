"""Years and quarters that a question asks about or a document covers."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
# FY18, FY'18, FY 2018, Q2'23, Q22023: a year glued to a fiscal mark, in two or four digits
_MARKED_YEAR = re.compile(r"(?:\bFY|\bQ[1-4])[\s'’]{0,2}((?:19|20)?\d\d)(?!\d)", re.I)
# "23년도", "23년 2분기" are years; "10년간" and "30년" are spans of time
_KOREAN_SHORT_YEAR = re.compile(r"(?<!\d)(\d\d)\s?년(?:도|(?=\s?(?:[1-4]\s?분기|[상하]반기|\d{1,2}월)))")
_QUARTER = re.compile(
    r"(?<![A-Z])Q\s?([1-4])|(?<!\d)([1-4])Q(?=\d{2}|\b)|(?<!\d)([1-4])\s?(?:/4)?\s?분기", re.I
)
_QUARTER_WORD = re.compile(r"\b(first|second|third|fourth)[\s-]+quarter", re.I)
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
