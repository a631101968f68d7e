"""Reads files that are text, in whatever encoding: plain text, Markdown, HTML and CSV."""

from __future__ import annotations

import codecs
import csv
import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from markdown_it import MarkdownIt

from ingest.discovery import Format
from ingest.options import ReadOptions
from ingest.raw import Line, LineKind, RawDocument
from ingest.readers.html import declared_charset, read_html
from ingest.readers.lines import marked, paginate, typed_lines
from ingest.visibility import hidden_note, invisible_characters
from rag.types import Status

if TYPE_CHECKING:
    from markdown_it.token import Token

_BINARY = 0.1
"""Share of control characters above which a file is not text, whatever its name says."""


def read_text_file(path: Path, kind: Format, options: ReadOptions) -> RawDocument:
    """Read a text file of this format. Raises OSError, ValueError for a damaged file."""
    if path.stat().st_size > options.max_characters:
        limit = options.max_characters
        return RawDocument(status=Status.TOO_LARGE, reason=f"more than {limit:,} characters")
    data = path.read_bytes()
    if not data.strip():
        return RawDocument(status=Status.EMPTY, reason="the file is empty")
    decoded = decode(data)
    sample = decoded.text[:65536]
    control = sum(c < " " and c not in "\t\n\r\f\v\x1b" for c in sample) + sample.count("\ufffd")
    if control > _BINARY * len(sample):
        return RawDocument(status=Status.DAMAGED, reason=f"not a {kind.value} file: binary data")
    if kind is Format.HTML:
        document = _read_html(data, decoded, keep_hidden=options.keep_hidden_text)
    elif kind is Format.CSV:
        document = RawDocument(paginate(_csv_lines(path, decoded)))
    elif kind is Format.MARKDOWN:
        document = RawDocument(paginate(_markdown_lines(decoded.text)))
    else:
        document = RawDocument(paginate(typed_lines(decoded.text)))
    if document.pages:
        page, remarks = document.pages[0], [document.pages[0].note]
        if invisible := invisible_characters(decoded.text):  # cleaning takes them out of all text
            remarks.append(f"hidden text removed: {invisible} characters (zero-width characters)")
        if decoded.damaged:
            remarks.append(f"{decoded.damaged:,} characters are not {decoded.encoding}")
        page.note = "; ".join(filter(None, remarks))
    return document


def _read_html(data: bytes, decoded: Decoded, *, keep_hidden: bool) -> RawDocument:
    text = decoded.text
    charset = declared_charset(data)
    if charset and decoded.encoding not in ("utf-8", "utf-8-sig", "cp949"):
        with suppress(LookupError, UnicodeDecodeError):  # the file may be mistaken about itself
            text = data.decode(charset)
    found = read_html(text, keep_hidden=keep_hidden)
    document = RawDocument(paginate(found.lines), title=" ".join(found.title.split()))
    if found.hidden and document.pages:
        document.pages[0].note = hidden_note(found.hidden, "style", kept=keep_hidden)
    elif found.hidden:
        document.status, document.reason = Status.HIDDEN_TEXT, "nothing but text that a browser hides"
    return document


def _csv_lines(path: Path, decoded: Decoded) -> list[Line]:
    """Every row on a line, each value with its column's name."""
    with warnings.catch_warnings():  # it warns at import that it is being retired
        warnings.simplefilter("ignore")
        from langchain_community.document_loaders.csv_loader import CSVLoader

    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(decoded.text[:8192], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel_tab if path.suffix.lower() == ".tsv" else csv.excel
    arguments = {"delimiter": dialect.delimiter, "quotechar": dialect.quotechar or '"'}
    try:
        rows = CSVLoader(str(path), encoding=decoded.encoding, csv_args=arguments).load()
    except (RuntimeError, csv.Error) as error:
        raise ValueError("the rows of the CSV file cannot be read") from error
    lines: list[Line] = []
    for row in rows:
        pairs = (line.partition(":") for line in row.page_content.splitlines())
        named = tuple((name.strip(), value.strip()) for name, _, value in pairs if value.strip())
        line = marked(LineKind.ROW, "; ".join(f"{name}: {value}" for name, value in named))
        line.named = named
        lines.append(line)
    return [line for line in lines if line.text]


def _markdown_lines(text: str) -> list[Line]:
    """One line for every heading, paragraph, list item, table row and line of code, without the markup."""
    if text.startswith("---\n") and (end := text.find("\n---", 4)) > 0:  # front matter
        text = text[end + 4 :]
    reader = _MarkdownReader()
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        reader.take(token)
    return reader.lines


class _MarkdownReader:
    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._mark, self._bullet = LineKind.PARAGRAPH, ""
        self._cells: list[str] | None = None
        self._table: object = None
        self._in_head = False

    def take(self, token: Token) -> None:
        if token.type == "heading_open":
            self._mark = LineKind.HEADING
        elif token.type == "list_item_open":
            self._bullet = f"{token.info}. " if token.info else "• "
        elif token.type == "table_open":
            self._table = object()
        elif token.type == "tr_open":
            self._cells = []
        elif token.type == "tr_close":
            line = marked(LineKind.ROW, " | ".join(self._cells or ()))
            line.cells, line.head, line.table = tuple(self._cells or ()), self._in_head, self._table
            self.lines.append(line)
            self._cells = None
        elif token.type in ("thead_open", "thead_close"):
            self._in_head = token.type == "thead_open"
        elif token.type == "inline":
            self._take_words(token.children or ())
        elif token.type in ("fence", "code_block"):
            self.lines += [marked(LineKind.ROW, row) for row in token.content.splitlines() if row.strip()]
        elif token.type == "html_block":
            self.lines += read_html(token.content).lines

    def _take_words(self, children: Sequence[Token]) -> None:
        words = "".join(
            " " if child.type in ("softbreak", "hardbreak") else child.content
            for child in children
            if child.type in ("softbreak", "hardbreak", "text", "code_inline", "image")
        )
        if self._cells is not None:
            self._cells.append(words)
            return
        if words.strip():
            self.lines.append(marked(self._mark, self._bullet + words))
        self._mark, self._bullet = LineKind.PARAGRAPH, ""


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
    by_mark = next((name for bom, name in _BOMS if data.startswith(bom)), None)
    encoding = by_mark or _by_trial(data) or _by_statistics(data)
    text = data.decode(encoding, "replace")
    return Decoded(text, encoding, text.count("\ufffd"))


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
