"""How sure the passages are to hold the answer, as a score from 0 to 1.

The score is a logistic function of a few signals. Its constants were fitted by `benchmarks/fit_evidence.py` on
questions about Korean and English Wikipedia pages, one model for both languages: answerable ones against questions
whose article is not in the collection and answerable ones whose document was left out. The bias is set so that 5 % of
the questions without an answer reach one half. The general model depends neither on the scale of an embedding model's
cosines nor on the size of the collection; cosines themselves tell more, but only for the embeddings that a model was
fitted with, so the built-in ones have a model of their own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.answering.question import QuestionAnalysis, analyse
from rag.answering.ranking import Candidate, Ranked, candidates, held, rank, term_weights
from rag.text.facts import FactText as Facts
from rag.text.facts import facts, supported
from rag.text.keywords import has_search_terms, keyword_tokens, query_terms
from rag.text.language import language_of
from rag.types import Passage

THRESHOLD = 0.5
"""Default score from which to answer without a model."""
GATE = 0.02
"""Default score from which a model is asked, which can still decline by itself: nearly every question that the
documents answer reaches it, also one in other words than theirs, and half of the others."""
ACROSS_LANGUAGES = 0.3
"""What the shares of terms are taken to be at least when question and passage are in different languages, whose words
cannot agree: enough for the gate, too little to answer without a model unless the passage stands out."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What the score is made of."""

    passage: float
    """Share of the question's terms in the best passage or its heading (0 to 1). Rare terms count more; those of the
    documents' titles and file names do not count, since they say which document, not whether it has the answer."""
    sentence: float
    """The same share in the best sentence, its neighbours and its heading (0 to 1)."""
    margin: float
    """How far the best passage's cosine stands out: (best - mean) / (1 - mean) over the passages (0 to 1)."""
    lacking: float
    """1 when a figure, date, code or name of the question stands nowhere in the best document's passages."""
    similarity: float
    """Cosine of the question and the best passage; its scale is the embedding model's own."""


@dataclass(frozen=True, slots=True)
class Model:
    """A logistic regression over the signals."""

    weights: Signals
    bias: float


GENERAL = Model(Signals(passage=5.9, sentence=8.8, margin=18.6, lacking=-2.5, similarity=0.0), bias=-7.4)
E5_SMALL = Model(Signals(passage=5.0, sentence=9.8, margin=14.6, lacking=-1.3, similarity=51.0), bias=-49.1)
_SEPARATORS = re.compile(r"[-_./\\]")


@dataclass(frozen=True, slots=True)
class Assessment:
    """How sure the passages are to hold the answer, and what speaks against it."""

    score: float
    """From 0 to 1."""
    signals: Signals
    missing: tuple[str, ...]
    """Words of the question that stand in no passage."""


def evidence_score(question: str, passages: Sequence[Passage], *, embedding: str = "") -> float:
    """The score alone."""
    return assess(question, passages, embedding=embedding).score


def assess(question: str, passages: Sequence[Passage], *, embedding: str = "") -> Assessment:
    """The evidence that the passages, in the order of retrieval, hold the answer.

    It is 0 when there are none, and for a question that names nothing that they could be about ("what is this?").

    `embedding` is the spec of the embedding model that the passages' similarities come from, such as `e5-small`.
    """
    analysed = analyse(question)
    found = candidates(passages)
    if not found or not has_search_terms(question):
        return Assessment(0.0, Signals(0.0, 0.0, 0.0, 0.0, 0.0), tuple(question.split()))
    signals = signals_of(analysed, found, passages)
    return Assessment(score(signals, model_for(embedding)), signals, _missing(question, passages))


def model_for(embedding: str) -> Model:
    """The model for similarities of these embeddings."""
    return E5_SMALL if embedding.partition("/")[0] == "e5-small" else GENERAL


def score(signals: Signals, model: Model) -> float:
    """The logistic function of the weighted signals."""
    names = Signals.__slots__
    total = sum(float(getattr(signals, name)) * float(getattr(model.weights, name)) for name in names)
    return 1 / (1 + math.exp(-total - model.bias))


def signals_of(
    question: QuestionAnalysis, found: Sequence[Candidate], passages: Sequence[Passage]
) -> Signals:
    """The signals of a question and its passages; `found` are the passages' candidate sentences."""
    best = rank(question, found, passages)[0]
    weights = _specific(question, found, passages)
    texts = [frozenset(keyword_tokens(f"{passage.heading}\n{passage.text}")) for passage in passages]
    same = language_of(question.text) == language_of(best.candidate.passage.text)
    least = 0.0 if same else ACROSS_LANGUAGES
    return Signals(
        passage=max(least, *(_share(weights, tokens) for tokens in texts)),
        sentence=max(least, _share(weights, _around(best))),
        margin=_margin(passages),
        lacking=_lacking(question, best, passages),
        similarity=max((p.similarity for p in passages if p.similarity is not None), default=0.0),
    )


def _specific(
    question: QuestionAnalysis, found: Sequence[Candidate], passages: Sequence[Passage]
) -> dict[str, float]:
    """The weights of the question's terms that are not in the titles of the passages' documents."""
    titles = {
        token for p in passages for token in keyword_tokens(f"{p.title} {_SEPARATORS.sub(' ', p.file)}")
    }
    return {term: weight for term, weight in term_weights(question, found).items() if term not in titles}


def _share(weights: dict[str, float], tokens: frozenset[str]) -> float:
    total = sum(weights.values())
    return sum(held(weights, tokens).values()) / total if total else 1.0


def _around(best: Ranked) -> frozenset[str]:
    candidate = best.candidate
    heading = frozenset(keyword_tokens(candidate.passage.heading))
    return candidate.tokens | candidate.before | candidate.after | heading


def _margin(passages: Sequence[Passage]) -> float:
    cosines = [p.similarity for p in passages if p.similarity is not None]
    mean = sum(cosines) / len(cosines) if cosines else 0.0
    return (max(cosines) - mean) / (1 - mean) if cosines and mean < 1 else 0.0


def _lacking(question: QuestionAnalysis, best: Ranked, passages: Sequence[Passage]) -> float:
    file = best.candidate.file
    evidence = Facts("\n".join(f"{p.title}\n{p.heading}\n{p.text}" for p in passages if p.file == file))
    return float(not all(supported(fact, evidence) for fact in facts(question.text)))


def _missing(question: str, passages: Sequence[Passage]) -> tuple[str, ...]:
    """The words of the question none of whose terms stands in a passage or its title."""
    everything = {t for p in passages for t in keyword_tokens(f"{p.title} {p.heading} {p.text}")}
    asked = query_terms(question)
    words = [word.strip("?!.,'\"“”‘’()[]") for word in question.split()]
    return tuple(
        word
        for word in words
        if (terms := query_terms(word).keys() & asked.keys()) and not terms & everything
    )
