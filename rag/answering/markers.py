"""Read the citation markers of a model's reply: `[2: "was opened to traffic on 24 October 1931"]`.

The form is described in `rag.answering.reply`. A marker leaves a hole (a Unicode noncharacter) behind, so that the
quotes' own full stops do not get in the way when the text is split into sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.text.patterns import lazy_compile
from rag.types import CellReference

HOLE = "\ufdd0"
_CLOSERS = {'"': '"”“', "“": '”"“', "”": '”"', "„": '“”"', "«": "»"}
_CLOSERS |= {"「": "」", "『": "』", "‘": "’'", "'": "'’", "`": "`'"}
_OPEN, _CLOSE = "".join(_CLOSERS), "".join(sorted(set("".join(_CLOSERS.values()))))
_LABEL = (
    r"(?:passages?|sources?|doc(?:ument)?s?|quotes?|citations?|출처|문서|근거|인용|자료|구절|지문|발췌)?"
    r"\s*[#№]?\s*"
)
_NUMBERS = r"\d{1,3}(?:\s*[,;·&]\s*\d{1,3}(?!\s*(?:쪽|페이지)))*"
_PAGE = (
    r"(?:\s*[,;(]?\s*"
    r"(?:p(?:p|g|age)?\b\.?\s*(?P<page>\d{1,5})|(?P<page_ko>\d{1,5})\s*(?:쪽|페이지))\s*\)?)?"
)
_START = lazy_compile(
    rf"[\[【〔]\s*{_LABEL}(?P<n>{_NUMBERS}){_PAGE}\s*"
    rf"(?:(?P<bare>[\]】〕])|[::,–—-]?\s*(?=[{_OPEN}])|[::]\s*)",
    re.I,
)
_BEHIND_QUOTE = (
    rf"\s*(?:(?P<end>[\]】〕])|[,;]?\s*(?=[{_OPEN}])"
    rf"|[,;]\s*{_LABEL}(?P<n>\d{{1,3}})\s*[::]\s*(?=[{_OPEN}]))"
)
_QUOTE_END = {mark: lazy_compile(f"[{closers}]{_BEHIND_QUOTE}", re.I) for mark, closers in _CLOSERS.items()}
_AFTER_BARE = lazy_compile(
    rf"[ \t]*[::]?[ \t]*[{_OPEN}](?P<words>[^\n]+?)[{_CLOSE}][ \t]*(?:\(p[^)\n]*\))?[ \t]*(?=\n|$|[\[【])"
)


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that the answerer says stand in a passage."""

    text: str
    passage: int | None = None
    """The number (from 1) under which the passage was given; None when the answerer named none."""
    page: int | None = None
    """The page the answerer named, when it named one; never believed, only compared."""
    cell: CellReference | None = None
    """The table cell that is meant, when the answerer looked one up."""


@dataclass(frozen=True, slots=True)
class CitationMarker:
    """A marker as read: the passage numbers it names and the quotes it carries."""

    passages: tuple[int, ...]
    quotes: tuple[Quote, ...] = ()


def lift_markers(text: str) -> tuple[str, list[CitationMarker]]:
    """`text` with every marker replaced by `HOLE`, and the markers in order."""
    pieces: list[str] = []
    marks: list[CitationMarker] = []
    at = 0
    while (start := _START.search(text, at)) is not None:
        mark, end = _read_marker(text, start)
        pieces += [text[at : start.start()], HOLE]
        marks.append(mark)
        at = end
    pieces.append(text[at:])
    return "".join(pieces), marks


def read_quote(words: str, passage: int | None, page: int | None = None) -> tuple[Quote, ...]:
    """The quote in `words`, without the quotation marks around it; nothing when it holds no words."""
    words = words.strip().strip(_OPEN + _CLOSE).strip()
    return (Quote(words, passage, page),) if any(c.isalnum() for c in words) else ()


def _read_marker(text: str, start: re.Match[str]) -> tuple[CitationMarker, int]:
    numbers = tuple(dict.fromkeys(int(n) for n in re.findall(r"\d+", start["n"])))
    page_text = start["page"] or start["page_ko"]
    page = int(page_text) if page_text else None
    if start["bare"]:
        after = _AFTER_BARE.match(text, start.end())
        if after is None or len(numbers) != 1:
            return CitationMarker(numbers), start.end()
        return CitationMarker(numbers, read_quote(after["words"], numbers[0], page)), after.end()
    if start.end() >= len(text) or text[start.end()] not in _OPEN:
        return _unquoted(text, start.end(), numbers, page)
    return _quoted(text, start.end(), numbers, page)


def _quoted(text: str, at: int, numbers: tuple[int, ...], page: int | None) -> tuple[CitationMarker, int]:
    """The quotes from `at`, where an opening quotation mark stands, to the end of the marker."""
    quotes: list[Quote] = []
    passages = list(numbers)
    passage = numbers[0]
    limit = _limit(text, at)
    while (stop := _QUOTE_END[text[at]].search(text, at + 1, limit)) is not None:
        quotes += read_quote(text[at + 1 : stop.start()], passage, page)
        if stop["end"]:
            return CitationMarker(tuple(dict.fromkeys(passages)), tuple(quotes)), stop.end()
        if stop["n"]:
            passage, page = int(stop["n"]), None
            passages.append(passage)
        at = stop.end()
    quotes += read_quote(text[at + 1 : limit].rstrip("]】〕 \n"), passage, page)  # cut off, or never closed
    return CitationMarker(tuple(dict.fromkeys(passages)), tuple(quotes)), limit


def _unquoted(text: str, at: int, numbers: tuple[int, ...], page: int | None) -> tuple[CitationMarker, int]:
    """`[1: words without quotation marks]`."""
    limit = _limit(text, at)
    close = min((i for i in (text.find(c, at, limit) for c in "]】〕") if i >= 0), default=limit)
    return CitationMarker(numbers, read_quote(text[at:close], numbers[0], page)), min(close + 1, limit)


def _limit(text: str, at: int) -> int:
    """Where a quote must have ended: at the end of the paragraph, or where the next quote's marker opens."""
    paragraph = text.find("\n\n", at)
    limit = len(text) if paragraph < 0 else paragraph
    for start in _START.finditer(text, at, limit):
        if not start["bare"]:
            return start.start()
    return limit
