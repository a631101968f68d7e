"""Writes a cell's value as a spreadsheet shows it: by the number format of the cell (ECMA-376 part 1, 18.8.31)."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<skipped>.)|\*(?P<filled>.)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<ampm>AM/PM|A/P|오전/오후)|(?P<date>y+|m+|d+|h+|s+|a{3,4}|e+)|(?P<digits>[0#?][0#?,.]*|\.[0#?]+)"
    r"|(?P<exponent>E[+-]0+)|(?P<general>General|G/표준)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_KOREAN_WEEKDAYS = "월화수목금토일"
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_LONGEST = 200
"""Characters of a number format at most; Excel allows 255, and a hostile one costs time."""


def shown(value: object, number_format: str | None) -> str:
    """The text of a cell. A format that is not understood gives the plain value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    form = (number_format or "General")[:_LONGEST]
    if isinstance(value, datetime | date | time | timedelta):
        return _moment(value, form)
    if not isinstance(value, int | float | Decimal):
        return str(value)
    try:
        return _number(Decimal(str(value)), form)
    except (InvalidOperation, ValueError, OverflowError):
        return str(value)


def _number(value: Decimal, form: str) -> str:
    sections = _sections(form)
    section = sections[0]
    if value < 0 and len(sections) > 1:
        section, value = sections[1], -value  # the section says itself how it marks what is below zero
    elif value == 0 and len(sections) > 2:
        section = sections[2]
    tokens = [(match.lastgroup or "other", match[0], match) for match in _TOKEN.finditer(section)]
    digits = next((text for kind, text, _ in tokens if kind == "digits"), None)
    unreadable = any(kind == "exponent" or text == "/" for kind, text, _ in tokens)
    if any(kind == "general" for kind, _, _ in tokens) or (digits is not None and unreadable):
        return _plain(value)
    value *= 100 ** section.count("%")
    written: list[str] = []
    used = False
    for kind, text, match in tokens:
        if kind == "digits":
            written.append("" if used else _digits(abs(value), text))
            used = True
        elif kind == "bracket":
            written.append(match["bracket"].partition("-")[0][1:] if match["bracket"].startswith("$") else "")
        elif kind == "skipped":
            written.append(" ")
        elif kind != "filled":
            written.append(match["quoted"] or match["escaped"] or (text if text[:1] not in '"\\' else ""))
    sign = "-" if value < 0 and section is sections[0] else ""
    return sign + " ".join("".join(written).split())


def _sections(form: str) -> list[str]:
    """The parts of a format for positive, negative, zero and text; a `;` in quotes separates nothing."""
    return re.findall(r'(?:"[^"]*"|\\.|[^;"\\])+|(?<=;)(?=;|$)', form) or ["General"]


def _digits(value: Decimal, pattern: str) -> str:
    scaled = len(pattern) - len(pattern.rstrip(","))
    pattern = pattern.rstrip(",")
    whole, _, fraction = pattern.partition(".")
    value /= 1000**scaled
    text = f"{value.quantize(Decimal(1).scaleb(-len(fraction)), ROUND_HALF_UP):f}"
    before, _, after = text.partition(".")
    optional = len(fraction) - len(fraction.rstrip("#?"))
    while optional and after.endswith("0"):
        after, optional = after[:-1], optional - 1
    before = before.zfill(whole.count("0"))
    if whole and not whole.count("0") and before == "0":
        before = ""
    if "," in whole and before:
        before = f"{int(before):,}".zfill(len(before))
    return before + (f".{after}" if after else "")


def _plain(value: Decimal) -> str:
    """As the format General: up to eleven digits."""
    if value == value.to_integral_value() and abs(value) < 10**11:
        return str(int(value))
    return f"{float(value):.10g}"


def _moment(value: datetime | date | time | timedelta, form: str) -> str:
    tokens = [(match.lastgroup or "other", match[0], match) for match in _TOKEN.finditer(_sections(form)[0])]
    if not any(kind == "date" for kind, _, _ in tokens):
        return value.isoformat(" ") if isinstance(value, datetime) else str(value)
    if isinstance(value, timedelta):
        hours, rest = divmod(int(value.total_seconds()), 3600)
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    half = any(kind == "ampm" for kind, _, _ in tokens)
    kinds = [text[0].lower() for kind, text, _ in tokens if kind == "date"]
    written: list[str] = []
    place = 0
    for kind, text, match in tokens:
        if kind == "date":
            letter = text[0].lower()
            near = kinds[max(0, place - 1) : place] + kinds[place + 1 : place + 2]
            minute = letter == "m" and (near[:1] == ["h"] or "s" in near)
            written.append(_field(value, "minute" if minute else letter, len(text), half))
            place += 1
        elif kind == "ampm":
            names = ("오전", "오후") if "오" in text else ("AM", "PM")
            written.append(names[getattr(value, "hour", 0) >= 12])
        elif kind == "skipped":
            written.append(" ")
        elif kind not in ("bracket", "filled"):
            written.append(match["quoted"] or match["escaped"] or (text if text[:1] not in '"\\@' else ""))
    return " ".join("".join(written).split())


def _field(value: datetime | date | time, kind: str, length: int, half: bool) -> str:
    if kind in ("h", "minute", "s"):
        hour = getattr(value, "hour", 0)
        hour = (hour % 12 or 12) if half else hour
        number = {"h": hour, "minute": getattr(value, "minute", 0), "s": getattr(value, "second", 0)}[kind]
        return f"{number:0{min(length, 2)}}"
    if isinstance(value, time):
        return ""
    match kind, length:
        case ("y" | "e", _):
            return f"{value.year % 100:02}" if length <= 2 and kind == "y" else str(value.year)
        case ("m", 3 | 4 | 5):
            return _MONTHS[value.month - 1][: {3: 3, 4: 20, 5: 1}[length]]
        case ("m", _):
            return f"{value.month:0{min(length, 2)}}"
        case ("a", _):
            return _KOREAN_WEEKDAYS[value.weekday()] + ("요일" if length == 4 else "")
        case ("d", 3 | 4):
            return _WEEKDAYS[value.weekday()][: 3 if length == 3 else 20]
        case _:
            return f"{value.day:0{min(length, 2)}}"
