"""Reads HWPX, the XML format of Hangul (OWPML, KS X 6101)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from ingest.options import ReadOptions
from ingest.raw import RawDocument
from ingest.readers.archive import DAMAGED_PARTS, ArchiveNotReadable, local, open_archive, parse_xml
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
from ingest.visibility import hex_colour
from rag.types import Status

_SECTION = re.compile(r"Contents/section(\d+)\.xml", re.IGNORECASE)
_LETTERS = {"lineBreak": "\n", "tab": "\t", "nbSpace": " ", "fwSpace": " ", "hyphen": "-"}
_PLACES = {
    "footNote": TextPlace.NOTE, "endNote": TextPlace.NOTE, "header": TextPlace.MARGIN, "footer": TextPlace.MARGIN,
    "drawText": TextPlace.BOX, "caption": TextPlace.BOX,
}  # fmt: skip
_LONGEST_NUMBER = 7
"""Digits from which on the place of a cell is nonsense."""
_NOT_SHOWN = frozenset({"fieldBegin", "secPr", "linesegarray", "parameters", "shapeComment"})
"""Elements whose text is no part of the document: a memo, an instruction, a description of a drawing's kind."""


def read_hwpx(path: Path, options: ReadOptions) -> RawDocument:
    """The document. Raises ArchiveNotReadable, ValueError when the file is not HWPX."""
    with open_archive(path, "Hangul", options) as archive:
        try:
            return _read(archive, options)
        except (KeyError, *DAMAGED_PARTS) as error:
            raise ArchiveNotReadable(Status.DAMAGED, "not a file of Hangul, or a damaged one") from error


def _read(archive: ZipFile, options: ReadOptions) -> RawDocument:
    names = archive.namelist()
    if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise ArchiveNotReadable(Status.ENCRYPTED, "encrypted: save it without a password")
    found = sorted((int(match[1]), name) for name in names if (match := _SECTION.fullmatch(name)))
    if not found:
        raise ArchiveNotReadable(Status.DAMAGED, "not a file of Hangul, or a damaged one")
    looks = _Looks.of(_part(archive, "Contents/header.xml")) if "Contents/header.xml" in names else _Looks()
    reader = _SectionReader(looks, options.keep_hidden_text)
    sections = [list(reader.paragraphs(_part(archive, name))) for _, name in found]
    document = document_of(sections, reader.counts, kept=options.keep_hidden_text)
    with suppress(KeyError, ValueError):
        for element in _part(archive, "Contents/content.hpf").iter("{*}title", "{*}meta"):
            if local(element) == "title":
                document.title = " ".join((element.text or "").split())
            elif element.get("name") == "creator":
                document.author = (element.text or "").strip()
            elif element.get("name") == "CreatedDate":
                document.created = (element.text or "")[:10]
    return document


def _part(archive: ZipFile, name: str) -> Any:
    return parse_xml(io.BytesIO(archive.read(name)))


@dataclass(slots=True)
class _Looks:
    """Which character properties nobody sees, and which styles and paragraph properties are headings, by id."""

    unseen: set[str] = field(default_factory=set)
    heading_styles: set[str] = field(default_factory=set)
    heading_paragraphs: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, header: Any) -> _Looks:
        """From the root of header.xml. Heights are hundredths of a point."""
        looks = cls()
        for element in header.iter("{*}charPr"):
            colour, shade = (hex_colour(element.get(key)) for key in ("textColor", "shadeColor"))
            height = element.get("height", "")
            if is_unseen(colour, shade, int(height) if height.isdigit() else None):
                looks.unseen.add(element.get("id", ""))
        for element in header.iter("{*}style"):
            if is_heading_style(element.get("name", "")) or is_heading_style(element.get("engName", "")):
                looks.heading_styles.add(element.get("id", ""))
        for element in header.iter("{*}paraPr"):
            heading = next(element.iter("{*}heading"), None)
            if heading is not None and heading.get("type") == "OUTLINE":
                looks.heading_paragraphs.add(element.get("id", ""))
        return looks


