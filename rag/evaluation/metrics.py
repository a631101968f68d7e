"""Every metric that a run is summed up by: its name, its direction, how it is computed, and its interval.

Retrieval needs gold pages, answers need gold answers; both look at answerable questions only. A question that
failed counts as not found and not answered: leaving it out would flatter the run.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from rag.evaluation import answer_metrics, page_metrics
from rag.evaluation.page_metrics import GoldPage, on_gold
from rag.evaluation.runs import Record
from rag.evaluation.statistics import (
    RESAMPLES,
    AnsweredAtRate,
    Auroc,
    Floats,
    Interval,
    Percentile,
    Ratio,
    RiskCoverage,
    Statistic,
    interval,
    rounded,
)
from rag.types import Answer, QuoteStatus, Support

Score = Callable[[Record], float | None]
"""The value of a metric for one question; None where it does not apply."""

_RIGHT_F1 = 0.5


def values(score: Score, records: Sequence[Record]) -> Floats:
    """The score of each record [n], NaN where it does not apply."""
    return np.array([np.nan if (v := score(r)) is None else v for r in records], dtype=float)


# -- pages --------------------------------------------------------------------------------------------------------


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
        pages = page_metrics.distinct_pages(record.found)
        return measure(page_metrics.gold_found(pages, gold), len(gold))

    return score


def page_hit(k: int) -> Score:
    return page_score(lambda found, _: page_metrics.hit(found, k))


def page_recall(k: int) -> Score:
    return page_score(lambda found, count: page_metrics.recall(found, count, k))


def _document_hit(k: int) -> Score:
    """Whether the file was among the first `k` distinct pages."""

    def score(record: Record) -> float | None:
        files = gold_files(record)
        if not record.question.answerable or not files:
            return None
        return page_metrics.document_hit(page_metrics.distinct_pages(record.found), files, k)

    return score


def _citation_score(measure: Callable[[Answer, frozenset[GoldPage]], float | None]) -> Score:
    """A score of a given answer's citations from a function of (answer, gold pages); 0 when the question failed."""

    def score(record: Record) -> float | None:
        gold = gold_pages(record)
        if not record.question.answerable or not gold or not _asked(record):
            return None
        return measure(record.answer, gold) if record.answer is not None else 0.0

    return score


def _citation_precision(record: Record) -> float | None:
    """The share of the citations that lie on a gold page; None without any citation."""
    gold = gold_pages(record)
    if not record.question.answerable or not gold or record.answer is None or not record.answer.citations:
        return None
    return sum(on_gold(c, gold) for c in record.answer.citations) / len(record.answer.citations)


def _citation_recall(answer: Answer, gold: frozenset[GoldPage]) -> float:
    """The share of the gold pages that are cited."""
    return sum(any(on_gold(c, [page]) for c in answer.citations) for page in gold) / len(gold)


def _first_citation_hit(answer: Answer, gold: frozenset[GoldPage]) -> float:
    """1 when the first citation lies on a gold page."""
    return float(bool(answer.citations) and on_gold(answer.citations[0], gold))


# -- answers ------------------------------------------------------------------------------------------------------


def given(record: Record) -> str:
    """The text of the answer; empty when the question was declined or failed."""
    return record.answer.text if record.answer is not None and record.answer.answered else ""


def _asked(record: Record) -> bool:
    return record.answer is not None or record.failed


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


def right(answer: str, golds: tuple[str, ...], language: str) -> float:
    """1 for an answer that a reader would take as right, judged without a model.

    A gold answer stands in it, however a figure is written, or it overlaps with a gold answer by an F1 of at
    least one half.
    """
    plain_figures = [gold for gold in golds if answer_metrics.is_figure(gold)]
    return float(
        answer_metrics.answer_hit(answer, golds) == 1.0
        or answer_metrics.numeric_match(answer, plain_figures) == 1.0
        or answer_metrics.answer_f1(answer, golds, language) >= _RIGHT_F1
    )


def is_right(record: Record) -> bool | None:
    """Whether the outcome is right: a right answer, or declining what cannot be answered; None: no gold."""
    if not _asked(record):
        return None
    if not record.question.answerable:
        return record.answer is not None and not record.answer.answered
    value = answer_score(right)(record)
    return None if value is None else value == 1.0


def _outcome_right(record: Record) -> float | None:
    """1 when the outcome is right, answerable or not: the one figure that no trade between the two can hide."""
    value = is_right(record)
    return None if value is None else float(value)


def _right_unverified(record: Record) -> float | None:
    """1 when a right answer is shown without a verified sentence."""
    value = answer_score(right)(record)
    if value is None or record.answer is None:
        return None
    return float(value == 1.0 and not record.answer.verified)


