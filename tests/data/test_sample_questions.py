"""The committed question set keeps its format, and its gold texts stand on the pages they name."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sample_text import SAMPLE, fold, is_korean, page_texts, questions

QUESTIONS = questions()
ANSWERABLE = [q for q in QUESTIONS if q["answerable"]]
KINDS = {
    "fact", "figure", "date", "table", "name", "multi-page", "cross-document", "cross-lingual",
    "unanswerable",
}  # fmt: skip


def by_id(question: dict[str, Any]) -> str:
    return str(question["id"])


def test_ids_are_unique_and_questions_differ() -> None:
    assert len({q["id"] for q in QUESTIONS}) == len(QUESTIONS)
    assert len({fold(q["question"]) for q in QUESTIONS}) == len(QUESTIONS)


def test_the_set_is_as_large_and_as_mixed_as_promised() -> None:
    languages = Counter(q["language"] for q in QUESTIONS)
    declined = Counter(q["language"] for q in QUESTIONS if not q["answerable"])
    assert len(QUESTIONS) >= 60
    assert abs(languages["en"] - languages["ko"]) <= 4
    assert declined["en"] >= 8
    assert declined["ko"] >= 8
    assert sum(q["kind"] == "cross-lingual" for q in QUESTIONS) <= 4


@pytest.mark.parametrize("question", QUESTIONS, ids=by_id)
def test_fields_have_the_documented_types(question: dict[str, Any]) -> None:
    assert set(question) == {"id", "question", "language", "kind", "answerable", "answers", "evidence"}
    assert question["kind"] in KINDS
    assert question["id"].startswith(question["language"])
    assert isinstance(question["answerable"], bool)
    assert bool(question["answers"]) == bool(question["evidence"]) == question["answerable"]
    assert (question["kind"] == "unanswerable") is not question["answerable"]
    for evidence in question["evidence"]:
        assert set(evidence) == {"file", "page", "text"}


@pytest.mark.parametrize("question", ANSWERABLE, ids=by_id)
def test_gold_texts_stand_on_the_pages_they_name(question: dict[str, Any]) -> None:
    for evidence in question["evidence"]:
        page = page_texts(evidence["file"])[evidence["page"] - 1]
        assert fold(evidence["text"]) in fold(page)
    for answer in question["answers"]:
        assert any(fold(answer) in fold(evidence["text"]) for evidence in question["evidence"])


@pytest.mark.parametrize("question", ANSWERABLE, ids=by_id)
def test_a_question_neither_gives_its_answer_away_nor_copies_the_page(question: dict[str, Any]) -> None:
    asked = fold(question["question"])
    assert not any(fold(answer) in asked for answer in question["answers"])
    # A run of 24 folded characters is about five English or nine Korean words.
    runs = {asked[i : i + 24] for i in range(len(asked) - 23)}
    assert not any(run in fold(evidence["text"]) for evidence in question["evidence"] for run in runs)


def test_every_document_and_most_pages_are_asked_about() -> None:
    asked = {(e["file"], e["page"]) for q in ANSWERABLE for e in q["evidence"]}
    files = {path.name for path in SAMPLE.iterdir()}
    pages = {(file, number) for file in files for number in range(1, len(page_texts(file)) + 1)}
    assert {file for file, _ in asked} == files
    assert asked <= pages
    assert len(asked) >= 0.8 * len(pages)


def test_cross_lingual_questions_cross_and_the_others_do_not() -> None:
    for question in ANSWERABLE:
        same = all(is_korean(e["file"]) == (question["language"] == "ko") for e in question["evidence"])
        assert same is (question["kind"] != "cross-lingual"), question["id"]


def test_questions_across_documents_or_pages_need_more_than_one() -> None:
    for question in ANSWERABLE:
        places = {(e["file"], e["page"]) for e in question["evidence"]}
        if question["kind"] == "cross-document":
            assert len({file for file, _ in places}) > 1, question["id"]
        if question["kind"] == "multi-page":
            assert len(places) > 1, question["id"]
