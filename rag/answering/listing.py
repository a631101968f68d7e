"""Lists in running text and in lines, so that what they hold can be counted."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FEWEST = 3
_LONGEST = 60
"""Characters of one item; what is longer is a clause."""
_CLAUSE = re.compile(r"[.;:()\[\]!?。\n]+(?=\s|$)|\n")
_LAST = re.compile(r",?\s+(?:and|or)\s+|,?\s+(?:및|그리고|또는)\s+|(?<=[가-힣])(?:와|과)\s+")
_BULLET = re.compile(r"^\s*(?:[-•·*▪◦–]|\(?\d{1,2}[.)]|[가-하][.)]|[①-⑳])\s+(?=\S)")


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
