"""The text of a Word document in reading order, from its XML: nothing that a reader sees is passed over.

Paragraphs and tables also stand in content controls, tracked changes, text boxes and cells of other tables. Element
names are those of WordprocessingML (ECMA-376 part 1, section 17).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ingest.raw import Line, LineKind
from ingest.readers.lines import MOST_COLUMNS, marked
from ingest.readers.word_styles import Styles, W, fill_of, val
from ingest.visibility import WHITE, Colour
from rag.text.figures import is_figure

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


@dataclass(slots=True)
class Counts:
    """What was found besides plain text: characters that are not white space, and changes."""

    hidden: int = 0
    insertions: int = 0
    deletions: int = 0


@dataclass(slots=True)
class Story:
    """Reads one part of a document: its body, a note, a header. Fields may run over several paragraphs."""

    styles: Styles
    counts: Counts
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
                inner = Story(self.styles, self.counts, self.keep_hidden, _behind_box(box), self.notes)
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
                line.cells = tuple(_once(cells))
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
