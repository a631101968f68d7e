"""Which questions of a chat lean on those before, decided without a model."""

from __future__ import annotations

import pytest

from rag.pipeline.condense import by_rule, is_elliptic

BEFORE = [("When did MV Tern hit the breakwater at Greyholm?", "The ferry touched the breakwater in May.")]


@pytest.mark.parametrize(
    "question",
    [
        "Was anybody hurt in it?",
        "How long was she out of service after the accident?",
        "And the year before?",
        "Why?",
        "What happened after that?",
        "Who works there?",
        "Which one is larger?",
        "How much does it cost?",
        "What about the other ferries?",
        "그 다음 해에는요?",
        "그럼 비용은 얼마인가요?",
        "거기에는 누가 사나요?",
        "몇 명인가요?",
    ],
)
def test_a_question_that_points_back_is_completed(question: str) -> None:
    assert is_elliptic(question)
    completed = by_rule(question, BEFORE)
    assert completed.startswith(question)
    assert "Tern" in completed


@pytest.mark.parametrize(
    "question",
    [
        "Why was no dividend paid to the shareholders for 2023?",
        "How many rooms are there in the dormitory of the school?",
        "Is there a charge for late books at the library?",
        "What is the toll that drivers pay on the northern bridge?",
        "What does the AP-720 weigh?",
        "Who is Priya Raman?",
        "What did the auditors of Harrow Sound Ferries charge for the work they did?",
        "Which documents are needed to claim travel expenses, such as taxi fares?",
        "병가가 며칠 이상이면 진단서를 내야 하나요?",
        "한여울초등학교 축제 당시 주차장은 어디였나요?",
    ],
)
def test_a_question_that_stands_alone_is_left_alone(question: str) -> None:
    assert not is_elliptic(question)
    assert by_rule(question, BEFORE) == question
