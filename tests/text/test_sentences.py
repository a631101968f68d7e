"""Sentence ranges in both languages, and in the shapes that pages have."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.sentences import sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["The U.S. company paid $3.5 million to Mr. J. Smith at No. 5 King Street.", "It was late."],
        ["Sales grew in the U.S.", "The rest fell."],
        ["Apple Inc. of Cupertino, e.g. in Fig. 3, agreed.", "We left at 5 p.m.", "They stayed."],
        ['"Is it?" he asked.', "“It is. I am sure.”", "Nobody spoke!"],
        ["It was (see Note 5. Also 6.) fine.", "Version 4.2.1 fell by 3.2%.", "What now?"],
        ["삼성전자는 2023. 5. 1. 서울에서 발표했다.", "매출은 3.5% 늘었다.", "왜 그런가요?", "그렇습니다!"],
        ['"정말 가는가?"라고 물었다.', "“나는 간다. 너도 가라.”라고 말했다.", "그는 '좋다.' 라고 했다."],
        ["3.1운동은 1919년에 일어났다[1].", "미국의 J. R. R. 톨킨이 썼다."],
        ["Section 7. An employee reports it."],
        ["제3조 [대금의 지급] 1. 갑은 대금을 지급한다."],
        ["Q1. 취소할 수 있나요?"],
        ['He called it "the best thing. It will last," and left.', '"처음이다. 걱정이다."라며 돌아섰다.'],
        ["4.4 Error functions. . . . . . . . 22"],
        ["他来了。" , "我走了。"],
    ],
)  # fmt: skip
def test_prose(expected: list[str]) -> None:
    assert split(" ".join(expected)) == expected


def test_line_breaks_in_a_paragraph_are_not_ends() -> None:
    text = (
        "The company, which was founded in 1902 by five business people,\nmakes tools. It\nsells them.\n\n"
        "협동조합의 매출은 지난해보다 크게 늘었\n다. 이익도 늘었다."
    )
    assert split(text) == [
        "The company, which was founded in 1902 by five business people,\nmakes tools.",
        "It\nsells them.",
        "협동조합의 매출은 지난해보다 크게 늘었\n다.",
        "이익도 늘었다.",
    ]


def test_korean_that_lost_the_space_after_a_sentence() -> None:
    assert split("매출은 늘었다.이는 처음이다.") == ["매출은 늘었다.", "이는 처음이다."]


def test_headings_lists_and_table_rows_are_units() -> None:
    text = (
        "제1장 총칙\n\n이 규정은 휴가를 정한다.\n• 연차 휴가\n• 병가는 의사의 진단서가\n있어야 한다\n"
        "1. 신청한다. 그리고 기다린다.\n\n"
        "Results\nThe year was good for everyone who worked at the yard in Harrow, and for its owners too.\n"
        "Total assets 38,000 35,000\nNet cash 222 (3,086)\nOther 57\n"
    )
    assert split(text) == [
        "제1장 총칙",
        "이 규정은 휴가를 정한다.",
        "연차 휴가",
        "병가는 의사의 진단서가\n있어야 한다",
        "1. 신청한다.",
        "그리고 기다린다.",
        "Results",
        "The year was good for everyone who worked at the yard in Harrow, and for its owners too.",
        "Total assets 38,000 35,000",
        "Net cash 222 (3,086)",
        "Other 57",
    ]


def test_rows_with_units_and_signs_are_units() -> None:
    rows = ["호기 발전소 준공 2024년 발전량(kWh)", "1호 가람초등학교 2015년 209,800", "합계 2,140 2,258,600"]
    assert split("\n".join(rows)) == rows
    rows = ["Route 2024 2023 Change", "Aldis to Greyholm 1,136 1,104 +2.9 %", "All routes 1,907 1,842 +3.6 %"]
    assert split("\n".join(rows)) == rows


def test_a_long_line_of_figures_takes_no_more_than_its_length() -> None:
    line = "1  " * 2000 + "x"
    assert split(line) == [line]


def test_a_line_that_ends_in_a_date_is_no_table_row() -> None:
    text = "The agreement that both of the parties signed on February 8, 2023\nis still in force today."
    assert split(text) == [text]


@given(st.text(alphabet="aB가다 .?!\n()“”\"'5,-•\t|。", max_size=120))
def test_ranges_are_ordered_trimmed_and_complete(text: str) -> None:
    ranges = sentences(text)
    assert all(a < b for a, b in ranges)
    assert all(before[1] <= after[0] for before, after in pairwise(ranges))
    assert all(text[a:b] == text[a:b].strip() for a, b in ranges)
    covered = "".join(text[a:b] for a, b in ranges)
    assert [c for c in covered if c.isalnum()] == [c for c in text if c.isalnum()]
