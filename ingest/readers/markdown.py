"""Reads Markdown into headings, paragraphs, list items and table rows, without the markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from ingest.raw import Line, LineKind
from ingest.readers.html import read_html
from ingest.readers.text import marked

if TYPE_CHECKING:
    from markdown_it.token import Token


def markdown_lines(text: str) -> list[Line]:
    """One line for every heading, paragraph, list item, table row and line of code."""
    reader = _MarkdownReader()
    for token in MarkdownIt("commonmark").enable("table").parse(_without_front_matter(text)):
        reader.take(token)
    return reader.lines


class _MarkdownReader:
    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._mark, self._bullet = LineKind.PARAGRAPH, ""
        self._cells: list[str] | None = None
        self._in_head = False

    def take(self, token: Token) -> None:
        if token.type == "heading_open":
            self._mark = LineKind.HEADING
        elif token.type == "list_item_open":
            self._bullet = f"{token.info}. " if token.info else "• "
        elif token.type == "tr_open":
            self._cells = []
        elif token.type == "tr_close":
            line = marked(LineKind.ROW, " | ".join(self._cells or ()))
            line.cells, line.head = tuple(self._cells or ()), self._in_head
            self.lines.append(line)
            self._cells = None
        elif token.type in ("thead_open", "thead_close"):
            self._in_head = token.type == "thead_open"
        elif token.type == "inline":
            self._take_words(_words(token.children or ()))
        elif token.type in ("fence", "code_block"):
            self.lines += [marked(LineKind.ROW, row) for row in token.content.splitlines() if row.strip()]
        elif token.type == "html_block":
            self.lines += _html_lines(token.content)

    def _take_words(self, words: str) -> None:
        if self._cells is not None:
            self._cells.append(words)
            return
        if words.strip():
            self.lines.append(marked(self._mark, self._bullet + words))
        self._mark, self._bullet = LineKind.PARAGRAPH, ""


def _words(children: Sequence[Token]) -> str:
    parts: list[str] = []
    for child in children:
        if child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
    return "".join(parts)


def _html_lines(content: str) -> list[Line]:
    return read_html(content).lines


def _without_front_matter(text: str) -> str:
    if not text.startswith("---\n"):
        return text
    end = text.find("\n---", 4)
    return text[end + 4 :] if end > 0 else text
