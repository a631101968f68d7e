"""Reads one file that is not a PDF."""

from __future__ import annotations

import csv
import io
import warnings
from pathlib import Path
from typing import Any

from ingest.discovery import Format
from ingest.invisible import invisible_characters
from ingest.options import ReadOptions
from ingest.raw import Line, LineKind, RawDocument
from ingest.readers.docx import read_docx
from ingest.readers.html import declared_charset, read_html
from ingest.readers.hwp import read_hwp
from ingest.readers.hwpx import read_hwpx
from ingest.readers.markdown import markdown_lines
from ingest.readers.pptx import read_pptx
from ingest.readers.text import Decoded, decode, marked, paginate, typed_lines
from ingest.readers.xlsx import read_xlsx
from rag.types import Status

_BINARY = 0.1
"""Share of control characters above which a file is not text, whatever its name says."""


def read_file(path: Path, kind: Format, options: ReadOptions) -> RawDocument:
    """Read a file that is no PDF.

    Raises OSError, ArchiveNotReadable, ValueError for a damaged file.
    """
    if not path.stat().st_size:
        return RawDocument(status=Status.EMPTY, reason="the file is empty")
    if kind in _OFFICE:
        return _OFFICE[kind](path, options)
    if path.stat().st_size > options.max_characters:
        limit = options.max_characters
        return RawDocument(status=Status.TOO_LARGE, reason=f"more than {limit:,} characters")
    data = path.read_bytes()
    if not data.strip():
        return RawDocument(status=Status.EMPTY, reason="the file is empty")
    decoded = decode(data)
    if _is_binary(decoded.text):
        return RawDocument(status=Status.DAMAGED, reason=f"not a {kind.value} file: binary data")
    document = _READERS[kind](path, data, decoded, options)
    if document.pages:
        page, remarks = document.pages[0], [document.pages[0].note]
        if invisible := invisible_characters(decoded.text):  # cleaning takes them out of all text
            remarks.append(f"hidden text removed: {invisible} characters (zero-width characters)")
        if decoded.damaged:
            remarks.append(f"{decoded.damaged:,} characters are not {decoded.encoding}")
        page.note = "; ".join(filter(None, remarks))
    return document


def _read_text(_path: Path, _data: bytes, decoded: Decoded, _options: ReadOptions) -> RawDocument:
    return RawDocument(paginate(typed_lines(decoded.text)))


def _read_markdown(_path: Path, _data: bytes, decoded: Decoded, _options: ReadOptions) -> RawDocument:
    return RawDocument(paginate(markdown_lines(decoded.text)))


def _read_html(_path: Path, data: bytes, decoded: Decoded, options: ReadOptions) -> RawDocument:
    text = decoded.text
    charset = declared_charset(data)
    if charset and decoded.encoding not in ("utf-8", "utf-8-sig", "cp949"):
        try:
            text = data.decode(charset)
        except (LookupError, UnicodeDecodeError):
            text = decoded.text  # the file is mistaken about itself
    found = read_html(text, keep_hidden=options.keep_hidden_text)
    document = RawDocument(paginate(found.lines), title=" ".join(found.title.split()))
    if found.hidden and document.pages:
        verb = "kept" if options.keep_hidden_text else "left out"
        document.pages[0].note = f"hidden text {verb}: {found.hidden} characters (style)"
    elif found.hidden:
        document.status, document.reason = Status.HIDDEN_TEXT, "nothing but text that a browser hides"
    return document


def _read_csv(path: Path, _data: bytes, decoded: Decoded, _options: ReadOptions) -> RawDocument:
    """Every row on a line, each value with its column's name."""
    sample = decoded.text[:8192]
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(sample, delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel_tab if path.suffix.lower() == ".tsv" else csv.excel
    arguments = {"delimiter": dialect.delimiter, "quotechar": dialect.quotechar or '"'}
    try:
        rows = _csv_loader()(str(path), encoding=decoded.encoding, csv_args=arguments).load()
    except (RuntimeError, csv.Error) as error:
        raise ValueError("the rows of the CSV file cannot be read") from error
    lines: list[Line] = []
    for row in rows:
        named = _cells(row.page_content)
        line = marked(LineKind.ROW, "; ".join(f"{name}: {value}" for name, value in named))
        line.named = tuple(named)
        lines.append(line)
    return RawDocument(paginate([line for line in lines if line.text]))


def _cells(content: str) -> list[tuple[str, str]]:
    """Name and value for the columns that have a value."""
    pairs = (line.partition(":") for line in io.StringIO(content).read().splitlines())
    return [(name.strip(), value.strip()) for name, _, value in pairs if value.strip()]


def _csv_loader() -> Any:
    """CSVLoader of langchain_community, which warns at import that it is being retired."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langchain_community.document_loaders.csv_loader import CSVLoader

        return CSVLoader


def _is_binary(text: str) -> bool:
    sample = text[:65536]
    control = sum(c < " " and c not in "\t\n\r\f\v\x1b" for c in sample) + sample.count("\ufffd")
    return control > _BINARY * len(sample)


_OFFICE = {
    Format.DOCX: read_docx,
    Format.XLSX: read_xlsx,
    Format.PPTX: read_pptx,
    Format.HWPX: read_hwpx,
    Format.HWP: read_hwp,
}
_READERS = {
    Format.TEXT: _read_text,
    Format.MARKDOWN: _read_markdown,
    Format.HTML: _read_html,
    Format.CSV: _read_csv,
}