class _SectionReader:
    """Reads sections one after the other; tracked deletions may run over several paragraphs."""

    def __init__(self, looks: _Looks, keep_hidden: bool) -> None:
        self.counts = HangulCounts()
        self._looks, self._keep_hidden = looks, keep_hidden
        self._deleted = False

    def paragraphs(self, parent: Any) -> Iterator[HangulParagraph]:
        """The paragraphs that stand in an element, but for those in their tables, boxes and notes."""
        for child in parent.iterchildren("*"):
            if local(child) == "p":
                yield self._paragraph(child)
            elif local(child) == "subList":
                yield from self.paragraphs(child)

    def _paragraph(self, element: Any) -> HangulParagraph:
        style, properties = element.get("styleIDRef", ""), element.get("paraPrIDRef", "")
        looks = self._looks
        heading = style in looks.heading_styles or properties in looks.heading_paragraphs
        paragraph = HangulParagraph("", heading)
        runs = (run for run in element.iterchildren("*") if local(run) == "run")
        paragraph.text = "".join([self._run(run, paragraph) for run in runs])
        return paragraph

    def _run(self, run: Any, paragraph: HangulParagraph) -> str:
        """The text of a run that a reader sees; what is anchored in it goes to the paragraph."""
        texts: list[str] = []
        for child in run.iterchildren("*"):
            if local(child) == "t":
                texts.append(self._text(child))
            else:
                self._anchored(child, paragraph, texts)
        text = "".join(texts)
        letters = len("".join(text.split()))
        if letters and run.get("charPrIDRef") in self._looks.unseen:
            self.counts.hidden += letters
            return text if self._keep_hidden else ""
        return text

    def _text(self, element: Any) -> str:
        """Mixed content: text, breaks, and the marks of tracked changes."""
        parts = [element.text or ""] if not self._deleted else []
        for child in element.iterchildren("*"):
            name = local(child)
            if name == "deleteBegin":
                self._deleted = True
                self.counts.deletions += 1
            elif name == "deleteEnd":
                self._deleted = False
            elif not self._deleted:
                parts.append(_LETTERS.get(name, ""))
            if not self._deleted:
                parts.append(child.tail or "")
        return "".join(parts)

    def _anchored(self, element: Any, paragraph: HangulParagraph, texts: list[str]) -> None:
        """A table, note, drawing or control."""
        name = local(element)
        if name == "tbl":
            paragraph.inner += self._table(element)
        elif name in _PLACES:
            paragraph.inner.append(Inner(_PLACES[name], list(self.paragraphs(element))))
        elif name == "hiddenComment":
            text = "".join("".join(piece.itertext()) for piece in element.iter("{*}t"))
            self.counts.hidden += len("".join(text.split()))
            if self._keep_hidden:
                paragraph.inner.append(Inner(TextPlace.BOX, list(self.paragraphs(element))))
        elif name == "script":  # of an equation
            texts.append(f" {element.text or ''} ")
        elif name in ("mainText", "subText"):  # a word with small letters above it
            texts.append((element.text or "") if name == "mainText" else f"({element.text or ''})")
        elif name == "compose":
            texts.append(element.get("composeText", ""))
        elif name not in _NOT_SHOWN:
            for child in element.iterchildren("*"):
                self._anchored(child, paragraph, texts)

    def _table(self, element: Any) -> Iterator[Inner | Grid]:
        captions = [child for child in element.iterchildren("*") if local(child) == "caption"]
        for caption in captions:
            yield Inner(TextPlace.BOX, list(self.paragraphs(caption)))
        grid = Grid([])
        for number, row in enumerate(c for c in element.iterchildren("*") if local(c) == "tr"):
            for place, cell in enumerate(c for c in row.iterchildren("*") if local(c) == "tc"):
                said = {
                    name: int(text)
                    for child in cell.iterchildren("*")
                    if local(child) in ("cellAddr", "cellSpan")
                    for name, text in child.attrib.items()
                    if text.isdigit() and len(text) < _LONGEST_NUMBER
                }
                top, left = said.get("rowAddr", number), said.get("colAddr", place)
                rows, columns = said.get("rowSpan", 1), said.get("colSpan", 1)
                grid.cells.append((top, left, rows, columns, list(self.paragraphs(cell))))
                if cell.get("header") == "1" and top == grid.head_rows:
                    grid.head_rows = top + rows
        yield grid
