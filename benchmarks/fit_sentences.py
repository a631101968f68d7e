"""Fit the weights of the built-in answerer's sentence ranking, and measure them on documents they have not seen.

    python benchmarks/fit_sentences.py INDEX QUESTIONS [INDEX QUESTIONS ...] [--out FILE]

INDEX is a folder that `rag ingest` made, QUESTIONS a question set with gold answers and pages. Prints the weights for
`rag/answering/ranking.py` and, cross-validated by document, how often a gold answer stands in the first one, two and
three sentences and how often the first sentence is on a gold page, by words only and with sentence embeddings.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.answering.extractive import choose
from rag.answering.question import analyse
from rag.answering.ranking import EMBEDDED, Candidate, Features, Ranked, candidates, features, rank
from rag.evaluation.question_sets import Question, load_questions
from rag.providers.e5 import E5Embeddings
from rag.retrieval.hybrid import HybridRetriever
from rag.store import open_index
from rag.types import Passage

PENALTY = 3.0
"""L2 penalty on the standardised weights."""
STEPS, RATE = 250, 0.08
"""Steps of Adam and their size; the loss is convex but for the ties of gold sentences."""
FOLDS = 5
K = 8
NAMES = tuple(name for name in Features.__slots__ if name != "meaning")
GRID = range(0, 62, 2)
"""Weights of `meaning` that are tried, once the others are fixed."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """A question with what was retrieved for it."""

    question: Question
    passages: list[Passage]
    without: list[Passage]
    """What is retrieved when the documents with the answer are left out."""
    vector: NDArray[np.float32]
    weight: float
    """What it counts for in the fit: of two sets, one of four times as many questions counts twice as much."""

    @property
    def document(self) -> str:
        """What cross-validation must not split."""
        return self.question.evidence[0].file if self.question.evidence else self.question.id[:7]


@dataclass(frozen=True)
class Case:
    """An answerable question with its candidate sentences."""

    asked: Asked
    found: list[Candidate]
    rows: Array
    """Features but for `meaning`, float64 [candidates, features]."""
    meaning: Array
    """Cosine of question and candidate less that of the best, float64 [candidates]; unused beyond the head."""
    right: NDArray[np.bool_]
    """Which candidates hold a gold answer on a gold page."""
    gold_page: NDArray[np.bool_]


def ask_all(index: str, questions: str, embedder: E5Embeddings) -> Iterator[Asked]:
    """Every question of the set, asked of the index."""
    asked = load_questions(questions)
    weight = sum(question.answerable for question in asked) ** -0.5
    with open_index(index) as opened:
        retriever = HybridRetriever(index=opened, embed_query=embedder.embed_query, k=K)
        for question in asked:
            retrieval = retriever.retrieve(question.question)
            gold = {unicodedata.normalize("NFC", evidence.file) for evidence in question.evidence}
            more = retriever.retrieve(question.question, k=5 * K).passages if gold else ()
            without = [p for p in more if p.file not in gold][:K]
            yield Asked(question, list(retrieval.passages), without, retrieval.query_vector, weight)


def case_of(asked: Asked, embedder: E5Embeddings) -> Case:
    """The candidates and features of a question."""
    analysed = analyse(asked.question.question)
    found = candidates(asked.passages)
    rows = features(analysed, found, asked.passages)
    close = rank(analysed, found, asked.passages, embed=embedder.embed_array, query_vector=asked.vector)
    meaning = {id(ranked.candidate): ranked.features.meaning for ranked in close[:EMBEDDED]}
    gold = {(unicodedata.normalize("NFC", e.file), e.page) for e in asked.question.evidence}
    pages = np.array([any((c.file, span.page) in gold for span in c.passage.spans) for c in found])
    holds = np.array([holds_answer(asked.question, [c.text]) for c in found])
    return Case(
        asked,
        found,
        np.array([[getattr(row, name) for name in NAMES] for row in rows], dtype=float),
        np.array([meaning.get(id(c), min(meaning.values())) for c in found]),
        holds & pages,
        pages,
    )


def holds_answer(question: Question, texts: Sequence[str]) -> bool:
    """Whether a gold answer stands in the texts, white space and case folded."""
    text = _fold(" ".join(texts))
    return any(_fold(answer) in text for answer in question.answers)


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).lower()


def fit(cases: Sequence[Case]) -> Array:
    """The weights that make the gold sentences and the gold pages likeliest, float64 [features]."""
    usable = [case for case in cases if case.right.any()]
    size = max(len(case.rows) for case in usable)
    rows = np.zeros((len(usable), size, len(NAMES)))
    right, gold, real = (np.zeros((len(usable), size)) for _ in range(3))
    for i, case in enumerate(usable):
        n = len(case.rows)
        rows[i, :n], right[i, :n], gold[i, :n], real[i, :n] = case.rows, case.right, case.gold_page, 1
    counted = np.array([case.asked.weight for case in usable])
    counted *= len(usable) / counted.sum()
    centre, spread = rows[real > 0].mean(0), rows[real > 0].std(0) + 1e-9
    rows = (rows - centre) / spread * real[..., None]
    weights, first, second = (np.zeros(len(NAMES)) for _ in range(3))
    for step in range(1, STEPS + 1):
        likely = _softmax(rows @ weights, real)
        pull = counted[:, None] * (2 * likely - _share(likely, right) - _share(likely, gold))
        slope = PENALTY * weights + np.einsum("qn,qnf->f", pull, rows)
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        weights -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return weights / spread


def _softmax(scores: Array, real: Array) -> Array:
    scores = np.where(real > 0, scores, -np.inf)
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _share(likely: Array, chosen: Array) -> Array:
    kept = likely * chosen
    return kept / (kept.sum(1, keepdims=True) + 1e-12)


def fit_meaning(cases: Sequence[Case], weights: Array) -> float:
    """The weight of `meaning` under which the gold sentences of the heads are likeliest."""
    heads = [(case, np.argsort(-(case.rows @ weights), kind="stable")[:EMBEDDED]) for case in cases]
    usable = [(case, head) for case, head in heads if case.right[head].any()]

    def likelihood(weight: float) -> float:
        total = 0.0
        for case, head in usable:
            likely = np.exp(case.rows[head] @ weights + weight * case.meaning[head])
            total += case.asked.weight * float(np.log(likely[case.right[head]].sum() / likely.sum()))
        return total

    return float(max(GRID, key=likelihood))


def measure(cases: Sequence[Case], fitted: Sequence[tuple[Array, float]]) -> dict[str, float]:
    """Answer within one, two and three sentences, and the first sentence on a gold page."""
    counts = {"answer@1": 0, "answer@2": 0, "answer@3": 0, "page": 0}
    for case, (weights, meaning) in zip(cases, fitted, strict=True):
        scores = case.rows @ weights
        head = np.argsort(-scores, kind="stable")[:EMBEDDED]
        scores = scores + meaning * case.meaning
        order = sorted(head.tolist(), key=lambda i: -scores[i])
        ranked = [Ranked(case.found[i], float(scores[i]), Features(*case.rows[i])) for i in order]
        for count in (1, 2, 3):
            chosen = choose(ranked, count)
            counts[f"answer@{count}"] += holds_answer(case.asked.question, [c.text for c in chosen])
        first = choose(ranked, 1)[0]
        counts["page"] += any(
            bool(gold) for c, gold in zip(case.found, case.gold_page, strict=True) if c is first
        )
    return {name: round(count / len(cases), 4) for name, count in counts.items()}


def cross_validated(cases: Sequence[Case], *, embedded: bool) -> list[tuple[Array, float]]:
    """For each case the weights fitted without its document."""
    documents = sorted({case.asked.document for case in cases})
    fold = {document: i % FOLDS for i, document in enumerate(documents)}
    fitted = []
    for part in range(FOLDS):
        known = [case for case in cases if fold[case.asked.document] != part]
        weights = fit(known)
        fitted.append((weights, fit_meaning(known, weights) if embedded else 0.0))
    return [fitted[fold[case.asked.document]] for case in cases]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", metavar="INDEX QUESTIONS")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    pairs = list(zip(arguments.pairs[::2], arguments.pairs[1::2], strict=True))
    embedder = E5Embeddings()
    sets = {
        questions: [
            case_of(asked, embedder)
            for asked in ask_all(index, questions, embedder)
            if asked.question.answerable
        ]
        for index, questions in pairs
    }
    cases = [case for own in sets.values() for case in own]
    weights = fit(cases)
    result: dict[str, Any] = {
        "weights": dict(zip(NAMES, weights.round(2).tolist(), strict=True))
        | {"meaning": fit_meaning(cases, weights)}
    }
    for name, embedded in (("words_only", False), ("with_meaning", True)):
        unseen = dict(zip(map(id, cases), cross_validated(cases, embedded=embedded), strict=True))
        result[name] = {path: measure(own, [unseen[id(c)] for c in own]) for path, own in sets.items()}
    print(json.dumps(result, indent=2, ensure_ascii=False))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
