"""Which lines of a page go on with a numbering: `2.` after `1.`, `나.` after `가.`, `제6조` after `제5조`."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ORDINAL = re.compile(
    r"(?P<head>\(?|제\s?|(?:\d{1,2}\.){1,3}|(?:section|article|clause|item|note)\s)"
    r"(?:(?P<number>\d{1,3})|(?P<letter>[a-z])|(?P<syllable>[가나라마바사아자차카타파하]))"
    r"(?P<tail>[.)](?=\s)|\s?조(?=[\s(\[【（〔]|의\s?\d)|\s(?=\S))",
    re.IGNORECASE,
)
"""다 is left out: "…하였 / 다. 그리고" is the end of a sentence."""
_SYLLABLES = "가나다라마바사아자차카타파하"
_STEPS = (1, 2)
"""The next number; or the one after that, where the next was 다 or stood inside a line."""


def continued(texts: Sequence[str]) -> set[int]:
    """Positions of the lines whose number follows the last one of the same form."""
    last: dict[str, int] = {}
    found: set[int] = set()
    for position, text in enumerate(texts):
        match = _ORDINAL.match(text)
        if match is None or (match["tail"].isspace() and not match["head"].strip("( ")):
            continue
        form, value = _form(match), _value(match)
        if value - last.get(form, value) in _STEPS:
            found.add(position)
        last[form] = value
    return found


def _form(match: re.Match[str]) -> str:
    kind = "1" if match["number"] else "a" if match["letter"] else "가"
    return f"{match['head'].strip().lower()}{kind}{match['tail'].strip()}"


def _value(match: re.Match[str]) -> int:
    if match["number"]:
        return int(match["number"])
    return ord(match["letter"].lower()) if match["letter"] else _SYLLABLES.index(match["syllable"])
