"""Writes small office files with known text: workbooks, decks, HWPX packages and HWP compound files."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pptx
from pptx.util import Inches


def budget(path: Path) -> Path:
    """A workbook with a budget in thousands of won, a sheet in English, and a hidden one."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "예산"
    sheet["A1"] = "2026년 부서별 예산"
    sheet["A2"] = "(단위: 천원)"
    for row, values in enumerate(
        (
            ("부서", "담당자", "2025년", "2026년", "증감률"),
            ("총무과", "김서연", 120000, 135500, 0.129),
            ("시설관리과", "박도윤", 480250, 512750, 0.068),
            ("홍보과", "이하린", 88000, 79300, -0.099),
        ),
        start=4,
    ):
        _fill(sheet, row, values, {int: "#,##0", float: "0.0%"})
    schedule = book.create_sheet("Schedule")
    for row, values in enumerate(
        (
            ("Milestone", "Owner", "Due date", "Deposit"),
            ("Roof survey", "Amber Holt", date(2026, 3, 17), 4200),
            ("Crane hire", "Noah Brandt", date(2026, 5, 2), 18350),
            ("Final inspection", "Iris Quayle", date(2026, 9, 30), 960),
        ),
        start=1,
    ):
        _fill(schedule, row, values, {date: "yyyy-mm-dd", int: '"€"#,##0'})
    secret = book.create_sheet("Internal")
    secret.sheet_state = "hidden"
    secret["A1"] = "unreleased reorganisation plan"
    book.save(path)
    return path


def _fill(sheet: Any, row: int, values: Sequence[object], formats: Mapping[type, str]) -> None:
    """Write a row, each kind of value in its number format."""
    for column, value in enumerate(values, start=1):
        sheet.cell(row, column, value).number_format = formats.get(type(value), "General")


def deck(path: Path) -> Path:
    """A deck: a title slide, a slide with a table and notes, a hidden slide."""
    made = pptx.Presentation()
    first = made.slides.add_slide(made.slide_layouts[0])
    first.shapes.title.text = "Harbour renewal programme"
    first.placeholders[1].text = "Status for the council, June 2026"
    second = made.slides.add_slide(made.slide_layouts[5])
    second.shapes.title.text = "Pier repairs"
    frame = second.shapes.add_table(3, 3, Inches(1), Inches(2), Inches(7), Inches(2))
    rows = (("Pier", "Contractor", "Completion"), ("North pier", "Dunmore Marine", "14 August 2026"),
            ("South pier", "Keel & Sons", "3 November 2026"))  # fmt: skip
    for r, values in enumerate(rows):
        for c, value in enumerate(values):
            frame.table.cell(r, c).text = value
    second.notes_slide.notes_text_frame.text = "Divers inspect the north pier every second Tuesday."
    third = made.slides.add_slide(made.slide_layouts[5])
    third.shapes.title.text = "Unpublished fallback plan"
    third._element.set("show", "0")
    fourth = made.slides.add_slide(made.slide_layouts[1])
    fourth.shapes.title.text = "예산과 일정"
    fourth.placeholders[1].text = "방파제 보강 공사는 2026년 10월 12일에 착공한다.\n총사업비는 37억 원이다."
    made.save(path)
    return path


# -- HWPX ---------------------------------------------------------------------------------------------------------

_HP = 'xmlns:hp="http://www.hancom.co.kr/hwpml/2011/paragraph" xmlns:hs="http://www.hancom.co.kr/hwpml/2011/section"'
_HEADER = """<hh:head xmlns:hh="http://www.hancom.co.kr/hwpml/2011/head"><hh:refList>
<hh:charProperties><hh:charPr id="0" height="1000" textColor="#000000" shadeColor="none"/>
<hh:charPr id="1" height="1000" textColor="#FFFFFF" shadeColor="none"/></hh:charProperties>
<hh:styles><hh:style id="0" name="바탕글" engName="Normal"/>
<hh:style id="1" name="개요 1" engName="Outline 1"/></hh:styles>
</hh:refList></hh:head>"""


def hp(text: str, *, style: int = 0, look: int = 0, inner: str = "") -> str:
    """A paragraph; `inner` is XML beside its text."""
    run = f'<hp:run charPrIDRef="{look}">{inner}<hp:t>{text}</hp:t></hp:run>'
    return f'<hp:p styleIDRef="{style}" paraPrIDRef="0">{run}</hp:p>'


def hp_table(*cells: tuple[int, int, int, int, str]) -> str:
    """A table of (row, column, rows, columns, text)."""
    rows: dict[int, str] = {}
    for row, column, tall, wide, text in cells:
        rows[row] = rows.get(row, "") + (
            f'<hp:tc><hp:subList>{hp(text)}</hp:subList><hp:cellAddr colAddr="{column}" rowAddr="{row}"/>'
            f'<hp:cellSpan colSpan="{wide}" rowSpan="{tall}"/></hp:tc>'
        )
    return f"<hp:tbl>{''.join(f'<hp:tr>{row}</hp:tr>' for row in rows.values())}</hp:tbl>"


