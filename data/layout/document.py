"""Turns a source into a PDF: frames, running headers and footers, footnotes, page labels, outline."""

from __future__ import annotations

import io
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    KeepTogether,
    PageBreak,
    PageTemplate,
    Spacer,
    Table,
    TableStyle,
)

from .paragraphs import EnglishParagraph, KoreanParagraph, NoteLedger, english_markup
from .source import Block, Source
from .styles import Styles, make_styles

_MARGIN = 24 * mm
_TOP = 26 * mm
_BOTTOM = 24 * mm
_GUTTER = 7 * mm
_MAX_PAGES = 40
_MAX_PASSES = 6
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi")


class Layout(BaseDocTemplate):  # type: ignore[misc]
    """One pass over one document; needs the previous pass for footnotes and the page total."""

    def __init__(self, target: io.BytesIO, source: Source, styles: Styles, before: Layout | None) -> None:
        settings = source.settings
        super().__init__(
            target, pagesize=A4, invariant=1, title=str(settings["title"]),
            author=str(settings.get("author", "")), subject=str(settings.get("subject", "")),
            keywords=str(settings.get("keywords", "")), creator="data/make_sample.py",
            lang="ko-KR" if source.korean else "en-GB",
        )  # fmt: skip
        self.source, self.styles, self.before = source, styles, before
        self.ledger = NoteLedger()
        self.front = int(str(settings.get("front_pages", 0)))
        self.first = int(str(settings.get("first_page", 1)))
        self.addPageTemplates([self._template(number) for number in range(1, _MAX_PAGES)])

    @property
    def settled(self) -> bool:
        """Whether this pass put the footnotes and the last page where the pass before expected them."""
        before = self.before
        return before is not None and before.ledger.pages == self.ledger.pages and before.page == self.page

    def _template(self, number: int) -> PageTemplate:
        notes = self.before.ledger.pages.get(number, []) if self.before else []
        style = self.styles["note"]
        flowables = [make_paragraph(text, self.source, style, f"{label})") for label, text in notes]
        width, height = A4[0] - 2 * _MARGIN, A4[1] - _TOP - _BOTTOM
        note_height = sum(f.wrap(width, height)[1] + 2 for f in flowables) + (8 if flowables else 0)

        def on_page(canvas: Canvas, _: Any) -> None:
            self._furniture(canvas, number)

        def on_page_end(canvas: Canvas, _: Any) -> None:
            self._draw_notes(canvas, flowables, note_height, width)

        return PageTemplate(
            id=f"p{number}", frames=self._frames(number, _BOTTOM + note_height, height - note_height, width),
            onPage=on_page, onPageEnd=on_page_end,
        )  # fmt: skip

    def handle_pageBegin(self) -> None:
        """Each page has a template of its own, since the footnotes below it differ."""
        self.pageTemplate = self.pageTemplates[self.page]
        super().handle_pageBegin()

    def _frames(self, number: int, bottom: float, height: float, width: float) -> list[Frame]:
        none = {"leftPadding": 0, "rightPadding": 0, "topPadding": 0, "bottomPadding": 0}
        if self.source.settings.get("columns", 1) == 1:
            return [Frame(_MARGIN, bottom, width, height, **none)]
        span = float(str(self.source.settings.get("span", 0))) * mm if number == 1 else 0.0
        column = (width - _GUTTER) / 2
        frames = [
            Frame(_MARGIN + i * (column + _GUTTER), bottom, column, height - span, **none) for i in range(2)
        ]
        top = Frame(_MARGIN, bottom + height - span, width, span, **none)
        return [top, *frames] if span else frames

    def _furniture(self, canvas: Canvas, number: int) -> None:
        if number == 1:
            self._labels(canvas)
        if number == 1 and self.source.settings.get("cover"):
            return
        settings, font = self.source.settings, self.styles["subtitle"].fontName
        canvas.saveState()
        canvas.setFont(font, 8)
        canvas.setFillColor(HexColor("#444444"))
        canvas.setStrokeColor(HexColor("#999999"))
        header, footer = settings["header"], settings["footer"]
        assert isinstance(header, list)
        assert isinstance(footer, list)
        top, low = A4[1] - 16 * mm, 14 * mm
        canvas.drawString(_MARGIN, top, self._fill(header[0], number))
        canvas.drawRightString(A4[0] - _MARGIN, top, self._fill(header[1], number))
        canvas.line(_MARGIN, top - 3, A4[0] - _MARGIN, top - 3)
        canvas.drawString(_MARGIN, low, self._fill(footer[0], number))
        canvas.drawRightString(A4[0] - _MARGIN, low, self._fill(footer[1], number))
        canvas.restoreState()

    def _fill(self, text: str, number: int) -> str:
        shown = _ROMAN[number - 1] if number <= self.front else str(number - self.front + self.first - 1)
        total = (self.before.page if self.before else 0) - self.front
        return text.replace("{page}", shown).replace("{pages}", str(total))

    def _labels(self, canvas: Canvas) -> None:
        if self.front:
            canvas.addPageLabel(0, "ROMAN_LOWER", 1)
        if self.front or self.first > 1:
            canvas.addPageLabel(self.front, "ARABIC", self.first)

    def _draw_notes(self, canvas: Canvas, flowables: list[Flowable], height: float, width: float) -> None:
        if not flowables:
            return
        y = _BOTTOM + height - 6
        canvas.line(_MARGIN, y, _MARGIN + width / 4, y)
        for flowable in flowables:
            y -= flowable.wrap(width, height)[1] + 2
            flowable.drawOn(canvas, _MARGIN, y)

    def afterFlowable(self, flowable: Flowable) -> None:
        level = getattr(flowable, "outline_level", None)
        if level is None or not self.source.settings.get("outline"):
            return
        key = f"h{self.page}-{flowable.outline_title}"
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(flowable.outline_title, key, level)


