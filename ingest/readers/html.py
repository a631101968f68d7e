"""Reads HTML: headings, paragraphs and table rows, without scripts and without what a browser would not show."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from ingest.raw import Line, LineKind
from ingest.readers.text import marked

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "caption", "legend", "summary"})
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
        "option",
    }
)
_MOST_SPANNED = 100
_CELLS = frozenset({"td", "th"})
_UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "math", "object", "head", "select"})
_VOID = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    }
)
_HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)|font-size\s*:\s*0(?:px|pt|em|%|;|$)"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}",
    re.IGNORECASE,
)
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([A-Za-z0-9_\-]+)", re.IGNORECASE)


class HtmlReader(HTMLParser):
    """Collects lines; `hidden` counts the characters that a browser would not show."""

    def __init__(self, *, keep_hidden: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[Line] = []
        self.title = ""
        self.hidden = 0
        self._keep_hidden = keep_hidden
        self._text: list[str] = []
        self._mark = LineKind.PARAGRAPH
        self._cells: list[str] | None = None
        self._grid: list[str] = []
        """The cells of the row by column, empty ones included."""
        self._cell: tuple[int, int] | None = None
        """How many columns and rows the open cell spans."""
        self._below: dict[int, tuple[str, int]] = {}
        """By column the text of a cell that spans further rows, and how many."""
        self._head = True
        self._open: list[tuple[str, bool]] = []
        """Open elements that matter, with whether each hides what is inside."""
        self._unseen = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self.title:
            self._in_title = True
        if tag == "br":
            self._text.append("\n" if self._cells is None else " ")
        if tag in _VOID:
            return
        if tag in _BLOCKS or tag in _HEADINGS:
            self._close_line()
        if tag in _HEADINGS:
            self._mark = LineKind.HEADING
        elif tag == "table":
            self._below = {}
        elif tag == "tr":
            self._cells, self._grid, self._head = [], [], True
        elif tag in _CELLS:
            self._close_cell()
            self._cell = _span(attrs, "colspan"), _span(attrs, "rowspan")
            self._head = self._head and tag == "th"
        self._open.append((tag, self._is_hidden(attrs)))
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if all(tag != name for name, _ in self._open):
            return
        while self._open:  # elements left open inside end with it
            name, _ = self._open.pop()
            self._unseen -= name in _UNSEEN
            if name == tag:
                break
        if tag == "tr":
            self._close_row()
        elif tag in _CELLS:
            self._close_cell()
        elif tag in _BLOCKS or tag in _HEADINGS:
            self._close_line()

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._unseen == 0:
            if any(hides for _, hides in self._open):
                self.hidden += len("".join(data.split()))
                if not self._keep_hidden:
                    return
            in_pre = any(name == "pre" for name, _ in self._open)
            self._text.append(data if in_pre else re.sub(r"\s+", " ", data))

    def close(self) -> None:
        super().close()
        self._close_row()
        self._close_line()

    def _is_hidden(self, attrs: list[tuple[str, str | None]]) -> bool:
        found = {name: value or "" for name, value in attrs}
        return "hidden" in found or bool(_HIDDEN_STYLE.search(found.get("style", "")))

    def _close_cell(self) -> None:
        if self._cells is None:
            return
        words = " ".join("".join(self._text).split())
        if words:
            self._cells.append(words)
        if self._cell is not None:
            self._place(words, *self._cell)
        self._text, self._cell = [], None

    def _place(self, words: str, columns: int, rows: int) -> None:
        """Put a cell into the grid; a header is over all its columns, a value in the first."""
        self._carry_down()
        for offset in range(columns):
            text = words if offset == 0 or self._head else ""
            if rows > 1:
                self._below[len(self._grid)] = text, rows - 1
            self._grid.append(text)

    def _carry_down(self) -> None:
        while (held := self._below.get(len(self._grid))) is not None:
            text, rows = held
            if rows > 1:
                self._below[len(self._grid)] = text, rows - 1
            else:
                del self._below[len(self._grid)]
            self._grid.append(text)

    def _close_row(self) -> None:
        self._close_cell()
        if self._cells:
            self._carry_down()
            line = marked(LineKind.ROW, " | ".join(self._cells))
            line.cells, line.head = tuple(self._grid), self._head
            self.lines.append(line)
        self._cells = None

    def _close_line(self) -> None:
        if self._cells is not None:  # a paragraph inside a cell
            self._text.append(" ")
            return
        for part in "".join(self._text).split("\n"):
            if part.strip():
                self.lines.append(marked(self._mark, part))
        self._text, self._mark = [], LineKind.PARAGRAPH


def _span(attrs: list[tuple[str, str | None]], name: str) -> int:
    value = dict(attrs).get(name) or ""
    return min(int(value), _MOST_SPANNED) if value.isdecimal() and int(value) > 0 else 1


def declared_charset(data: bytes) -> str | None:
    """The charset that an HTML file names for itself within its first 2,048 bytes."""
    match = _CHARSET.search(data[:2048])
    return match[1].decode("ascii") if match else None
