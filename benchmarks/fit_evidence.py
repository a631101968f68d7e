"""Fit the evidence score that decides about declining, and measure it on documents it has not seen.

    python benchmarks/fit_evidence.py INDEX QUESTIONS [INDEX QUESTIONS ...] [--check INDEX QUESTIONS] [--out FILE]

INDEX is a folder that `rag ingest` made, QUESTIONS a question set with answerable and unanswerable questions. Every
answerable question also counts as an unanswerable one with its documents left out. `--check` names a set that is
measured but not fitted. Prints the constants for `rag/answering/evidence.py` (the bias moved so that a score of
one half is reached by 5 % of the questions without an answer) and, cross-validated by document, AUROC and what is
answered at 5 % false answers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from fit_sentences import Asked, ask_all
from numpy.typing import NDArray

from rag.answering.evidence import Signals, signals_of
from rag.answering.question import analyse
from rag.answering.ranking import candidates
from rag.providers.e5 import E5Embeddings
from rag.types import Passage

PENALTY = 1.0
"""L2 penalty on the standardised weights."""
FOLDS = 10
FALSE_ANSWERS = 0.05
FEWEST = 4
"""Passages that must be left when a document is taken out, or the question tells nothing."""
NAMES = Signals.__slots__
MODELS = {"GENERAL": [n for n in NAMES if n != "similarity"], "E5_SMALL": list(NAMES)}
"""The signals of each model."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """A question asked of an index that holds its answer, or does not."""

    row: Array
    answerable: bool
    left_out: bool
    """Not answerable because its documents were left out."""
    document: str


def examples(asked: Asked) -> Iterator[Example]:
    """The question as it is, and with its documents left out."""
    question = asked.question
    if asked.passages:
        yield Example(_row(asked, asked.passages), question.answerable, False, asked.document)
    if question.answerable and len(asked.without) >= FEWEST:
        yield Example(_row(asked, asked.without), False, True, asked.document)


def _row(asked: Asked, passages: Sequence[Passage]) -> Array:
    signals = signals_of(analyse(asked.question.question), candidates(passages), passages)
    return np.array([getattr(signals, name) for name in NAMES], dtype=float)


def fit(known: Sequence[Example]) -> tuple[Array, float]:
    """Weights and bias of the logistic regression, by Newton's method."""
    rows = np.array([example.row for example in known])
    used = rows.shape[1]
    wanted = np.array([example.answerable for example in known], dtype=float)
    centre, spread = rows.mean(0), rows.std(0) + 1e-9
    padded = np.c_[(rows - centre) / spread, np.ones(len(rows))]
    penalty = np.diag([PENALTY] * used + [1e-6])
    weights = np.zeros(used + 1)
    for _ in range(30):
        likely = 1 / (1 + np.exp(-padded @ weights))
        slope = padded.T @ (likely - wanted) + penalty @ weights
        curve = (padded * (likely * (1 - likely))[:, None]).T @ padded + penalty
        weights -= np.linalg.solve(curve, slope)
    scaled = weights[:-1] / spread
    return scaled, float(weights[-1] - scaled @ centre)


def cross_validated(known: Sequence[Example]) -> Array:
    """For each example its log-odds by weights fitted without its document."""
    documents = sorted({example.document for example in known})
    fold = {document: i % FOLDS for i, document in enumerate(documents)}
    fitted = [fit([e for e in known if fold[e.document] != part]) for part in range(FOLDS)]
    return np.array([e.row @ w + b for e in known for w, b in [fitted[fold[e.document]]]])


def measure(known: Sequence[Example], scores: Array, threshold: float) -> dict[str, dict[str, float]]:
    """AUROC, and what is answered, rightly and falsely, above the threshold (a log-odds)."""
    sure = np.array([example.answerable for example in known])
    result = {}
    for name, other in (
        ("not in the collection", np.array([not e.answerable and not e.left_out for e in known])),
        ("document left out", np.array([e.left_out for e in known])),
    ):
        yes, no = scores[sure], scores[other]
        above = (yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean()
        own = np.quantile(no, 1 - FALSE_ANSWERS)
        result[name] = {
            "auroc": round(float(above), 4),
            "answered_at_5%_false": round(float((yes > own).mean()), 4),
            "answered": round(float((yes >= threshold).mean()), 4),
            "false": round(float((no >= threshold).mean()), 4),
        }
    return result


def fitted(
    sets: Mapping[str, list[Example]], check: Mapping[str, list[Example]], signals: Sequence[str]
) -> dict[str, Any]:
    """A model of these signals: its constants, and its measures on documents that were left out of the fit."""
    columns = [NAMES.index(name) for name in signals]

    def taken(examples: Sequence[Example]) -> list[Example]:
        return [replace(example, row=example.row[columns]) for example in examples]

    known = taken([example for own in sets.values() for example in own])
    unseen = cross_validated(known)
    strangers = unseen[[not e.answerable and not e.left_out for e in known]]
    threshold = float(np.quantile(strangers, 1 - FALSE_ANSWERS))
    weights, bias = fit(known)
    result: dict[str, Any] = {
        "weights": dict(zip(signals, weights.round(2).tolist(), strict=True)),
        "bias": round(bias - threshold, 2),
    }
    start = 0
    for name, own in sets.items():
        result[name] = measure(taken(own), unseen[start : start + len(own)], threshold)
        start += len(own)
    for name, own in check.items():
        scores = np.array([example.row @ weights + bias for example in taken(own)])
        result[f"{name} (not fitted)"] = measure(own, scores, threshold)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", metavar="INDEX QUESTIONS")
    parser.add_argument("--check", nargs=2, metavar=("INDEX", "QUESTIONS"))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    embedder = E5Embeddings()

    def read(index: str, questions: str) -> list[Example]:
        return [e for asked in ask_all(index, questions, embedder) for e in examples(asked)]

    pairs = list(zip(arguments.pairs[::2], arguments.pairs[1::2], strict=True))
    sets = {questions: read(index, questions) for index, questions in pairs}
    check = {arguments.check[1]: read(*arguments.check)} if arguments.check else {}
    result = {name: fitted(sets, check, signals) for name, signals in MODELS.items()}
    print(json.dumps(result, indent=2, ensure_ascii=False))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
