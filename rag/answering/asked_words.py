"""Whether a sentence says what is asked of the thing, and stands where the thing is named.

"Who founded the mill?" is not answered by a sentence about the mill that says nothing of founding, nor by one about
another mill on a page that does not name it. A word counts as said when the sentence has it, another form of it or
another word for it; else by how closely the sentence meets it in context.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rag.answering.question import QuestionAnalysis
from rag.answering.ranking import Ranked, document_of, held, leading
from rag.text.keywords import keyword_tokens, query_terms
from rag.text.language import language_of
from rag.text.patterns import lazy_compile

SAID = 0.3
"""Mean support of the asked words below which nothing of what is asked is said. Unrelated words meet at 0.2 to 0.3.
Of made-up questions about the right thing it declines two thirds that were answered, and one in 200 of those that
Wikipedia pages answer."""
MET = 0.5
"""Cosine from which a word in context stands for a name: an abbreviation, or the name in another script."""
NAMED = 1 / 3
"""Share of a question's names that must stand in the passage."""
_NAME = lazy_compile(r"[\"'“‘(]*[A-Z]")
_LIGHT = lazy_compile(
    r"(?:based|located|situated|found|called|named|held|mean|means|meant|done|take|takes|took|place)\W*$"
)
"""Words that any answer leaves out."""


@dataclass(frozen=True, slots=True)
class AskedWord:
    """A word of a question that says what is asked, or names the thing."""

    text: str
    held: float
    """Share of it (0 to 1) that the sentence holds, with what it is read with."""
    cosine: float
    """How closely the sentence or the one before it meets it in context."""
    name: bool
    """Whether it is written as a name."""


def matters(term: str) -> bool:
    """Whether a term is more than a letter."""
    return len(term) > 1 or term.isdigit()


def asked_words(question: QuestionAnalysis, best: Ranked) -> list[AskedWord]:
    """The words of an English question that matter, as a ranked sentence meets them; none without vectors of tokens.

    Korean writes names like other words, so that in a Korean question they cannot be told from what is asked.
    """
    if best.matches is None or language_of(question.text) != "en":
        return []
    cosines: dict[str, list[float]] = {}
    for word, cosine in zip(best.matches.words, best.matches.cosines[0].tolist(), strict=True):
        cosines.setdefault(word, []).append(cosine)
    candidate, first = best.candidate, question.text.split(maxsplit=1)[0]
    tokens = candidate.tokens | leading(question, candidate) | frozenset(keyword_tokens(candidate.label))
    words = []
    for word, found in cosines.items():
        terms = [term for term in query_terms(word) if term in question.terms and matters(term)]
        if terms:
            share = sum(held({t: 1 / len(terms) for t in terms}, tokens, question.alike).values())
            name = word != first and _NAME.match(word) is not None
            words.append(AskedWord(word, share, math.fsum(found) / len(found), name))
    title = all(word.name for word in words)  # every word begins with a capital letter
    return [replace(word, name=False) for word in words] if title else words


def says_asked(question: QuestionAnalysis, best: Ranked) -> bool:
    """Whether a sentence says anything of what is asked of the thing; names and headings only tell which thing."""
    candidate = best.candidate
    above = frozenset(keyword_tokens(f"{document_of(candidate.passage)} {candidate.heading}"))
    support = [
        max(word.held, word.cosine)
        for word in asked_words(question, best)
        if not word.name and not _LIGHT.match(word.text) and not _among(word.text, above)
    ]
    return not support or math.fsum(support) >= SAID * len(support)


def stands_elsewhere(question: QuestionAnalysis, best: Ranked) -> bool:
    """Whether the passage of a sentence names hardly any of the things that the question names."""
    names = [word for word in asked_words(question, best) if word.name]
    passage = best.candidate.passage
    tokens = frozenset(
        keyword_tokens(f"{document_of(passage)} {passage.header} {passage.heading} {passage.text}")
    )
    known = [word.cosine >= MET or _among(word.text, tokens) for word in names]
    return bool(known) and sum(known) < NAMED * len(known)


def _among(word: str, tokens: frozenset[str]) -> bool:
    own = keyword_tokens(word)
    return 2 * sum(held({token: 1.0}, tokens)[token] > 0 for token in own) >= len(own) > 0
