"""A run summed up: what counts, what is left out, slices, and agreement with the plain definitions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rag.evaluation.metrics import METRICS, is_right, summarise
from rag.evaluation.question_sets import Evidence, Question
from rag.evaluation.runs import Record
from rag.types import QuoteStatus, Sentence, Support
from tests.evaluation.builders import answer, citation, question, record

ASKED = [
    question("right", answers=["42 boats"], gold=[("a.pdf", 1), ("a.pdf", 2)], kind="figure"),
    question("wrong", answers=["서울"], gold=[("b.pdf", 3)], language="ko", kind="name"),
    question("declined", answers=["May 2019"], gold=[("b.pdf", 4)]),
    question("failed", answers=["x"], gold=[("b.pdf", 5)]),
    question("nowhere", answers=[], gold=[]),
    question("invented", answers=[], gold=[]),
]
RECORDS = [
    record(
        ASKED[0],
        "There were 42 Boats.",
        pages=[("c.pdf", 9), ("a.pdf", 1)],
        cited=[
            citation("a.pdf", 1),
            citation("a.pdf", 7, QuoteStatus.MOVED),
            citation("a.pdf", 2, QuoteStatus.MISSING),
        ],
        score=0.9,
    ),
    record(ASKED[1], "부산", pages=[("c.pdf", 3)], cited=[citation("c.pdf", 3)], score=0.8),
    record(ASKED[2], None, pages=[("b.pdf", 4)], score=0.3),
    Record(ASKED[3], error="The server does not answer."),
    record(ASKED[4], None, pages=[("a.pdf", 1)], score=0.1),
    record(ASKED[5], "Something", pages=[("a.pdf", 1)], score=0.5),
]


def test_figures() -> None:
    figures = summarise(RECORDS).figures
    expected = {
        "page_hit@1": (1 / 4, 4),  # the failed one found nothing
        "page_hit@3": (2 / 4, 4),
        "page_recall@5": ((0.5 + 0 + 1 + 0) / 4, 4),
        "mrr@10": ((0.5 + 0 + 1 + 0) / 4, 4),
        "doc_hit@1": (1 / 4, 4),
        "answer_hit": (1 / 4, 4),
        "outcome_right": (2 / 6, 6),
        "first_citation_hit": (1 / 4, 4),
        "citation_precision": ((2 / 3 + 0) / 2, 2),
        "citation_recall": ((1 + 0 + 0 + 0) / 4, 4),
        "citations_proven": (4 / 5, 3),
        "citations_corrected": (1 / 5, 3),
        "abstention_accuracy": (3 / 5, 5),  # the failed one neither answered nor declined
        "rightly_abstained": (1 / 2, 2),
        "wrongly_abstained": (1 / 3, 3),
        "auroc": (5 / 6, 5),
        "aurc": ((0 + 1 / 2 + 2 / 3) / 3, 3),
        "failed": (1 / 6, 6),
    }
    for name, (value, n) in expected.items():
        assert (figures[name].value, figures[name].n) == (pytest.approx(value), n), name
    assert "exact_match" in figures
    assert figures["character_f1"].n == 1
    assert figures["token_f1"].n == 3


def test_every_interval_holds_its_value() -> None:
    for figure in summarise(RECORDS).figures.values():
        assert math.isnan(figure.low) or figure.low <= figure.value <= figure.high


def test_an_unknown_price_is_unknown_not_zero() -> None:
    priced, free = record(question("a"), cost=0.002), record(question("b"), cost=0.0)
    assert summarise([priced, free]).figures["cost_usd"].value == pytest.approx(0.001)
    unpriced = record(question("c"), cost=None)
    assert "cost_usd" not in summarise([priced, unpriced]).figures


def test_retrieval_alone_leaves_answers_out() -> None:
    records = [Record(r.question, r.found) for r in RECORDS[:3]]
    groups = {METRICS[name].group for name in summarise(records).figures}
    assert groups == {"retrieval", "cost"}


def test_slices() -> None:
    slices = summarise(RECORDS).slices
    assert set(slices) == {"language", "kind", "document"}
    assert slices["language"]["ko"]["answer_hit"].value == 0.0
    assert slices["kind"]["figure"]["answer_hit"].value == 1.0
    assert slices["document"]["b.pdf"]["page_hit@5"].value == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("text", "golds", "right"),
    [
        ("It cost $1.577 billion in all.", ["$1,577 million"], True),  # a figure, written otherwise
        ("They had 42 in May.", ["42 boats"], False),  # the figure alone does not make it right
        ("15년이 걸렸다.", ["15년"], True),
        ("On 4 June 2021 it opened.", ["4 May 2021"], False),
        ("소림무예 도장을 열었다.", ["소림 무예"], True),
        ("the principle of faunal succession", ["principle of succession of fauna"], True),
        (None, ["x"], False),
    ],
)
def test_what_counts_as_right(text: str | None, golds: list[str], right: bool) -> None:
    assert is_right(record(question("q", answers=golds), text)) is right


def test_what_strictness_costs_is_counted_with_its_questions() -> None:
    weak = replace(answer("gold"), sentences=(Sentence("gold", (1,), Support.WEAK),))
    held_back = replace(answer(None), extra={"withheld": "It is gold."})
    records = [
        record(question("verified")),
        replace(record(question("weak")), answer=weak),
        replace(record(question("withheld")), answer=held_back),
        record(question("wrong"), "silver"),
        record(question("none", answers=(), gold=()), "silver"),
    ]
    summary = summarise(records, slices=False)
    assert summary.strictness == {
        "right_unverified": ("weak",),
        "right_withheld": ("withheld",),
        "wrong_verified": ("wrong", "none"),
    }
    assert summary.figures["right_unverified"].value == summary.figures["right_withheld"].value == 0.25
    assert summary.figures["wrong_verified"].value == 0.4


def test_without_gold_answers_nothing_is_judged() -> None:
    ungraded = Question("q", "Why?", evidence=(Evidence("a.pdf", 1),))
    assert is_right(Record(ungraded, answer=answer("Because."))) is None
