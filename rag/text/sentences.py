"""Sentences of cleaned page text, English and Korean, as character ranges.

First the text is cut into units by its lines: paragraphs, headings, list items, table rows. A line break
inside a paragraph is not an end. Then each unit is cut where a terminator really ends a sentence, which a
point after an abbreviation, an initial, a list number or in a date does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.text.patterns import lazy_compile

Range = tuple[int, int]

_LINE = lazy_compile(r"[^\n]+")
_BULLET = lazy_compile(
    r"\s*(?:[*·ㆍ∙–—-](?=\s)(?!\s+\d+\s*[–—-]\s*$)|[•●○◦▪▫■□◆◇▶►➢➤✓✔☐☑☒※\uf0b7\uf0a7\uf0d8])\s*", re.MULTILINE
)
_NUMBERED = lazy_compile(
    r"\s*(?:\(?(?:\d{1,2}|[a-zA-Z]|[ivxIVX]{1,5}|[가-하])[.)]\s|[①-⑳㉠-㉻➀-➓]|제\s?\d+\s?[조항장절호관]|(?:\d+\.){2,}\d*\s)"
)
_PREFIX = lazy_compile(
    _NUMBERED.pattern
    + r"|\s*(?:(?:section|article|clause|item|part|chapter|note|annex|schedule)\s+(?:\d{1,3}[A-Z]?|[IVXLC]+)[.:]?\s"
    r"|(?:\d{1,2}\.)+\d{1,2}\.?\s|[QA]\s?\d{0,3}[.:)]\s|(?:문|답|질문|답변)\s?\d{0,3}[.:)]\s)",
    re.IGNORECASE,
)
"""The number that the first sentence of a unit keeps; no full stop in it ends a sentence."""
_TITLE = lazy_compile(r"\s?[\[(【（〔][^\[\](){}【】（）〔〕]{1,60}[\])】）〕]\s")
_CELL = r"[$€£¥₩(+\-–—−]*\d(?:[\d,.]*\d)?\s?[%)]*|[—–-]"
_SIGN = lazy_compile(r"[$€£¥₩%)]+")
_BARE_CELL = lazy_compile(rf"[$€£¥₩]?(?:{_CELL})")
_COUNTED_CELL = lazy_compile(rf"[$€£¥₩]?(?:{_CELL})(?:[A-Za-z]{{1,3}}|[가-힣]{{1,2}})")
_ONE_CELL = lazy_compile(rf"\S\s+[$€£¥₩]?\s?(?:{_CELL})\s*$")
_COLUMNS = lazy_compile(r"\t|\s\|\s|^\||\S {3,}\S")
_STOPPED = lazy_compile(r"[.!?。:;][\"'”’)\]」』》〉]*\s*$")
_OPENS = lazy_compile(r"[\s\"'“‘(\[「『《〈]*(?:[A-Z0-9가-힣一-鿿]|$)")

_SHORT_LINE = 0.7
"""A line shorter than this share of its paragraph's longest ends there for a reason."""
_HEADING_LIMIT = 90
"""Most characters of a heading; prose lines that break are longer, or followed by a small letter."""

