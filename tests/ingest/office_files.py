"""Writes small office files with known text: workbooks, decks, HWPX packages and HWP compound files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

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
        for column, value in enumerate(values, start=1):
            cell = sheet.cell(row, column, value)
            if isinstance(value, int):
                cell.number_format = "#,##0"
            elif isinstance(value, float):
                cell.number_format = "0.0%"
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
        for column, value in enumerate(values, start=1):
            cell = schedule.cell(row, column, value)
            if isinstance(value, date):
                cell.number_format = "yyyy-mm-dd"
            elif isinstance(value, int):
                cell.number_format = '"€"#,##0'
    secret = book.create_sheet("Internal")
    secret.sheet_state = "hidden"
    secret["A1"] = "unreleased reorganisation plan"
    book.save(path)
    return path


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
