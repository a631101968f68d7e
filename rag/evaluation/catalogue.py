"""Every metric that a run is summed up by: its name, its direction, and how it is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rag.evaluation import scores
from rag.evaluation.metrics import answers, citations
from rag.evaluation.metrics.numbers import numeric_match
from rag.evaluation.metrics.statistics import (
    AnsweredAtRate,
    Auroc,
    Floats,
    Percentile,
    Ratio,
    RiskCoverage,
    Statistic,
)
from rag.evaluation.records import Record

Group = Literal["retrieval", "answers", "citations", "abstention", "cost"]
Unit = Literal["share", "usd", "tokens", "seconds"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a run. `score` is its value for one question, None when it is not a mean of such values."""

    name: str
    group: Group
    build: Callable[[Sequence[Record]], Statistic]
    score: scores.Score | None = None
    higher_is_better: bool = True
    unit: Unit = "share"
    headline: bool = False
    """One of the few that decide a comparison's verdict."""


def values(score: scores.Score, records: Sequence[Record]) -> Floats:
    """The score of each record [n], NaN where it does not apply."""
    return np.array([np.nan if (v := score(r)) is None else v for r in records], dtype=float)


def metric(name: str) -> Metric:
    """The metric of that name. Raises KeyError."""
    return METRICS[name]


def _mean(
    name: str,
    group: Group,
    score: scores.Score,
    *,
    lower: bool = False,
    headline: bool = False,
    unit: Unit = "share",
) -> Metric:
    def build(records: Sequence[Record]) -> Ratio:
        return Ratio.mean(values(score, records), share=unit == "share")

    return Metric(name, group, build, score, not lower, unit, headline)


def _share(name: str, count: Callable[[Record], tuple[int, int]], *, lower: bool = False) -> Metric:
    """A share of all citations or sentences, not a mean over questions."""

    def build(records: Sequence[Record]) -> Ratio:
        pairs = np.array([(0, 0) if r.answer is None else count(r) for r in records], dtype=float)
        pairs = pairs.reshape(-1, 2)
        return Ratio(pairs[:, 0], pairs[:, 1])

    return Metric(name, "citations", build, higher_is_better=not lower)


def _evidence(records: Sequence[Record]) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    answerable = np.array([r.question.answerable for r in records], dtype=bool)
    return values(scores.evidence_score, records), answerable


def risk_coverage(records: Sequence[Record]) -> RiskCoverage:
    """Risk over coverage of the answers that were given, in falling order of their evidence score."""

    def score(record: Record) -> float | None:
        if record.answer is None or not record.answer.answered or scores.is_right(record) is None:
            return None
        return record.answer.evidence_score

    wrong = np.array([not scores.is_right(r) for r in records], dtype=float)
    return RiskCoverage(values(score, records), wrong)


def _cost(records: Sequence[Record]) -> Ratio:
    """Mean cost; not known as soon as one answer's price is not."""
    costs = values(scores.cost, records)
    unknown = any(r.answer is not None and r.answer.usage.cost_usd is None for r in records)
    return Ratio.mean(np.full_like(costs, np.nan) if unknown else costs, share=False)


def _latency(q: float) -> Callable[[Sequence[Record]], Percentile]:
    return lambda records: Percentile(values(scores.seconds, records), q)


_answer = scores.answer_score
_ALL = (
    *(_mean(f"page_hit@{k}", "retrieval", scores.page_hit(k), headline=k == 5) for k in (1, 3, 5, 10)),
    *(_mean(f"page_recall@{k}", "retrieval", scores.page_recall(k)) for k in (5, 10)),
    _mean("mrr@10", "retrieval", scores.reciprocal_rank(10), headline=True),
    _mean("ndcg@10", "retrieval", scores.ndcg(10)),
    *(_mean(f"doc_hit@{k}", "retrieval", scores.document_hit(k)) for k in (1, 5)),
    _mean("answer_right", "answers", _answer(scores.right), headline=True),
    _mean("outcome_right", "answers", scores.outcome_right, headline=True),
    _mean("answer_hit", "answers", _answer(lambda a, g, _: answers.answer_hit(a, g))),
    _mean("answer_f1", "answers", _answer(answers.answer_f1), headline=True),
    _mean("exact_match", "answers", _answer(answers.exact_match)),
    _mean("token_f1", "answers", _answer(lambda a, g, _: answers.token_f1(a, g), "en")),
    _mean("character_f1", "answers", _answer(lambda a, g, _: answers.character_f1(a, g), "ko")),
    _mean("numeric_match", "answers", _answer(lambda a, g, _: numeric_match(a, g))),
    _mean("rouge_l", "answers", _answer(lambda a, g, _: answers.rouge_l(a, g))),
    _mean("first_citation_hit", "citations", scores.first_citation, headline=True),
    _mean("citation_precision", "citations", scores.citation_precision),
    _mean("citation_recall", "citations", scores.citation_recall),
    _share("citations_proven", lambda r: citations.proven(r.answer.citations) if r.answer else (0, 0)),
    _share(
        "citations_corrected",
        lambda r: citations.corrected(r.answer.citations) if r.answer else (0, 0),
        lower=True,
    ),
    _share("sentences_verified", lambda r: citations.verified(r.answer.sentences) if r.answer else (0, 0)),
    _mean("abstention_accuracy", "abstention", scores.abstention, headline=True),
    _mean("rightly_abstained", "abstention", scores.abstained(answerable=False)),
    _mean("wrongly_abstained", "abstention", scores.abstained(answerable=True), lower=True),
    Metric("auroc", "abstention", lambda records: Auroc(*_evidence(records))),
    Metric("answered_at_5%_false", "abstention", lambda records: AnsweredAtRate(*_evidence(records))),
    Metric("aurc", "abstention", risk_coverage, higher_is_better=False),
    Metric("cost_usd", "cost", _cost, higher_is_better=False, unit="usd"),
    _mean("input_tokens", "cost", scores.input_tokens, lower=True, unit="tokens"),
    _mean("output_tokens", "cost", scores.output_tokens, lower=True, unit="tokens"),
    Metric("seconds_p50", "cost", _latency(0.5), higher_is_better=False, unit="seconds"),
    Metric("seconds_p95", "cost", _latency(0.95), higher_is_better=False, unit="seconds"),
    _mean("failed", "cost", scores.failed, lower=True),
)
METRICS = {one.name: one for one in _ALL}