_TERMINATOR = lazy_compile(
    r"(?P<stop>[.!?。！？…]+)(?P<close>[\"'”’)\]」』》〉]*)(?P<note>(?:\[\d{1,3}\])*)(?=(?P<gap>\s+)|$|(?P<tight>[가-힣]))"
)
_KOREAN_FINAL = lazy_compile(r"(?:[다요까죠네군나지오자라음임함됨]|니다|세요|시오)$")
_REPORTED = lazy_compile(r"(?:이?라고|고|이?라며|며|하고|라는|이라는|는|라면서|면서)(?:\s|$)")
_DATE_POINT = lazy_compile(r"(?<!\d)[12]\d{3}(?:\.\s*\d{1,2}){0,2}$")
_OPENERS = frozenset(
    re.findall(
        r"\S+",
        "the a an in on at we it this that these those he she they our its as for however if when"
        " while during since although there under by with to from and but such all any each no both"
        " after before not see",
    )
)
"""Words that begin a sentence far more often than they follow an abbreviation."""
_NEVER_FINAL = frozenset(
    re.findall(
        r"\S+",
        "mr mrs ms dr prof sr st gen col sgt capt lt rev hon messrs vs e.g i.e cf viz fig figs sec"
        " secs art vol pp p ch eq ed eds op ca approx est dept univ al",
    )
)
_SELDOM_FINAL = frozenset(
    re.findall(
        r"\S+",
        "inc corp co ltd llc plc jr no nos u.s u.k u.n e.u d.c u.s.a a.m p.m etc ph.d m.d b.a m.a s.a"
        " n.v l.p l.l.c jan feb mar apr jun jul aug sep sept oct nov dec mt ft",
    )
)
_LAST_WORD = lazy_compile(r"(?:[A-Za-z]\.)*[A-Za-z]+$")
_BRACKETS = {"(": ")", "[": "]", "“": "”", "「": "」", "『": "』"}
_QUOTE = '"'
"""Opens a quotation after white space or a bracket and closes it elsewhere; after a figure it may mean inches."""
_BRACKET_MARK = lazy_compile(r"[()\[\]“”「」『』\"]")
_LOOK_BACK = 80
_BRACKETED_LIMIT = 300
"""Farthest a closing bracket is looked for; an unclosed one must not swallow the page."""


def sentences(text: str) -> list[Range]:
    """The ranges (start, end exclusive) of the sentences, headings, list items and table rows, in order.

    The ranges do not overlap, hold no white space at either end, and leave out bullets.
    """
    return [span for unit in _units(text) for span in _split(text, *unit)]


def is_finished(before: str, after: str) -> bool:
    """Whether `before` ends a sentence, when `after` is the next text. "by J." before "R. Whitcombe" does not."""
    head = before[-_LOOK_BACK:].rstrip()
    text = f"{head} {after[:_LOOK_BACK]}"
    for match in _TERMINATOR.finditer(text, max(0, len(head) - 12)):
        if match.end() >= len(head):
            return match.start() < len(head) and _is_final(text, 0, match, len(text))
    return False


def _units(text: str) -> Iterator[Range]:
    """Paragraphs, headings, list items and table rows."""
    block: list[Range] = []
    for match in [*_LINE.finditer(text), None]:
        if match is not None and match[0].strip():
            adjacent = not block or text.count("\n", block[-1][1], match.start()) <= 1
            if adjacent:
                block.append(match.span())
                continue
        yield from _block_units(text, block)
        block = [match.span()] if match is not None and match[0].strip() else []


def _block_units(text: str, lines: list[Range]) -> Iterator[Range]:
    if not lines:
        return
    widest = max(end - start for start, end in lines)
    rows = _table_rows([text[start:end] for start, end in lines])
    begin = lines[0][0]
    for index in range(1, len(lines)):
        before, after = lines[index - 1], lines[index]
        if rows[index - 1] or rows[index] or _breaks(text[slice(*before)], text[slice(*after)], widest):
            yield begin, before[1]
            begin = after[0]
    yield begin, lines[-1][1]


def _table_rows(lines: list[str]) -> list[bool]:
    """Which lines are rows of a table: several columns, or one number at the end beside another row."""
    sure = [bool(_COLUMNS.search(line)) or _ends_in_cells(line) for line in lines]
    return [
        row or (bool(_ONE_CELL.search(line)) and any(sure[max(0, i - 1) : i + 2]))
        for i, (row, line) in enumerate(zip(sure, lines, strict=True))
    ]


def _ends_in_cells(line: str) -> bool:
    """Whether two cells or more end a line, the last without a unit: "2019년 3월 12일" is a date."""
    words = [word for word in line.split() if not _SIGN.fullmatch(word)]
    if len(words) < 2 or not _BARE_CELL.fullmatch(words[-1]):
        return False
    return bool(_BARE_CELL.fullmatch(words[-2]) or _COUNTED_CELL.fullmatch(words[-2]))


