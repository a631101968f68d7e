"""A folder with every kind of office file, asked in Korean and English through the command line."""

from __future__ import annotations

from pathlib import Path

import docx
import pytest

from tests.cli.conftest import Run
from tests.ingest import office_files

pytestmark = pytest.mark.slow


@pytest.fixture
def office(workdir: Path) -> Path:
    folder = workdir / "office"
    folder.mkdir()
    office_files.budget(folder / "budget.xlsx")
    office_files.deck(folder / "harbour.pptx")
    office_files.hwpx(folder / "여비규정.hwpx", *office_files.rules())
    office_files.hwp(
        folder / "주차규정.hwp",
        office_files.hwp_paragraph("주차장 운영 규정", style=1)
        + office_files.hwp_paragraph("방문 차량은 지하 2층에 주차한다.")
        + office_files.hwp_paragraph("정기 주차권은 매월 25일에 갱신한다."),
    )
    document = docx.Document()
    document.add_paragraph("The reading room closes at nine in the evening.")
    document.save(folder / "room.docx")
    return folder


QUESTIONS = (
    ("When is the crane hire due?", "budget.xlsx", "cell Schedule!"),
    ("시설관리과의 2026년 예산은 얼마인가요?", "budget.xlsx", "셀 예산!"),
    ("When do divers inspect the north pier?", "harbour.pptx", "slide 2"),
    ("방파제 보강 공사는 언제 착공하나요?", "harbour.pptx", "슬라이드 4"),
    ("휴일 출장은 어떻게 계산하나요?", "여비규정.hwpx", "구역 1, 문단 10"),
    ("정기 주차권은 언제 갱신하나요?", "주차규정.hwp", "구역 1, 문단 3"),
    ("When does the reading room close?", "room.docx", "page 1"),
)


def test_answers_cite_the_place_that_a_reader_knows(rag: Run, office: Path) -> None:
    report = rag("ingest", office, "--json").json
    assert {row["status"] for row in report["files"]} == {"ok"}
    for question, file, place in QUESTIONS:
        shown = rag("ask", question)
        assert f"[1] {file}, {place}" in shown.out, shown.out
        (citation, *_) = rag("ask", question, "--json").json["citations"]
        assert (citation["file"], citation["verified"]) == (file, True)
