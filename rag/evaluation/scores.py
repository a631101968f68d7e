"""The metrics of one record: each a function from a record to a value, None where it does not apply.

Retrieval needs gold pages, answers need gold answers; both look at answerable questions only. A question that
failed counts as not found and not answered: leaving it out would flatter the run.
"""

from __future__ import annotations

from collections.abc import Callable

from rag.evaluation.metrics import answers, citations, retrieval
from rag.evaluation.metrics.numbers import is_figure, numeric_match
from rag.evaluation.metrics.retrieval import GoldPage
from rag.evaluation.records import Record

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
