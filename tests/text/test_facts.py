"""Facts are read in both languages and compared by value."""

from __future__ import annotations

import pytest

from rag.text.facts import FactText, facts, supported, unsupported


def kinds(text: str) -> list[tuple[str, str]]:
    return [(fact.kind, fact.text) for fact in facts(text)]


def test_english_facts() -> None:
    text = (
        "In 2018, 3M spent $1,577 million (5.1%), down -3.2% since May 1, 2023; Apple Inc. sold three units of "
        "the RT-21 to Nikola Tesla, author of “My Inventions”."
    )
    assert kinds(text) == [
        ("number", "2018"),
        ("code", "3M"),
        ("number", "$1,577 million"),
        ("number", "5.1%"),
        ("number", "-3.2%"),
        ("date", "May 1, 2023"),
        ("name", "Apple Inc"),
        ("number", "three"),
        ("code", "RT-21"),
        ("name", "Nikola Tesla"),
        ("title", "My Inventions"),
    ]


def test_korean_facts() -> None:
    text = (
        "삼성전자는 2023년 5월 1일 매출 1조 5,770억원, 직원 15만 명으로 3.5% 늘었고 "
        "3분기에 두 명이 「사피엔스」를 5년간 읽었다."
    )
    assert [(fact.text, fact.value) for fact in facts(text)] == [
        ("2023년 5월 1일", "2023-05-01"),
        ("1조 5,770억원", "1577000000000 KRW"),
        ("15만 명", "150000 person"),
        ("3.5%", "3.5 %"),
        ("3분기", "Q3"),
        ("두 명", "2 person"),
        ("사피엔스", "사피엔스"),
        ("5년간", "5 year"),
    ]


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        ("1,577", "a total of 1577 units"),
        ("$1.6 billion", "1,600 million dollars"),
        ("15%", "15 percent"),
        ("15 percent", "15퍼센트 증가"),
        ("May 1, 2023", "2023년 5월 1일에"),
        ("2023. 5. 1.", "on 1 May 2023"),
        ("2023-05-01", "May 1st, 2023"),
        ("May 2023", "2023년 5월 3일"),
        ("in 2018", "2018년에는"),
        ("FY2018", "fiscal 2018"),
        ("2018년", "in 2018"),
        ("third quarter", "3분기 실적"),
        ("Q3", "the third quarter"),
        ("1조 5,770억 원", "KRW 1.577 trillion"),
        ("15 people", "15명이 참가"),
        ("3명", "세 명이 참가"),
        ("three years", "3년간"),
        ("$1,577 million", "(Millions) 2018 2017\nPurchases of PP&E (1,577) (1,373)\n"),
        ("$1.577 billion", "1,577 million dollars"),
        ("December 31, 2018", "Years ended December 31\n2018 2017"),
        ("the Harrow Sound Ferries", "HARROW SOUND FERRIES LTD"),
        ("the U.S. Treasury", "the US treasury"),
        ("model RT-21", "RT21"),
        ("“The Salt Marsh”", "the salt marsh of"),
        ("-5.2%", "fell −5.2%"),
        ("12,000 won", "12,000원"),
    ],
)
def test_the_same_fact_otherwise_written_is_supported(answer: str, evidence: str) -> None:
    assert facts(answer)
    assert unsupported(answer, evidence) == []


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        ("1,578", "1,577"),
        ("1 577 units", "1577 units"),
        ("15%", "15 employees"),
        ("15 people", "15% of them"),
        ("-5.2%", "rose 5.2%"),
        ("5.2%", "fell -5.2%"),
        ("$1.6 million", "$1.6 billion"),
        ("15만 명", "15명"),
        ("1,577 million", "1,577 people"),
        ("€5", "$5"),
        ("5 months", "5 years"),
        ("May 2, 2023", "May 1, 2023"),
        ("2023년 6월 1일", "2023년 5월 1일"),
        ("in 2019", "2018년"),
        ("Q4", "3분기"),
        ("four units", "three units"),
        ("세 명", "두 명"),
        ("Nikola Tesla", "Tesla said"),
        ("RT-22", "RT-21"),
        ("「총균쇠」", "「사피엔스」"),
    ],
)
def test_another_fact_is_not_supported(answer: str, evidence: str) -> None:
    assert unsupported(answer, evidence)


def test_sentence_starts_and_calendar_words_are_no_names() -> None:
    assert kinds("Revenue grew. The board met on Monday. However, Costs fell.") == [("name", "Costs")]


def test_evidence_is_read_once_for_many_facts() -> None:
    evidence = FactText("Revenue was $5 million in 2023.")
    answer = "Revenue of $5 million in 2023 and $6 million in 2024"
    assert [supported(fact, evidence) for fact in facts(answer)] == [True, True, False, False]
