"""Recognise figures as tables write them, periods in headers, and the unit that a table states for its figures."""

from __future__ import annotations

import re
from decimal import Decimal

from rag.text.patterns import lazy_compile

_CURRENCY = r"(?:(?:US|HK|NT|[ACSR])?\$|[€£¥₩]|USD|EUR|GBP|KRW|JPY|RMB|RM|Rs\.?)"
_SIGN = r"[-–—−+△▲]"
_DIGITS = r"(?:\d[\d,]*(?:\.\d+)*|\.\d+)"
UNITS = (
    "(?:[KMGT]i?B|[mk]?g|[mck]?m|m?[lL]|[mk]?[WVA]|[kMG]?Hz|dB|℃|°C"
    "|(?:킬로|메가|기가|테라)?바이트|개월|시간|분|초|주|쪽|인)"
)
"""Units of measure that a figure of a table may be written with."""
_SUFFIX = (
    r"(?:%p?|x|bps|bp|배|원|명|개|건|세|년|점|위|일|회|[kKmM]|bn|million|billion|만원|억원|천원|백만원"
    rf"|{UNITS})"
)
_ONE = rf"{_SIGN}?\s?\(?\s?{_SIGN}?\s?{_CURRENCY}?\s?\(?{_SIGN}?\s?{_DIGITS}\s?{_SUFFIX}?\s?\)?\s?{_SUFFIX}?"
_FIGURE = lazy_compile(
    rf"{_ONE}(?:\s?(?:[-–~]|to)\s?{_ONE})?(?:\s?\(\w\)|[*†‡§¹²³]+)?"
    rf"|{_CURRENCY}?\s?[-–—−]+\s?%?|N/?A|n/a|[Nn]il|n\.?m\.?|NM|해당\s?없음|없음",
)
_YEAR = r"(?:(?:FY|CY|H[12]|Q[1-4])\s?)?['’]?(?:19|20)\d\d(?:\s?[AEFP]\b)?(?:\s?년(?:도)?)?"
_PERIOD = lazy_compile(
    rf"{_YEAR}(?:\s?[-–/~]\s?(?:{_YEAR}|\d\d))?|(?:FY|CY)\s?['’]?\d\d|[1-4]Q\s?['’]?\d\d|Q[1-4]\s?['’]?\d\d"
    r"|제\s?\d+\s?\(?[당전]?\)?\s?기|[당전]기말?|전전기|\d분기"
    r"|(?:19|20)\d\d\s?[./-]\s?\d{1,2}(?:\s?[./-]\s?\d{1,2})?\.?"
)
_PERIOD_MARK = lazy_compile(r"\s?(?:\(\w{1,2}\)|[*†‡§¹²³]+)$")
_UNIT = lazy_compile(
    r"(?P<en>(?:(?:u\.?s\.?|canadian|australian)?\s?(?:dollars?|\$|€|£|¥|euros?|pounds?|won|yen|rmb)\s?)?"
    r"\b(?:in|expressed in)\s(?:(?:u\.?s\.?\s?)?(?:dollars?|\$|€|£|euros?)?\s?)?"
    r"(?:thousands?|millions?|billions?)(?:\sof\s(?:(?:u\.?s\.?\s)?dollars|euros|pounds|won|yen|rmb|shares))?)"
    r"|[(\[]?\s?단위\s?[::]?\s?(?P<ko>[^)\],;]{1,14})"
    r"|(?P<short>(?:US\$|A\$|[$€£¥₩])\s?(?:'000s?|’000s?|000s?|m\b|mn\b|million|bn\b|thousands?)|[$€£](?:\s?)m\b|\(\s?000[’']?s?\s?\))",
    re.IGNORECASE,
)


def is_figure(text: str) -> bool:
    """Whether a cell's text is a figure, or a dash or mark in the place of one."""
    return _FIGURE.fullmatch(text.strip()) is not None


def is_period(text: str) -> bool:
    """Whether a cell's text is a year or another period, as the header of a column is."""
    return _PERIOD.fullmatch(_PERIOD_MARK.sub("", text.strip())) is not None


def unit_in(text: str) -> str:
    """The unit that a header or caption states for its table, as written; empty when it states none."""
    found = _UNIT.search(text)
    if found is None:
        return ""
    return " ".join((found["ko"] or found["en"] or found["short"]).strip(" ()[]").split())


_YEARS = lazy_compile(
    r"(?<![\d.,$€£¥₩])(?P<year>(?:19|20)\d\d)(?![\d,]*\d)(?!\.\d)(?:\s?(?P<to>[-–~/])\s?(?P<last>(?:19|20)\d\d|\d\d)(?![\d/-]))?"
    r"|\b(?:FY?|CY|Q[1-4]|[1-4]Q|H[12])\s?['’]?(?P<short>\d\d)(?!\d)|['’](?P<tick>\d\d)(?!\d)"
    r"|제\s?(?P<term>\d+)\s?(?:\(?[당전]\)?\s?)?기",
    re.IGNORECASE,
)
_SCALES = (
    (lazy_compile(r"thousand|000s?\b|천원|천\s?달러|^천$", re.IGNORECASE), 10**3),
    (lazy_compile(r"백만"), 10**6),
    (lazy_compile(r"million|\bmn\b|[$€£]\s?m\b|m$", re.IGNORECASE), 10**6),
    (lazy_compile(r"billion|\bbn\b|십억", re.IGNORECASE), 10**9),
    (lazy_compile(r"억"), 10**8),
    (lazy_compile(r"만원"), 10**4),
    (lazy_compile(r"조"), 10**12),
)
_NUMBER = lazy_compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")


def years_in(text: str) -> tuple[str, ...]:
    """The years (and Korean business terms, as `제25기`) that a text names, in order; a range gives both ends."""
    found: list[str] = []
    for match in _YEARS.finditer(text):
        if match["term"]:
            found.append(f"제{match['term']}기")
        elif match["year"]:
            last = match["year"][: 4 - len(match["last"])] + match["last"] if match["last"] else ""
            # a business year over two calendar years, 2018/2019, goes by the second
            found += (
                [last] if last and match["to"] == "/" else [match["year"], last] if last else [match["year"]]
            )
        else:
            found.append(f"20{match['short'] or match['tick']}")
    return tuple(dict.fromkeys(found))


def scale_of(unit: str) -> int:
    """What a stated unit multiplies figures by; 1 when it states no scale."""
    return next((scale for pattern, scale in _SCALES if pattern.search(unit)), 1)


def value_of(text: str) -> Decimal | None:
    """The amount of a figure as a table writes it, below 0 for a bracket, a minus or a triangle; None for none."""
    found = _NUMBER.search(text)
    if found is None:
        return None
    amount = Decimal(found[0].replace(",", "").rstrip("."))
    before = text[: found.start()]
    negative = "(" in before or re.search(r"[-–—−△▲]", before) is not None
    return -amount if negative else amount


def as_printed(text: str) -> str:
    """A figure without the white space that a table leaves after its currency sign."""
    return re.sub(r"(?<=[$€£¥₩(])\s+|\s+(?=[%)])", "", text)
