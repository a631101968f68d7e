"""Numbers with their units, and dates, read out of English and Korean text into comparable values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from rag.text.patterns import lazy_compile

_SCALES = {
    "thousand": 10**3, "k": 10**3, "천": 10**3, "만": 10**4, "십만": 10**5, "million": 10**6, "mn": 10**6,
    "mm": 10**6, "m": 10**6, "백만": 10**6, "천만": 10**7, "억": 10**8, "십억": 10**9, "billion": 10**9,
    "bn": 10**9, "b": 10**9, "백억": 10**10, "천억": 10**11, "trillion": 10**12, "tn": 10**12, "조": 10**12,
    "백": 10**2, "hundred": 10**2,
}  # fmt: skip
_UNITS = {
    "%": "% percent percents 퍼센트 프로 pct",
    "%p": "%p 퍼센트포인트 %포인트",
    "USD": "$ us$ usd dollar dollars 달러 불",
    "EUR": "€ eur euro euros 유로",
    "GBP": "£ gbp pound pounds 파운드",
    "JPY": "¥ jpy yen 엔",
    "CNY": "cny rmb yuan 위안",
    "KRW": "₩ krw won 원",
    "person": "people persons person 명 인 employees 사람",
    "year": "years year 년 yr yrs 년간 개년",
    "month": "months month 개월 달 개월간",
    "week": "weeks week 주 주간 주일",
    "day": "days day 일 일간",
    "hour": "hours hour 시간 hr hrs",
    "minute": "minutes minute 분 min",
    "second": "seconds second 초 sec",
    "age": "세 살",
    "times": "times 회 번 차례",
    "x": "배",
    "km": "km kilometers kilometres kilometer kilometre 킬로미터",
    "m": "m meters metres meter metre 미터",
    "cm": "cm centimeters 센티미터",
    "mile": "miles mile 마일",
    "kg": "kg kilograms kilogram 킬로그램",
    "g": "grams gram 그램",
    "t": "tons tonnes ton tonne 톤",
    "°c": "°c ℃ 도",
    "item": "개 items 건 가지 곳 종 대 편 권 마리",
}
_UNIT_OF = {name: unit for unit, names in _UNITS.items() for name in names.split()}
_CURRENCY = r"(?:US\$|[$€£¥₩]|USD|EUR|KRW)"

_SPELLED_OUT = re.findall(
    r"\S+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty",
)
_WORD_NUMBERS = {word: value for value, word in enumerate(_SPELLED_OUT)}
_NATIVE = {
    "한": 1,
    "두": 2,
    "세": 3,
    "네": 4,
    "다섯": 5,
    "여섯": 6,
    "일곱": 7,
    "여덟": 8,
    "아홉": 9,
    "열": 10,
}
_DAYS = {
    day: number
    for number, day in enumerate(
        re.findall(r"\S+", "하루 이틀 사흘 나흘 닷새 엿새 이레 여드레 아흐레 열흘"), 1
    )
}

_AMOUNT = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_KOREAN_SCALE = "천억|백억|십억|억|천만|백만|십만|만|조|천|백"
_NUMBER = lazy_compile(
    rf"(?P<paren>\((?=\s*{_CURRENCY}?\s*[\d,.]+\s*%?\)))?"
    rf"(?P<sign>(?<![\w.,)])(?:[-−–](?!\s)|(?<![\d%]\s)[-−–]\s)|△\s?|▲\s?)?(?:(?P<currency>{_CURRENCY})\s?)?(?P<minus>[-−](?=\d))?"
    rf"(?<![\w.])(?P<figure>(?:(?:{_AMOUNT})\s?(?:{_KOREAN_SCALE})(?:여|\s)?\s?)+(?:{_AMOUNT}(?!\s?[년월일%]|[\d,.]*\d))?"
    rf"|(?:{_AMOUNT})(?:st|nd|rd|th)?(?![.,]?\d))"
    rf"(?:[\s-]?(?P<scale>thousand|million|billion|trillion|bn|mn|[kmb](?!\w))\b)?"
    rf"(?:\s?(?P<unit>%p|%포인트|%|°C|℃|[A-Za-z]+|[가-힣]+))?",
    re.IGNORECASE,
)
_KOREAN_PART = lazy_compile(rf"({_AMOUNT})\s?({_KOREAN_SCALE})?")
_SPELLED = lazy_compile(
    rf"\b(?P<word>{'|'.join(_WORD_NUMBERS)})\b(?:[\s-](?P<scale>hundred|thousand|million|billion|trillion)\b)?"
    rf"(?:[\s-](?P<unit>[a-z]+))?"
    rf"|(?<![가-힣])(?P<native>{'|'.join(_NATIVE)})\s?"
    r"(?P<counter>개월|명|개|번|가지|곳|차례|달|살|시간|사람|마리|편|권|대|종)",
    re.IGNORECASE,
)

_SPOKEN = lazy_compile(
    rf"(?<![가-힣])(?:(?P<days>{'|'.join(_DAYS)})|일(?=(?:주일?|년)(?:권|[은는이가의에]|\s|$))|(?P<number>{'|'.join(_NATIVE)})\s?"
    r"(?P<counter>달|시간|명|사람|주|해|살|번|개|장|대)(?=[은는이가을를의에만짜]|동안|이서|권|\s|$))"
)

_MONTHS = re.findall(
    r"\S+", "january february march april may june july august september october november december"
)
_MONTH = rf"(?P<{{}}>{'|'.join(f'{m[:3]}(?:{m[3:]})?' if m != 'may' else 'may' for m in _MONTHS)}|sept)\.?"
_DATES = tuple(
    lazy_compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<![\d.])(?P<y>[12]\d{3})\s?(?:년|[-./])\s*(?P<m>1[0-2]|0?[1-9])\s?(?:월|[-./])\s*(?P<d>3[01]|[12]\d|0?[1-9])(?!\d)(?:\s?일)?",
        r"(?<![\d/])(?P<m>1[0-2]|0?[1-9])/(?P<d>3[01]|[12]\d|0?[1-9])/(?P<y>[12]\d{3})(?!\d)",
        r"(?<!\d)(?P<y>[12]\d{3})\s?년\s*(?P<m>1[0-2]|0?[1-9])\s?월",
        r"(?<!\d)(?P<m>1[0-2]|0?[1-9])\s?월\s*(?P<d>3[01]|[12]\d|0?[1-9])\s?일",
        rf"\b{_MONTH.format('mon')}\s+(?P<d>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?(?!\d)(?:\s?,?\s+(?P<y>[12]\d{{3}})(?!\d))?",
        rf"(?<!\d)(?P<d>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH.format('mon')},?(?:\s+(?P<y>[12]\d{{3}})(?!\d))?(?!\w)",
        rf"\b{_MONTH.format('mon')},?\s+(?P<y>[12]\d{{3}})(?!\d)",
        r"(?<![\w,.])(?P<y>[12]\d{3})\s?년(?!간)",
        r"\b(?:FY|CY|fiscal(?:\s+year)?)\s?(?P<y>[12]\d{3})(?!\d)",
    )
)
_QUARTER = lazy_compile(
    r"\bQ(?P<a>[1-4])\b|\b(?P<b>[1-4])Q(?=\d|\b)|\b(?P<c>first|second|third|fourth)[\s-]quarter|(?:제\s?)?(?P<d>[1-4])\s?(?:/4\s?)?분기",
    re.IGNORECASE,
)
_ORDINAL_QUARTERS = {"first": 1, "second": 2, "third": 3, "fourth": 4}


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written in a text, characters `start` to `end`.

    `amount` is the value (scale words applied), `mantissa` the figure alone. `unit` is a common name for the
    unit in both languages, empty if none was recognised. `cell` says that no word follows that might be an
    unknown unit, as in a table. `bracketed` is accounting's way to write a negative amount. `step` is what one
    more in the last printed digit adds to the amount.
    """

    amount: Decimal
    mantissa: Decimal
    unit: str
    cell: bool
    bracketed: bool
    start: int
    end: int
    step: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Date:
    """A date as written: ISO 8601, cut to what is said (`2023-05-01`, `2023-05`, `2023`, `--05-01`, `Q3`)."""

    value: str
    start: int
    end: int


