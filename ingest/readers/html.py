"""Reads HTML as a browser does: headings, paragraphs and table rows, without what a browser would not show.

Lexbor builds the tree by the rules of the HTML standard, so that missing and surplus end tags mean what they mean
in a browser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from ingest.raw import Line, LineKind
from ingest.readers.css import StyleSheets
from ingest.readers.html_visibility import ElementLook, look_inside
from ingest.readers.lines import marked

_HEADINGS = frozenset({
    "h1", "h2", "h3", "h4", "h5", "h6", "caption", "legend", "summary",
})  # fmt: skip
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "html",
    "li", "listing", "main", "menu", "nav", "ol", "p", "plaintext", "pre", "search", "section", "table",
    "tbody", "tfoot", "thead", "tr", "ul", "xmp", "option",
})  # fmt: skip
_MOST_SPANNED = 100
_CELLS = frozenset({"td", "th"})
_UNSEEN = frozenset({
    "script", "style", "template", "noscript", "svg", "math", "object", "head", "select", "iframe",
    "noembed", "noframes", "audio", "video", "canvas", "datalist", "meter", "progress",
})  # fmt: skip
_LONGEST_TERM = 100
"""Characters of the terms of a definition list that go in front of their description; longer ones are paragraphs."""
_PERMALINKS = frozenset("¶#🔗")
"""The text of links from a heading to itself, which page generators add; a browser shows most of them on hover."""
_PREFORMATTED = frozenset({"pre", "listing", "plaintext", "xmp", "textarea"})
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([A-Za-z0-9_\-]+)", re.IGNORECASE)
_EMPTY_ELEMENT = re.compile(r"<([A-Za-z][\w:-]*)((?:\s[^<>]*)?)/>")
_VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
})  # fmt: skip


@dataclass(slots=True)
class HtmlText:
    """What was read of an HTML text."""

    lines: list[Line] = field(default_factory=list)
    title: str = ""
    hidden: int = 0
    """Characters that a browser would not show, white space aside."""


def read_html(text: str, *, keep_hidden: bool = False) -> HtmlText:
    """The visible lines of an HTML text. `keep_hidden` reads the others, too. Raises ValueError."""
    if text.lstrip("\ufeff \t\r\n").startswith("<?xml"):
        # in XHTML `<script/>` has no content, in HTML it would take in the rest of the page
        text = _EMPTY_ELEMENT.sub(
            lambda m: m[0] if m[1].lower() in _VOID else f"<{m[1]}{m[2]}></{m[1]}>", text
        )
    tree = LexborHTMLParser(text)
    reader = _HtmlReader(StyleSheets(tree), keep_hidden)
    root = tree.root
    if root is not None:
        reader.read(root)
    title = tree.css_first("head title")
    reader.found.title = "" if title is None else title.text(deep=True)
    return reader.found


@dataclass(slots=True)
class _Open:
    """An element that is being read."""

    tag: str
    look: ElementLook
    preformatted: bool
    items: int = 0
    """Items of the list that were read so far."""


class _HtmlReader:
    """Walks the tree without recursion: old pages nest thousands of elements that were never closed."""

    def __init__(self, sheets: StyleSheets, keep_hidden: bool) -> None:
        self.found = HtmlText()
        self._sheets, self._keep_hidden = sheets, keep_hidden
        self._looks: dict[tuple[int, tuple[tuple[str, str], ...]], tuple[ElementLook, ElementLook]] = {}
        """Looks inside others by identity and declarations: the cells of a table are alike."""
        self._open: list[_Open] = []
        self._text: list[str] = []
        self._mark, self._bullet = LineKind.PARAGRAPH, ""
        self._terms: list[str] = []
        """Terms of a definition list whose description was not read yet."""
        self._tables: list[_Table] = [_Table()]
        """The tables around what is being read; the first stands for none."""

    def read(self, root: Any) -> None:
        node: Any = root
        while node is not None:
            if node.is_text_node:
                self._take(node.text_content or "")
            elif node.is_element_node and node.tag not in _UNSEEN:
                self._enter(node)
                if node.child is not None:
                    node = node.child
                    continue
                self._leave()
            while node is not None and node.next is None:
                node = node.parent if self._open else None
                if node is not None:
                    self._leave()
            node = None if node is None or not self._open else node.next
        self._end_row()
        self._end_line()
        self._end_terms()

    def _enter(self, node: Any) -> None:
        tag = node.tag
        outer = self._open[-1] if self._open else _Open("", ElementLook(), False)
        look = self._look(outer.look, {**_by_attributes(node), **self._sheets.declarations(node)})
        if tag == "br":
            self._text.append("\n" if self._tables[-1].cells is None else " ")
        if tag in _BLOCKS or tag in _HEADINGS:
            self._end_line()
        self._open.append(_Open(tag, look, outer.preformatted or tag in _PREFORMATTED))
        if tag in ("dl", "table"):
            self._end_terms()
        if tag in _HEADINGS:
            self._mark = LineKind.HEADING
        elif tag == "li":
            outer.items += 1
            self._bullet = f"{outer.items}. " if outer.tag == "ol" else "• "
        elif tag == "table":
            self._end_row(again=True)
            self._tables.append(_Table())
        elif tag == "tr":
            self._tables[-1].begin_row()
        elif tag in _CELLS:
            self._end_cell()
            self._tables[-1].begin_cell(node.attributes, head=tag == "th")

    def _look(self, outer: ElementLook, declared: dict[str, str]) -> ElementLook:
        if not declared:
            return outer
        key = (id(outer), tuple(declared.items()))
        if key not in self._looks:
            self._looks[key] = (outer, look_inside(outer, declared))
        return self._looks[key][1]

    def _leave(self) -> None:
        tag = self._open[-1].tag
        if tag == "table":
            self._end_row()
            self._tables.pop()
        elif tag == "tr":
            self._end_row()
        elif tag in _CELLS:
            self._end_cell()
        elif tag in _BLOCKS or tag in _HEADINGS:
            self._end_line()
        if tag == "li":
            self._bullet = ""
        self._open.pop()

    def _take(self, text: str) -> None:
        inside = self._open[-1] if self._open else _Open("", ElementLook(), False)
        if inside.tag == "a" and text.strip() in _PERMALINKS:
            return
        letters = len("".join(text.split()))
        if letters and inside.look.hidden:
            self.found.hidden += letters
            if not self._keep_hidden:
                return
        self._text.append(text if inside.preformatted else re.sub(r"\s+", " ", text))

    def _end_cell(self) -> None:
        table = self._tables[-1]
        if table.cells is not None:
            table.end_cell(" ".join("".join(self._text).split()))
            self._text = []

    def _end_row(self, *, again: bool = False) -> None:
        """The row is complete, or a table begins inside it: `again` goes on with it after that table."""
        self._end_cell()
        table = self._tables[-1]
        if (line := table.row()) is not None:
            self.found.lines.append(line)
        going_on, columns = again and table.cells is not None, len(table.grid)
        table.begin_row()
        if going_on:
            table.grid = [""] * columns
        else:
            table.cells = None

    def _end_line(self) -> None:
        if self._tables[-1].cells is not None:  # a paragraph inside a cell
            self._text.append(" ")
            return
        parts = [part for part in "".join(self._text).split("\n") if part.strip()]
        if any(element.tag == "dt" for element in self._open):
            self._terms += [part.strip() for part in parts]
            parts = []
        for part in parts:
            if self._mark is LineKind.HEADING:
                self._end_terms()
                words = part
            else:
                words = self._described(self._bullet + part.strip())
            self.found.lines.append(marked(self._mark, words))
            self._bullet = ""
        self._text, self._mark = [], LineKind.PARAGRAPH

    def _described(self, words: str) -> str:
        """The first line of a description, with the terms before it: each would say little by itself."""
        term = ", ".join(self._terms)
        if not self._bullet and 0 < len(term) <= _LONGEST_TERM and not term.endswith(("?", ".", "!")):
            self._terms = []
            return f"{term}{'' if term.endswith(':') else ':'} {words}"
        self._end_terms()
        return words

    def _end_terms(self) -> None:
        """Terms without a description are lines of their own."""
        self.found.lines += [marked(LineKind.PARAGRAPH, term) for term in self._terms]
        self._terms = []


@dataclass(slots=True)
class _Table:
    """A table that is being read."""

    cells: list[str] | None = None
    """The texts of the row's cells that have one; None outside a row."""
    grid: list[str] = field(default_factory=list)
    """The cells of the row by column, empty ones included."""
    head: bool = True
    """Whether the row has header cells alone."""
    span: tuple[int, int] | None = None
    """How many columns and rows the open cell spans."""
    shared: object = field(default_factory=object)
    """What its rows share."""
    below: dict[int, tuple[str, int]] = field(default_factory=dict)
    """By column the text of a cell that spans further rows, and how many."""

    def begin_row(self) -> None:
        self.cells, self.grid, self.head, self.span = [], [], True, None

    def begin_cell(self, attributes: dict[str, str | None], *, head: bool) -> None:
        self.span = _span(attributes, "colspan"), _span(attributes, "rowspan")
        self.head = self.head and head

    def end_cell(self, words: str) -> None:
        """Put a cell into the row; a header is over all its columns, a value in the first."""
        if self.cells is not None and words:
            self.cells.append(words)
        if self.span is not None:
            self._carry_down()
            columns, rows = self.span
            for offset in range(columns):
                text = words if offset == 0 or self.head else ""
                if rows > 1:
                    self.below[len(self.grid)] = text, rows - 1
                self.grid.append(text)
        self.span = None

    def row(self) -> Line | None:
        """The row as a line with its cells; None for a row without text."""
        if not self.cells:
            return None
        self._carry_down()
        line = marked(LineKind.ROW, " | ".join(self.cells))
        line.cells, line.head, line.table = tuple(self.grid), self.head, self.shared
        return line

    def _carry_down(self) -> None:
        while (held := self.below.get(len(self.grid))) is not None:
            text, rows = held
            if rows > 1:
                self.below[len(self.grid)] = text, rows - 1
            else:
                del self.below[len(self.grid)]
            self.grid.append(text)


def _span(attributes: dict[str, str | None], name: str) -> int:
    value = attributes.get(name) or ""
    return min(int(value), _MOST_SPANNED) if value.isdecimal() and int(value) > 0 else 1


def _by_attributes(node: Any) -> dict[str, str]:
    """What attributes of HTML mean in CSS; any rule goes before them."""
    attributes, found = node.attributes, {}
    if "hidden" in attributes or (node.tag == "dialog" and "open" not in attributes):
        found["display"] = "none"
    if attributes.get("bgcolor"):
        found["background-color"] = str(attributes["bgcolor"])
    if attributes.get("background"):
        found["background-image"] = "url()"
    for name in ("color", "text"):
        if attributes.get(name) and node.tag == {"color": "font", "text": "body"}[name]:
            found["color"] = str(attributes[name])
    return found


def declared_charset(data: bytes) -> str | None:
    """The charset that an HTML file names for itself within its first 2,048 bytes."""
    match = _CHARSET.search(data[:2048])
    return match[1].decode("ascii") if match else None
