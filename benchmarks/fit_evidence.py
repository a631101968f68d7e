"""Fit the evidence score that decides about declining, and measure it on collections it has not seen.

    python benchmarks/fit_evidence.py INDEX QUESTIONS [INDEX QUESTIONS ...] [--out FILE]

INDEX is a folder that `rag ingest` made, QUESTIONS a question set with answerable and unanswerable questions. Every
answerable question also counts as an unanswerable one twice: with its documents left out, and with the sentences that
hold its answer taken out of the passages. Prints the constants for `rag/answering/evidence.py`, and for each
collection AUROC and what is answered at 5 % false answers by constants that were fitted on the other collections, and
by those in force.

`benchmarks/rules` is such a collection: rules in Korean with questions in other words than theirs, a third of them
unanswerable. It was written before any figure was known, and nothing is fitted to it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from fit_sentences import Asked, ask_all, holds_answer
from numpy.typing import NDArray

from rag.answering.evidence import CLOSE, WORDS, Model, Signals, assess
from rag.providers.e5 import E5Embeddings
from rag.text.sentences import sentences
from rag.types import Passage

PENALTY = 1.0
"""L2 penalty on the standardised weights."""
FALSE_ANSWERS = 0.05
FEWEST = 4
"""Passages that must be left when a document is taken out, or the question tells nothing."""
COUNTS = {"answerable": 1.0, "unanswerable": 1.0, "left out": 0.4, "taken out": 0.08}
"""What all questions of a kind count for together. Those whose answer was taken out of its page are the hardest, but
in some of them another sentence answers, and their retrieval is that of an answerable question."""
NAMES = Signals.__slots__
MODELS = {
    "WORDS": (WORDS, [n for n in NAMES if n not in ("met", "said", "odds")]),
    "CLOSE": (CLOSE, [n for n in NAMES if n != "margin"]),
}
"""Each model as it is in force, and its signals."""
AGAINST = ("lacking", "other", "missing")
"""Signals whose weight may only be negative; that of the others only positive."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """A question asked of an index that holds its answer, or does not."""

    row: Array
    kind: str


def examples(asked: Asked, embedder: E5Embeddings) -> Iterator[Example]:
    """The question as it is, with its documents left out, and with its answer taken out."""
    question = asked.question

    def example(kind: str, passages: Sequence[Passage]) -> Example:
        found = assess(
            question.question,
            passages,
            embed_tokens=lambda texts, kind: embedder.embed_tokens(texts, kind=kind),
        )
        return Example(np.array([getattr(found.signals, name) for name in NAMES], dtype=float), kind)

    if asked.passages:
        yield example("answerable" if question.answerable else "unanswerable", asked.passages)
    if question.answerable and len(asked.without) >= FEWEST:
        yield example("left out", asked.without)
    cut = [replace(passage, text=_without_answer(asked, passage.text)) for passage in asked.passages]
    if question.answerable and [p.text for p in cut] != [p.text for p in asked.passages]:
        yield example("taken out", [passage for passage in cut if passage.text.strip()])


def _without_answer(asked: Asked, text: str) -> str:
    for start, end in reversed(sentences(text)):
        if holds_answer(asked.question, text[start:end]):
            text = text[:start] + text[end:]
    return text


def fit(sets: Sequence[Sequence[Example]], signals: Sequence[str]) -> tuple[Array, float]:
    """Weights and bias of the logistic regression, a collection counts by the root of its size."""
    known = [example for own in sets for example in own]
    rows = np.array([example.row for example in known])
    wanted = np.array([example.kind == "answerable" for example in known], dtype=float)
    counted = np.concatenate([_counted(own) for own in sets])
    centre, spread = rows.mean(0), rows.std(0) + 1e-9
    padded = np.c_[(rows - centre) / spread, np.ones(len(rows))]
    weights = np.zeros(len(NAMES) + 1)
    sign = np.array([0.0 if n not in signals else -1.0 if n in AGAINST else 1.0 for n in NAMES])
    step = 4 / (np.linalg.norm(padded * np.sqrt(counted)[:, None], 2) ** 2 + 8 * PENALTY)
    for _ in range(4000):
        likely = 1 / (1 + np.exp(-padded @ weights))
        slope = padded.T @ (counted * (likely - wanted)) + 2 * PENALTY * np.r_[weights[:-1], 0]
        weights -= step * slope
        weights[:-1] = sign * np.maximum(weights[:-1] * sign, 0)
    scaled = weights[:-1] / spread
    return scaled, float(weights[-1] - scaled @ centre)


def _counted(own: Sequence[Example]) -> Array:
    number = {kind: sum(example.kind == kind for example in own) for kind in COUNTS}
    size = 5 * number["answerable"] ** 0.5
    return np.array([size * COUNTS[example.kind] / number[example.kind] for example in own])


def measure(own: Sequence[Example], weights: Array, bias: float) -> dict[str, dict[str, float]]:
    """AUROC, what is answered at 5 % false answers, and what is answered falsely at a score of one half."""
    scores = {kind: np.array([e.row @ weights + bias for e in own if e.kind == kind]) for kind in COUNTS}
    yes, result = scores["answerable"], {}
    for kind, no in scores.items():
        if kind != "answerable" and len(no):
            above = (yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean()
            cut = np.sort(no)[-max(1, int(FALSE_ANSWERS * len(no)))]
            result[kind] = {
                "auroc": round(float(above), 4),
                "answered_at_5%_false": round(float((yes > cut).mean()), 4),
                "false": round(float((no >= 0).mean()), 4),
            }
    return result | {"answerable": {"answered": round(float((yes >= 0).mean()), 4)}}


def fitted(sets: Mapping[str, list[Example]], model: Model, signals: Sequence[str]) -> dict[str, Any]:
    """New constants for a model, and measures on each collection: fitted on the others, and as it is in force."""
    weights, bias = fit(list(sets.values()), signals)
    result: dict[str, Any] = {
        "weights": dict(zip(NAMES, weights.round(2).tolist(), strict=True)),
        "bias": round(bias, 2),
    }
    for name, own in sets.items():
        others = [examples for other, examples in sets.items() if other != name]
        result[name] = {
            "fitted on the others": measure(own, *fit(others or [own], signals)),
            "in force": measure(own, np.array([getattr(model.weights, n) for n in NAMES]), model.bias),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", metavar="INDEX QUESTIONS")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    embedder = E5Embeddings()
    sets = {
        questions: [e for asked in ask_all(index, questions, embedder) for e in examples(asked, embedder)]
        for index, questions in zip(arguments.pairs[::2], arguments.pairs[1::2], strict=True)
    }
    result: dict[str, Any] = {name: fitted(sets, *model) for name, model in MODELS.items()}
    result["questions"] = {
        name: {kind: sum(example.kind == kind for example in own) for kind in COUNTS}
        for name, own in sets.items()
    }
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
