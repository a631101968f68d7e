"""Drafting a question set from the pages of an index."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from rag.evaluation.drafting.rules import Draft, ask_about
from rag.evaluation.questions import Evidence, Question
from rag.text.language import language_of
from rag.text.sentences import sentences
from rag.types import Page

Writer = Callable[[str], Draft | None]
"""Makes a question from the text of a page, or None when it cannot."""

_FEWEST_CHARACTERS = 200  # a title page or a divider has nothing to ask about


def draft_questions(
    pages: Mapping[str, Sequence[Page]],
    count: int,
    *,
    unanswerable: float = 0.25,
    write: Writer | None = None,
    seed: int = 0,
) -> list[Question]:
    """Draft `count` questions over the pages of files, each with its gold page and the sentence it is from.

    A share `unanswerable` of them leaves the document out that holds the answer, so that declining is right.
    Documents take turns, so that a long one does not fill the set. Without `write` the questions are made by
    rule. Fewer come back when the pages hold no more.
    """
    choice = random.Random(seed)  # noqa: S311 - a sample that can be repeated, not a secret
    turns = [_of_file(file, list(own), write or _by_rule(choice), choice) for file, own in pages.items()]
    choice.shuffle(turns)
    drafted = _distinct(_in_turn(turns))
    declined = round(count * unanswerable) if len(pages) > 1 else 0
    found = list(islice(drafted, count))
    made_unanswerable = set(choice.sample(range(len(found)), min(declined, len(found))))
    return [
        _without_its_document(question, at) if at in made_unanswerable else replace(question, id=f"q{at:03d}")
        for at, question in enumerate(found, start=0)
    ]


def _of_file(file: str, pages: list[Page], write: Writer, choice: random.Random) -> Iterator[Question]:
    choice.shuffle(pages)
    for page in pages:
        if page.status.searchable and len(page.text) >= _FEWEST_CHARACTERS:
            draft = write(page.text)
            if draft is not None:
                yield Question(
                    id="",
                    question=draft.question,
                    answers=(draft.answer,),
                    evidence=(Evidence(file, page.number, draft.sentence),),
                    kind=draft.kind,
                    language=language_of(draft.question),
                )


def _by_rule(choice: random.Random) -> Writer:
    """Real questions first; a sentence with a gap only when the page yields nothing better."""

    def write(text: str) -> Draft | None:
        spans = sentences(text)
        choice.shuffle(spans)
        drafts = [draft for start, end in spans if (draft := ask_about(text[start:end])) is not None]
        return min(drafts, key=lambda draft: draft.kind == "cloze", default=None)

    return write


def _in_turn(turns: Iterable[Iterator[Question]]) -> Iterator[Question]:
    """One question of each file, then the next of each, until all are used up."""
    waiting = list(turns)
    while waiting:
        left = []
        for turn in waiting:
            question = next(turn, None)
            if question is not None:
                left.append(turn)
                yield question
        waiting = left


def _distinct(questions: Iterable[Question]) -> Iterator[Question]:
    seen: set[str] = set()
    for question in questions:
        if question.question not in seen:
            seen.add(question.question)
            yield question


def _without_its_document(question: Question, at: int) -> Question:
    return replace(
        question,
        id=f"u{at:03d}",
        answers=(),
        answerable=False,
        leave_out=tuple(e.file for e in question.evidence),
        evidence=(),
    )
