"""Whether the weights of retrieval hold on documents that they were not chosen with: cross-validation by document.

    python benchmarks/retrieval_weights.py INDEX QUESTIONS [INDEX QUESTIONS ...] [--out FILE]

INDEX is a folder that `rag ingest` made, QUESTIONS a question set with gold pages. The documents are dealt into five
parts; weights from a coarse grid are chosen by the mean MRR@10 of the sets over four parts and measured on the fifth,
once for the questions that take FACT and once for those that take REPORT. Prints, for each set, page hit@k and MRR@10
with the shipped weights, with the cross-validated ones, and with the best of the grid (chosen on the same questions).
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.evaluation.page_metrics import GoldPage, distinct_pages, gold_found, hit, reciprocal_rank
from rag.evaluation.question_sets import Question, load_questions
from rag.providers.e5 import E5Embeddings
from rag.retrieval.fusion import FACT, REPORT, Weights, search_terms
from rag.retrieval.glossary import load_glossary
from rag.retrieval.retriever import HybridRetriever
from rag.store import Index, open_index

FOLDS = 5
DEPTH = 40
"""Passages asked for, so that ten distinct pages are mostly among them."""
MEASURES = ("page_hit@1", "page_hit@5", "page_hit@10", "mrr@10")
GRIDS: dict[str, tuple[Weights, dict[str, tuple[float, ...]]]] = {
    "fact": (
        FACT,
        {
            "dense": (1.0, 1.5, 2.0),
            "keywords": (0.0, 0.5, 1.0, 2.0),
            "pages": (0.5, 1.0, 2.0),
            "sentence": (0.0, 0.75, 1.5, 3.0),
        },
    ),
    "report": (
        REPORT,
        {
            "dense": (0.5, 1.0, 2.0),
            "keywords": (0.0, 0.5, 1.0),
            "pages": (0.25, 0.5, 1.0),
            "routing": (0.5, 1.0, 1.5),
            "sentence": (0.0, 0.5, 1.0, 2.0),
        },
    ),
}


class Remembering:
    """An index whose searches are made once: the weights change only what is done with what they found."""

    def __init__(self, index: Index) -> None:
        """For one question: arguments are told apart by what `repr` shows of them."""
        self._index = index
        self._kept: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._index, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            key = (name, repr(arguments), repr(named))
            if key not in self._kept:
                self._kept[key] = found(*arguments, **named)
            return self._kept[key]

        return call


@dataclass(frozen=True)
class Asked:
    """A question with what every setting of the grid made of it."""

    set: str
    document: str
    kind: str
    shipped: NDArray[np.float64]
    """By MEASURES."""
    grid: NDArray[np.float64]
    """Shape [settings, measures]."""


def settings(kind: str) -> list[Weights]:
    """The grid of a kind of question."""
    base, axes = GRIDS[kind]
    return [replace(base, **dict(zip(axes, values, strict=True))) for values in product(*axes.values())]


def ask_all(location: str, file: str) -> list[Asked]:
    """Every answerable question of a set, asked with every setting."""
    questions = [q for q in load_questions(file) if q.answerable and q.evidence]
    vectors = E5Embeddings().embed_array([q.question for q in questions], kind="query")
    name = Path(file).parent.name if Path(file).stem == "questions" else Path(file).stem
    with open_index(location) as index:
        # one for all questions, since it learns the documents' names first
        retriever = HybridRetriever.model_construct(index=index, k=DEPTH, where=None, glossary=None)
        return [asked(name, index, retriever, q, v) for q, v in zip(questions, vectors, strict=True)]


def asked(
    name: str, index: Index, retriever: HybridRetriever, question: Question, vector: NDArray[np.float32]
) -> Asked:
    """The question asked with every setting."""
    kind = "report" if search_terms(question.question, load_glossary()).expansion else "fact"
    gold = {GoldPage(evidence.file, evidence.page) for evidence in question.evidence}
    retriever.index = Remembering(index)  # type: ignore[assignment]

    def measured(weights: Weights) -> list[float]:
        retriever.weights = weights
        found = gold_found(
            distinct_pages(retriever.retrieve(question.question, vector=vector).passages), gold
        )
        return [*(float(hit(found, k)) for k in (1, 5, 10)), reciprocal_rank(found, 10)]

    rows = np.array([measured(weights) for weights in settings(kind)])
    return Asked(name, question.evidence[0].file, kind, np.array(measured(GRIDS[kind][0])), rows)


def best(known: Sequence[Asked]) -> int:
    """The setting with the highest mean over the sets of MRR@10; of equal ones the first."""
    sets = sorted({one.set for one in known})
    means = [np.mean([one.grid[:, -1] for one in known if one.set == name], axis=0) for name in sets]
    return int(np.argmax(np.round(np.mean(means, axis=0), 6)))


def compared(everything: Sequence[Asked]) -> dict[str, Any]:
    """The figures of each set with the shipped, the cross-validated and the best weights."""
    rows: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
    chosen: dict[str, Any] = {}
    for kind in sorted({one.kind for one in everything}):
        own = [one for one in everything if one.kind == kind]
        documents = sorted({one.document for one in own})
        fold = {document: place % FOLDS for place, document in enumerate(documents)}
        by_fold = {part: best([one for one in own if fold[one.document] != part]) for part in range(FOLDS)}
        overall = best(own)
        axes = GRIDS[kind][1]
        picked = Counter(by_fold.values())
        chosen[kind] = {
            "questions": len(own),
            "by_fold": [{**_named(settings(kind)[i], axes), "folds": n} for i, n in picked.most_common()],
            "best": _named(settings(kind)[overall], axes),
        }
        for one in own:
            row = rows.setdefault(one.set, {"shipped": [], "cross_validated": [], "best": []})
            row["shipped"].append(one.shipped)
            row["cross_validated"].append(one.grid[by_fold[fold[one.document]]])
            row["best"].append(one.grid[overall])
    figures = {
        name: {
            way: dict(zip(MEASURES, np.mean(values, axis=0).round(4).tolist(), strict=True))
            for way, values in ways.items()
        }
        for name, ways in rows.items()
    }
    return {"weights": chosen, "sets": figures}


def _named(weights: Weights, axes: dict[str, tuple[float, ...]]) -> dict[str, float]:
    return {axis: getattr(weights, axis) for axis in axes}


def _remember_tokens() -> None:
    """Sentences are cut into words once, not once for each setting."""
    from rag.retrieval import hybrid

    hybrid.indexed_tokens = cache(hybrid.indexed_tokens)  # type: ignore[assignment]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="INDEX QUESTIONS")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    _remember_tokens()
    pairs = zip(options.pairs[::2], options.pairs[1::2], strict=True)
    result = compared([one for location, file in pairs for one in ask_all(location, file)])
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
