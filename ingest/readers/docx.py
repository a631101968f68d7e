"""Reads DOCX from its XML, with tracked changes accepted: nothing that a reader sees is passed over.

Paragraphs and tables also stand in content controls, tracked changes, text boxes and cells of other tables;
footnotes, headers and footers follow the body. Element names are those of WordprocessingML (ECMA-376 part 1,
section 17).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.options import ReadOptions
from ingest.raw import Line, LineKind, RawDocument
from ingest.readers.archive import open_archive, stated
from ingest.readers.lines import MOST_COLUMNS, margin_lines, marked, paginate
from ingest.readers.word_styles import Styles, W, fill_of, val
from ingest.visibility import WHITE, Colour, hex_colour, hidden_note
from rag.text.figures import is_figure
from rag.types import Status

_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_WPS = "{http://schemas.microsoft.com/office/word/2010/wordprocessingShape}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_REMOVED = frozenset({W + "del", W + "moveFrom"})
_ADDED = frozenset({W + "ins", W + "moveTo"})
_NO_TEXT = frozenset(
    {W + "pPr", W + "rPr", W + "sdtPr", W + "sdtEndPr", W + "tblPr", W + "tblGrid", W + "sectPr"}
)
_LETTERS = {W + "tab": "\t", W + "br": "\n", W + "cr": "\n", W + "noBreakHyphen": "-", W + "ptab": "\t"}
_NOTES = {W + "footnoteReference": "footnote", W + "endnoteReference": "endnote"}
_FILLS = tuple(_DRAWING + name for name in ("solidFill", "gradFill", "blipFill", "pattFill"))


def read_docx(path: Path, options: ReadOptions) -> RawDocument:
    """The document, laid out as pages. Raises ArchiveNotReadable, ValueError when the file is not a DOCX."""
    import docx

    open_archive(path, "Word", options).close()
    try:
        document = docx.Document(str(path))
        reader = _DocxReader(document, options)
        lines = list(reader.lines())
        properties = document.core_properties
        title, author, created = stated(properties, properties.author)
    except (OSError, MemoryError, RecursionError):
        raise
    except Exception as error:  # the package behind raises whatever a damaged file makes it stumble over
        raise ValueError("not a Word document, or a damaged one") from error
    pages = paginate(lines)
    read = RawDocument(pages, title=title, author=author, created=created)
    note = reader.note(options.keep_hidden_text)
    if pages:
        pages[0].note = note
    elif reader.counts.hidden:
        read.status, read.reason = Status.HIDDEN_TEXT, "nothing but text that Word hides"
    return read


class _DocxReader:
    """The parts of one document."""

    def __init__(self, document: Any, options: ReadOptions) -> None:
        self._document = document
        self.counts = _Counts()
        background = document.element.find(W + "background")
        self._story = _Story(
            Styles(_part_of(document.part, "styles")),
            self.counts,
            options.keep_hidden_text,
            WHITE if background is None else hex_colour(background.get(W + "color")) or WHITE,
        )

    def lines(self) -> Iterator[Line]:
        """Body, footnotes and endnotes in the order of their references, then headers and footers once each."""
        yield from self._story.lines(self._document.element.body)
        yield from self._notes()
        yield from self._margins()

    def note(self, kept: bool) -> str:
        """A remark on what was found besides plain text; empty when there is none."""
        remarks: list[str] = []
        if self.counts.hidden:
            remarks.append(hidden_note(self.counts.hidden, "style", kept=kept))
        if self.counts.insertions or self.counts.deletions:
            changes = f"{self.counts.insertions} insertions kept, {self.counts.deletions} deletions dropped"
            remarks.append(f"tracked changes: ({changes})")
        if next(self._document.element.body.iter(W + "altChunk"), None) is not None:
            remarks.append("embedded documents: not read")
        return "; ".join(remarks)

    def _notes(self) -> Iterator[Line]:
        """Footnotes and endnotes, also those that notes refer to."""
        texts = {
            (kind, note.get(W + "id", "")): note
            for kind in ("footnote", "endnote")
            if (root := _part_of(self._document.part, f"{kind}s")) is not None
            for note in root.iterchildren("*")
        }
        done: set[tuple[str, str]] = set()
        while self._story.notes:
            reference = self._story.notes.pop(0)
            if reference in texts and reference not in done:
                done.add(reference)
                yield from self._story.lines(texts[reference])

    def _margins(self) -> Iterator[Line]:
        """Headers and footers."""
        seen: set[str] = set()
        for relation in self._document.part.rels.values():
            kind = relation.reltype.rpartition("/")[2]
            if kind not in ("header", "footer") or relation.is_external:
                continue
            yield from margin_lines(self._story.lines(_root_of(relation.target_part)), seen)


def _part_of(part: Any, kind: str) -> Any:
    """The root element of a part by its kind, or None."""
    for relation in part.rels.values():
        if not relation.is_external and relation.reltype.rpartition("/")[2] == kind:
            return _root_of(relation.target_part)
    return None


def _root_of(part: Any) -> Any:
    from docx.oxml.parser import parse_xml

    return part.element if hasattr(part, "element") else parse_xml(part.blob)


@dataclass(slots=True)
class _Counts:
    """What was found besides plain text: characters that are not white space, and changes."""

    hidden: int = 0
    insertions: int = 0
    deletions: int = 0


@dataclass(slots=True)
class _Story:
    """Reads one part of a document: its body, a note, a header. Fields may run over several paragraphs."""

    styles: Styles
    counts: _Counts
    keep_hidden: bool
    behind: Colour | None = WHITE
    """The colour behind the text; None when it is not known."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """References met: (`footnote` or `endnote`, id)."""
    _fields: list[bool] = field(default_factory=list)
    """Open fields, each with whether its instruction, which nobody sees, is being read."""
    _boxes: list[Any] = field(default_factory=list)
    """Text boxes of the paragraph that is being read."""

    def lines(self, parent: Any) -> Iterator[Line]:
        """The lines of everything in an element, in order."""
        carried = ""
        for block in self._blocks(parent):
            if block.tag == W + "tbl":
                yield from self._table(block)
                continue
            text = carried + self._inline(block, block)
            boxes, self._boxes = self._boxes, []
            carried = text if _mark_removed(block) else ""
            if not carried:
                name = self.styles.name(block).lower()
                heading = name.startswith(("heading", "title", "제목"))
                if text.strip():
                    yield marked(LineKind.HEADING if heading else LineKind.PARAGRAPH, text)
            for box in boxes:
                inner = _Story(self.styles, self.counts, self.keep_hidden, _behind_box(box), self.notes)
                yield from inner.lines(box)
        if carried.strip():
            yield marked(LineKind.PARAGRAPH, carried)

    def _blocks(self, parent: Any) -> Iterator[Any]:
        """Paragraphs and tables, also those in content controls and tracked changes."""
        for child in parent.iterchildren("*"):
            if child.tag in (W + "p", W + "tbl"):
                yield child
            elif child.tag in _REMOVED:
                self.counts.deletions += 1
            elif child.tag == _MC + "AlternateContent":
                yield from self._blocks(_chosen(child))
            elif child.tag not in (*_NO_TEXT, W + "tc", W + "tr"):
                self.counts.insertions += child.tag in _ADDED
                yield from self._blocks(child)

    # -- inside a paragraph -----------------------------------------------------------------------------------

    def _inline(self, parent: Any, paragraph: Any) -> str:
        """The visible text of a paragraph or of a part of it."""
        parts: list[str] = []
        for child in parent.iterchildren("*"):
            if child.tag == W + "r":
                parts.append(self._run(child, paragraph))
            elif child.tag in _REMOVED:
                self.counts.deletions += 1
            elif child.tag.startswith(_MATH):
                parts.append("".join(text.text or "" for text in child.iter(_MATH + "t")))
            elif child.tag == _MC + "AlternateContent":
                parts.append(self._inline(_chosen(child), paragraph))
            elif child.tag not in _NO_TEXT:
                self.counts.insertions += child.tag in _ADDED
                parts.append(self._inline(child, paragraph))
        return "".join(parts)

    def _run(self, run: Any, paragraph: Any) -> str:
        text = "".join(self._pieces(run, paragraph))
        letters = len("".join(text.split()))
        if letters and self.styles.is_hidden(run, paragraph, self.behind):
            self.counts.hidden += letters
            return text if self.keep_hidden else ""
        return text

    def _pieces(self, run: Any, paragraph: Any) -> Iterator[str]:
        for child in run.iterchildren("*"):
            if child.tag == W + "fldChar":
                self._field(child.get(W + "fldCharType", ""))
            elif any(self._fields):
                continue
            elif child.tag in _NOTES:
                self.notes.append((_NOTES[child.tag], child.get(W + "id", "")))
            elif child.tag == _MC + "AlternateContent":
                yield from self._pieces(_chosen(child), paragraph)
            elif child.tag in (W + "drawing", W + "pict", W + "object"):
                self._boxes += _outermost_boxes(child)
            else:
                yield self._letters(child, paragraph)

    def _letters(self, child: Any, paragraph: Any) -> str:
        if child.tag == W + "t":
            return child.text or ""
        if child.tag == W + "sym":
            return _symbol(child)
        if child.tag == W + "ruby":
            base = child.find(W + "rubyBase")
            return "" if base is None else self._inline(base, paragraph)
        return _LETTERS.get(child.tag, "")

    def _field(self, kind: str) -> None:
        if kind == "begin":
            self._fields.append(True)
        elif kind == "separate" and self._fields:
            self._fields[-1] = False
        elif kind == "end" and self._fields:
            self._fields.pop()

    # -- tables -----------------------------------------------------------------------------------------------

    def _table(self, table: Any) -> Iterator[Line]:
        """One line for each row: cells in their columns, a cell over several rows repeated, then nested tables."""
        style = val(table.find(W + "tblPr"), "tblStyle")
        outside, ground = self.behind, None if self.styles.shades(style) else self.behind
        above: dict[int, str] = {}
        shared = object()
        for row in self._rows(table):
            cells: list[str] = [""] * _count(val(row.find(W + "trPr"), "gridBefore"), 0)
            nested: list[Line] = []
            for cell in _descend(row, W + "tc"):
                properties = cell.find(W + "tcPr")
                shade = None if properties is None else fill_of(properties.find(W + "shd"))
                self.behind = shade or ground
                inner = list(self.lines(cell))
                own, tables = _split(inner, cell)
                nested += tables
                if _continues(properties, "vMerge"):
                    own = above.get(len(cells), "")
                above[len(cells)] = own
                cells.append(own)
                cells += [""] * (_count(val(properties, "gridSpan"), 1) - 1)
                if len(cells) > MOST_COLUMNS:
                    raise ValueError("a table has too many columns")
            self.behind = outside
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                line = marked(LineKind.ROW, " | ".join(cells))
                line.cells, line.table = tuple(_once(cells)), shared
                yield line
            yield from nested

    def _rows(self, table: Any) -> Iterator[Any]:
        for row in _descend(table, W + "tr"):
            properties = row.find(W + "trPr")
            if properties is not None and properties.find(W + "del") is not None:
                self.counts.deletions += 1
                continue
            if val(properties, "hidden") not in (None, "0", "false", "off"):
                self.counts.hidden += len("".join("".join(t.text or "" for t in row.iter(W + "t")).split()))
                if not self.keep_hidden:
                    continue
            self.counts.insertions += properties is not None and properties.find(W + "ins") is not None
            yield row


def _split(lines: list[Line], cell: Any) -> tuple[str, list[Line]]:
    """A cell's own text, and the rows of tables inside it."""
    if next(cell.iter(W + "tbl"), None) is None:
        return " ".join(line.text for line in lines), []
    own = " ".join(line.text for line in lines if line.mark is not LineKind.ROW)
    return own, [line for line in lines if line.mark is LineKind.ROW]