def in_digits(text: str) -> str:
    """Spoken Korean amounts as tables write them: 한 달 is 1개월, 하루 1일, 한 번 1회."""

    def written(spoken: re.Match[str]) -> str:
        if spoken["days"]:
            return f"{_DAYS[spoken['days']]}일"
        if not spoken["number"]:
            return "1"
        counter = {"달": "개월", "해": "년", "번": "회"}.get(spoken["counter"], spoken["counter"])
        return f"{_NATIVE[spoken['number']]}{counter}"

    return _SPOKEN.sub(written, text)


def dates(text: str) -> list[Date]:
    """The dates in a text, in order; a year alone counts when it is marked as one (2023년, FY2023)."""
    found: list[Date] = []
    taken = bytearray(len(text))
    for pattern in _DATES:
        for match in pattern.finditer(text):
            start, end = match.span()
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append(Date(_iso(match), start, end))
    for match in _QUARTER.finditer(text):
        digit = (
            match["a"] or match["b"] or match["d"] or str(_ORDINAL_QUARTERS[(match["c"] or "first").lower()])
        )
        found.append(Date(f"Q{digit}", *match.span()))
    return sorted(found, key=lambda date: date.start)


def _iso(match: re.Match[str]) -> str:
    part = match.groupdict()
    name = part.get("mon")
    month = _MONTHS.index(next(m for m in _MONTHS if m.startswith(name[:3].lower()))) + 1 if name else None
    month = month or (int(part["m"]) if part.get("m") else None)
    pieces = [part.get("y") or "-"]
    if month:
        pieces.append(f"{month:02d}")
    if part.get("d"):
        pieces.append(f"{int(part['d']):02d}")
    return "-".join(pieces)


