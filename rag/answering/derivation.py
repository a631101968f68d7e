"""Figures of an answer that stand on no page but are computed from figures that do.

A figure counts as derived when an operation on figures of the sentence's verified quotes gives it within the digits
that are printed, when the sentence says that it computes ("in total", "fell by", 평균, ...), and when so exact a hit
is unlikely to be chance. This proves the arithmetic, not that it is the right arithmetic: hence a derived figure is
shown with its formula, and its sentence never counts as verified.

Every result keeps its formula, so that a reader can see where a figure comes from. Amounts are taken without their
sign: "fell by 5 %" and "-5 %" say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Literal

from rag.text.facts import Fact, facts
from rag.text.patterns import lazy_compile
from rag.text.quantities import Number, numbers
from rag.types import Derived

_FEWEST = 3
_LONGEST = 60
"""Characters of one item; what is longer is a clause."""
_CLAUSE = lazy_compile(r"[.;:()\[\]!?。\n]+(?=\s|$)|\n")
_LAST = lazy_compile(r",?\s+(?:and|or)\s+|,?\s+(?:및|그리고|또는)\s+|(?<=[가-힣])(?:와|과)\s+")
_BULLET = lazy_compile(r"^\s*(?:[-•·*▪◦–]|\(?\d{1,2}[.)]|[가-하][.)]|[①-⑳])\s+(?=\S)")


def listed(text: str) -> Iterator[tuple[str, ...]]:
    """The items of each list of three or more: lines with a bullet, or "A, B and C", A·B·C, "A, B 및 C"."""
    lines = [line for line in text.splitlines() if _BULLET.match(line)]
    if len(lines) >= _FEWEST:
        yield tuple(" ".join(_BULLET.sub("", line).split()) for line in lines)
    for clause in _CLAUSE.split(" ".join(text.split()) if not lines else text):
        yield from _in_clause(clause)


def _in_clause(clause: str) -> Iterator[tuple[str, ...]]:
    dotted = re.split(r"\s?[·ㆍ・]\s?", clause)
    if len(dotted) >= _FEWEST and all(0 < len(item) <= _LONGEST for item in dotted):
        yield tuple(item.strip() for item in dotted)
    last = list(_LAST.finditer(clause))
    if not last:
        return
    before, after = clause[: last[-1].start()], clause[last[-1].end() :]
    items = [item.strip() for item in re.split(r",\s+", before)]
    items.append(re.split(r",\s", after)[0].strip())
    if len(items) >= _FEWEST and all(0 < len(item) <= _LONGEST for item in items):
        yield tuple(items)


Operation = Literal[
    "sum",
    "difference",
    "ratio",
    "percentage",
    "percentage change",
    "average",
    "count",
    "rounding",
    "conversion",
]
MOST_TERMS = 12
"""Figures of one unit from which nothing is computed any more: something can always be made of so many."""
_YEARS = range(1000, 3000)
_YEAR, _DAY = Decimal(365), Decimal(1)
"""The steps of dates."""
_HUNDRED = Decimal(100)
_ORDINAL = lazy_compile(r"\d(?:st|nd|rd|th)$", re.IGNORECASE)
_COUNTER = lazy_compile(r"[가-힣](?<![은는이가을를의에로과와도만])")
"""What is written to a Korean figure and is no particle counts something, though it be none of the known units."""
_MONEY = frozenset({"USD", "EUR", "GBP", "JPY", "CNY", "KRW"})
_CONVERSIONS = {
    ("minute", "hour"): 60,
    ("second", "minute"): 60,
    ("hour", "day"): 24,
    ("day", "week"): 7,
    ("month", "year"): 12,
    ("m", "km"): 1000,
    ("cm", "m"): 100,
    ("g", "kg"): 1000,
    ("kg", "t"): 1000,
}
"""How many of the first make one of the second."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A figure of a quote that may be computed with."""

    text: str
    amount: Decimal
    unit: str
    """As in `Number`; `date` for a year or a day, whose amounts are years and days."""
    step: Decimal
    bare: bool = False
    """Neither a unit nor a scale stands at it, so those of a table's header may be meant."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A computed amount and how it was computed; `left` is the formula without its result."""

    operation: Operation
    amount: Decimal
    unit: str
    terms: tuple[Operand, ...]
    left: str
    direction: Literal["", "up", "down"] = ""
    """For a change, whether its base is the smaller or the larger term."""


def terms_of(text: str) -> list[Operand]:
    """The figures and dates of a text, in order, each amount with a unit once."""
    stated = {number.start: number for number in numbers(text)}
    found: dict[tuple[object, ...], Operand] = {}
    for fact in facts(text):
        made = _date_terms(fact) if fact.kind == "date" else _number_terms(text, fact, stated.get(fact.start))
        for term in made:
            found.setdefault((term.amount, term.unit, term.unit == "date" and term.step), term)
    return list(found.values())