def _once(texts: Iterable[str]) -> Iterator[str]:
    """The texts with those that a merged cell repeats left out, but for figures, which may well be alike."""
    before = ""
    for text in texts:
        yield "" if text == before and not is_figure(text) else text
        before = text


def _descend(parent: Any, tag: str) -> Iterator[Any]:
    """Rows or cells of a table, also those in content controls; not those of tables inside."""
    for child in parent.iterchildren("*"):
        if child.tag == tag:
            yield child
        elif child.tag not in (*_NO_TEXT, W + "tc", W + "tbl", W + "trPr", W + "p", *_REMOVED):
            yield from _descend(child, tag)


def _chosen(alternatives: Any) -> Any:
    """The one of several renderings that Word shows: the newest that has text, else the fallback."""
    found = [
        child for child in alternatives.iterchildren("*") if child.tag in (_MC + "Choice", _MC + "Fallback")
    ]
    with_text = (child for child in found if any((text.text or "").strip() for text in child.iter(W + "t")))
    return next(with_text, found[0] if found else alternatives)


def _outermost_boxes(drawing: Any) -> Iterator[Any]:
    for child in drawing.iterchildren("*"):
        if child.tag == W + "txbxContent":
            yield child
        elif child.tag == _MC + "AlternateContent":
            yield from _outermost_boxes(_chosen(child))
        else:
            yield from _outermost_boxes(child)


