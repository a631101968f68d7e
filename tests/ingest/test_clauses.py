"""Where a heading ends and its clause begins, and what a line of a list, of prose or of a table is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.reading import Reading
from tests.ingest.pdfs import CATALOG, KOREAN, PAGES, lines, page_of, raw_pdf, stream, wrapped, write_pdf
from tests.ingest.support import read_file

_KOREAN_CLAUSE = (
    "신규로 채용된 직원의 수습기간은 3개월로 하되, 경력 직원은 인사위원회의 심의를 거쳐 줄일 수 있다."
)
_CLAUSE = (
    "Every new employee serves a probation period of three months, which may be extended once by six weeks."
)


def _read(tmp_path: Path, rows: list[str], font: str = "Helvetica") -> Reading:
    return read_file(write_pdf(tmp_path / "clauses.pdf", [lines(*rows, font=font)]))


@pytest.mark.parametrize(
    ("title", "clause", "heading"),
    [
        ("제5조(수습기간)", _KOREAN_CLAUSE, "제5조(수습기간)"),
        ("제 7 조의2 [수습 기간]", _KOREAN_CLAUSE, "제 7 조의2 [수습 기간]"),
        ("Article 5 (Probation)", _CLAUSE, "Article 5 (Probation)"),
        ("Section 7. Probation.", _CLAUSE, "Section 7. Probation"),
        ("5.1 Probation.", _CLAUSE, "5.1 Probation"),
    ],
)
def test_a_clause_in_the_line_of_its_heading_is_text_under_that_heading(
    tmp_path: Path, title: str, clause: str, heading: str
) -> None:
    font = KOREAN if "조" in title else "Helvetica"
    reading = _read(tmp_path, wrapped(f"{title} {clause}", width=300, font=font), font)
    assert reading.pages[0].text == f"{title} {clause}"
    assert [chunk.heading for chunk in reading.chunks] == [heading]


@pytest.mark.parametrize("number", ["제5조", "Section 7.", "5.1"])
def test_a_clause_without_a_title_is_text(tmp_path: Path, number: str) -> None:
    font, clause = (KOREAN, _KOREAN_CLAUSE) if number == "제5조" else ("Helvetica", _CLAUSE)
    reading = _read(tmp_path, wrapped(f"{number} {clause}", width=300, font=font), font)
    assert reading.pages[0].text == f"{number} {clause}"
    assert reading.chunks[0].heading == ""


@pytest.mark.parametrize(
    "title", ["제2장 채용과 휴가", "제5조(수습기간)", "제5조 수습기간", "제5조(목적) <개정 2020. 1. 1.>"]
)
def test_a_numbered_title_on_a_line_of_its_own_is_a_heading(tmp_path: Path, title: str) -> None:
    reading = _read(tmp_path, [title, "", *wrapped(_KOREAN_CLAUSE, width=300, font=KOREAN)], KOREAN)
    assert reading.pages[0].text == f"{title}\n\n{_KOREAN_CLAUSE}"
    assert reading.chunks[0].heading == title


def test_a_reference_at_the_start_of_a_line_is_no_clause(tmp_path: Path) -> None:
    rows = [
        "The board may lower the fee by a decision that it takes under",
        "Section 7 of the Act and announces to the members of the club at",
        "5.30 pm on the first day of the month after the decision.",
    ]
    assert _read(tmp_path, rows).pages[0].text == " ".join(rows)


def test_items_of_a_list_are_apart_though_their_lines_are_full(tmp_path: Path) -> None:
    rows = [
        "1. Date: Thursday, 12 September, 2 p.m.",
        "2. Place: great hall of the main house",
        "3. Present: all",
    ]
    assert _read(tmp_path, rows).pages[0].text == "\n\n".join(rows)


def test_a_sentence_whose_line_ends_in_a_figure_is_no_row(tmp_path: Path) -> None:
    rows = ["The mean water temperature of the bay was 1.2", "degrees above that of the ten years before it,"]
    rows.append("and higher than in any year on record.")
    assert _read(tmp_path, rows).pages[0].text == " ".join(rows)


def test_lines_of_a_text_file_are_joined_with_spaces(tmp_path: Path) -> None:
    path = tmp_path / "notice.txt"
    path.write_text(
        "건물에 들어오실 때에는 방문증을 받아 주십시오.\n서진빌딩 관리사무소는 본관의 지하 1층에\n있습니다.\n",
        encoding="utf-8",
    )
    assert "주십시오. 서진빌딩" in " ".join(read_file(path).pages[0].text.split())
    assert "1층에 있습니다." in read_file(path).pages[0].text


@pytest.mark.parametrize("gap", [100, 130, 180])
def test_words_set_apart_by_position_alone_keep_their_spaces(tmp_path: Path, gap: int) -> None:
    words = b"The archive was a collection which nobody had read since the keeper left".split()
    shown = (b"%d" % -gap).join(b"(%s)" % word for word in words)
    content = stream(b"BT /F1 10 Tf 72 700 Td [%s] TJ ET" % shown)
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    path = tmp_path / "placed.pdf"
    path.write_bytes(raw_pdf(CATALOG, PAGES, page_of(), content, font))
    assert read_file(path).pages[0].text == b" ".join(words).decode()


def test_letter_spaced_words_are_not_taken_apart(tmp_path: Path) -> None:
    content = stream(b"BT /F1 10 Tf 1.2 Tc 6 Tw 72 700 Td (Responsibilities of administrations) Tj ET")
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    path = tmp_path / "spaced.pdf"
    path.write_bytes(raw_pdf(CATALOG, PAGES, page_of(), content, font))
    assert read_file(path).pages[0].text == "Responsibilities of administrations"