def _number_terms(text: str, fact: Fact, number: Number | None) -> Iterator[Operand]:
    if fact.kind != "number" or number is None or _ORDINAL.search(fact.text):
        return
    counter = _COUNTER.match(text, number.end) if not number.unit else None
    amount = abs(number.amount)
    plain = not number.unit and amount == abs(number.mantissa)
    if plain and fact.text.isdigit() and amount in _YEARS:
        yield Operand(fact.text, amount, "date", _YEAR)
    else:
        unit = number.unit or (counter[0] if counter else "")
        yield Operand(fact.text.strip(), amount, unit, number.step, plain and number.cell)


def _date_terms(fact: Fact) -> Iterator[Operand]:
    """The year and the day that a date names."""
    if fact.value[:4].isdigit():
        yield Operand(fact.value[:4], Decimal(fact.value[:4]), "date", _YEAR)
    with suppress(ValueError):
        day = date.fromisoformat(fact.value) if len(fact.value) == len("2023-05-01") else None
        if day is not None:
            yield Operand(fact.text, Decimal(day.toordinal()), "date", _DAY)


def of_one_unit(terms: Sequence[Operand], unit: str) -> list[Operand]:
    """The terms with a unit; figures of a table join a currency, which stands at the first of them alone."""
    joined = [t for t in terms if t.unit == unit or (t.bare and unit in _MONEY)]
    return joined if len(joined) <= MOST_TERMS else []


def results(terms: Sequence[Operand]) -> Iterator[Computed]:
    """Everything that the operations make of two of the terms, or of all; `terms` are of one unit."""
    unit = next((t.unit for t in terms if t.unit), "")
    for a, b in combinations(sorted(terms, key=lambda t: -t.amount), 2):
        if a.amount == b.amount or not b.amount:
            continue
        yield from _of_dates(a, b) if unit == "date" else _of_two(a, b, unit)
    if len(terms) > 2 and unit != "date":
        yield from _of_all(tuple(terms), unit)


def _of_two(a: Operand, b: Operand, unit: str) -> Iterator[Computed]:
    """`a` is the larger one."""
    difference = a.amount - b.amount
    yield Computed("difference", difference, "%p" if unit == "%" else unit, (a, b), f"{a.text} − {b.text}")
    if unit == "%":
        return
    yield from _of_all((a, b), unit)
    less = f"({a.text} − {b.text})"
    yield Computed("ratio", a.amount / b.amount, "x", (a, b), f"{a.text} ÷ {b.text}")
    yield Computed("percentage", b.amount / a.amount * _HUNDRED, "%", (b, a), f"{b.text} ÷ {a.text}")
    up, down = difference / b.amount * _HUNDRED, difference / a.amount * _HUNDRED
    yield Computed("percentage change", up, "%", (a, b), f"{less} ÷ {b.text}", "up")
    yield Computed("percentage change", down, "%", (a, b), f"{less} ÷ {a.text}", "down")


def _of_all(terms: tuple[Operand, ...], unit: str) -> Iterator[Computed]:
    total = sum((t.amount for t in terms), Decimal(0))
    added = " + ".join(t.text for t in terms)
    yield Computed("sum", total, unit, terms, added)
    yield Computed("average", total / len(terms), unit, terms, f"({added}) ÷ {len(terms)}")


def _of_dates(a: Operand, b: Operand) -> Iterator[Computed]:
    """The time between two years, or between two days."""
    if a.step == b.step:
        unit = "year" if a.step == _YEAR else "day"
        yield Computed("difference", a.amount - b.amount, unit, (a, b), f"{a.text} − {b.text}")


def converted(term: Operand, unit: str) -> Iterator[Computed]:
    """The term in another unit of the same measure."""
    if (many := _CONVERSIONS.get((term.unit, unit))) is not None:
        yield Computed("conversion", term.amount / many, unit, (term,), term.text)
    if (many := _CONVERSIONS.get((unit, term.unit))) is not None:
        yield Computed("conversion", term.amount * many, unit, (term,), term.text)


CHANCE = Decimal("0.15")
"""Share of the figures of like size that may be hit by chance, beyond which a hit proves nothing."""
_LIKE = 3
"""Figures of like size are those from a third to three times a figure."""
_LEAST_DIGITS = 2
"""Digits that a rounded figure must have: nearly anything rounds to one."""
_COUNTS = range(3, 21)

