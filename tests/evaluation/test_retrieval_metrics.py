"""Retrieval metrics against ir-measures (trec_eval) on random result lists, and on spans of pages."""

from __future__ import annotations

from collections.abc import Sequence

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR, R, Success, nDCG

from rag.evaluation.page_metrics import (
    GoldPage,
    distinct_pages,
    document_hit,
    gold_found,
    hit,
    ndcg,
    recall,
    reciprocal_rank,
    same_file,
)
from rag.evaluation.runs import Found

pages = st.tuples(st.sampled_from(["a.pdf", "b.pdf", "가.pdf"]), st.integers(1, 6))
golds = st.sets(pages, min_size=1, max_size=6)
results = st.lists(pages, max_size=25)


def name(page: tuple[str, int]) -> str:
    return f"{page[0]}#{page[1]}"


def reference(ranked: Sequence[tuple[str, int]], gold: set[tuple[str, int]], k: int) -> dict[str, float]:
    """trec_eval's figures for a run of distinct pages."""
    distinct = list(dict.fromkeys(ranked))
    run = {"q": {name(page): float(len(distinct) - at) for at, page in enumerate(distinct)} or {"none": 0.0}}
    qrels = {"q": {name(page): 1 for page in gold}}
    measures = {"hit": Success @ k, "recall": R @ k, "mrr": RR @ k, "ndcg": nDCG @ k}
    figures = ir_measures.calc_aggregate(list(measures.values()), qrels, run)
    return {label: figures[measure] for label, measure in measures.items()}


@given(results, golds, st.sampled_from([1, 3, 5, 10]))
def test_agrees_with_trec_eval(ranked: list[tuple[str, int]], gold: set[tuple[str, int]], k: int) -> None:
    found = gold_found(
        distinct_pages(Found(file, page, page) for file, page in ranked), {GoldPage(*g) for g in gold}
    )
    ours = {
        "hit": hit(found, k),
        "recall": recall(found, len(gold), k),
        "mrr": reciprocal_rank(found, k),
        "ndcg": ndcg(found, len(gold), k),
    }
    assert ours == pytest.approx(reference(ranked, gold, k), abs=1e-9)


spans = st.lists(
    st.tuples(st.sampled_from(["a.pdf", "b.pdf"]), st.integers(1, 8), st.integers(0, 2)), max_size=20
)


@given(
    spans, st.sets(st.tuples(st.sampled_from(["a.pdf", "b.pdf"]), st.integers(1, 8)), min_size=1, max_size=4)
)
def test_spans_count_for_every_page_they_cover(
    ranked: list[tuple[str, int, int]], gold: set[tuple[str, int]]
) -> None:
    """The measures as the data's own description words them, computed the plain way."""
    opened: list[list[tuple[str, int]]] = []
    for file, first, extra in ranked:
        pages_of = [(file, first + i) for i in range(extra + 1)]
        if pages_of[0] not in [one[0] for one in opened]:
            opened.append(pages_of)
    right = [any(page in gold for page in one) for one in opened]
    places = distinct_pages(Found(file, first, first + extra) for file, first, extra in ranked)
    found = gold_found(places, {GoldPage(*g) for g in gold})
    for k in (1, 3, 5, 10):
        assert hit(found, k) == float(any(right[:k]))
        files = {file for file, _ in gold}
        assert document_hit(places, files, k) == float(any(one[0][0] in files for one in opened[:k]))
        assert 0.0 <= ndcg(found, len(gold), k) <= 1.0
    ranks = [1 / rank for rank, one in enumerate(right[:10], start=1) if one]
    assert reciprocal_rank(found, 10) == (ranks[0] if ranks else 0.0)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a.pdf", "a.pdf", True),
        ("reports/2021/a.pdf", "a.pdf", True),
        ("a.pdf", "reports/a.pdf", True),
        ("reports/a.pdf", "other/a.pdf", False),
        ("ba.pdf", "a.pdf", False),
        ("\u1100\u1161.pdf", "가.pdf", True),  # decomposed, as macOS names files
    ],
)
def test_files_are_the_same_seen_from_different_folders(one: str, other: str, same: bool) -> None:
    assert same_file(one, other) is same
