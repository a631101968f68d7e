"""Reads HWP 5, the binary format of Hangul: records in compressed streams of a compound file.

Tags, sizes and offsets are those of "한글 문서 파일 형식 5.0" (Hancom, revision 1.3).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.options import MIB, ReadOptions
from ingest.raw import RawDocument
from ingest.readers.archive import OLE_HEADER, ArchiveNotReadable
from ingest.readers.hangul import (
    Grid,
    HangulCounts,
    HangulParagraph,
    Inner,
    TextPlace,
    document_of,
    is_heading_style,
    is_unseen,
)
from ingest.readers.hwpx import read_hwpx
from rag.types import Status

_CHAR_SHAPE, _STYLE = 21, 26
_PARA_HEADER, _PARA_TEXT, _PARA_CHAR_SHAPE = 66, 67, 68
_CTRL_HEADER, _LIST_HEADER, _TABLE, _EQUATION = 71, 72, 77, 88
_COMPRESSED, _PASSWORD, _DISTRIBUTION = 1, 2, 4  # bits of the file header
_VERSION_3 = b"HWP Document File V3"
_SIGNATURE = b"HWP Document File"
_CHARS = frozenset({0, 10, 13, *range(24, 32)})
"""Control characters of one code unit; the others below 32 take eight."""
_LETTERS = {9: "\t", 10: "\n", 24: "-", 30: " ", 31: " "}
_PLACES = {
    b"fn  ": TextPlace.NOTE,
    b"en  ": TextPlace.NOTE,
    b"head": TextPlace.MARGIN,
    b"foot": TextPlace.MARGIN,
}
_SHARE = 8
"""Part of the memory limit that one stream may take when it is unpacked: its records take several times that."""
_DEEPEST = 60
"""Levels of records; tables within tables take two each."""


def read_hwp(path: Path, options: ReadOptions) -> RawDocument:
    """The document; a file of the other Hangul format under this name, too. Raises ArchiveNotReadable."""
    import olefile

    with path.open("rb") as file:
        begins = file.read(len(_VERSION_3))
    if begins.startswith(b"PK\x03\x04"):
        return read_hwpx(path, options)
    if begins == _VERSION_3:
        raise ArchiveNotReadable(Status.UNSUPPORTED, "an HWP file of version 3: save it as HWPX")
    if not begins.startswith(OLE_HEADER):
        raise ArchiveNotReadable(Status.DAMAGED, "not a file of Hangul, or a damaged one")
    try:
        with olefile.OleFileIO(str(path)) as file:
            return _read(file, options)
    except (ArchiveNotReadable, MemoryError, RecursionError):
        raise
    except Exception as error:  # olefile raises whatever a damaged directory makes it stumble over
        raise ArchiveNotReadable(Status.DAMAGED, "not a file of Hangul, or a damaged one") from error


def _read(file: Any, options: ReadOptions) -> RawDocument:
    header = file.openstream("FileHeader").read(256)
    if not header.startswith(_SIGNATURE) or len(header) < 40:
        raise ArchiveNotReadable(Status.DAMAGED, "not a file of Hangul, or a damaged one")
    (flags,) = struct.unpack_from("<I", header, 36)
    if flags & _PASSWORD:
        raise ArchiveNotReadable(Status.ENCRYPTED, "encrypted: save it without a password")
    if flags & _DISTRIBUTION:
        raise ArchiveNotReadable(
            Status.ENCRYPTED, "encrypted, a distribution copy: save it as an ordinary document"
        )
    limit = options.memory_mib * MIB // _SHARE

    def records(name: str) -> list[_Record]:
        data = file.openstream(name).read()
        return _tree(_unpacked(data, limit) if flags & _COMPRESSED else data)

    numbers = sorted(
        int(entry[1][7:])
        for entry in file.listdir()
        if len(entry) == 2 and entry[0] == "BodyText" and entry[1][:7] == "Section" and entry[1][7:].isdigit()
    )
    reader = _RecordReader(records("DocInfo"), options.keep_hidden_text)
    sections = [list(reader.paragraphs(records(f"BodyText/Section{number}"))) for number in numbers]
    document = document_of(sections, reader.counts, kept=options.keep_hidden_text)
    with suppress(Exception):  # title and author are worth no document
        properties = file.getproperties("\x05HwpSummaryInformation")
        document.title, document.author = (str(properties.get(key) or "").strip() for key in (2, 4))
    return document


def _unpacked(data: bytes, limit: int) -> bytes:
    """Raises ArchiveNotReadable beyond `limit` bytes, ValueError for damaged data (as olefile raises)."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    unpacked = unpacker.decompress(data, limit)
    if unpacker.unconsumed_tail:
        raise ArchiveNotReadable(Status.TOO_LARGE, "too large when it is unpacked")
    return unpacked


@dataclass(slots=True)
class _Record:
    tag: int
    data: bytes
    children: list[_Record] = field(default_factory=list)


def _tree(data: bytes) -> list[_Record]:
    """The records of a stream, each with those on a deeper level that follow it. A cut stream ends early."""
    roots: list[_Record] = []
    open_records: list[tuple[int, _Record]] = []
    at = 0
    while at + 4 <= len(data):
        (head,) = struct.unpack_from("<I", data, at)
        tag, level, size = head & 0x3FF, head >> 10 & 0x3FF, head >> 20
        at += 4
        if size == 0xFFF and at + 4 <= len(data):
            (size,) = struct.unpack_from("<I", data, at)
            at += 4
        if at + size > len(data) or level > _DEEPEST:
            raise ValueError("a record goes beyond its stream")
        record = _Record(tag, data[at : at + size])
        at += size
        while open_records and open_records[-1][0] >= level:
            open_records.pop()
        (open_records[-1][1].children if open_records else roots).append(record)
        open_records.append((level, record))
    return roots


