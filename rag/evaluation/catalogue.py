"""Every metric that a run is summed up by: its name, its direction, and how it is computed.

Retrieval needs gold pages, answers need gold answers; both look at answerable questions only. A question that
failed counts as not found and not answered: leaving it out would flatter the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rag.evaluation.metrics import answers, citations, retrieval
from rag.evaluation.metrics.answers import is_figure, numeric_match
from rag.evaluation.metrics.retrieval import GoldPage
from rag.evaluation.metrics.statistics import (
    AnsweredAtRate,
    Auroc,
    Floats,
    Percentile,
    Ratio,
    RiskCoverage,
    Statistic,
)
from rag.evaluation.runs import Record

Score = Callable[[Record], float | None]
Counts = Callable[[Record], tuple[int, int] | None]

_RIGHT_F1 = 0.5


def gold_pages(record: Record) -> frozenset[GoldPage]:
    """The pages that hold the answer, as far as the set names them."""
    return frozenset(GoldPage(e.file, e.page) for e in record.question.evidence if e.file and e.page)


def gold_files(record: Record) -> frozenset[str]:
    """The files that hold the answer."""
    return frozenset(e.file for e in record.question.evidence if e.file)


def page_score(measure: Callable[[list[frozenset[GoldPage]], int], float]) -> Score:
    """A retrieval score from a function of (gold pages found at each place, number of gold pages)."""

    def score(record: Record) -> float | None:
        gold = gold_pages(record)
        if not record.question.answerable or not gold:
            return None
        return measure(retrieval.gold_found(retrieval.distinct_pages(record.found), gold), len(gold))

    return score


def page_hit(k: int) -> Score:
    return page_score(lambda found, _: retrieval.hit(found, k))


def page_recall(k: int) -> Score:
    return page_score(lambda found, count: retrieval.recall(found, count, k))


def reciprocal_rank(k: int) -> Score:
    return page_score(lambda found, _: retrieval.reciprocal_rank(found, k))


def ndcg(k: int) -> Score:
    return page_score(lambda found, count: retrieval.ndcg(found, count, k))


def document_hit(k: int) -> Score:
    """Whether the file was among the first `k` distinct pages."""

    def score(record: Record) -> float | None:
        files = gold_files(record)
        if not record.question.answerable or not files:
            return None
        return retrieval.document_hit(retrieval.distinct_pages(record.found), files, k)

    return score


def answer_score(measure: Callable[[str, tuple[str, ...], str], float | None], language: str = "") -> Score:
    """An answer score from a function of (answer, gold answers, language); `language` limits it to one."""

    def score(record: Record) -> float | None:
        question = record.question
        if not question.answerable or not question.answers or not _asked(record):
            return None
        if language and (question.language == "ko") != (language == "ko"):
            return None
        value = measure(given(record), question.answers, question.language)
        # declining is wrong here, whatever an empty text would score
        return 0.0 if value is not None and not given(record) else value

    return score


def given(record: Record) -> str:
    """The text of the answer; empty when the question was declined or failed."""
    return record.answer.text if record.answer is not None and record.answer.answered else ""


def right(answer: str, golds: tuple[str, ...], language: str) -> float:
    """1 for an answer that a reader would take as right, judged without a model.

    A gold answer stands in it, however a figure is written, or it overlaps with a gold answer by an F1 of at
    least one half.
    """
    plain_figures = [gold for gold in golds if is_figure(gold)]
    return float(
        answers.answer_hit(answer, golds) == 1.0
        or numeric_match(answer, plain_figures) == 1.0
        or answers.answer_f1(answer, golds, language) >= _RIGHT_F1
    )


def is_right(record: Record) -> bool | None:
    """Whether the outcome is right: a right answer, or declining what cannot be answered; None: no gold."""
    if not _asked(record):
        return None
    if not record.question.answerable:
        return record.answer is not None and not record.answer.answered
    value = answer_score(right)(record)
    return None if value is None else value == 1.0


def outcome_right(record: Record) -> float | None:
    """1 when the outcome is right, answerable or not: the one figure that no trade between the two can hide."""
    value = is_right(record)
    return None if value is None else float(value)


def right_unverified(record: Record) -> float | None:
    """1 when a right answer is shown without a verified sentence."""
    value = answer_score(right)(record)
    if value is None or record.answer is None:
        return None
    return float(value == 1.0 and not record.answer.verified)


def right_withheld(record: Record) -> float | None:
    """1 when what was withheld, because nothing in it or not all of it is verified, held the right answer."""
    value = answer_score(right)(record)
    if value is None or record.answer is None:
        return None
    withheld = str(record.answer.extra.get("withheld", ""))
    question = record.question
    return float(value != 1.0 and bool(withheld) and right(withheld, question.answers, question.language))


def wrong_verified(record: Record) -> float | None:
    """1 when a wrong answer, or one to a question that has none, has a verified sentence."""
    outcome = is_right(record)
    if outcome is None or record.answer is None:
        return None
    return float(record.answer.answered and record.answer.verified and not outcome)


STRICTNESS: dict[str, Score] = {
    "right_unverified": right_unverified,
    "right_withheld": right_withheld,
    "wrong_verified": wrong_verified,
}
"""What the strictness of the check costs, and what it lets through."""


def strictness(records: Sequence[Record]) -> dict[str, tuple[str, ...]]:
    """The questions that each of the metrics in `STRICTNESS` counts, by their ids."""
    return {
        name: tuple(record.id for record in records if score(record) == 1.0)
        for name, score in STRICTNESS.items()
    }


def citation_precision(record: Record) -> float | None:
    if not record.question.answerable or record.answer is None or not (gold := gold_pages(record)):
        return None
    return citations.precision(record.answer.citations, gold)


def citation_recall(record: Record) -> float | None:
    if not _cited(record):
        return None
    return citations.recall(record.answer.citations, gold_pages(record)) if record.answer else 0.0


def first_citation(record: Record) -> float | None:
    if not _cited(record):
        return None
    return citations.first_on_gold(record.answer.citations, gold_pages(record)) if record.answer else 0.0


def abstention(record: Record) -> float | None:
    """1 when the question was answered exactly if it can be; None when it failed or was not asked."""
    if record.answer is None:
        return None
    return float(record.answer.answered == record.question.answerable)


def abstained(answerable: bool) -> Score:
    """1 when a question of this kind was declined."""

    def score(record: Record) -> float | None:
        if record.answer is None or record.question.answerable != answerable:
            return None
        return float(not record.answer.answered)

    return score


def evidence_score(record: Record) -> float | None:
    return None if record.answer is None else record.answer.evidence_score


def failed(record: Record) -> float | None:
    return float(record.failed)


def cost(record: Record) -> float | None:
    """US dollars; None when it was not asked or the price is not known."""
    return None if record.answer is None else record.answer.usage.cost_usd


def input_tokens(record: Record) -> float | None:
    return None if record.answer is None else float(record.answer.usage.input_tokens)


def output_tokens(record: Record) -> float | None:
    return None if record.answer is None else float(record.answer.usage.output_tokens)


def seconds(record: Record) -> float | None:
    """Wall time of the whole answer."""
    if record.answer is None or not record.answer.seconds:
        return None
    parts = record.answer.seconds
    return float(parts["total"]) if "total" in parts else float(sum(parts.values()))


def _asked(record: Record) -> bool:
    return record.answer is not None or record.failed


def _cited(record: Record) -> bool:
    return record.question.answerable and _asked(record) and bool(gold_pages(record))


Group = Literal["retrieval", "answers", "citations", "abstention", "cost"]
Unit = Literal["share", "usd", "tokens", "seconds"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a run. `score` is its value for one question, None when it is not a mean of such values."""

    name: str
    group: Group
    build: Callable[[Sequence[Record]], Statistic]
    score: Score | None = None
    higher_is_better: bool = True
    unit: Unit = "share"
    headline: bool = False
    """One of the few that decide a comparison's verdict."""