def numbers(text: str) -> list[Number]:
    """The numbers in a text, in order, in digits or spelled out, with scale and unit."""
    written = [_written(text, match) for match in _NUMBER.finditer(text)]
    return sorted([*written, *_spelled(text)], key=lambda number: number.start)


def _written(text: str, match: re.Match[str]) -> Number:
    scale, word, begin = (match["scale"] or "").lower(), match["unit"] or "", match.start("unit")
    if len(scale) == 1 and not match["currency"]:
        # 5m is five metres, $5m five million.
        scale, word, begin = "", scale, match.start("scale")
    mantissa, amount, step = _figure(match["figure"])
    amount *= _SCALES.get(scale, 1)
    step *= _SCALES.get(scale, 1)
    unit, length = _unit(word)
    if unit == "year" and "," not in match[0] and 1000 <= amount < 3000 and amount == mantissa:
        unit = ""
    if match["currency"]:
        unit = _UNIT_OF[match["currency"].lower()]
    sign = -1 if match["sign"] or match["minus"] else 1
    end = max(match.end("figure"), match.end("scale") if scale else 0, begin + length if length else 0)
    cell = not re.match(r"[^\S\n]*-?[^\W\d_]", text[end : end + 4])
    start = min(at for name in ("sign", "currency", "minus", "figure") if (at := match.start(name)) >= 0)
    return Number(sign * amount, mantissa, unit, cell, bool(match["paren"]), start, end, step)


def _unit(word: str) -> tuple[str, int]:
    """The unit that a word is, or that begins a Korean word (명이, 원을), and its length; or nothing."""
    word = word.lower()
    if word in _UNIT_OF:
        return _UNIT_OF[word], len(word)
    if not word or not "가" <= word[0] <= "힣":
        return "", 0
    length = next((n for n in range(min(len(word), 6), 0, -1) if word[:n] in _UNIT_OF), 0)
    return _UNIT_OF.get(word[:length], ""), length


def _figure(text: str) -> tuple[Decimal, Decimal, Decimal]:
    """Mantissa, value and step of a figure such as 1조 5,770억; the mantissa of a sum is its value."""
    total = part = Decimal(0)
    step = Decimal(1)
    pieces = _KOREAN_PART.findall(text)
    for figure, scale in pieces:
        part = Decimal(figure.replace(",", "")).normalize()
        total += part * _SCALES.get(scale, 1)
        step = Decimal(1).scaleb(-len(figure.partition(".")[2])) * _SCALES.get(scale, 1)
    return (part if len(pieces) == 1 else total), total, step


def _spelled(text: str) -> Iterator[Number]:
    for match in _SPELLED.finditer(text):
        if match["native"]:
            value = Decimal(_NATIVE[match["native"]])
            yield Number(value, value, _UNIT_OF.get(match["counter"], ""), False, False, *match.span())
        else:
            value = Decimal(_WORD_NUMBERS[match["word"].lower()])
            step = Decimal(_SCALES.get((match["scale"] or "").lower(), 1))
            end = match.end("scale") if match["scale"] else match.end("word")
            unit = _unit(match["unit"] or "")[0]
            yield Number(value * step, value, unit, False, False, match.start(), end, step)


SCALE_WORDS = lazy_compile(
    r"\b(thousand|million|billion|trillion)s?\b|(천|만|십만|백만|천만|억|십억|조)\s?(?=원|달러|명)", re.I
)


def scales_named(text: str) -> set[int]:
    """The scales that a text names anywhere, as the header of a table does: "(in millions)", "단위: 억원"."""
    return {_SCALES[(m[1] or m[2]).lower()] for m in SCALE_WORDS.finditer(text)}
