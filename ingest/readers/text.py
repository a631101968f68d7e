"""Lays text without coordinates out as pages of lines, so that cleaning treats it like any other."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ingest.raw import Line, LineKind, RawPage
from ingest.tables.grid import grid_tables, named_rows

_SAMPLE = 1 << 16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HANGUL = re.compile("[가-힣]")
_EXPECTED = re.compile(
    "[\t\r\n\x20-\x7e가-힣ㄱ-ㆎ\u00a0-\u017f\u2010-\u2027\u3000-\u303f\uff01-\uff5e一-鿿ぁ-ヿ]"
)
_COMMON = frozenset(
    "이다는에의을가고하지은로한서도를기사인시대정자어리나일수원있해부라전장제만여과상것년그으게보성국주들동조경면구스"
    "학관생선연공유민당행비적와용중방소위아물신습니했었할된실계요무개등"
)
"""Syllables that make up about half of any Korean prose (counted by rank in general usage)."""
_COMMON_SHARE = 0.3
"""GB 2312 and EUC-KR share their byte ranges: Chinese read as Korean is Hangul, too, but hardly these."""
_LEGIBLE = 0.95
_WESTERN = 0.85


class Decoded(NamedTuple):
    """A decoded file."""

    text: str
    encoding: str
    damaged: int
    """Characters that could not be decoded."""


def decode(data: bytes) -> Decoded:
    """Decode by byte order mark, UTF-8, UTF-16 without a mark, CP949 (EUC-KR), then charset-normalizer."""
    encoding = _by_bom(data) or _by_trial(data) or _by_statistics(data)
    text = data.decode(encoding, "replace")
    return Decoded(text, encoding, text.count("\ufffd"))


def _by_bom(data: bytes) -> str | None:
    return next((name for bom, name in _BOMS if data.startswith(bom)), None)


def _by_trial(data: bytes) -> str | None:
    if b"\0" not in data[:_SAMPLE] and _nearly(data, "utf-8"):
        return "utf-8"
    for encoding in ("utf-16-le", "utf-16-be"):
        whole = len(data) >= 4 and len(data) % 2 == 0 and _decodes(data, encoding)
        if whole and _legible(data[:_SAMPLE].decode(encoding, "ignore")):
            return encoding
    if _nearly(data, "cp949") and _is_korean(data[:_SAMPLE].decode("cp949", "ignore")):
        return "cp949"
    return None


def _nearly(data: bytes, encoding: str) -> bool:
    """Whether it decodes, but for a damaged character in twenty of those beyond ASCII."""
    if _decodes(data, encoding):
        return True
    text = data.decode(encoding, "replace")
    beyond = sum(character > "\x7f" for character in text)
    return text.count("\ufffd") * 20 < beyond


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _legible(text: str) -> bool:
    """UTF-16 fits nearly any bytes; only the right reading has spaces and one script or two."""
    if not text or len(_EXPECTED.findall(text)) < _LEGIBLE * len(text):
        return False
    blanks = sum(map(text.count, " \n\t"))
    return blanks >= 0.02 * len(text) and (_is_korean(text) or text.isascii() or " " in text)


def _is_korean(text: str) -> bool:
    syllables = _HANGUL.findall(text)
    if not syllables:
        return False
    return sum(s in _COMMON for s in syllables) >= _COMMON_SHARE * len(syllables)


def _by_statistics(data: bytes) -> str:
    """Mostly ASCII is Western European, whose code pages are too alike for statistics."""
    ascii_share = sum(byte < 0x80 for byte in data[:_SAMPLE]) / max(1, len(data[:_SAMPLE]))
    if ascii_share > _WESTERN and _decodes(data, "cp1252"):
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE]).best()
    return best.encoding if best is not None else "cp1252"


_ADVANCE, _SIZE, _LEADING = 6.0, 10.0, 12.0  # a typewriter's page, in points
_PAGE_CHARACTERS = 8_000
"""Formats without pages get one page, or several of about this length when they are longer."""


def typed_lines(text: str) -> list[Line]:
    """The lines of a plain text file, placed as a typewriter would: empty lines leave a gap."""
    lines: list[Line] = []
    rows = text.splitlines()
    for row, content in enumerate(rows):
        words = content.strip()
        if not words:
            continue
        y = (len(rows) - row) * _LEADING
        x = _width(content[: len(content) - len(content.lstrip())].expandtabs(4))
        lines.append(Line(words, x, x + max(_ADVANCE, _width(words)), y, y + _SIZE, size=_SIZE))
    return lines


def marked(mark: LineKind, text: str) -> Line:
    """A line that a format has named."""
    return Line(" ".join(text.split()), mark=mark)


def paginate(lines: Sequence[Line]) -> list[RawPage]:
    """Pages of whole lines; a page ends before a heading or after a paragraph where it can."""
    pages: list[RawPage] = []
    current: list[Line] = []
    length = 0
    for line in lines:
        long_enough = length >= _PAGE_CHARACTERS
        heading = line.mark is LineKind.HEADING and length >= 0.6 * _PAGE_CHARACTERS
        if current and (
            heading or (long_enough and _may_end(current[-1], line)) or length > 2 * _PAGE_CHARACTERS
        ):
            pages.append(_page(len(pages) + 1, current))
            current, length = [], 0
        current.append(line)
        length += len(line.text)
    if current:
        pages.append(_page(len(pages) + 1, current))
    return pages


def _may_end(last: Line, following: Line) -> bool:
    if last.mark is not LineKind.UNKNOWN:
        return last.mark is not LineKind.HEADING
    return last.y0 - following.y1 > 0.5 * _LEADING


def _page(number: int, lines: Iterable[Line]) -> RawPage:
    kept = list(lines)
    tables = grid_tables(kept) + named_rows([line for line in kept if line.named])
    return RawPage(number, kept, characters=sum(len(line.text) for line in kept), tables=tables)


def _width(text: str) -> float:
    """East Asian letters are two columns wide."""
    if text.isascii():
        return _ADVANCE * len(text)
    return _ADVANCE * sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