_UP = r"\b(?:ris|rose|grew|grow|increas|gain|up|higher|more|above|exceed)|늘|증가|상승|올랐|올라|높|많|성장|웃돌"
_DOWN = (
    r"\b(?:fall|fell|drop|declin|decreas|reduc|los[et]|down|lower|less|fewer|below|shrank|cut)"
    r"|줄|감소|하락|내렸|내려|낮|적|밑돌"
)
_CUES: dict[str, re.Pattern[str]] = {
    operation: lazy_compile(pattern, re.IGNORECASE)
    for operation, pattern in {
        "sum": r"\b(?:total|sum|together|combined|altogether|in all|both|plus|add(?:s|ed|ing)?)\b|(?<=\d)\s*\+"
        r"|합|총|모두|통틀|더하|더한|더해",
        "difference": rf"{_UP}|{_DOWN}|\bdiffer|\bchange|\b(?:gap|minus|longer|shorter|older|younger|ahead|remain\w*"
        r"|extra|margin)\b|(?<=\d)\s+[-−–]\s+(?=\d)|차이|격차|변동|앞서|남[은았는]|빼|뺀",
        "ratio": r"\b(?:times|fold|ratio|twice|multiple)\b|÷|(?<=\d)\s?/\s?(?=\d)|배|비율",
        "percentage": r"\b(?:share|proportion|portion|account\w*|represent\w*|ma[dk]e up|compris\w*|ratio|rate"
        r"|margin)\b|(?:%|\bper\s?cent) of\b|÷|비중|비율|차지|점유|해당|달하|가운데|중\b|율",
        "percentage change": rf"{_UP}|{_DOWN}|\bchange|변동|변화|달라",
        "average": r"\b(?:average|mean|averag\w+)\b|평균",
    }.items()
}
_INTERVAL = lazy_compile(
    r"\b(?:after|later|earlier|before|between|for|lasted|took|within|old|span\w*|differ\w*)\b"
    r"|뒤|만에|지나|지난|동안|걸쳐|걸렸|걸려|차이|[년일] [전후]",
    re.IGNORECASE,
)
_DIRECTIONS = {"up": lazy_compile(_UP, re.IGNORECASE), "down": lazy_compile(_DOWN, re.IGNORECASE)}
_POINTS = lazy_compile(
    r"[\s-]*+(?:percentage|per\s?cent|%)?[\s-]*+points?\b|\s*%?\s*(?:포인트|p\b)", re.IGNORECASE
)
_HEDGE = lazy_compile(
    r"\b(?:about|around|nearly|almost|roughly|some|approximately|close to"
    r"|as (?:much|many|high|large|long|big)(?: as)?)\b|약(?=\s)|대략|거의",
    re.IGNORECASE,
)
_ABOUT = lazy_compile(rf"(?:{_HEDGE.pattern})\s*[$€£₩]?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The figure of a sentence that is to be derived."""

    text: str
    amount: Decimal
    unit: str
    step: Decimal
    scale: Decimal
    """What its scale word multiplies by."""


def derive(
    sentence: str, missing: Sequence[str], quotes: Sequence[str], scales: frozenset[int] = frozenset()
) -> tuple[Derived, ...]:
    """How the figures `missing` (a sentence's facts that stand in no evidence) come from those of its quotes.

    `scales` are those that the quoted pages name for their tables. What cannot be derived is left out.
    """
    terms = _distinct(term for quote in quotes for term in terms_of(quote))
    groups = [terms, *(terms_of(quote) for quote in quotes if len(quotes) > 1)]
    stated = {number.start: number for number in numbers(sentence)}
    derived = []
    for fact in facts(sentence):
        number = stated.get(fact.start)
        if fact.text in missing and fact.kind == "number" and number is not None:
            wanted = _wanted(sentence, fact, number)
            found = _computed(sentence, wanted, groups, scales) or _counted(wanted, quotes)
            derived += [found] if found is not None else []
    return tuple(derived)


def without(sentence: str, derived: Sequence[Derived], evidence: str) -> str:
    """The sentence without derived figures and the words that say they are computed, which no page need hold."""
    held = evidence.casefold()
    for one in derived:
        sentence = re.sub(rf"{re.escape(one.figure)}[가-힣]*", " ", sentence)
        for words in (_CUES.get(one.operation), _INTERVAL, _POINTS, _HEDGE):
            if words is not None:
                pattern = rf"(?:{words.pattern})[^\W\d]*"
                sentence = re.sub(
                    pattern, lambda m: m[0] if m[0].casefold() in held else " ", sentence, flags=re.I
                )
    return sentence


def _distinct(terms: Iterator[Operand]) -> list[Operand]:
    return list({(term.amount, term.unit, term.step): term for term in terms}.values())


def _wanted(sentence: str, fact: Fact, number: Number) -> _Wanted:
    unit = number.unit
    if unit in ("", "%", "%p") and _POINTS.match(sentence, number.end):
        unit = "%p"
    scale = abs(number.amount / number.mantissa) if number.mantissa else Decimal(1)
    step, amount = number.step, abs(number.amount)
    if _ABOUT.search(sentence[: fact.start]) and amount:
        # the zeros at the end of a round figure are no claim
        zeros = Decimal(1).scaleb(amount.normalize().as_tuple().exponent)  # type: ignore[arg-type]
        step = max(step, zeros)
    return _Wanted(fact.text, amount, unit, step, scale)


def _computed(
    sentence: str, wanted: _Wanted, groups: Sequence[Sequence[Operand]], scales: frozenset[int]
) -> Derived | None:
    """The figure as the result of an operation that the sentence names, when the hit is no mere chance."""
    candidates = [
        result
        for terms in groups
        for group in _scaled(terms, wanted, scales)
        for result in (*_said(sentence, wanted, group), *_rewritten(wanted, group))
    ]
    hits = [result for result in candidates if abs(result.amount - wanted.amount) <= wanted.step / 2]
    if not hits or _chance(wanted, candidates) > CHANCE:
        return None
    best = min(hits, key=lambda result: (abs(result.amount - wanted.amount), len(result.terms)))
    return _derived(wanted, best)


def _scaled(terms: Sequence[Operand], wanted: _Wanted, scales: frozenset[int]) -> Iterator[list[Operand]]:
    """The terms as they stand; for a figure with a scale, also those of a table in the one its header names."""
    yield list(terms)
    for scale in scales if wanted.scale > 1 else ():
        yield [replace(t, amount=t.amount * scale, step=t.step * scale) if t.bare else t for t in terms]


def _said(sentence: str, wanted: _Wanted, terms: Sequence[Operand]) -> Iterator[Computed]:
    """The results of the operations that the sentence speaks of, in the unit of the figure."""
    named = {operation for operation, cue in _CUES.items() if cue.search(sentence)}
    spans_time = bool(_INTERVAL.search(sentence))
    directions = {name for name, cue in _DIRECTIONS.items() if cue.search(sentence)}
    for unit in dict.fromkeys(term.unit for term in terms):
        for result in results(of_one_unit(terms, unit)):
            said = spans_time if unit == "date" else result.operation in named
            if not said or not _fits(result.unit, wanted.unit):
                continue
            if not result.direction or not directions or result.direction in directions:
                yield result


def _fits(unit: str, wanted: str) -> bool:
    """Whether a result in `unit` may be the figure: the same, or one of the two left to the context."""
    if "%" in (unit, wanted) or "%p" in (unit, wanted):
        return unit == wanted
    if unit in ("x", "year", "day"):
        return wanted in (unit, "", "times") if unit == "x" else wanted == unit
    return unit == wanted or not unit or not wanted


def _rewritten(wanted: _Wanted, terms: Sequence[Operand]) -> Iterator[Computed]:
    """Each term in the figure's unit, or as it stands when the figure has fewer digits."""
    digits = len((wanted.amount / wanted.step).to_integral_value().as_tuple().digits) if wanted.step else 0
    for term in terms:
        yield from converted(term, wanted.unit)
        same = term.unit == wanted.unit or (term.bare and wanted.unit not in ("%", "%p"))
        if same and term.unit != "date" and term.step < wanted.step and digits >= _LEAST_DIGITS:
            yield Computed("rounding", term.amount, wanted.unit, (term,), term.text)


def _chance(wanted: _Wanted, candidates: Sequence[Computed]) -> Decimal:
    """About the share (0 to 1) of the figures of like size, written with the same digits, that are a result."""
    low, high = wanted.amount / _LIKE, wanted.amount * _LIKE
    near = {round(result.amount / wanted.step) for result in candidates if low <= result.amount <= high}
    width = high - low
    return min(len(near) * wanted.step / width, Decimal(1)) if width else Decimal(1)


def _derived(wanted: _Wanted, result: Computed) -> Derived:
    exact = result.amount == wanted.amount
    operands = tuple(term.text for term in result.terms)
    return Derived(
        wanted.text, result.operation, operands, f"{result.left} {'=' if exact else '≈'} {wanted.text}"
    )


def _counted(wanted: _Wanted, quotes: Sequence[str]) -> Derived | None:
    """The figure as the number of things that a quote lists."""
    if wanted.unit not in ("", "item", "person") or wanted.amount not in _COUNTS:
        return None
    for quote in quotes:
        for items in listed(quote):
            if len(items) == wanted.amount:
                formula = f"{' · '.join(items)} = {wanted.text}"
                return Derived(wanted.text, "count", items, formula)
    return None