def _behind_box(box: Any) -> Colour | None:
    """White for a text box without a filling; None when it has one, whose colour is not looked up."""
    for parent in box.iterancestors():
        if parent.tag == _WPS + "wsp":
            shape = parent.find(_WPS + "spPr")
            filled = shape is not None and any(shape.find(name) is not None for name in _FILLS)
            return None if filled or parent.find(_WPS + "style") is not None else WHITE
        if parent.get("fillcolor") or parent.get("style"):
            return None if parent.get("fillcolor") else WHITE
    return WHITE


def _mark_removed(paragraph: Any) -> bool:
    """Whether the end of a paragraph was deleted, so that the next one goes on in it."""
    mark = paragraph.find(f"{W}pPr/{W}rPr")
    return mark is not None and any(mark.find(tag) is not None for tag in _REMOVED)


def _symbol(symbol: Any) -> str:
    """A character of a symbol font; private codes of Wingdings and the like have no text."""
    try:
        code = int(symbol.get(W + "char", ""), 16)
    except ValueError:
        return ""
    return chr(code) if 0x20 < code < 0xD800 else ""


def _continues(properties: Any, name: str) -> bool:
    """Whether a cell goes on from the row above."""
    value = val(properties, name)
    return value is not None and value != "restart"


def _count(text: str | None, default: int) -> int:
    try:
        return min(max(int(text or default), 0), MOST_COLUMNS)
    except ValueError:
        return default
