"""Paragraph styles of a document, derived from its language, face and size."""

from __future__ import annotations

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY, TA_LEFT, TA_RIGHT
from reportlab.lib.styles import ParagraphStyle

from .fonts import bold
from .source import Source

Styles = dict[str, ParagraphStyle]


def make_styles(source: Source) -> Styles:
    """Every style by name; sizes are in points."""
    face = str(source.settings.get("font", "myeongjo" if source.korean else "serif"))
    heading_face = str(source.settings.get("heading_font", "gothic" if source.korean else "sans"))
    size = float(str(source.settings.get("size", 10.5)))
    accent = HexColor(str(source.settings.get("accent", "#1f3a5f")))
    leading = size * (1.62 if source.korean else 1.38)
    body = ParagraphStyle(
        "body", fontName=face, fontSize=size, leading=leading, alignment=TA_JUSTIFY, spaceAfter=size * 0.55
    )
    if not source.korean:
        body.hyphenationLang = "en_GB"
        body.embeddedHyphenation = 1
        body.uriWasteReduce = 0.3
    plain = {"parent": body, "hyphenationLang": ""}
    cell = {"fontName": face, "fontSize": size * 0.9, "leading": size * 1.22}

    def head(name: str, points: float, above: float, below: float) -> ParagraphStyle:
        return ParagraphStyle(
            name, fontName=bold(heading_face), fontSize=points, leading=points * 1.3, spaceBefore=above,
            spaceAfter=below, textColor=accent, keepWithNext=1, alignment=TA_LEFT,
        )  # fmt: skip

    styles = [
        body,
        head("h1", size * 1.55, size * 1.3, size * 0.6),
        head("h2", size * 1.2, size * 1.0, size * 0.4),
        head("h3", size * 1.03, size * 0.7, size * 0.25),
        ParagraphStyle(
            "title", fontName=bold(heading_face), fontSize=size * 2.3, leading=size * 3, spaceAfter=size,
            textColor=accent, alignment=TA_LEFT,
        ),
        ParagraphStyle("item", parent=body, leftIndent=size * 1.7, bulletIndent=size * 0.3,
                       spaceAfter=size * 0.3),
        ParagraphStyle("center", alignment=TA_CENTER, **plain),
        ParagraphStyle("right", alignment=TA_RIGHT, **plain),
        ParagraphStyle("small", fontSize=size * 0.85, leading=leading * 0.85, alignment=TA_LEFT, **plain),
        ParagraphStyle("note", parent=body, fontSize=size * 0.8, leading=leading * 0.8, spaceAfter=2),
        ParagraphStyle("abstract", parent=body, leftIndent=size * 2, fontSize=size * 0.95),
        ParagraphStyle("caption", fontName=bold(heading_face), fontSize=size * 0.88, leading=size * 1.25,
                       spaceBefore=size * 0.5, spaceAfter=size * 0.3, keepWithNext=1),
        ParagraphStyle("cell", **cell, alignment=TA_LEFT),
        ParagraphStyle("cell-r", **cell, alignment=TA_RIGHT),
        ParagraphStyle("cell-c", **cell, alignment=TA_CENTER),
        ParagraphStyle("subtitle", fontName=heading_face, fontSize=size * 1.3, leading=size * 1.9,
                       textColor=accent, spaceAfter=size * 0.8),
    ]  # fmt: skip
    return {style.name: style for style in styles}
