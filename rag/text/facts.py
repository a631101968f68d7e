"""The checkable facts of a sentence, and whether a piece of evidence holds them.

Figures, dates, codes, names and quoted titles are what a reader would look up. They are compared by value:
1,577 is 1577, $1.6 billion is 1,600 million dollars, 15 percent is 15%, May 1, 2023 is 2023년 5월 1일.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from rag.text.keywords import STOP_WORDS, keyword_tokens
from rag.text.matching import MatchIndex
from rag.text.patterns import lazy_compile
from rag.text.quantities import Date, Number, dates, numbers, scales_named

Kind = Literal["number", "date", "name", "code", "title"]

_TITLE = lazy_compile(r"[“\"「『《〈]([^“”\"「」『』《》〈〉\n]{2,120})[”\"」』》〉]")
_CODE = lazy_compile(
    r"(?<![\w.])(?=[\w/.-]{0,40}\d)(?=[\w/.-]{0,40}[A-Za-z])[A-Za-z0-9]+(?:[-/.][A-Za-z0-9]+)*(?![A-Za-z0-9])"
)
_MEASURE = lazy_compile(
    r"\d[\d.,]*(?:st|nd|rd|th|k|m|b|bn|mn|km|kg|cm|mm|g|t|x|s|am|pm|h|GB|MB|TB|GHz|MHz|kWh|MW|GW)"
)
_CAPITAL = r"(?:[A-Z][\w’'.]*[\w]|[A-Z])(?:-[A-Za-z]\w*)*"
_NAME = lazy_compile(
    rf"(?<!\w){_CAPITAL}(?:(?:\s+(?:of|the|and|for|de|van|von|la|du|&)){{0,2}}\s+{_CAPITAL}|\s?&\s?{_CAPITAL}){{0,7}}"
)
_SENTENCE_START = lazy_compile(r"(?:[.!?:]\s{1,3}|\n)[\"'“‘(\[]*$")
_CALENDAR = frozenset(
    re.findall(
        r"\S+",
        "january february march april may june july august september october november december monday"
        " tuesday wednesday thursday friday saturday sunday jan feb mar apr jun jul aug sep sept oct"
        " nov dec q fy",
    )
)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something in a sentence that can be looked up: characters `start` to `end`, and a comparable value."""

    kind: Kind
    text: str
    value: str
    start: int
    end: int


