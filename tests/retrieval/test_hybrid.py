"""The retriever over the sample documents, indexed for real."""

from __future__ import annotations

import numpy as np
import pytest

from rag.errors import UsageError
from rag.providers.e5 import E5Embeddings
from rag.retrieval.fusion import without_near_duplicates
from rag.retrieval.retriever import HybridRetriever
from rag.store import Filter, Index
from tests.conftest import SAMPLE_QUESTIONS


@pytest.fixture(scope="module")
def retriever(sample: Index) -> HybridRetriever:
    return HybridRetriever(index=sample, embed_query=E5Embeddings().embed_query, k=10)


def answerable(language: str) -> list[dict[str, object]]:
    return [row for row in SAMPLE_QUESTIONS if row["answerable"] and row["language"] == language]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_gold_page_is_among_the_first_five(retriever: HybridRetriever, language: str) -> None:
    """A floor well under what is measured (benchmarks/retrieval.py): a broken part shows, a tie does not."""
    questions = answerable(language)
    hits = 0
    for row in questions:
        pages = dict.fromkeys((p.file, p.page) for p in retriever.retrieve(str(row["question"])).passages)
        gold = {(e["file"], e["page"]) for e in row["evidence"]}  # type: ignore[attr-defined]
        hits += bool(gold & set(list(pages)[:5]))
    assert hits / len(questions) >= 0.9


def test_the_same_question_gives_the_same_list(retriever: HybridRetriever) -> None:
    first = retriever.retrieve("연차휴가는 며칠인가요?")
    second = retriever.retrieve("연차휴가는 며칠인가요?")
    assert [p.chunk_id for p in first.passages] == [p.chunk_id for p in second.passages]


def test_scores_fall_and_the_reasons_are_told(retriever: HybridRetriever) -> None:
    passages = retriever.retrieve("When did MV Tern hit the breakwater?").passages
    assert passages[0].score == max(p.score for p in passages)
    assert passages[0].keyword_rank in (1, 2)
    assert passages[0].similarity is not None
    assert 0 < passages[0].similarity < 1


def test_a_named_document_is_marked_and_led_to(retriever: HybridRetriever) -> None:
    passages = retriever.retrieve(
        "What was the revenue in the Harrow Sound Ferries annual report 2023?"
    ).passages
    assert passages[0].file == "harrow-sound-ferries-annual-report-2023.pdf"
    assert passages[0].routed


def test_filters_hold_for_every_search(retriever: HybridRetriever) -> None:
    where = Filter.parse(["file=tarn-*", "page=2-3"])
    passages = retriever.retrieve("What was the revenue of the ferries in 2023?", where=where).passages
    assert passages
    assert all(p.file.startswith("tarn-") and p.page <= 3 and p.page_end >= 2 for p in passages)


def test_a_filter_that_lets_nothing_through_finds_nothing(retriever: HybridRetriever) -> None:
    assert not retriever.retrieve("anything", where=Filter.parse(["file=nothing-*"])).passages


def test_a_filter_that_is_none_says_so() -> None:
    with pytest.raises(UsageError, match="--where"):
        Filter.parse(["tarn"])


def test_it_is_a_langchain_retriever(retriever: HybridRetriever) -> None:
    documents = retriever.invoke("못 쓴 연차는 다음 해로 넘어가나요?")
    assert documents[0].metadata["file"] == "달무리정밀-휴가-및-휴직-규정.pdf"
    assert documents[0].page_content


@pytest.mark.parametrize("question", ["", "?", "😀", "the of and", "a" * 20_000, "‘“\x00\n"])
def test_odd_questions_are_no_error(retriever: HybridRetriever, question: str) -> None:
    assert isinstance(retriever.retrieve(question).passages, tuple)


def test_near_duplicates_go_behind_but_are_not_dropped() -> None:
    vectors = np.eye(4, dtype=np.float32)
    vectors[1] = vectors[0]
    assert without_near_duplicates(range(4), vectors) == [0, 2, 3, 1]
