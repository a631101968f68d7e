"""Rank candidate sentences by how likely they answer the question: a linear score of a few readable features.

The weights were fitted as a softmax over the candidates of each question (maximum likelihood of the sentences that
hold a gold answer and of the gold page, L2 penalty) by `benchmarks/fit_sentences.py`, on questions about Korean and
English Wikipedia pages and about the sample documents together, those of a small set counting more. It prints the
figures cross-validated by document.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.answering.candidates import Candidate
from rag.answering.question import Question, counts_unit, holds_kind
from rag.text.keywords import keyword_tokens
from rag.types import Passage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Embed = Callable[[list[str]], NDArray[np.float32]]

STEM = 5
"""First letters that two forms of a word share at least ("invented", "invention")."""
STEM_WEIGHT = 0.7
"""What such a match counts for, against 1 for the same word."""
EMBEDDED = 12
"""Sentences that are compared by embedding: the gold answer is among so many in 98 of 100 cases."""
ENOUGH_NEW = 6
"""New words beyond which more do not make an answer likelier."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the score of a candidate sentence is made of; each from 0 to 1 unless noted."""

    coverage: float
    """Share of the question's terms in the sentence, rare ones counting more."""
    named: float
    """The part of it that the title or heading holds too: it tells whose sentence it is, not that it answers."""
    before: float
    """Share that only the sentence before adds."""
    after: float
    """Share that only the sentence after adds."""
    heading: float
    """Share that only the title or heading adds."""
    similarity: float
    """Cosine of question and passage, less that of the best passage (0 or below)."""
    rank: float
    """1 / rank of the passage."""
    kind: float
    """Whether it holds a date, number, person or place when one is asked for."""
    unit: float
    """Whether it counts what is asked to be counted."""
    new: float
    """How much it says that the question does not."""
    file: float
    """Share of the retrieved passages, weighted by rank, that are of its file."""
    meaning: float = 0.0
    """Cosine of question and sentence, less that of the best sentence; 0 without an embedder."""


WEIGHTS = Features(
    coverage=11.7,
    named=-4.7,
    before=5.3,
    after=2.2,
    heading=1.3,
    similarity=52.0,
    rank=1.3,
    kind=2.4,
    unit=4.3,
    new=1.2,
    file=2.5,
    meaning=16.0,
)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score (a log-odds scale, comparable within one question) and its features."""

    candidate: Candidate
    score: float
    features: Features


def rank(
    question: Question,
    found: Sequence[Candidate],
    passages: Sequence[Passage],
    *,
    embed: Embed | None = None,
    query_vector: NDArray[np.float32] | None = None,
) -> list[Ranked]:
    """The candidates, best first. `embed` (texts to unit vectors) refines the order of the best ones."""
    rows = features(question, found, passages)
    ranked = _sorted(Ranked(c, score(f), f) for c, f in zip(found, rows, strict=True))
    if embed is None or query_vector is None or len(ranked) < 2:
        return ranked
    head = ranked[:EMBEDDED]
    vectors = embed([f"{r.candidate.context[-200:]} {r.candidate.text}".strip() for r in head])
    cosines = (vectors @ query_vector).tolist()
    closer = [replace(r.features, meaning=c - max(cosines)) for r, c in zip(head, cosines, strict=True)]
    return (
        _sorted(Ranked(r.candidate, score(f), f) for r, f in zip(head, closer, strict=True))
        + ranked[EMBEDDED:]
    )


def features(question: Question, found: Sequence[Candidate], passages: Sequence[Passage]) -> list[Features]:
    """The features of each candidate, without `meaning`."""
    weights = term_weights(question, found)
    heads = [keyword_tokens(f"{p.title} {p.heading} {p.header}") for p in passages]
    headings = [held(weights, frozenset(head)) for head in heads]
    best = max((p.similarity for p in passages if p.similarity is not None), default=0.0)
    shares = _file_shares(passages)
    return [
        _features(question, c, weights, headings[c.rank], frozenset(heads[c.rank]), best, shares)
        for c in found
    ]


def term_weights(question: Question, found: Sequence[Candidate]) -> dict[str, float]:
    """The weight of each term of the question, summing to 1: rarer among the candidates counts more."""
    counts = Counter(token for candidate in found for token in candidate.tokens)
    raw = {t: w * math.log(1 + len(found) / (counts[t] + 0.5)) for t, w in question.terms.items()}
    total = sum(raw.values()) or 1.0
    return {term: weight / total for term, weight in raw.items()}


def _features(
    question: Question,
    candidate: Candidate,
    weights: dict[str, float],
    heading: dict[str, float],
    head: frozenset[str],
    best: float,
    shares: dict[str, float],
) -> Features:
    own = held(weights, candidate.tokens)
    coverage = sum(own.values())
    named = sum(min(own[term], heading[term]) for term in weights)
    added = []
    for around in (held(weights, candidate.before), held(weights, candidate.after), heading):
        added.append(sum(max(around[term] - own[term], 0.0) for term in weights))
        own = {term: max(around[term], own[term]) for term in weights}
    similarity = candidate.passage.similarity
    return Features(
        coverage=coverage,
        named=named,
        before=added[0],
        after=added[1],
        heading=added[2],
        similarity=0.0 if similarity is None else similarity - best,
        rank=1 / (1 + candidate.rank),
        kind=holds_kind(question, candidate.text),
        unit=counts_unit(question, candidate.text),
        new=min(len(candidate.tokens - question.terms.keys() - head), ENOUGH_NEW) / ENOUGH_NEW,
        file=shares[candidate.file],
    )


def held(weights: dict[str, float], tokens: frozenset[str]) -> dict[str, float]:
    """For each term the part of its weight that the tokens hold."""
    stems = {token[:STEM] for token in tokens if len(token) >= STEM}
    return {
        term: weight
        if term in tokens
        else weight * STEM_WEIGHT * (term[:STEM] in stems and len(term) >= STEM)
        for term, weight in weights.items()
    }


def _file_shares(passages: Sequence[Passage]) -> dict[str, float]:
    shares = dict.fromkeys((passage.file for passage in passages), 0.0)
    for place, passage in enumerate(passages, 1):
        shares[passage.file] += 1 / place
    total = sum(shares.values())
    return {file: share / total for file, share in shares.items()}


def score(row: Features) -> float:
    """Log-odds, but for a constant of the question, that the candidate answers."""
    return sum(float(getattr(row, name)) * float(getattr(WEIGHTS, name)) for name in Features.__slots__)


def _sorted(ranked: Iterable[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda r: -r.score)