def _breaks(before: str, after: str, widest: int) -> bool:
    """Whether a line break between two lines of prose separates units."""
    if _BULLET.match(after):
        return True
    full = len(before) >= _SHORT_LINE * widest
    if _NUMBERED.match(after):
        # "…하였\n다. " and "Note\n5. " only look like list numbers: a full line broke there, unfinished.
        return not full or bool(_STOPPED.search(before))
    if full or len(before) >= _HEADING_LIMIT or not _OPENS.match(after):
        return False
    return not before.rstrip().endswith(("-", "\u00ad", ",", ";"))


def _split(text: str, start: int, end: int) -> Iterator[Range]:
    """Cut one unit at the ends of its sentences."""
    bullet = _BULLET.match(text, start, end)
    start = bullet.end() if bullet else start
    begin = start
    at = _after_numbers(text, start, end)
    while match := _TERMINATOR.search(text, at, end):
        at = match.end()
        closing = _closing_bracket(text, begin, match.end("stop"), end)
        if closing is not None and closing > match.end():
            continue
        if _is_final(text, begin, match, end):
            yield from _trimmed(text, begin, at)
            begin = at
    yield from _trimmed(text, begin, end)


def _after_numbers(text: str, start: int, end: int) -> int:
    """Where the words begin after numbers and a bracketed title: `제3조 [대금] 1. `, `Section 7. `, `Q1. `."""
    at = start
    while match := _PREFIX.match(text, at, end):
        at = match.end()
        title = _TITLE.match(text, at, end)
        at = title.end() if title else at
    return at


def _trimmed(text: str, start: int, end: int) -> Iterator[Range]:
    piece = text[start:end]
    if piece.strip():
        yield start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _closing_bracket(text: str, begin: int, at: int, end: int) -> int | None:
    """Where the bracket that is open at `at` closes, if it does soon; None when none is open."""
    expected: list[str] = []
    for match in _BRACKET_MARK.finditer(text, max(begin, at - _BRACKETED_LIMIT), at):
        mark, place = match[0], match.start()
        if expected and mark == expected[-1]:
            expected.pop()
        elif mark in _BRACKETS:
            expected.append(_BRACKETS[mark])
        elif mark == _QUOTE and (place == begin or text[place - 1].isspace() or text[place - 1] in _BRACKETS):
            expected.append(_QUOTE)
    if not expected:
        return None
    found = text.find(expected[0], at, min(end, at + _BRACKETED_LIMIT))
    return found if found >= 0 else None


def _is_final(text: str, begin: int, match: re.Match[str], end: int) -> bool:
    """Whether this terminator ends a sentence."""
    before = text[max(begin, match.start() - 40) : match.start()]
    if match["tight"]:
        # Korean text that lost the space after a sentence; otherwise the word goes on ("3.1운동", "다."라고).
        return not match["close"] and match["stop"] == "." and bool(re.search("[다요까]$", before))
    rest = text[match.end() : min(end, match.end() + 60)].lstrip()
    if not rest:
        return True
    if match["stop"] == "." and (
        rest.startswith(". ") or (before[-1:].isspace() and before.rstrip().endswith("."))
    ):
        return False  # a leader between a title and its page: "Fees. . . . 8"
    if match["close"] and _REPORTED.match(rest):
        return False
    if rest[0].islower() or (match["stop"] in ("…", "...") and not match["close"] and not rest[0].isupper()):
        return bool(_KOREAN_FINAL.search(before))
    return match["stop"] != "." or bool(match["close"]) or _point_is_final(before, rest)


def _point_is_final(before: str, rest: str) -> bool:
    """Whether a point between these two pieces of a line ends a sentence."""
    date = _DATE_POINT.search(before)
    if date and (rest[0].isdigit() or ("." in date[0] and "가" <= rest[0] <= "힣")):
        return False
    word = _LAST_WORD.search(before)
    last = word[0].lower() if word else ""
    if last in _NEVER_FINAL:
        return False
    if last in ("no", "nos"):
        return not rest[0].isdigit()
    initial = word is not None and len(word[0]) == 1 and word[0].isupper()
    if initial or "." in last or last in _SELDOM_FINAL:
        following = re.match(r"[\"'“‘(\[]*([A-Z][a-z]*)", rest)
        return following is not None and following[1].lower() in _OPENERS
    return True