class FactText:
    """A text that facts are looked up in, read once."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def numbers(self) -> list[Number]:
        """Its numbers."""
        return numbers(self.text)

    @cached_property
    def dates(self) -> set[str]:
        """Its dates, each with the coarser dates that it implies."""
        return {value for date in dates(self.text) for value in _coarser(date.value)}

    @cached_property
    def years(self) -> set[str]:
        """What may be a year: in a date, or a bare number of four digits."""
        return set(re.findall(r"(?<![\d,.])[12]\d{3}(?![\d,])", self.text)) | {
            d for d in self.dates if len(d) == 4
        }

    @cached_property
    def words(self) -> set[str]:
        """Its keyword tokens."""
        return set(keyword_tokens(self.text))

    @cached_property
    def scales(self) -> set[int]:
        """The scales that it names, such as a million."""
        return scales_named(self.text)

    @cached_property
    def index(self) -> MatchIndex:
        """For looking up quoted titles."""
        return MatchIndex(self.text)


def facts(text: str) -> list[Fact]:
    """The numbers, dates, codes, proper names (of Latin script) and quoted titles of a text, in order.

    No character belongs to two facts: a date's figures are not numbers, a name in a title is the title's.
    """
    taken = bytearray(len(text))
    found: list[Fact] = []
    for fact in (*_titles(text), *_dates(text), *_codes(text), *_numbers(text), *_names(text)):
        if not any(taken[fact.start : fact.end]):
            taken[fact.start : fact.end] = b"\1" * (fact.end - fact.start)
            found.append(fact)
    return sorted(found, key=lambda fact: fact.start)


def supported(fact: Fact, evidence: str | FactText) -> bool:
    """Whether the evidence holds the fact, by value. Keep an `FactText` to ask about many facts."""
    evidence = FactText(evidence) if isinstance(evidence, str) else evidence
    if fact.kind == "number":
        return any(_number_stands(number, evidence) for number in numbers(fact.text))
    if fact.kind == "date":
        return _date_stands(fact.value, evidence)
    if fact.kind == "title":
        return evidence.index.find(fact.text) is not None or _words_stand(fact.text, evidence)
    return _words_stand(fact.text, evidence)


def unsupported(text: str, evidence: str | FactText) -> list[Fact]:
    """The facts of a text that the evidence does not hold."""
    evidence = FactText(evidence) if isinstance(evidence, str) else evidence
    return [fact for fact in facts(text) if not supported(fact, evidence)]


def _titles(text: str) -> Iterator[Fact]:
    for match in _TITLE.finditer(text):
        yield Fact("title", match[1], " ".join(match[1].casefold().split()), *match.span(1))


def _dates(text: str) -> Iterator[Fact]:
    for date in dates(text):
        yield Fact("date", text[date.start : date.end], date.value, date.start, date.end)


def _codes(text: str) -> Iterator[Fact]:
    for match in _CODE.finditer(text):
        priced = text[match.start() - 1 : match.start()] in tuple("$€£¥₩")
        if not priced and not _MEASURE.fullmatch(match[0]):
            yield Fact("code", match[0], re.sub(r"[-/.]", "", match[0]).casefold(), *match.span())


def _numbers(text: str) -> Iterator[Fact]:
    for number in numbers(text):
        words = text[number.start : number.end]
        # "One" is as often a pronoun; without a unit it states nothing to look up.
        if words.lower() != "one" or number.unit:
            yield Fact(
                "number",
                words,
                f"{number.amount.normalize():f} {number.unit}".strip(),
                number.start,
                number.end,
            )


def _names(text: str) -> Iterator[Fact]:
    for match in _NAME.finditer(text):
        start, end = match.span()
        words = match[0].split()
        # A sentence's first word has its capital from there, unless the rest of the word says otherwise.
        while words and (
            _SENTENCE_START.search("\n" + text[:start] if start < 9 else text[start - 9 : start])
            or words[0].casefold() in STOP_WORDS
        ):
            first = words[0]
            if (
                first.casefold() not in STOP_WORDS
                and (len(words) > 1 or not first[1:].islower())
                and len(first) > 1
            ):
                break
            words = words[1:]
            start = text.find(words[0], start + len(first)) if words else end
        name = text[start:end]
        if words and not all(word.strip(".,").casefold() in _CALENDAR for word in words):
            yield Fact("name", name, " ".join(name.casefold().split()), start, end)


def _number_stands(number: Number, evidence: FactText) -> bool:
    if any(_same_number(number, other, evidence) for other in evidence.numbers):
        return True
    plain_year = number.amount == number.mantissa and not number.unit and 1000 <= number.amount < 3000
    return plain_year and f"{number.amount:f}" in evidence.years


def _same_number(number: Number, other: Number, evidence: FactText) -> bool:
    """Whether two numbers are the same: equal amounts, units that agree or are left to a table's header."""
    amounts = {other.amount, -other.amount} if other.bracketed else {other.amount}
    scale = abs(number.amount / number.mantissa) if number.mantissa else 1
    if scale in evidence.scales and other.cell and other.amount == other.mantissa:
        amounts |= {value * scale for value in amounts}
    if number.amount not in amounts:
        return False
    if number.unit == other.unit or (not number.unit and not other.unit.startswith("%")):
        return True
    return not other.unit and other.cell and (number.unit != "%" or "%" in evidence.text)


def _date_stands(value: str, evidence: FactText) -> bool:
    if value in evidence.dates:
        return True
    if re.fullmatch(r"\d{4}", value):
        return value in evidence.years
    # A table's column may give the year and its header the day: both stand in the evidence.
    year, _, rest = value.partition("-")
    return len(year) == 4 and rest != "" and year in evidence.years and f"--{rest}" in evidence.dates


def _coarser(value: str) -> set[str]:
    """The value and what it implies: the month and the year of a day, and the day of any year."""
    parts = re.fullmatch(r"(\d{4})-(\d\d)(?:-(\d\d))?", value)
    if not parts:
        return {value}
    year, month, day = parts.groups()
    implied = {value, year, f"{year}-{month}", f"--{month}"}
    return implied | ({f"--{month}-{day}"} if day else set())


def _words_stand(name: str, evidence: FactText) -> bool:
    """Whether every word of a name stands in the evidence, whatever its case, plural or possessive."""
    wanted = [token for token in keyword_tokens(name) if token not in STOP_WORDS]
    return bool(wanted) and all(token in evidence.words for token in wanted)


__all__ = ["Date", "Fact", "FactText", "Kind", "facts", "supported", "unsupported"]
