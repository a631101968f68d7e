"""A Word document is read as Word shows it: nothing lost, nothing unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.reading import Reading
from rag.types import Status
from tests.ingest.support import read_file
from tests.ingest.word_files import p, r, table, tc, tr, write_docx

pytest.importorskip("docx")


def _read(tmp_path: Path, body: str, parts: dict[str, str] | None = None, **options: object) -> Reading:
    return read_file(write_docx(tmp_path / "file.docx", body, parts), **options)


def _lines(reading: Reading) -> list[str]:
    return [line for page in reading.pages for line in page.text.split("\n") if line]


def _field(instruction: str, result: str) -> str:
    kinds = {kind: f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")}
    code = f"<w:r><w:instrText>{instruction}</w:instrText></w:r>"
    return kinds["begin"] + code + kinds["separate"] + r(result) + kinds["end"]


_DELETED = '<w:del w:id="1"><w:r><w:delText xml:space="preserve">always </w:delText></w:r></w:del>'


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (p("The deposit is ", f'<w:ins w:id="2">{r("not ")}</w:ins>', _DELETED, "refundable."),
         ["The deposit is not refundable."]),
        (p("Moved ", f'<w:moveFrom w:id="1">{r("off ")}</w:moveFrom><w:moveTo>{r("here ")}</w:moveTo>', "now."),
         ["Moved here now."]),
        (p("Pay ", f"<w:sdt><w:sdtContent>{r('40 euros')}</w:sdtContent></w:sdt>", " now."), ["Pay 40 euros now."]),
        (f"<w:sdt><w:sdtPr/><w:sdtContent>{p('In a control.')}</w:sdtContent></w:sdt>", ["In a control."]),
        (p("It is due on ", _field("DATE", "3 May"), "."), ["It is due on 3 May."]),
        (p("See ", f'<w:fldSimple w:instr="REF x">{r("section 4")}</w:fldSimple>', "."), ["See section 4."]),
        (p("Open the ", f"<w:hyperlink>{r('second')}</w:hyperlink>", " valve."), ["Open the second valve."]),
        (p("A", f"<w:smartTag>{r(' sma')}</w:smartTag>", "<w:r><w:noBreakHyphen/></w:r>", "t."), ["A sma-t."]),
        (p("x = ", "<m:oMath><m:r><m:t>2y</m:t></m:r></m:oMath>"), ["x = 2y"]),
        ('<w:p><w:pPr><w:rPr><w:del w:id="3"/></w:rPr></w:pPr>' + r("The deposit is not ") + "</w:p>"
         + p("refundable."), ["The deposit is not refundable."]),
        (table(tr("Ferry", "12", "12"), tr("Boat", "", "3"), tr("", "Q1", "Q2")),
         ["Ferry | 12 | 12", "Boat | | 3", "| Q1 | Q2"]),
        (table(tr("Kind", tc(p("2023"), '<w:gridSpan w:val="2"/>'), "2024"), tr("a", "b", "c", "d")),
         ["Kind | 2023 | | 2024", "a | b | c | d"]),
        (table(tr(tc(p("Ferry"), '<w:vMerge w:val="restart"/>'), "adult"), tr(tc(p(""), "<w:vMerge/>"), "child")),
         ["Ferry | adult", "Ferry | child"]),
        (table(tr(tc(p("Outer") + table(tr("inner", "7")) + p("")), "right")), ["Outer | right", "inner | 7"]),
        (table(tr("kept", "1"), tr("gone", "2", look='<w:del w:id="1"/>')), ["kept | 1"]),
        (table(f"<w:sdt><w:sdtContent>{tr('controlled', 'row')}</w:sdtContent></w:sdt>"), ["controlled | row"]),
    ],
)  # fmt: skip
def test_everything_a_reader_sees_is_read(body: str, lines: list[str], tmp_path: Path) -> None:
    assert _lines(_read(tmp_path, body)) == lines


def test_footnotes_text_boxes_and_margins_are_read(tmp_path: Path) -> None:
    box = "<w:txbxContent>{}</w:txbxContent>"
    drawing = (
        "<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wps:wsp><wps:txbx>"
        + box.format(p("Boxed words."))
        + "</wps:txbx></wps:wsp></w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>"
        + box.format(p("Boxed words."))
        + "</v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    body = p("It costs 40 euros.", '<w:r><w:footnoteReference w:id="2"/></w:r>') + p("Beside it:", drawing)
    parts = {
        "footnotes": f'<w:footnote w:id="2">{p("Except on Sundays.")}</w:footnote>',
        "header": p("Harbour office, 2024"),
        "footer": p("7"),
    }
    assert _lines(_read(tmp_path, body, parts)) == [
        "It costs 40 euros.",
        "Beside it:",
        "Boxed words.",
        "Except on Sundays.",
        "Harbour office, 2024",
    ]


def test_tracked_changes_are_reported(tmp_path: Path) -> None:
    reading = _read(tmp_path, p("It is ", f'<w:ins w:id="2">{r("not ")}</w:ins>', _DELETED, "true."))
    assert (reading.status, "1 insertions kept, 1 deletions dropped" in reading.reason) == (Status.OK, True)
    assert _read(tmp_path, p("It is true.")).reason == ""


_STYLES = (
    '<w:style w:type="character" w:styleId="Base"><w:name w:val="Base"/><w:rPr><w:vanish/></w:rPr></w:style>'
    '<w:style w:type="character" w:styleId="Ghost"><w:name w:val="Ghost"/><w:basedOn w:val="Base"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="GhostP"><w:name w:val="GhostP"/><w:rPr><w:vanish/></w:rPr></w:style>'
)


@pytest.mark.parametrize(
    "paragraph",
    [
        p(r("Secret words", "<w:vanish/>")),
        p(r("Secret words", '<w:rStyle w:val="Ghost"/>')),
        p(r("Secret words"), style="GhostP"),
        p(r("Secret words", '<w:color w:val="FFFFFF"/>')),
        p(r("Secret words", '<w:color w:val="000000" w:themeColor="background1"/>')),
        p(r("Secret words", '<w:sz w:val="1"/>')),
        p(r("Secret words", '<w:w w:val="1"/>')),
        p(r("Secret words", '<w:color w:val="102030"/><w:shd w:val="clear" w:fill="102030"/>')),
        p(r("Secret words", '<w:color w:val="FFFF00"/><w:highlight w:val="yellow"/>')),
        p(r("Secret words", "<w14:textFill><w14:noFill/></w14:textFill>")),
        table(
            tr(
                tc(
                    p(r("Secret words", '<w:color w:val="00AA00"/>')),
                    '<w:shd w:val="clear" w:fill="00AA00"/>',
                )
            )
        ),
        table(tr(tc(p("Secret words")), look="<w:hidden/>")),
    ],
)
def test_text_that_word_does_not_show_is_left_out_and_reported(paragraph: str, tmp_path: Path) -> None:
    body, parts = p("The pier is open.") + paragraph, {"styles": _STYLES}
    reading = _read(tmp_path, body, parts)
    assert _lines(reading) == ["The pier is open."]
    assert "hidden text left out" in reading.reason
    assert "Secret words" in "\n".join(_lines(_read(tmp_path, body, parts, keep_hidden_text=True)))
    assert _read(tmp_path, paragraph, parts).status is Status.HIDDEN_TEXT


@pytest.mark.parametrize(
    "paragraph",
    [
        p(r("Shown words", '<w:vanish w:val="0"/>')),
        p(r("Shown words", '<w:rStyle w:val="Ghost"/><w:vanish w:val="false"/>')),
        p(r("Shown words", '<w:color w:val="FFFFFF"/><w:shd w:val="clear" w:fill="102030"/>')),
        p(r("Shown words", '<w:color w:val="auto"/><w:sz w:val="12"/>')),
        table(
            tr(tc(p(r("Shown words", '<w:color w:val="FFFFFF"/>')), '<w:shd w:val="clear" w:fill="00AA00"/>'))
        ),
    ],
)
def test_text_that_word_shows_is_not_taken_for_hidden(paragraph: str, tmp_path: Path) -> None:
    reading = _read(tmp_path, paragraph, {"styles": _STYLES})
    assert (_lines(reading), reading.reason) == (["Shown words"], "")


def test_white_text_in_a_table_whose_style_colours_it_is_read(tmp_path: Path) -> None:
    style = (
        '<w:style w:type="table" w:styleId="Dark"><w:name w:val="Dark"/><w:tblStylePr w:type="firstRow"><w:tcPr>'
        '<w:shd w:val="clear" w:fill="1F3864"/></w:tcPr></w:tblStylePr></w:style>'
    )
    row = tr(tc(p(r("Price", '<w:color w:val="FFFFFF"/>'))), "12")
    body = f'<w:tbl><w:tblPr><w:tblStyle w:val="Dark"/></w:tblPr>{row}</w:tbl>'
    assert _lines(_read(tmp_path, body, {"styles": style})) == ["Price | 12"]