def _right_withheld(record: Record) -> float | None:
    """1 when what was withheld, because nothing in it or not all of it is verified, held the right answer."""
    value = answer_score(right)(record)
    if value is None or record.answer is None:
        return None
    withheld = str(record.answer.extra.get("withheld", ""))
    question = record.question
    return float(value != 1.0 and bool(withheld) and right(withheld, question.answers, question.language))


def _wrong_verified(record: Record) -> float | None:
    """1 when a wrong answer, or one to a question that has none, has a verified sentence."""
    outcome = is_right(record)
    if outcome is None or record.answer is None:
        return None
    return float(record.answer.answered and record.answer.verified and not outcome)


STRICTNESS: dict[str, Score] = {
    "right_unverified": _right_unverified,
    "right_withheld": _right_withheld,
    "wrong_verified": _wrong_verified,
}
"""What the strictness of the check costs, and what it lets through."""


# -- abstention and cost ------------------------------------------------------------------------------------------


def _of_answer(measure: Callable[[Answer], float | None]) -> Score:
    """A score of whatever came back; None when the question failed or was not asked."""
    return lambda record: None if record.answer is None else measure(record.answer)


def _abstained(record: Record, *, answerable: bool) -> float | None:
    """1 when a question of this kind was declined."""
    if record.answer is None or record.question.answerable != answerable:
        return None
    return float(not record.answer.answered)


def _abstention_accuracy(record: Record) -> float | None:
    """1 when the question was answered exactly if it can be."""
    return None if record.answer is None else float(record.answer.answered == record.question.answerable)


def seconds(record: Record) -> float | None:
    """Wall time of the whole answer."""
    if record.answer is None or not record.answer.seconds:
        return None
    parts = record.answer.seconds
    return float(parts["total"]) if "total" in parts else float(sum(parts.values()))


def _evidence(records: Sequence[Record]) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    answerable = np.array([r.question.answerable for r in records], dtype=bool)
    return values(_of_answer(lambda answer: answer.evidence_score), records), answerable


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
    costs = values(_of_answer(lambda answer: answer.usage.cost_usd), records)
    unknown = any(r.answer is not None and r.answer.usage.cost_usd is None for r in records)
    return Ratio.mean(np.full_like(costs, np.nan) if unknown else costs, share=False)


def _latency(records: Sequence[Record], q: float) -> Percentile:
    return Percentile(values(seconds, records), q)


# -- the catalogue ------------------------------------------------------------------------------------------------

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


def _share(name: str, marks: Callable[[Answer], Sequence[bool]], *, lower: bool = False) -> Metric:
    """A share of all citations or sentences, not a mean over questions."""

    def build(records: Sequence[Record]) -> Ratio:
        marked = [[] if r.answer is None else marks(r.answer) for r in records]
        return Ratio(
            np.array([sum(one) for one in marked], dtype=float),
            np.array([len(one) for one in marked], dtype=float),
        )

    return Metric(name, "citations", build, higher_is_better=not lower)


