"""The built-in answerer: no model, only the sentences of the documents that answer the question, word for word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag.answering.citations import PageSource
from rag.answering.question import analyse
from rag.answering.ranking import EMBEDDED, Candidate, Ranked, addresses_model, candidates, rank
from rag.answering.reply import Draft, DraftSentence, Quote
from rag.types import Passage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.answering.ranking import Embed

SAME = 0.8
"""Share of common words (Jaccard) from which two sentences say the same."""
MAX_SENTENCES = 2
"""Sentences of an answer at most, when nothing else is asked for."""
WITHIN = 4.0
"""Log-odds by which a further sentence may be less likely to answer than the first: one to 55. Of the questions about
Korean and English Wikipedia pages two in five then get one sentence, and one in 200 loses the answer by it."""


def answer(
    question: str,
    passages: Sequence[Passage],
    *,
    embed: Embed | None = None,
    query_vector: NDArray[np.float32] | None = None,
    pages: PageSource | None = None,
    max_sentences: int = MAX_SENTENCES,
) -> Draft:
    """At most `max_sentences` sentences of the passages, best first, each quoting itself.

    A further one is added only when it, too, is likely to answer.

    `embed` turns texts into unit vectors, float32 [n, d], comparable with `query_vector`, float32 [d]; without
    them the choice rests on words alone. With `pages`, a sentence that its file says on an earlier page too is quoted
    from there. The draft is declined when the passages hold no sentence at all.
    """
    analysed = analyse(question)
    found = candidates(passages)
    ranked = rank(analysed, found, passages, embed=embed, query_vector=query_vector)
    honest = [one for one in ranked[:EMBEDDED] if not addresses_model(one.candidate.text)]
    chosen = choose(honest or ranked, max_sentences)
    return Draft(tuple(_sentence(candidate, pages) for candidate in chosen), declined=not chosen)


def choose(ranked: Sequence[Ranked], count: int) -> list[Candidate]:
    """The best candidates that differ, at most `count`, none much less likely than the first to answer.

    Of sentences that say the same in one file it is the earliest page's. Documents repeat themselves (a summary, a
    later chapter); where a thing is said first is where it belongs.
    """
    chosen: list[Candidate] = []
    for candidate, score in ((r.candidate, r.score) for r in ranked[:EMBEDDED]):
        same = next((i for i, other in enumerate(chosen) if _alike(other, candidate)), None)
        if same is None:
            likely = score >= ranked[0].score - WITHIN
            chosen += [candidate] if likely and len(chosen) < count else []
        elif candidate.file == chosen[same].file and candidate.passage.page < chosen[same].passage.page:
            chosen[same] = candidate
    return chosen


def _alike(a: Candidate, b: Candidate) -> bool:
    return len(a.tokens & b.tokens) >= SAME * len(a.tokens | b.tokens)


def _sentence(candidate: Candidate, pages: PageSource | None) -> DraftSentence:
    number = candidate.rank + 1
    text = " ".join(candidate.text.split())
    page = _first_page(candidate, pages) if pages is not None else None
    return DraftSentence(text, (number,), (Quote(candidate.text, number, page),), starts_line=True)


def _first_page(candidate: Candidate, pages: PageSource) -> int | None:
    """The first page of the file with the sentence, when it lies before the passage."""
    sentence = "".join(candidate.text.split())
    before = (p for p in pages.pages(candidate.file) if p.number < candidate.passage.page)
    return next((p.number for p in before if sentence in "".join(p.text.split())), None)