def hwpx(path: Path, *sections: str, parts: dict[str, str] | None = None) -> Path:
    """An HWPX package with these sections, each the XML of its paragraphs."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("mimetype", "application/hwp+zip", zipfile.ZIP_STORED)
        package.writestr("Contents/header.xml", _HEADER)
        for number, body in enumerate(sections):
            package.writestr(f"Contents/section{number}.xml", f"<hs:sec {_HP}>{body}</hs:sec>")
        for name, content in (parts or {}).items():
            package.writestr(name, content)
    return path


# -- HWP 5 --------------------------------------------------------------------------------------------------------


def record(tag: int, level: int, data: bytes = b"") -> bytes:
    """A record of an HWP stream."""
    if len(data) < 0xFFF:
        return struct.pack("<I", tag | level << 10 | len(data) << 20) + data
    return struct.pack("<II", tag | level << 10 | 0xFFF << 20, len(data)) + data


def hwp_paragraph(text: str, level: int = 0, *, style: int = 0, look: int = 0, inner: bytes = b"") -> bytes:
    """The records of a paragraph; `inner` are those of its controls, which follow on the next level."""
    units = text.encode("utf-16-le") + b"\r\0"
    head = struct.pack("<IIHBB", len(units) // 2, 0, 0, style, 0)
    looks = struct.pack("<II", 0, look)
    return record(66, level, head) + record(67, level + 1, units) + record(68, level + 1, looks) + inner


def hwp_table(level: int, *cells: tuple[int, int, int, int, str]) -> bytes:
    """The records of a table of (row, column, rows, columns, text)."""
    made = record(71, level, b" lbt" + bytes(40)) + record(77, level + 1, bytes(20))
    for row, column, tall, wide, text in cells:
        place = struct.pack("<HHI4H", 1, 0, 0, column, row, wide, tall) + bytes(20)
        made += record(72, level + 1, place) + hwp_paragraph(text, level + 1)
    return made


def hwp_list(level: int, kind: bytes, text: str) -> bytes:
    """The records of a note, header or hidden comment (`kind`, as four letters) with one paragraph."""
    return (
        record(71, level, kind[::-1] + bytes(8))
        + record(72, level + 1, bytes(8))
        + hwp_paragraph(text, level + 1)
    )


def hwp(path: Path, *sections: bytes, flags: int = 1) -> Path:
    """An HWP 5 file with these sections."""
    header = b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05010000, flags) + bytes(216)
    looks = [bytes(42) + struct.pack("<i", 1000) + bytes(6) + colour + bytes(4) + b"\xff" * 4 + bytes(4)
             for colour in (bytes(4), b"\xff\xff\xff\0")]  # fmt: skip
    styles = [b"".join(struct.pack("<H", len(name)) + name.encode("utf-16-le") for name in names) + bytes(10)
              for names in (("바탕글", "Normal"), ("개요 1", "Outline 1"))]  # fmt: skip
    info = b"".join([*(record(21, 1, look) for look in looks), *(record(26, 1, style) for style in styles)])
    streams = {"FileHeader": header, "DocInfo": _deflated(record(16, 0, bytes(26)) + record(17, 0) + info)}
    body = {f"Section{number}": _deflated(section) for number, section in enumerate(sections)}
    path.write_bytes(compound_file(streams, "BodyText", body))
    return path


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


_FAT_SECTORS = 3
"""Each keeps track of 64 KiB."""


def compound_file(streams: dict[str, bytes], storage: str, inner: dict[str, bytes]) -> bytes:
    """A compound file (MS-CFB, version 3) of streams beside one storage; streams are padded past the mini stream."""
    names = [*streams, storage, *inner]
    contents = [
        data.ljust(max(4096, -(-len(data) // 512) * 512), b"\0")
        for data in (*streams.values(), *inner.values())
    ]
    directory_sectors = -(-(len(names) + 1) // 4)
    fat = [0xFFFFFFFD] * _FAT_SECTORS
    fat += [len(fat) + number + 1 for number in range(directory_sectors - 1)] + [0xFFFFFFFE]
    starts: list[int] = []
    for data in contents:
        first, count = len(fat), len(data) // 512
        starts.append(first)
        fat += [first + i + 1 for i in range(count - 1)] + [0xFFFFFFFE]
    assert len(fat) <= 128 * _FAT_SECTORS
    fat += [0xFFFFFFFF] * (128 * _FAT_SECTORS - len(fat))
    place = len(streams) + 1  # of the storage among the entries
    entries = [_entry("Root Entry", 5, child=1)]
    numbered = dict(zip([*streams, *inner], zip(starts, map(len, contents), strict=True), strict=True))
    for number, name in enumerate(names, start=1):
        last = number in (place, len(names))
        following = 0xFFFFFFFF if last else number + 1
        if name == storage:
            entries.append(_entry(name, 1, child=number + 1))
        else:
            entries.append(_entry(name, 2, following, start=numbered[name][0], size=numbered[name][1]))
    directory = b"".join(entries).ljust(directory_sectors * 512, b"\0")
    head = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    )
    head += struct.pack("<9I", 0, _FAT_SECTORS, _FAT_SECTORS, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += struct.pack(f"<{_FAT_SECTORS}I", *range(_FAT_SECTORS))
    head += b"\xff" * (512 - len(head))
    return head + struct.pack(f"<{len(fat)}I", *fat) + directory + b"".join(contents)


def _entry(name: str, kind: int, following: int = 0xFFFFFFFF, **given: int) -> bytes:
    letters = (name + "\0").encode("utf-16-le")
    child = given.get("child", 0xFFFFFFFF)
    tail = struct.pack("<HBBIII", len(letters), kind, 1, 0xFFFFFFFF, following, child) + bytes(36)
    return (
        letters.ljust(64, b"\0") + tail + struct.pack("<III", given.get("start", 0), given.get("size", 0), 0)
    )


def rules() -> tuple[str, ...]:
    """The sections of company rules as HWPX, with a spanned table, a footnote, a header, hidden and deleted text."""
    table = hp_table(
        (0, 0, 2, 1, "직급"), (0, 1, 1, 2, "여비(원)"), (1, 1, 1, 1, "국내"), (1, 2, 1, 1, "국외"),
        (2, 0, 1, 1, "과장"), (2, 1, 1, 1, "45,000"), (2, 2, 1, 1, "130,000"),
        (3, 0, 1, 1, "대리"), (3, 1, 1, 1, "38,000"), (3, 2, 1, 1, "115,000"),
    )  # fmt: skip
    note, header, comment = (
        f"<hp:ctrl><hp:{kind}><hp:subList>{hp(text)}</hp:subList></hp:{kind}></hp:ctrl>"
        for kind, text in (
            ("footNote", "휴일 출장은 1.5배로 계산한다."),
            ("header", "한빛정밀 사내 규정집"),
            ("hiddenComment", "검토자 메모"),
        )
    )
    box = f"<hp:rect><hp:drawText><hp:subList>{hp('문의는 총무과로 한다.')}</hp:subList></hp:drawText></hp:rect>"
    deleted = "출장비는 <hp:deleteBegin/>다음 달에 <hp:deleteEnd/><hp:insertBegin/>7일 안에 <hp:insertEnd/>지급한다."
    return (
        hp("출장 여비 규정", style=1, inner=header) + hp("출장은 부서장의 승인을 받는다.", inner=note)
        + hp(deleted) + hp("보이지 않는 문장", look=1, inner=comment) + hp("아래 표를 따른다.", inner=table + box),
        hp("부칙", style=1) + hp("이 규정은 2026년 3월 1일부터 시행한다."),
    )  # fmt: skip


def hwp_rules(path: Path) -> Path:
    """Company rules as HWP 5, with what `rules` has but for tracked changes."""
    note = hwp_list(1, b"fn  ", "휴일 출장은 1.5배로 계산한다.")
    comment = hwp_list(1, b"tcmt", "검토자 메모")
    header = hwp_list(1, b"head", "한빛정밀 사내 규정집")
    box = record(71, 1, b" osg" + bytes(40)) + record(76, 2, bytes(60)) + record(72, 3, bytes(8))
    box += hwp_paragraph("문의는 총무과로 한다.", 3)
    table = hwp_table(
        1, (0, 0, 2, 1, "직급"), (0, 1, 1, 2, "여비(원)"), (1, 1, 1, 1, "국내"), (1, 2, 1, 1, "국외"),
        (2, 0, 1, 1, "과장"), (2, 1, 1, 1, "45,000"), (2, 2, 1, 1, "130,000"),
    )  # fmt: skip
    first = (
        hwp_paragraph("출장 여비 규정", style=1, inner=header)
        + hwp_paragraph("출장은 부서장의\x1e승인을 받는다." + "\x11" + "\0" * 6 + "\x11", inner=note)
        + hwp_paragraph("보이지 않는 문장", look=1, inner=comment)
        + hwp_paragraph("아래 표를 따른다.", inner=table + box)
    )
    return hwp(path, first, hwp_paragraph("이 규정은 2026년 3월 1일부터 시행한다."))
