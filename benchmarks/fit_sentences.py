"""Fit the weights of the built-in answerer's sentence ranking, and measure them on collections they have not seen.

    python benchmarks/fit_sentences.py INDEX QUESTIONS [INDEX QUESTIONS ...] [--out FILE]

INDEX is a folder that `rag ingest` made, QUESTIONS a question set with gold answers and pages. Prints the weights for
`rag/answering/ranking.py`, by words only and with late interaction, and for each collection how often a gold answer
is in the first sentence when the weights were fitted on the other collections.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.answering.candidates import candidates
from rag.answering.late_interaction import match
from rag.answering.question import analyse
from rag.answering.ranking import CLOSE, MOST_ODDS, WORDS, Features, features
from rag.evaluation.question_sets import Question, load_questions
from rag.providers.e5 import E5Embeddings
from rag.retrieval.retriever import HybridRetriever
from rag.store import open_index
from rag.types import Passage

PENALTY = 2.0
"""L2 penalty on how far a standardised weight moves from the one in force."""
STEPS, RATE = 250, 0.03
"""Steps of Adam and their size; the loss is convex but for the ties of gold sentences."""
K = 8
NAMES = Features.__slots__
MODELS = {
    "WORDS": (WORDS, [n for n in NAMES if n not in ("interaction", "odds")]),
    "CLOSE": (CLOSE, list(NAMES)),
}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """A question with what was retrieved for it."""

    question: Question
    passages: list[Passage]
    without: list[Passage]
    """What is retrieved when the documents with the answer are left out."""


@dataclass(frozen=True)
class Case:
    """An answerable question with its candidate sentences."""

    rows: Array
    """Features, float64 [candidates, features]."""
    holds: NDArray[np.bool_]
    """Which candidates hold a gold answer."""
    right: NDArray[np.bool_]
    """Which of them are on a gold page."""
    weight: float
    """What it counts for: of two collections, one of four times as many questions counts twice as much."""


def ask_all(index: str, questions: str, embedder: E5Embeddings) -> Iterator[Asked]:
    """Every question of the set, asked of the index."""
    with open_index(index) as opened:
        retriever = HybridRetriever(index=opened, embed_query=embedder.embed_query, k=K)
        for question in load_questions(questions):
            found = retriever.retrieve(question.question).passages
            gold = {unicodedata.normalize("NFC", evidence.file) for evidence in question.evidence}
            more = retriever.retrieve(question.question, k=5 * K).passages if gold else ()
            yield Asked(question, list(found), [p for p in more if p.file not in gold][:K])


def case_of(asked: Asked, embedder: E5Embeddings, weight: float) -> Case:
    """The candidates and features of a question."""
    found = candidates(asked.passages)
    analysed = analyse(asked.question.question)
    matches = match(
        analysed.text, found, lambda texts, kind: embedder.embed_tokens(texts, kind=kind), front=found
    )
    close = matches.scores()
    rows = np.array([[getattr(row, n) for n in NAMES] for row in features(analysed, found, asked.passages)])
    rows[:, NAMES.index("interaction")] = close - close.max()
    rows[:, NAMES.index("odds")] = np.clip(matches.odds, -MOST_ODDS, MOST_ODDS)
    gold = {(unicodedata.normalize("NFC", e.file), e.page) for e in asked.question.evidence}
    pages = np.array([any((c.file, span.page) in gold for span in c.passage.spans) for c in found])
    holds = np.array([holds_answer(asked.question, c.text) for c in found])
    return Case(rows.astype(float), holds, holds & pages if pages.any() else holds, weight)


def holds_answer(question: Question, text: str) -> bool:
    """Whether a gold answer is in the text, white space and case folded."""
    return any(_fold(answer) in _fold(text) for answer in question.answers)


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).lower()


def fit(cases: Sequence[Case], start: Features, names: Sequence[str]) -> Array:
    """The weights that make the gold sentences likeliest, float64 [features]; 0 for those not named."""
    used = np.array([name in names for name in NAMES])
    usable = [case for case in cases if case.right.any()]
    spread = np.concatenate([case.rows for case in usable]).std(0) + 1e-9
    prior = np.array([getattr(start, name) for name in NAMES]) * spread * used
    weights, first, second = prior.copy(), np.zeros(len(NAMES)), np.zeros(len(NAMES))
    for step in range(1, STEPS + 1):
        slope = 2 * PENALTY * (weights - prior)
        for case in usable:
            rows = case.rows / spread
            likely = np.exp(rows @ weights - (rows @ weights).max())
            likely /= likely.sum()
            wanted = likely * case.right / (likely[case.right].sum() + 1e-12)
            slope += case.weight * ((likely - wanted) @ rows)
        slope *= used
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        weights -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    fitted: Array = weights / spread * used
    return fitted


def first_hit(cases: Sequence[Case], weights: Array) -> float:
    """How often the first sentence holds a gold answer."""
    return round(float(np.mean([case.holds[np.argmax(case.rows @ weights)] for case in cases])), 4)


def report(sets: Mapping[str, list[Case]]) -> dict[str, Any]:
    """The weights, and for each collection the share that weights fitted on the others get right."""
    result: dict[str, Any] = {}
    for model, (start, names) in MODELS.items():
        left_out = {}
        for name, own in sets.items():
            others = [case for other, cases in sets.items() if other != name for case in cases]
            left_out[name] = first_hit(own, fit(others or own, start, names))
        weights = fit([case for cases in sets.values() for case in cases], start, names)
        result[model] = {
            "weights": dict(zip(NAMES, weights.round(2).tolist(), strict=True)),
            "first_hit": left_out,
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", metavar="INDEX QUESTIONS")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    embedder = E5Embeddings()
    sets = {}
    for index, questions in zip(arguments.pairs[::2], arguments.pairs[1::2], strict=True):
        asked = [one for one in ask_all(index, questions, embedder) if one.question.answerable]
        sets[questions] = [case_of(one, embedder, 10 * len(asked) ** -0.5) for one in asked]
    text = json.dumps(report(sets), indent=2, ensure_ascii=False)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