_answer, _found = answer_score, page_score
_ALL = (
    *(_mean(f"page_hit@{k}", "retrieval", page_hit(k), headline=k == 5) for k in (1, 3, 5, 10)),
    *(_mean(f"page_recall@{k}", "retrieval", page_recall(k)) for k in (5, 10)),
    _mean("mrr@10", "retrieval", _found(lambda f, _: page_metrics.reciprocal_rank(f, 10)), headline=True),
    _mean("ndcg@10", "retrieval", _found(lambda f, count: page_metrics.ndcg(f, count, 10))),
    *(_mean(f"doc_hit@{k}", "retrieval", _document_hit(k)) for k in (1, 5)),
    _mean("answer_right", "answers", _answer(right), headline=True),
    _mean("outcome_right", "answers", _outcome_right, headline=True),
    _mean("answer_hit", "answers", _answer(lambda a, g, _: answer_metrics.answer_hit(a, g))),
    _mean("answer_f1", "answers", _answer(answer_metrics.answer_f1), headline=True),
    _mean("exact_match", "answers", _answer(answer_metrics.exact_match)),
    _mean("token_f1", "answers", _answer(lambda a, g, _: answer_metrics.token_f1(a, g), "en")),
    _mean("character_f1", "answers", _answer(lambda a, g, _: answer_metrics.character_f1(a, g), "ko")),
    _mean("numeric_match", "answers", _answer(lambda a, g, _: answer_metrics.numeric_match(a, g))),
    _mean("rouge_l", "answers", _answer(lambda a, g, _: answer_metrics.rouge_l(a, g))),
    _mean("first_citation_hit", "citations", _citation_score(_first_citation_hit), headline=True),
    _mean("citation_precision", "citations", _citation_precision),
    _mean("citation_recall", "citations", _citation_score(_citation_recall)),
    _share("citations_proven", lambda answer: [c.verified for c in answer.citations]),
    _share(
        "citations_corrected",  # found on another page than the model claimed
        lambda answer: [c.status is QuoteStatus.MOVED for c in answer.citations],
        lower=True,
    ),
    _share("sentences_verified", lambda answer: [s.support is Support.VERIFIED for s in answer.sentences]),
    *(_mean(name, "citations", score, lower=True) for name, score in STRICTNESS.items()),
    _mean("abstention_accuracy", "abstention", _abstention_accuracy, headline=True),
    _mean("rightly_abstained", "abstention", partial(_abstained, answerable=False)),
    _mean("wrongly_abstained", "abstention", partial(_abstained, answerable=True), lower=True),
    Metric("auroc", "abstention", lambda records: Auroc(*_evidence(records))),
    Metric("answered_at_5%_false", "abstention", lambda records: AnsweredAtRate(*_evidence(records))),
    Metric("aurc", "abstention", risk_coverage, higher_is_better=False),
    Metric("cost_usd", "cost", _cost, higher_is_better=False, unit="usd"),
    _mean("input_tokens", "cost", _of_answer(lambda a: a.usage.input_tokens), lower=True, unit="tokens"),
    _mean("output_tokens", "cost", _of_answer(lambda a: a.usage.output_tokens), lower=True, unit="tokens"),
    Metric("seconds_p50", "cost", partial(_latency, q=0.5), higher_is_better=False, unit="seconds"),
    Metric("seconds_p95", "cost", partial(_latency, q=0.95), higher_is_better=False, unit="seconds"),
    _mean("failed", "cost", lambda record: float(record.failed), lower=True),
)
METRICS = {one.name: one for one in _ALL}


# -- the figures of a run -----------------------------------------------------------------------------------------

Figures = Mapping[str, Interval]

_SLICERS: Mapping[str, Callable[[Record], Iterable[str]]] = {
    "language": lambda record: [record.question.language] if record.question.language else [],
    "kind": lambda record: [record.question.kind] if record.question.kind else [],
    "document": lambda record: sorted(gold_files(record)),
}
_SLICE_RESAMPLES = 500  # a table of many small slices: the second digit of an interval is enough


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run. Metrics that apply to no question are left out."""

    questions: int
    figures: Figures
    slices: Mapping[str, Mapping[str, Figures]] = field(default_factory=dict)
    """By slicer (`language`, `kind`, `document`), then by its value, then by metric."""
    strictness: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The ids of the questions that were right but unverified, right but withheld, and wrong but verified."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a bound that cannot be computed is null."""

        def form(figures: Figures) -> dict[str, Any]:
            return {
                name: {"value": rounded(f.value), "low": rounded(f.low), "high": rounded(f.high), "n": f.n}
                for name, f in figures.items()
            }

        return {
            "questions": self.questions,
            "metrics": form(self.figures),
            "slices": {
                name: {value: form(figures) for value, figures in by_value.items()}
                for name, by_value in self.slices.items()
            },
            "strictness": {name: list(ids) for name, ids in self.strictness.items()},
        }


def summarise(records: Sequence[Record], *, slices: bool = True) -> Summary:
    """Every metric over `records` with its 95 % interval, also by slice unless `slices` is False."""

    def figures_of(some: Sequence[Record], names: Iterable[str], count: int) -> dict[str, Interval]:
        built = {name: METRICS[name].build(some) for name in names}
        figures = {name: interval(one, len(some), count=count) for name, one in built.items() if one.size}
        return {name: figure for name, figure in figures.items() if not math.isnan(figure.value)}

    figures = figures_of(records, METRICS, RESAMPLES)
    sliced: dict[str, dict[str, Figures]] = {}
    for slicer, values_of in _SLICERS.items() if slices else ():
        groups: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            for value in values_of(record):
                groups[value].append(record)
        if len(groups) > 1:  # a single slice would repeat the whole
            sliced[slicer] = {
                value: figures_of(groups[value], figures, _SLICE_RESAMPLES) for value in sorted(groups)
            }
    strictness = {
        name: tuple(record.id for record in records if score(record) == 1.0)
        for name, score in STRICTNESS.items()
    }
    return Summary(len(records), figures, sliced, strictness)
