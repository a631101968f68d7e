"""From what the searches said of a candidate to one score.

Scores are fused, not only ranks: each search's scores are divided by its best, so that a clear winner stays
clear. On filings in one index this was measured against reciprocal rank fusion (docs/retrieval.md). A page's
score is shared by its chunks: evidence is often a table that its own words hardly describe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from rag.retrieval.candidates import Candidates, PageKey
from rag.retrieval.question import Question

K = TypeVar("K")

DENSE_WINDOW = 0.08
"""Cosines of e5 crowd together; below the best by more than this a chunk gets nothing for its meaning."""
MOST_NUMBERS = 0.5
"""Share of number words from which more numbers say no more."""
_NUMBER = re.compile(r"\d[\d,.]*")


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each signal counts. Every signal lies between 0 and 1, but for routing, which reaches 1.5."""

    dense: float
    keywords: float
    pages: float
    heads: float
    routing: float
    expanded_pages: float = 0.0
    expanded_heads: float = 0.0
    figures: float = 0.0
    sentence: float = 0.0


FACT = Weights(dense=1.5, keywords=2.0, pages=1.0, heads=0.25, routing=0.25, sentence=1.5)
"""For a question whose own words are on the page."""
REPORT = Weights(
    dense=1.0,
    keywords=0.5,
    pages=0.5,
    heads=0.25,
    routing=1.0,
    expanded_pages=1.0,
    expanded_heads=0.25,
    figures=0.3,
    sentence=1.0,
)
"""For a question that the glossary knows to be printed in other words: statements, tables, computed figures.

Both sets are round numbers from a coarse grid; docs/retrieval.md shows how flat the surroundings are.
"""


def weights_for(question: Question) -> Weights:
    """The weights for a kind of question."""
    return REPORT if question.expansion else FACT


def score(found: Candidates, weights: Weights) -> dict[int, float]:
    """A score by chunk id, larger is better."""
    pages = _page_scores(found, weights)
    keywords = _by_best(found.keywords)
    best = max(found.dense.values(), default=0.0)
    scores = {}
    for chunk, (file, first, last) in found.places.items():
        page = pages.get((file, first), 0.0)
        if last > first:
            page = max(page, *(pages.get((file, number), 0.0) for number in range(first + 1, last + 1)))
        meaning = 1.0 - (best - found.dense[chunk]) / DENSE_WINDOW
        scores[chunk] = (
            weights.dense * (meaning if meaning > 0.0 else 0.0)
            + weights.keywords * keywords.get(chunk, 0.0)
            + weights.routing * found.routes.get(file, 0.0)
            + page
        )
    return scores


def _page_scores(found: Candidates, weights: Weights) -> dict[PageKey, float]:
    scores: dict[PageKey, float] = {}
    for weight, searched in (
        (weights.pages, found.pages),
        (weights.heads, found.heads),
        (weights.expanded_pages, found.expanded_pages),
        (weights.expanded_heads, found.expanded_heads),
    ):
        for page, value in _by_best(searched).items():
            scores[page] = scores.get(page, 0.0) + weight * value
    return scores


def _by_best(scores: Mapping[K, float]) -> dict[K, float]:
    best = max(scores.values(), default=0.0)
    return {key: value / best for key, value in scores.items()} if best > 0 else {}


def figures_in(text: str) -> float:
    """The share of words that are numbers, from 0 to `MOST_NUMBERS`: tables are near the top."""
    return min(MOST_NUMBERS, len(_NUMBER.findall(text)) / (len(text.split()) + 1))
