"""Which questions of a chat lean on those before, and how they are completed by rule or by the model."""

from __future__ import annotations

import pytest

from rag.pipeline.rewriting import carried_over, interpretations, is_elliptic, is_small_talk
from tests.pipeline.conftest import Open
from tests.pipeline.replies import QUESTION, number_of, right_reply
from tests.servers.openai_server import OpenAIServer, Request

BEFORE = [("When did MV Tern hit the breakwater at Greyholm?", "The ferry touched the breakwater in May.")]


def understood(question: str, history: list[tuple[str, str]]) -> str:
    """How a question is understood that surely leans on the ones before it; else as it is."""
    ways = [way.question for way in interpretations(question, history)]
    return question if question in ways else ways[0]


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
    completed = understood(question, BEFORE)
    assert completed.startswith(question)
    assert "Tern" in completed
    assert carried_over(question, completed) in completed


@pytest.mark.parametrize(
    "question",
    [
        "Why was no dividend paid to the shareholders for 2023?",
        "How many rooms are there in the dormitory of the school?",
        "Is there a charge for late books at the library?",
        "What is the toll that drivers pay on the northern bridge?",
        "What does the AP-720 weigh?",
        "Who is Priya Raman?",
        "Who may not require that its teachers be certified?",
        "How long does it take for new areas to have oil?",
        "How many more did the other nations have to pay for oil?",
        "뉘르부르크링의 총 길이는?",
        "What did the auditors of Harrow Sound Ferries charge for the work they did?",
        "Which documents are needed to claim travel expenses, such as taxi fares?",
        "병가가 며칠 이상이면 진단서를 내야 하나요?",
        "한여울초등학교 축제 당시 주차장은 어디였나요?",
    ],
)
def test_a_question_that_stands_alone_is_left_alone(question: str) -> None:
    assert not is_elliptic(question)
    assert understood(question, BEFORE) == question


@pytest.mark.parametrize(
    ("asked", "question", "completed"),
    [
        (
            "How long is the warranty on the MS-70?",
            "And on the MS-90?",
            "How long is the warranty on the MS-90?",
        ),
        (
            "How many people were on the list in March 2024?",
            "And in June?",
            "How many people were on the list in June 2024?",
        ),
        ("RC-100의 소비 전력은 얼마인가요?", "그럼 RC-200은?", "RC-200의 소비 전력은 얼마인가요?"),
        (
            "2024년 6월 도서관 회원은 몇 명입니까?",
            "그럼 2023년은?",
            "2023년 6월 도서관 회원은 몇 명입니까?",
        ),
        ("체육관은 몇 시에 여나요?", "거기는 언제 쉬나요?", "거기는 언제 쉬나요? (체육관)"),
        (
            "What is the hotel limit for London?",
            "And for Copenhagen?",
            "What is the hotel limit for Copenhagen?",
        ),
        (
            "집진 필터는 몇 개월마다 교체하나요?",
            "탈취 필터는요?",
            "탈취 필터는 몇 개월마다 교체하나요?",
        ),
        ("AP-720의 소비 전력은 얼마인가요?", "무게는요?", "AP-720의 무게는 얼마인가요?"),
        (
            "2023년 매출은 얼마인가요?",
            "그해 순이익은 얼마인가요?",
            "2023년 순이익은 얼마인가요? (매출)",
        ),
    ],
)
def test_a_follow_up_asks_about_the_subject_of_the_turn_before(
    asked: str, question: str, completed: str
) -> None:
    assert understood(question, [(asked, "")]) == completed


def test_the_subject_does_not_grow_from_turn_to_turn() -> None:
    history = [
        ("When did MV Tern hit the breakwater?", ""),
        ("Was it damaged?", ""),
        ("Who was its master?", ""),
    ]
    assert understood("How old was she?", history) == "How old was she? (MV Tern)"


@pytest.mark.parametrize(
    "said", ["Thanks!", "OK, thank you very much.", "Hello", "고마워요", "알겠습니다. 감사합니다!"]
)
def test_small_talk_is_no_question(said: str) -> None:
    assert is_small_talk(said)
    assert understood("Was it damaged?", [*BEFORE, (said, "")]) == understood("Was it damaged?", BEFORE)


@pytest.mark.parametrize(
    "question",
    ["Thanks to whom was the bridge built?", "Is this allowed?", "Who is good?", "감사는 누구인가요?"],
)
def test_a_question_is_no_small_talk(question: str) -> None:
    assert not is_small_talk(question)


def test_the_question_of_a_chat_is_made_to_stand_alone_by_the_model(opened: Open) -> None:
    def reply(request: Request) -> str:
        if "Conversation:" in str(request.messages[-1]["content"]):
            return '"What did the harbour bridge cost?"'
        n = number_of(request, "60 million")
        return f"It had cost 60 million dollars. [{n}]"

    with OpenAIServer(reply=reply) as server:
        answer = opened(server).ask("And what did it cost?", history=[(QUESTION, "On 24 October 1931.")])
        condense, ask = (str(r.messages[-1]["content"]) for r in server.chat_requests())
    assert QUESTION in condense
    assert "On 24 October 1931." in condense
    assert ask.endswith("What did the harbour bridge cost?")
    assert answer.standalone_question == "What did the harbour bridge cost?"
    assert answer.question == "And what did it cost?"
    assert answer.usage.calls == 3


@pytest.mark.parametrize("bad", ["", "one\ntwo\nthree", "word " * 400])
def test_a_rewriting_that_is_none_is_not_used(opened: Open, bad: str) -> None:
    def reply(request: Request) -> str:
        return bad if "Conversation:" in str(request.messages[-1]["content"]) else right_reply(request)

    with OpenAIServer(reply=reply) as server:
        answer = opened(server).ask("And what did it cost?", history=[(QUESTION, "In 1931.")])
    assert answer.standalone_question == "And what did it cost? (harbour bridge opened)"


@pytest.mark.parametrize(
    ("history", "question", "found"),
    [
        ([(QUESTION, "1931")], "What did it cost?", "bridges/harbour.pdf"),
        ([("How long is the kettle's warranty?", "36 months")], "And how many watts?", "manuals/kettle.pdf"),
        ([("기숙사 정원은 몇 명인가요?", "240명")], "세탁실은요?", "규정/기숙사.pdf"),
        ([("연차 휴가는 며칠인가요?", "15일")], "그건 언제까지 신청하나요?", "규정/휴가.pdf"),
        ([(QUESTION, "1931")], "How many watts does the Aria 2 kettle draw?", "manuals/kettle.pdf"),
    ],
)
def test_without_a_model_a_rule_completes_elliptic_questions(
    opened: Open, history: list[tuple[str, str]], question: str, found: str
) -> None:
    with OpenAIServer() as server:
        answer = opened(server, model="extractive", abstain=0.0).ask(question, history=history)
    assert answer.passages[0].file == found
    assert ("watts does" in question) == (answer.standalone_question == "")
