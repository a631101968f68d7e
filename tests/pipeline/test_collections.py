"""The built-in answerer on small collections of manuals, rules and minutes, English and Korean, without a model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from rag.pipeline import Pipeline
from rag.types import Answer
from tests.conftest import ROOT, clean_environment

COLLECTIONS = ROOT / "tests/answering/collections"


@pytest.fixture(scope="module", params=["english", "korean"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def pipeline(language: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    index = tmp_path_factory.mktemp(language) / "index"
    command = [sys.executable, "-m", "rag.cli", "ingest", str(COLLECTIONS / language), "--index", str(index)]
    made = subprocess.run(
        command, cwd=index.parent, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    with Pipeline.open(index, model="extractive") as opened:
        yield opened


def asked(language: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (COLLECTIONS / f"{language}.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def answered(pipeline: Pipeline, language: str) -> list[tuple[dict[str, Any], Answer]]:
    """Each question of the set with its answer."""
    return [(question, pipeline.ask(question["question"])) for question in asked(language)]


@pytest.mark.slow
def test_one_sentence_answers_from_the_right_file(answered: list[tuple[dict[str, Any], Answer]]) -> None:
    answers = [(question, answer) for question, answer in answered if question["answerable"]]
    right = sum(
        answer.answered and any(gold in answer.sentences[0].text for gold in question["answers"])
        for question, answer in answers
    )
    assert right >= 0.8 * len(answers)
    shown = [answer for _, answer in answers if answer.answered]
    assert sum(len(answer.sentences) > 1 for answer in shown) <= 0.1 * len(shown)


@pytest.mark.slow
def test_the_evidence_is_weaker_where_the_thing_asked_for_is_missing(
    answered: list[tuple[dict[str, Any], Answer]],
) -> None:
    yes, no = (
        [answer.evidence_score for question, answer in answered if question["answerable"] is wanted]
        for wanted in (True, False)
    )
    assert sum(a > b for a in yes for b in no) >= 0.8 * len(yes) * len(no)


@pytest.mark.slow
def test_in_a_chat_no_stand_alone_question_is_changed(pipeline: Pipeline, language: str) -> None:
    right = turns = 0
    for chat in (COLLECTIONS / f"{language}-chats.txt").read_text("utf-8").strip().split("\n\n"):
        history: list[tuple[str, str]] = []
        for line in chat.splitlines():
            question, gold, kind = line.split("|")
            answer = pipeline.ask(question, history=history)
            assert not (kind == "S" and answer.standalone_question), question
            right += answer.answered and gold in answer.text
            turns += 1
            history.append((question, answer.text))
    assert right >= 0.75 * turns


FIRST_HOUR: dict[str, list[tuple[str, list[str]]]] = {
    "english": [
        ("How long is the warranty on the MS-70?", ["two years"]),
        (
            "How long is the warranty on the MS-70 and who is the data protection officer?",
            ["two years", "Tobias Fenn"],
        ),
        ("How many watts does the MS-90 draw?", []),
        ("What does the MS-70 cost?", []),
        ("Thanks!", []),
    ],
    "korean": [
        ("정년은 몇 살입니까?", ["만 62세"]),
        ("정년은 몇 살이고 수습 기간은 얼마나 되나요?", ["만 62세", "3개월"]),
        ("RC-200의 소비 전력은 얼마인가요?", []),
        ("RC-100의 판매 가격은 얼마인가요?", []),
        ("고마워요", []),
    ],
}


def test_questions_of_the_first_hour(pipeline: Pipeline, language: str) -> None:
    for question, gold in FIRST_HOUR[language]:
        answer = pipeline.ask(question)
        assert answer.answered is bool(gold), question
        assert len(answer.sentences) == len(gold), question
        assert all(any(part in sentence.text for sentence in answer.sentences) for part in gold), question


def test_a_part_that_the_documents_do_not_hold_is_named(pipeline: Pipeline, language: str) -> None:
    question, missing = {
        "english": ("How deep is the deep end and what is the capital of Portugal?", "capital of Portugal"),
        "korean": ("정년은 몇 살이고 호주의 수도는 어디입니까?", "호주의 수도"),
    }[language]
    answer = pipeline.ask(question)
    assert answer.answered
    assert any(missing in note for note in answer.notes)
