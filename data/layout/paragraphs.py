"""Paragraphs: English through reportlab with hyphenation, Korean broken between any two syllables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import Flowable, Paragraph

from .fonts import bold

_MARK = re.compile(r"\*\*(.+?)\*\*|\[\^(\d+)\]")
_LATIN = re.compile(r"[A-Za-z0-9.,:%@/+\-]")
_NOT_FIRST = set(" ,.)」』》%℃·…:;!?”’]~]㎡")
_NOT_LAST = set("(「『《“‘[₩①②③④⑤⑥⑦⑧⑨⑩")


@dataclass(slots=True)
class NoteLedger:
    """Which footnotes fell on which page in a pass of the layout."""

    pages: dict[int, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, page: int, notes: tuple[tuple[str, str], ...]) -> None:
        self.pages.setdefault(page, []).extend(notes)


class Noted:
    """What both kinds of paragraph share: footnotes, and an entry in the outline."""

    notes: tuple[tuple[str, str], ...] = ()
    ledger: NoteLedger | None = None
    outline_level: int | None = None
    outline_title: str = ""

    def record(self, page: int) -> None:
        if self.ledger is not None and self.notes:
            self.ledger.add(page, self.notes)


class EnglishParagraph(Noted, Paragraph):  # type: ignore[misc]
    """A reportlab paragraph from the light markup; one that carries a footnote is not split."""

    def split(self, width: float, height: float) -> list[Flowable]:
        return [] if self.notes else super().split(width, height)

    def draw(self) -> None:
        self.record(self.canv.getPageNumber())
        super().draw()


def english_markup(text: str, ligatures: bool = False) -> str:
    """Light markup as reportlab's XML; with `ligatures`, fi and fl are set as one glyph."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "’")
    if ligatures:
        text = text.replace("fi", "\ufb01").replace("fl", "\ufb02")
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"(?<![\w*])_([^_]+)_(?!\w)", r"<i>\1</i>", text)
    return re.sub(r"\[\^(\d+)\]", r"<super size='70%'>\1</super>", text)


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character as it will be set."""

    text: str
    font: str
    size: float
    rise: float
    width: float


def glyphs(text: str, font: str, size: float) -> list[Glyph]:
    """The characters of light markup with the font each is set in."""
    found: list[Glyph] = []

    def put(piece: str, name: str, points: float, rise: float) -> None:
        found.extend(Glyph(c, name, points, rise, stringWidth(c, name, points)) for c in piece)

    end = 0
    for mark in _MARK.finditer(text):
        put(text[end : mark.start()], font, size, 0)
        if mark.group(1):
            put(mark.group(1), bold(font), size, 0)
        else:
            put(f"{mark.group(2)})", font, size * 0.65, size * 0.35)
        end = mark.end()
    put(text[end:], font, size, 0)
    return found


def break_lines(run: list[Glyph], width: float) -> list[list[Glyph]]:
    """Fill lines greedily, breaking between any two syllables but never inside a number or a Latin word."""
    lines: list[list[Glyph]] = []
    start = 0
    while start < len(run):
        end, used = start, 0.0
        while end < len(run) and used + run[end].width <= width:
            used += run[end].width
            end += 1
        if end < len(run):
            fits = end
            while end > start + 1 and not _may_break(run, end):
                end -= 1
            end = end if end > start + 1 else fits
        lines.append(_trim(run[start:end]))
        start = end
        while start < len(run) and run[start].text == " ":
            start += 1
    return lines


def _may_break(run: list[Glyph], at: int) -> bool:
    before, after = run[at - 1].text, run[at].text
    if after == " ":
        return True
    if after in _NOT_FIRST or before in _NOT_LAST or run[at].rise:
        return False
    return not (_LATIN.match(before) and _LATIN.match(after))


def _trim(line: list[Glyph]) -> list[Glyph]:
    while line and line[-1].text == " ":
        line = line[:-1]
    return line


class KoreanParagraph(Noted, Flowable):  # type: ignore[misc]
    """A justified paragraph whose lines end wherever the line is full, as Korean typesetting does."""

    def __init__(self, text: str, style: ParagraphStyle, bullet: str = "") -> None:
        super().__init__()
        self.style, self.bullet = style, bullet
        self.run = glyphs(text, style.fontName, style.fontSize)
        self.lines: list[list[Glyph]] | None = None
        self.last = True

    def wrap(self, width: float, _: float) -> tuple[float, float]:
        self.width = width - self.style.leftIndent
        if self.lines is None:
            self.lines = break_lines(self.run, self.width)
        self.height = len(self.lines) * self.style.leading
        return width, self.height

    def split(self, width: float, height: float) -> list[Flowable]:
        self.wrap(width, height)
        room = int(height // self.style.leading)
        lines = self.lines or []
        if self.notes or room < 2 or len(lines) - room < 1:
            return []
        if len(lines) - room == 1:
            room -= 1
        return [] if room < 2 else [self._part(lines[:room], True), self._part(lines[room:], False)]

    def _part(self, lines: list[list[Glyph]], first: bool) -> KoreanParagraph:
        part = KoreanParagraph("", self.style, self.bullet if first else "")
        part.lines, part.last = lines, not first
        return part

    def draw(self) -> None:
        self.record(self.canv.getPageNumber())
        style, lines = self.style, self.lines or []
        y = self.height - style.leading + (style.leading - style.fontSize) / 2 + style.fontSize * 0.15
        self.canv.setFillColor(style.textColor)
        if self.bullet:
            self.canv.setFont(style.fontName, style.fontSize)
            self.canv.drawString(style.bulletIndent, y, self.bullet)
        for number, line in enumerate(lines):
            self._draw_line(line, y, stretch=number < len(lines) - 1 or not self.last)
            y -= style.leading

    def _draw_line(self, line: list[Glyph], y: float, stretch: bool) -> None:
        spare = self.width - sum(g.width for g in line)
        spaces = sum(g.text == " " for g in line)
        x = self.style.leftIndent + {1: spare / 2, 2: spare}.get(self.style.alignment, 0.0)
        text = self.canv.beginText(x, y)
        stretch = stretch and self.style.alignment == 4 and spaces > 0 and spare < self.width * 0.15
        if stretch:
            text.setWordSpace(spare / spaces)
        for font, size, rise, piece in _runs(line):
            text.setFont(font, size)
            text.setRise(rise)
            text.textOut(piece)
        # The word space is graphics state: it would stretch the next line too.
        text.setWordSpace(0)
        self.canv.drawText(text)


def _runs(line: list[Glyph]) -> list[tuple[str, float, float, str]]:
    runs: list[tuple[str, float, float, str]] = []
    for g in line:
        if runs and runs[-1][:3] == (g.font, g.size, g.rise):
            runs[-1] = (g.font, g.size, g.rise, runs[-1][3] + g.text)
        else:
            runs.append((g.font, g.size, g.rise, g.text))
    return runs
