"""PDFs made for the tests, with reportlab or byte by byte."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

KOREAN = "HYSMyeongJo-Medium"
WIDTH, HEIGHT = A4
MARGIN = 72.0

pdfmetrics.registerFont(UnicodeCIDFont(KOREAN))

Draw = Callable[[Canvas], None]


def write_pdf(path: Path, pages: Iterable[Draw], **options: object) -> Path:
    """A PDF with one page for each drawing function."""
    canvas = Canvas(str(path), pagesize=A4, **options)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return path


def lines(
    *texts: str, font: str = "Helvetica", size: float = 11, top: float = HEIGHT - 100, left: float = MARGIN
) -> Draw:
    """Draws lines below each other; an empty one leaves a gap."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont(font, size)
        for row, text in enumerate(texts):
            if text:
                canvas.drawString(left, top - row * size * 1.4, text)

    return draw


def both(*draws: Draw) -> Draw:
    """All of these on one page."""

    def draw(canvas: Canvas) -> None:
        for each in draws:
            each(canvas)

    return draw


def wrapped(
    text: str, *, width: float, font: str = "Helvetica", size: float = 11, anywhere: bool = False
) -> list[str]:
    """The lines of a text set to a width; `anywhere` breaks inside words, as Korean typesetting does."""
    rows = [""]
    for part in text if anywhere else text.split(" "):
        glue = "" if anywhere or not rows[-1] else " "
        if rows[-1] and pdfmetrics.stringWidth(rows[-1] + glue + part, font, size) > width:
            rows.append("")
            glue = ""
        rows[-1] += glue + part
    return [row.strip() for row in rows]


def raw_pdf(*objects: bytes, root: int = 1) -> bytes:
    """A PDF of hand-written objects, numbered from 1, with a correct cross-reference table."""
    out = BytesIO()
    out.write(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, root, start))
    return out.getvalue()


def stream(content: bytes, extra: bytes = b"") -> bytes:
    """A compressed stream object."""
    packed = zlib.compress(content, 9)
    return b"<</Filter/FlateDecode/Length %d%s>>stream\n%s\nendstream" % (len(packed), extra, packed)


CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def page_of(resources: bytes = b"/Font<</F1 5 0 R>>", extra: bytes = b"") -> bytes:
    """A page object whose content is object 4."""
    return b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<<%s>>%s>>" % (
        resources,
        extra,
    )


def endless_pdf(depth: int = 24) -> bytes:
    """A small file that takes forever: each form draws the next one ten times."""
    forms = []
    for level in range(depth):
        last = level == depth - 1
        content = b"BT /F1 9 Tf (x) Tj ET" if last else b"/X Do " * 10
        inner = b"/Font<</F1 5 0 R>>" if last else b"/XObject<</X %d 0 R>>" % (7 + level)
        forms.append(stream(content, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<<%s>>" % inner))
    page = page_of(b"/Font<</F1 5 0 R>>/XObject<</X 6 0 R>>")
    return raw_pdf(CATALOG, PAGES, page, stream(b"/X Do " * 10), FONT, *forms)


def bomb_pdf(mebibytes: int) -> bytes:
    """A small file whose one page's content unpacks to very much."""
    packer = zlib.compressobj(9)
    block = b"BT /F1 9 Tf (bomb) Tj ET\n" * (1 << 15)
    packed = (
        b"".join(packer.compress(block) for _ in range(mebibytes * (1 << 20) // len(block))) + packer.flush()
    )
    content = b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed)
    return raw_pdf(CATALOG, PAGES, page_of(), content, FONT)


def counting_pdf(claimed: int) -> bytes:
    """A file that claims so many pages: every kid of its page tree is the same page."""
    fan = 100
    nodes: list[bytes] = []
    level = 0
    while fan**level < claimed:
        level += 1
    first = 4
    for depth in range(level):
        kid = 3 if depth == level - 1 else first + depth + 1
        count = fan ** (level - depth)
        nodes.append(b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, b"%d 0 R " % kid * fan))
    page = b"<</Type/Page/MediaBox[0 0 612 792]/Resources<<>>>>"
    return raw_pdf(b"<</Type/Catalog/Pages 4 0 R>>", b"null", page, *nodes)
