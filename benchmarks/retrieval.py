"""What each part of retrieval adds: page hit@k and MRR over distinct pages, with the parts taken out one by one.

    python benchmarks/retrieval.py INDEX QUESTIONS [INDEX QUESTIONS ...] [--out FILE]

INDEX is a folder that `rag ingest` made, QUESTIONS a question set with gold pages. Prints a Markdown table.
Without arguments: the sample documents and questions, indexed into a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rag.evaluation.page_metrics import GoldPage, distinct_pages, gold_found, hit, reciprocal_rank
from rag.evaluation.question_sets import Question, load_questions
from rag.providers.e5 import E5Embeddings
from rag.retrieval.fusion import FACT, REPORT, Candidates, Weights, gather, search_terms
from rag.retrieval.glossary import Glossary, load_glossary
from rag.retrieval.retriever import HybridRetriever
from rag.retrieval.routing import Router
from rag.store import Index, open_index
from rag.types import Passage

ROOT = Path(__file__).resolve().parent.parent
DEPTH = 60
"""Passages asked for, so that ten distinct pages are among them."""
RRF_CONSTANT = 60
"""Of reciprocal rank fusion, as in Cormack, Clarke and Büttcher (2009)."""
Search = Callable[[Index, str, Any], list[Passage]]


def with_weights(change: Mapping[str, float] | None = None, glossary: Glossary | None = None) -> Search:
    """The retriever with some weights changed in both sets, or another glossary."""

    def search(index: Index, question: str, vector: Any) -> list[Passage]:
        words = glossary or load_glossary()
        base: Weights = REPORT if search_terms(question, words).expansion else FACT
        made = HybridRetriever(
            index=index,
            embed_query=lambda _: vector,
            k=DEPTH,
            glossary=words,
            weights=replace(base, **(change or {})),
        )
        return list(made.retrieve(question).passages)

    return search


def by_rank(*lists: str) -> Search:
    """Plain searches, fused by reciprocal rank when there are several: the baseline."""

    def search(index: Index, question: str, vector: Any) -> list[Passage]:
        read = search_terms(question, Glossary(()))
        found: Candidates = gather(index, read, np.asarray(vector), {}, None, DEPTH)
        scores: dict[int, float] = {}
        for name in lists:
            for chunk, rank in getattr(found, name).items():
                scores[chunk] = scores.get(chunk, 0.0) + 1 / (RRF_CONSTANT + rank)
        best = sorted(scores, key=lambda chunk: (-scores[chunk], chunk))[:DEPTH]
        return index.passages(best)

    return search


VARIANTS: dict[str, Search] = {
    "dense only": by_rank("dense_ranks"),
    "keywords only (BM25 of chunks)": by_rank("keyword_ranks"),
    "dense + keywords, reciprocal rank fusion": by_rank("dense_ranks", "keyword_ranks"),
    "everything (the default)": with_weights(),
    "without dense": with_weights({"dense": 0.0}),
    "without chunk keywords": with_weights({"keywords": 0.0}),
    "without page keywords": with_weights({"pages": 0.0}),
    "without page beginnings": with_weights({"heads": 0.0, "expanded_heads": 0.0}),
    "without routing": with_weights({"routing": 0.0}),
    "without the glossary": with_weights(glossary=Glossary(())),
    "without the best sentence": with_weights({"sentence": 0.0}),
    "without the share of figures": with_weights({"figures": 0.0}),
}


def measure(index: Index, questions: list[Question], vectors: np.ndarray, search: Search) -> dict[str, float]:
    """Means over the answerable questions; times in milliseconds, embedding apart."""
    found, seconds = [], []
    for question, vector in zip(questions, vectors, strict=True):
        began = time.perf_counter()
        passages = search(index, question.question, vector)
        seconds.append(time.perf_counter() - began)
        gold = {GoldPage(e.file, e.page) for e in question.evidence}
        found.append(gold_found(distinct_pages(passages), gold))
    row = {f"page_hit@{k}": float(np.mean([hit(f, k) for f in found])) for k in (1, 5, 10)}
    row["mrr@10"] = float(np.mean([reciprocal_rank(f, 10) for f in found]))
    row["p50_ms"], row["p95_ms"] = (float(np.quantile(seconds, q)) * 1000 for q in (0.5, 0.95))
    return {name: round(value, 4) for name, value in row.items()}


def run(location: Path, question_file: Path) -> dict[str, dict[str, float]]:
    """All variants over one index."""
    questions = [q for q in load_questions(question_file) if q.answerable and q.evidence]
    vectors = E5Embeddings().embed_array([q.question for q in questions], kind="query")
    with open_index(location) as index:
        Router(index.documents())  # loads what is lazy before the first timing
        return {name: measure(index, questions, vectors, search) for name, search in VARIANTS.items()}


def table(results: dict[str, dict[str, float]]) -> str:
    """A Markdown table, a row a variant."""
    names = list(next(iter(results.values())))
    lines = ["| variant | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    lines += [f"| {v} | " + " | ".join(f"{row[n]:g}" for n in names) + " |" for v, row in results.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pairs", nargs="*", type=Path, metavar="INDEX QUESTIONS")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = options.pairs or [_sample(Path(folder)), ROOT / "data/questions/sample.jsonl"]
        results = {}
        for location, questions in zip(pairs[::2], pairs[1::2], strict=True):
            results[questions.parent.name] = run(location, questions)
            print(f"\n{questions.parent.name}\n\n{table(results[questions.parent.name])}", flush=True)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")


def _sample(folder: Path) -> Path:
    index = folder / "index"
    command = [sys.executable, "-m", "ingest", str(ROOT / "data/sample"), "--index", str(index)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return index


if __name__ == "__main__":
    main()