def values(score: Score, records: Sequence[Record]) -> Floats:
    """The score of each record [n], NaN where it does not apply."""
    return np.array([np.nan if (v := score(r)) is None else v for r in records], dtype=float)


def metric(name: str) -> Metric:
    """The metric of that name. Raises KeyError."""
    return METRICS[name]


def _mean(
    name: str,
    group: Group,
    score: Score,
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
    return values(evidence_score, records), answerable


def risk_coverage(records: Sequence[Record]) -> RiskCoverage:
    """Risk over coverage of the answers that were given, in falling order of their evidence score."""

    def score(record: Record) -> float | None:
        if record.answer is None or not record.answer.answered or is_right(record) is None:
            return None
        return record.answer.evidence_score

    wrong = np.array([not is_right(r) for r in records], dtype=float)
    return RiskCoverage(values(score, records), wrong)


def _cost(records: Sequence[Record]) -> Ratio:
    """Mean cost; not known as soon as one answer's price is not."""
    costs = values(cost, records)
    unknown = any(r.answer is not None and r.answer.usage.cost_usd is None for r in records)
    return Ratio.mean(np.full_like(costs, np.nan) if unknown else costs, share=False)


def _latency(q: float) -> Callable[[Sequence[Record]], Percentile]:
    return lambda records: Percentile(values(seconds, records), q)


_answer = answer_score
_ALL = (
    *(_mean(f"page_hit@{k}", "retrieval", page_hit(k), headline=k == 5) for k in (1, 3, 5, 10)),
    *(_mean(f"page_recall@{k}", "retrieval", page_recall(k)) for k in (5, 10)),
    _mean("mrr@10", "retrieval", reciprocal_rank(10), headline=True),
    _mean("ndcg@10", "retrieval", ndcg(10)),
    *(_mean(f"doc_hit@{k}", "retrieval", document_hit(k)) for k in (1, 5)),
    _mean("answer_right", "answers", _answer(right), headline=True),
    _mean("outcome_right", "answers", outcome_right, headline=True),
    _mean("answer_hit", "answers", _answer(lambda a, g, _: answers.answer_hit(a, g))),
    _mean("answer_f1", "answers", _answer(answers.answer_f1), headline=True),
    _mean("exact_match", "answers", _answer(answers.exact_match)),
    _mean("token_f1", "answers", _answer(lambda a, g, _: answers.token_f1(a, g), "en")),
    _mean("character_f1", "answers", _answer(lambda a, g, _: answers.character_f1(a, g), "ko")),
    _mean("numeric_match", "answers", _answer(lambda a, g, _: numeric_match(a, g))),
    _mean("rouge_l", "answers", _answer(lambda a, g, _: answers.rouge_l(a, g))),
    _mean("first_citation_hit", "citations", first_citation, headline=True),
    _mean("citation_precision", "citations", citation_precision),
    _mean("citation_recall", "citations", citation_recall),
    _share("citations_proven", lambda r: citations.proven(r.answer.citations) if r.answer else (0, 0)),
    _share(
        "citations_corrected",
        lambda r: citations.corrected(r.answer.citations) if r.answer else (0, 0),
        lower=True,
    ),
    _share("sentences_verified", lambda r: citations.verified(r.answer.sentences) if r.answer else (0, 0)),
    *(_mean(name, "citations", score, lower=True) for name, score in STRICTNESS.items()),
    _mean("abstention_accuracy", "abstention", abstention, headline=True),
    _mean("rightly_abstained", "abstention", abstained(answerable=False)),
    _mean("wrongly_abstained", "abstention", abstained(answerable=True), lower=True),
    Metric("auroc", "abstention", lambda records: Auroc(*_evidence(records))),
    Metric("answered_at_5%_false", "abstention", lambda records: AnsweredAtRate(*_evidence(records))),
    Metric("aurc", "abstention", risk_coverage, higher_is_better=False),
    Metric("cost_usd", "cost", _cost, higher_is_better=False, unit="usd"),
    _mean("input_tokens", "cost", input_tokens, lower=True, unit="tokens"),
    _mean("output_tokens", "cost", output_tokens, lower=True, unit="tokens"),
    Metric("seconds_p50", "cost", _latency(0.5), higher_is_better=False, unit="seconds"),
    Metric("seconds_p95", "cost", _latency(0.95), higher_is_better=False, unit="seconds"),
    _mean("failed", "cost", failed, lower=True),
)
METRICS = {one.name: one for one in _ALL}
