"""How sure the passages are to hold the answer, and the threshold that is fitted to an index."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rag.answering.calibration import Calibration, calibrate, make_questions
from rag.answering.evidence import THRESHOLD, assess, evidence_score
from rag.errors import UsageError
from rag.providers.e5 import E5Embeddings
from rag.retrieval.retriever import HybridRetriever
from rag.store import Index
from rag.types import Passage
from tests.answering.shelf import Shelf
from tests.conftest import SAMPLE_QUESTIONS

SHELF = Shelf()


def test_evidence_is_stronger_where_the_documents_hold_the_answer(retriever: HybridRetriever) -> None:
    def score(question: dict[str, Any]) -> float:
        return evidence_score(question["question"], list(retriever.retrieve(question["question"]).passages))

    yes = [score(q) for q in SAMPLE_QUESTIONS if q["answerable"]]
    no = [score(q) for q in SAMPLE_QUESTIONS if not q["answerable"]]
    above = sum((a > b) + 0.5 * (a == b) for a in yes for b in no) / (len(yes) * len(no))
    assert above > 0.75


def test_evidence_names_the_words_that_stand_nowhere() -> None:
    passages = SHELF.passages(("bridge.pdf", 1), ("ferry.pdf", 1), ("대교.pdf", 1))
    assert assess("What salary does the bridge keeper receive?", passages).missing == (
        "salary",
        "keeper",
        "receive",
    )
    assert assess("잠수함은 언제 개통되었나요?", passages).missing == ("잠수함",)
    assert assess("잠수함을 타려면 최대 며칠 기다려야 하나요?", passages).missing == ("잠수함", "기다려")
    assert assess("When was the bridge opened to traffic?", passages).missing == ()


def test_the_ending_of_a_file_name_tells_nothing_of_what_the_file_says() -> None:
    shelf = Shelf({"tools.pdf": ["The tool lists the tables of a sheet. It prints them in colour."]})
    assert assess("Which tool lists tables of PDF files?", shelf.passages(("tools.pdf", 1))).missing == (
        "PDF",
        "files",
    )


def test_the_confidence_is_low_where_other_sentences_fit_as_well() -> None:
    shelf = Shelf(
        {
            "one.pdf": ["The annual fee for a plot is 45 pounds. The gate is closed at dusk."],
            "three.pdf": [
                "The annual fee for a half plot is 28 pounds. The annual fee for a corner plot is 61 pounds. "
                "The annual fee for a raised plot is 19 pounds."
            ],
        }
    )
    sure, unsure = (
        assess("What is the annual fee?", [shelf.passage(f, 1)]) for f in ("one.pdf", "three.pdf")
    )
    assert unsure.confidence < 0.5 < sure.confidence
    assert unsure.score > THRESHOLD


def test_evidence_without_passages_is_none() -> None:
    assert evidence_score("When was the bridge opened?", []) == 0.0


def test_a_figure_of_the_question_that_stands_nowhere_weakens_the_evidence() -> None:
    passages = SHELF.passages(("bridge.pdf", 1), ("ferry.pdf", 2))
    asked, other = (f"What happened to the toll in {year}?" for year in (1954, 2031))
    assert evidence_score(other, passages) < evidence_score(asked, passages)


@pytest.mark.parametrize(
    ("question", "asks_for_another"),
    [
        ("How many lanes cross the river?", "How heavy is the bridge across the river?"),
        ("What is the ferry fare?", "What is the temperature on the ferry to Greyholm?"),
        ("대교의 길이는 얼마인가요?", "대교의 무게는 얼마인가요?"),
        ("대교의 길이는 얼마인가요?", "대교 아래의 수심은 얼마인가요?"),
    ],
)
def test_an_amount_that_no_sentence_has_is_not_answered(question: str, asks_for_another: str) -> None:
    passages = SHELF.passages(("bridge.pdf", 1), ("ferry.pdf", 1), ("대교.pdf", 1))
    assert evidence_score(asks_for_another, passages) < THRESHOLD
    assert evidence_score(question, passages) > evidence_score(asks_for_another, passages) + 0.3


POOL = Shelf(
    {
        "pool.pdf": [
            "The municipal pool opens at six in the morning. Children below the age of eight pay nothing. Bathing "
            "caps can be borrowed at the till. The water is heated to 27 degrees."
        ],
        "도서관.pdf": [
            "시립 도서관은 월요일에 쉰다. 한 사람이 책을 다섯 권까지 빌릴 수 있다. "
            "늦게 돌려주면 하루에 100원을 낸다. 열람실에는 음료를 가지고 들어갈 수 없다."
        ],
    }
)


@pytest.mark.parametrize(
    ("file", "other_words", "not_said"),
    [
        ("pool.pdf", "Do I need my own cap?", "How much is a season ticket?"),
        ("pool.pdf", "How warm is the pool?", "Who built the pool?"),
        ("도서관.pdf", "연체료는 얼마인가요?", "복사비는 얼마인가요?"),
        ("도서관.pdf", "커피를 마셔도 되나요?", "관장은 누구인가요?"),
    ],
)
def test_other_words_for_what_is_said_are_stronger_than_the_words_for_what_is_not(
    file: str, other_words: str, not_said: str
) -> None:
    asked = (other_words, not_said)
    said, unsaid = (
        assess(q, [POOL.passage(file, 1)], embed_tokens=E5Embeddings().embed_tokens) for q in asked
    )
    assert said.signals.odds > max(0, unsaid.signals.odds)
    assert said.score > unsaid.score < THRESHOLD


@pytest.mark.slow
def test_calibration_keeps_the_stated_rate_on_its_own_questions(
    sample: Index, retriever: HybridRetriever
) -> None:
    pages = [(source.file, page) for source in sample.documents() for page in sample.pages(source.file)]
    questions = make_questions(pages, 70, seed=3)
    assert questions == make_questions(pages, 70, seed=3)
    assert len({question.file for question in questions}) > 8

    def retrieve(question: str, k: int) -> list[Passage]:
        return list(retriever.retrieve(question, k=k).passages)

    loose, strict = (calibrate(questions, retrieve, rate=rate) for rate in (0.3, 0.05))
    assert loose.threshold < strict.threshold
    assert strict.answered <= loose.answered
    assert strict.answered > 0.6
    assert Calibration.from_json(json.loads(json.dumps(strict.as_json()))) == strict


@pytest.mark.parametrize(
    "value", [None, [], "0.5", {"threshold": 0.5}, {**Calibration(2.0, 0.05, 1.0, 90).as_json()}]
)
def test_a_calibration_of_an_unknown_index_is_read_with_care(value: object) -> None:
    assert Calibration.from_json(value) is None


def test_too_few_documents_cannot_be_calibrated(sample: Index, retriever: HybridRetriever) -> None:
    file = sample.documents()[0].file
    questions = make_questions([(file, page) for page in sample.pages(file)], 20)
    with pytest.raises(UsageError, match="needed"):
        calibrate(questions, lambda question, k: list(retriever.retrieve(question, k=k).passages))


def test_the_evidence_is_that_of_the_sentence_that_can_be_shown() -> None:
    page = "Sailings by route\n\nRoute 2023 2024\nGreyholm 214 230\nSkarra 198 205\n\nThe fare to Greyholm went up."
    passage = Shelf({"routes.pdf": [page]}).passage("routes.pdf", 1)
    every = assess("Why did the fare to Greyholm go up?", [passage])
    none = assess("Why did the fare to Greyholm go up?", [passage], eligible=lambda ranked: [])
    last = assess("Why did the fare to Greyholm go up?", [passage], eligible=lambda ranked: ranked[-1:])
    assert none.score == 0
    assert last.score < every.score
    assert last.ranked[0] == every.ranked[-1]
    assert len(last.ranked) == len(none.ranked) == len(every.ranked)


def test_the_year_of_a_title_counts_more_than_one_on_the_cover() -> None:
    shelf = Shelf({"report.pdf": ["The busiest day was 3 August, when 15,230 passengers travelled."]})
    cover = "Published on 21 March 2025"
    passage = shelf.passage("report.pdf", 1, title="Annual Report 2024", header=cover)
    other, same = (
        assess(f"How many passengers travelled in {year}?", [passage]) for year in ("2025", "2024")
    )
    assert (other.signals.other, same.signals.other) == (1, 0)


WORKS = Shelf(
    {
        "works.md": [
            "The Cobbold Works stand on the north bank of the Orrin. Hester Cobbold established the Cobbold Works in "
            "1871, and they sell rope. Lorries reach the works by the Skarra road, 3,400 metres to the east. The "
            "canteen serves lunch from noon."
        ]
    }
)


@pytest.mark.parametrize(
    ("question", "answered"),
    [
        ("Who founded the Cobbold Works?", True),
        ("Where are the Cobbold Works located?", True),
        ("What Do The Cobbold Works Sell?", True),
        ("When is lunch served?", True),
        ("What colour are the Cobbold Works?", False),
        ("Who sponsors the Cobbold Works?", False),
        ("How heavy are the lorries?", False),
        ("Who established the Marlow and Tansley Mills?", False),
    ],
)
def test_the_right_thing_without_what_is_asked_of_it_is_no_answer(question: str, answered: bool) -> None:
    found = assess(question, [WORKS.passage("works.md", 1)], embed_tokens=E5Embeddings().embed_tokens)
    assert (found.score >= THRESHOLD) is answered


CART = Shelf(
    {"수레.md": ["수레는 마당에 둔다. 수레에는 바구니를 최대 8개까지 실을 수 있다. 바퀴는 해마다 간다."]}
)


@pytest.mark.parametrize(
    ("question", "answered"),
    [
        ("수레에 바구니를 최대 몇 개까지 실을 수 있나요?", True),
        ("수레에 자루를 최대 몇 개까지 실을 수 있나요?", False),
    ],
)
def test_a_count_of_one_thing_is_no_count_of_another(question: str, answered: bool) -> None:
    found = assess(question, [CART.passage("수레.md", 1)], embed_tokens=E5Embeddings().embed_tokens)
    assert (found.score >= THRESHOLD) is answered


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("축제에 관람객이 몇 명 다녀갔나요?", "올해 축제에는 3,200명이 다녀갔다. 무대는 두 곳에 세웠다."),
        ("본관에 엘리베이터가 몇 대 있나요?", "본관에는 승강기가 3대 있다. 본관은 1998년에 지었다."),
    ],
)
def test_people_are_counted_without_a_name_and_things_under_another(question: str, text: str) -> None:
    passage = Shelf({"안내.md": [text]}).passage("안내.md", 1)
    assert assess(question, [passage], embed_tokens=E5Embeddings().embed_tokens).score >= THRESHOLD


def test_a_sentence_of_a_page_that_is_translated_in_part_counts_in_its_own_language() -> None:
    shelf = Shelf(
        {
            "yard.md": [
                "The yard is swept every Monday by the keeper of the house, who also waters the plants and locks "
                "the gate at night. 마당의 낙엽은 관리인이 치운다."
            ]
        }
    )
    found = assess(
        "지붕의 굴뚝은 누가 치우나요?",
        [shelf.passage("yard.md", 1)],
        embed_tokens=E5Embeddings().embed_tokens,
    )
    assert found.ranked[0].candidate.text == "마당의 낙엽은 관리인이 치운다."
    assert found.ranked[0].features.odds != 0
    assert found.signals.missing > 0


def test_a_row_whose_cells_are_apart_is_read_with_the_first_row_of_its_table() -> None:
    rows = ("Cargo of 2024   Tons   Tolls", "Coal   12   1,200", "Salt   7   310", "Wool   3   40")
    shelf = Shelf({"a.pdf": ["\n".join(rows)], "b.pdf": ["\n".join(("Cargo", *rows[1:]))]})
    known, unknown = (
        assess("What were the tolls of wool?", [shelf.passage(f, 1)]) for f in ("a.pdf", "b.pdf")
    )
    assert known.ranked[0].candidate.text == unknown.ranked[0].candidate.text == rows[-1]
    assert known.signals.own > unknown.signals.own