def lay_out(source: Source) -> bytes:
    """The PDF of a source: passes are repeated until footnotes and page total no longer move."""
    styles = make_styles(source)
    before: Layout | None = None
    for _ in range(_MAX_PASSES):
        target = io.BytesIO()
        layout = Layout(target, source, styles, before)
        layout.build([f for block in source.blocks for f in _flowables(block, layout)])
        if layout.settled:
            return target.getvalue()
        before = layout
    raise ValueError(f"{source.path}: the footnotes do not settle; move a footnote or a page break")


def make_paragraph(text: str, source: Source, style: Any, bullet: str = "") -> Flowable:
    """A paragraph of the document's language."""
    if source.korean:
        # A label needs its own room: a note has no hanging indent, so it stands in the text.
        inline = bullet and not style.leftIndent
        return KoreanParagraph(f"{bullet} {text}" if inline else text, style, "" if inline else bullet)
    markup = english_markup(text, bool(source.settings.get("ligatures")))
    if bullet and not style.leftIndent:
        return EnglishParagraph(f"{bullet} {markup}", style)
    return EnglishParagraph(markup, style, bulletText=bullet or None)


def _flowables(block: Block, layout: Layout) -> list[Flowable]:
    source, styles = layout.source, layout.styles
    if block.kind == "pagebreak":
        return [PageBreak()]
    if block.kind == "columns":
        return [FrameBreak()]
    if block.kind == "table":
        return _table(block, source, styles)
    if block.kind == "styled" and block.label == "space":
        return [Spacer(1, float(block.text) * mm)]
    name = {"heading": f"h{block.level}", "item": "item", "styled": block.label}.get(block.kind, "body")
    bullet = "•" if block.label == "-" else block.label
    paragraph = make_paragraph(block.text, source, styles[name], bullet if block.kind == "item" else "")
    paragraph.notes, paragraph.ledger = block.notes, layout.ledger
    if block.kind == "heading" and block.level < 3:
        paragraph.outline_level, paragraph.outline_title = block.level - 1, block.text
    return [paragraph]


def _table(block: Block, source: Source, styles: Styles) -> list[Flowable]:
    options, columns = block.options, len(block.rows[0])
    align = options.get("align", "l" * columns)
    names = {"l": "cell", "r": "cell-r", "c": "cell-c"}
    full = A4[0] - 2 * _MARGIN
    if source.settings.get("columns", 1) == 2 and options.get("width") != "full":
        full = (full - _GUTTER) / 2
    shares = [float(part) for part in options.get("widths", " ".join(["1"] * columns)).split()]
    widths = [full * share / sum(shares) for share in shares]
    headed = options.get("head") != "no"
    cells = []
    for number, row in enumerate(block.rows):
        texts = [f"**{cell}**" if number == 0 and cell and headed else cell for cell in row]
        cells.append([make_paragraph(t, source, styles[names[a]]) for t, a in zip(texts, align, strict=True)])
    rules = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"), ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5), ("LEFTPADDING", (0, 0), (-1, -1), 4),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4), ("LINEABOVE", (0, 0), (-1, 0), 0.9, HexColor("#333333")),
        ("LINEBELOW", (0, 0), (-1, 0), 0.5 if headed else 0.3, HexColor("#333333" if headed else "#aaaaaa")),
        ("LINEBELOW", (0, -1), (-1, -1), 0.9, HexColor("#333333")),
    ]  # fmt: skip
    if options.get("grid"):
        rules.append(("INNERGRID", (0, 0), (-1, -1), 0.3, HexColor("#aaaaaa")))
    table = Table(cells, colWidths=widths, repeatRows=int(headed), style=TableStyle(rules), hAlign="LEFT")
    caption = [make_paragraph(options["caption"], source, styles["caption"])] if "caption" in options else []
    return [KeepTogether([*caption, table]), Spacer(1, 8)]
