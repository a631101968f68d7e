"""Questions, answers and records for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence

from rag.evaluation.question_sets import Evidence, Question
from rag.evaluation.runs import Record, results_of
from rag.types import Answer, Citation, Passage, QuoteStatus, Sentence, Support, Usage

Page = tuple[str, int]


def question(
    identity: str = "q",
    *,
    answers: Sequence[str] = ("gold",),
    gold: Sequence[Page] = (("a.pdf", 1),),
    **more: object,
) -> Question:
    evidence = tuple(Evidence(file, page) for file, page in gold)
    fields = {
        "question": f"What is {identity}?",
        "language": "en",
        "answerable": bool(gold or answers),
        **more,
    }
    return Question(identity, answers=tuple(answers), evidence=evidence, **fields)  # type: ignore[arg-type]


def passage(file: str, page: int, page_end: int | None = None, score: float = 0.0) -> Passage:
    text = f"What {file} says on page {page}."
    return Passage(page, file, page, page_end or page, text, (), score)


def citation(file: str, page: int, status: QuoteStatus = QuoteStatus.FOUND) -> Citation:
    return Citation(1, file, page, f"words of page {page}", status)


def answer(
    text: str | None,
    *,
    pages: Sequence[Page] = (),
    cited: Sequence[Citation] = (),
    cost: float | None = 0.001,
    seconds: float = 0.5,
    score: float = 0.8,
) -> Answer:
    """An answer; `text` None declines."""
    sentences = (Sentence(text, (1,), Support.VERIFIED),) if text else ()
    return Answer(
        question="",
        answered=text is not None,
        text=text or "",
        sentences=sentences,
        citations=tuple(cited),
        passages=tuple(passage(file, page) for file, page in pages),
        model="scripted",
        prompt="few-shot",
        usage=Usage(100, 20, cost, 1),
        seconds={"total": seconds},
        evidence_score=score,
    )


def record(
    asked: Question,
    text: str | None = "gold",
    *,
    pages: Sequence[Page] = (("a.pdf", 1),),
    cited: Sequence[Citation] | None = None,
    **more: object,
) -> Record:
    cited = [citation(*pages[0])] if cited is None and pages and text else cited or []
    given = answer(text, pages=pages, cited=cited, **more)  # type: ignore[arg-type]
    return Record(asked, results_of(given.passages), given)