class _RecordReader:
    """Reads sections with the looks that the document's head defines."""

    def __init__(self, head: Sequence[_Record], keep_hidden: bool) -> None:
        self.counts = HangulCounts()
        self._keep_hidden = keep_hidden
        flat = [record for root in head for record in (root, *root.children)]
        self._unseen = [_is_unseen(record.data) for record in flat if record.tag == _CHAR_SHAPE]
        self._headings = [_is_heading(record.data) for record in flat if record.tag == _STYLE]

    def paragraphs(self, records: Sequence[_Record]) -> Iterator[HangulParagraph]:
        """The paragraphs among the records."""
        for record in records:
            if record.tag == _PARA_HEADER:
                yield self._paragraph(record)

    def _paragraph(self, record: _Record) -> HangulParagraph:
        style = record.data[10] if len(record.data) > 10 else 0
        paragraph = HangulParagraph("", style < len(self._headings) and self._headings[style])
        shapes = next((c.data for c in record.children if c.tag == _PARA_CHAR_SHAPE), b"")
        for child in record.children:
            if child.tag == _PARA_TEXT:
                paragraph.text += self._text(child.data, shapes)
            elif child.tag == _CTRL_HEADER:
                self._control(child, paragraph)
        return paragraph

    def _text(self, data: bytes, shapes: bytes) -> str:
        """The text without control characters and hidden runs. `shapes`: from which code unit on which look holds."""
        starts = dict(struct.iter_unpack("<II", shapes[: len(shapes) // 8 * 8]))
        kept: list[bytes] = []
        hidden, at = False, 0
        while at * 2 + 1 < len(data):
            if at in starts:
                hidden = starts[at] < len(self._unseen) and self._unseen[starts[at]]
            unit = data[at * 2 : at * 2 + 2]
            code = unit[0] | unit[1] << 8
            at += 1
            if code < 32:
                kept.append(_LETTERS.get(code, "").encode("utf-16-le"))
                at += 0 if code in _CHARS else 7
                continue
            self.counts.hidden += hidden and code not in (0x20, 0xA0, 0x3000)
            if not hidden or self._keep_hidden:
                kept.append(unit)
        return b"".join(kept).decode("utf-16-le", "replace")

    def _control(self, record: _Record, paragraph: HangulParagraph) -> None:
        """A table, note, header, text box or equation."""
        kind = record.data[3::-1]
        if kind == b"tbl ":
            paragraph.inner += self._table(record)
        elif kind == b"tcmt":  # a hidden comment
            hidden = [p for _, part in _lists(record.children) for p in self.paragraphs(part)]
            self.counts.hidden += sum(len("".join(p.text.split())) for p in hidden)
            paragraph.inner += [Inner(TextPlace.BOX, hidden)] if self._keep_hidden else []
        elif kind == b"eqed":
            for child in record.children:
                if child.tag == _EQUATION and len(child.data) > 6:
                    (length,) = struct.unpack_from("<H", child.data, 4)
                    script = child.data[6 : 6 + 2 * length].decode("utf-16-le", "replace")
                    paragraph.text += f" {script} "
        elif kind in _PLACES or kind == b"gso ":
            for _, part in _lists(record.children):
                place = _PLACES.get(kind, TextPlace.BOX)
                paragraph.inner.append(Inner(place, list(self.paragraphs(part))))

    def _table(self, record: _Record) -> Iterator[Inner | Grid]:
        """The caption, whose list comes before the table's own record, and the cells, whose lists follow it."""
        at = next((i for i, child in enumerate(record.children) if child.tag == _TABLE), 0)
        for _, part in _lists(record.children[:at]):
            yield Inner(TextPlace.BOX, list(self.paragraphs(part)))
        grid = Grid([])
        for data, part in _lists(record.children[at:]):
            if len(data) >= 16:
                column, row, columns, rows = struct.unpack_from("<4H", data, 8)
                grid.cells.append((row, column, rows, columns, list(self.paragraphs(part))))
        yield grid


def _lists(records: Sequence[_Record]) -> Iterator[tuple[bytes, list[_Record]]]:
    """The lists of paragraphs below a control, with the data of their heads; those of drawings lie deeper."""
    current: list[_Record] | None = None
    head = b""
    for record in records:
        if record.tag == _LIST_HEADER:
            if current is not None:
                yield head, current
            head, current = record.data, list(record.children)
        elif current is not None and record.tag == _PARA_HEADER:
            current.append(record)
        elif record.tag != _PARA_HEADER:
            yield from _lists(record.children)
    if current is not None:
        yield head, current


def _is_unseen(shape: bytes) -> bool:
    """Whether a reader sees no text of a character shape."""
    if len(shape) < 64:
        return False
    size, text, shade = struct.unpack_from("<i", shape, 42)[0], shape[52:55], shape[60:63]
    return is_unseen((text[0], text[1], text[2]), (shade[0], shade[1], shade[2]), size if size > 0 else None)


def _is_heading(style: bytes) -> bool:
    names: list[str] = []
    at = 0
    for _ in range(2):  # its Korean and its English name
        length = struct.unpack_from("<H", style, at)[0] if at + 2 <= len(style) else 0
        names.append(style[at + 2 : at + 2 + 2 * length].decode("utf-16-le", "replace"))
        at += 2 + 2 * length
    return any(map(is_heading_style, names))
