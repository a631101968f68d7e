"""Which questions hold several, and what each of them is."""

from __future__ import annotations

import pytest

from rag.pipeline.parts import parts_of


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "How much is the rent of a full plot and when is the summer fair?",
            ("How much is the rent of a full plot?", "when is the summer fair?"),
        ),
        (
            "How long is the warranty on the MS-70 and the MS-90?",
            ("How long is the warranty on the MS-70?", "How long is the warranty on the MS-90?"),
        ),
        (
            "How heavy is the MS-70 and how long is its warranty?",
            ("How heavy is the MS-70?", "how long is its warranty?"),
        ),
        ("What was revenue in 2023 and 2024?", ("What was revenue in 2023?", "What was revenue in 2024?")),
        (
            "정년은 몇 살이고 수습 기간은 얼마나 되나요?",
            ("정년은 몇 살?", "수습 기간은 얼마나 되나요?"),
        ),
        (
            "정년은 몇 살입니까? 그리고 퇴직금은 언제 받나요?",
            ("정년은 몇 살입니까?", "퇴직금은 언제 받나요?"),
        ),
        (
            "Who chairs the society, and aside from larches, what will be planted?",
            ("Who chairs the society?", "aside from larches, what will be planted?"),
        ),
        (
            "When was the pool built compared with when was the school built?",
            ("When was the pool built?", "when was the school built?"),
        ),
        ("대표의 이름은, 그리고 본사는 어디인가요?", ("대표의 이름은?", "본사는 어디인가요?")),
        (
            "수영장은 언제 지었나요? 학교는 언제 지었나요? 둘을 비교해 주세요.",
            ("수영장은 언제 지었나요?", "학교는 언제 지었나요?"),
        ),
        (
            "What is the second level of division, and name a division of the firm.",
            ("What is the second level of division?", "name a division of the firm."),
        ),
        (
            "누가 왕조를 멸망시키고 나라를 세웠는가, 그리고 몇 층으로 지어졌나?",
            ("누가 왕조를 멸망시키고 나라를 세웠는가?", "몇 층으로 지어졌나?"),
        ),
        ("RC-100과 RC-200의 보증 기간은?", ("RC-100의 보증 기간은?", "RC-200의 보증 기간은?")),
        (
            "2023년과 2024년의 순이익은 얼마인가요?",
            ("2023년의 순이익은 얼마인가요?", "2024년의 순이익은 얼마인가요?"),
        ),
    ],
)
def test_a_question_that_holds_several_is_taken_apart(question: str, parts: tuple[str, ...]) -> None:
    assert parts_of(question) == parts


@pytest.mark.parametrize(
    "question",
    [
        "Who founded the company and led it until 1990?",
        "What did the board decide, and why?",
        "How did revenue change between 2022 and 2024?",
        "Which rules hold for cats and dogs?",
        "서울에서 태어나고 부산에서 자란 사람은 누구인가?",
        "대련을 신청한 관장은 무슨 도장을 운영 중이었습니까?",
        "삭망월과 태양년의 날짜 차이를 없애기 위해 사용된 방법은?",
        "2월까지 사단은 어디에 머물렀는가?",
        "어떤 펌프가 돌지 않게 하려면 어떤 단추를 누르나요?",
    ],
)
def test_one_question_stays_one(question: str) -> None:
    assert parts_of(question) == (question,)
