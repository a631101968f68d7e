"""The built-in answerer: no model, only the sentences of the documents that answer the question, word for word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag.answering.citations import PageSource
from rag.answering.question import QuestionAnalysis, analyse, holds_kind
from rag.answering.ranking import EMBEDDED, Candidate, Ranked, candidates, held, rank, term_weights
from rag.answering.reply import Draft, DraftSentence, Quote
from rag.answering.table_answers import answer_from_tables
from rag.answering.tables import Tables
from rag.types import Passage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.answering.ranking import Embed

SENTENCE_MARGIN = 0.12
"""Share of the question's terms by which a sentence must hold more than a cell's headers to be preferred to it."""
COMPUTED_MARGIN = 0.35
"""The same for a computed figure, which no sentence states in the words of the question."""
_FIGURE = re.compile(r"\d")
_CAPTION = re.compile(
    r"\b(?:tables?|follow\w*|below)\b.*[::]$|(?:다음|아래|표).*[::]$", re.IGNORECASE | re.DOTALL
)
_LEADERS = re.compile(r"(?:\.\s?){5,}|…{2,}|·{4,}")
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
    tables: Tables | None = None,
    max_sentences: int = MAX_SENTENCES,
) -> Draft:
    """At most `max_sentences` sentences of the passages, best first, each quoting itself.

    A further one is added only when it, too, is likely to answer.

    `embed` turns texts into unit vectors, float32 [n, d], comparable with `query_vector`, float32 [d]; without
    them the choice rests on words alone. With `pages`, a sentence that its file says on an earlier page too is quoted
    from there. With `tables`, a question for a cell of one is answered with that cell. The draft is declined when the
    passages hold no sentence at all.
    """
    analysed = analyse(question)
    found = candidates(passages)
    if tables is not None and pages is not None:
        looked_up = answer_from_tables(question, passages, tables, pages)
        found, prose = apart_from_tables(found, tables, pages)
        if looked_up is not None and not looked_up.draft.declined:
            best = max(
                (share for c in prose if (share := _share(analysed, c.tokens, found, c.text))), default=0.0
            )
            computed = any(sentence.derived for sentence in looked_up.draft.sentences)
            margin = COMPUTED_MARGIN if computed else SENTENCE_MARGIN
            if looked_up.certain or best <= _share(analysed, looked_up.headers, found) + margin:
                return looked_up.draft
    ranked = rank(analysed, found, passages, embed=embed, query_vector=query_vector)
    chosen = choose(ranked, max_sentences)
    return Draft(tuple(_sentence(candidate, pages) for candidate in chosen), declined=not chosen)


def apart_from_tables(
    found: Sequence[Candidate], tables: Tables, pages: PageSource
) -> tuple[list[Candidate], list[Candidate]]:
    """The candidates without headers and group lines of tables, and of these the ones that are in no table."""
    kept: list[Candidate] = []
    prose: list[Candidate] = []
    for candidate in found:
        kind = _kind_of(candidate, tables, pages)
        kept += [candidate] if kind != "header" else []
        prose += [candidate] if kind == "prose" else []
    return kept or list(found), prose


def _kind_of(candidate: Candidate, tables: Tables, pages: PageSource) -> str:
    """`row`, `header` (of a table, or a line of a table of contents) or `prose`."""
    if _LEADERS.search(candidate.text) or _CAPTION.search(candidate.text):
        return "header"
    words = "".join(candidate.text.split())
    passage = candidate.passage
    for number in range(passage.page, passage.page_end + 1):
        page = pages.page(passage.file, number)
        for table in tables.tables(passage.file, number) if page is not None else ():
            assert page is not None
            if words not in "".join(page.text[table.start : table.end].split()):
                continue
            rows = ("".join(page.text[row.start : row.end].split()) for row in table.rows)
            return (
                "row"
                if any(row in words or (words in row and len(words) > len(row) // 2) for row in rows)
                else "header"
            )
    return "prose"


def _share(
    question: QuestionAnalysis, tokens: frozenset[str], found: Sequence[Candidate], text: str | None = None
) -> float:
    """Share (0 to 1) of the question's terms among the tokens; 0 for a text without the kind of thing asked for."""
    if text is not None and (not holds_kind(question, text) or not _FIGURE.search(text)):
        return 0.0
    return sum(held(term_weights(question, found), tokens).values())


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
