"""How sure the passages are to hold the answer, as a score from 0 to 1.

The score is a logistic function of a few signals, each of which looks for what was asked: the words of the question
without those that only ask, the words of it that the title does not hold, the kind of value, that it is the same
model, year or month, and what a small trained network says that reads question and sentence together
(`answer_head.py`). The constants but for the network's come from the regression of `benchmarks/fit_evidence.py` over
signals that were computed outside it, for half the questions of a set about English Wikipedia pages and for small
collections of manuals, rules and minutes in both languages: answerable questions against questions without an answer,
questions whose document was left out, and, counting less, questions whose answering sentences were taken out. The
network counts for half of what a regression gave it beside the other signals taken as one, and the bias was chosen by
eye, to decline fewer questions.

What one half means depends on the questions. Of those about encyclopedia articles that are not there 2 to 7 % reach
it. Of those about the right thing that ask what its document does not say, 5 to 32 % do, about manuals, the sample
documents and rules. Questions in other words than the document's can fall short of it: a quarter of those about a set
of Korean rules. `rag calibrate` fits the threshold to an index.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.answering.asked_words import matters, says_asked, stands_elsewhere
from rag.answering.candidates import Candidate, asks, candidates, is_whole_sentence
from rag.answering.paraphrases import Alike
from rag.answering.question import QuestionAnalysis, analyse, lacks_value
from rag.answering.question_terms import plain_word
from rag.answering.ranking import (
    ALIKE_WEIGHT,
    IN_FRONT,
    MOST_ODDS,
    NO_ODDS,
    Ranked,
    document_of,
    held,
    leading,
    rank,
    term_weights,
)
from rag.text.keywords import has_search_terms, keyword_tokens, query_terms
from rag.text.language import language_of, without_particle
from rag.text.patterns import lazy_compile
from rag.types import Passage

if TYPE_CHECKING:
    from rag.providers.embedding import EmbedTokens

THRESHOLD = 0.5
"""Default score from which to answer without a model."""
GATE = 0.02
"""Default score from which a model is asked, which can still decline by itself: nearly every question that the
documents answer reaches it, also one in other words than theirs, and half of the others."""
ACROSS_LANGUAGES = 0.3
"""What the shares of terms are taken to be at least when question and passage are in different languages, whose words
cannot agree: enough to go on, too little to answer without a model unless the passage stands out."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What the score is made of."""

    passage: float = 0.0
    """Share of the question's terms in the best passage or its heading (0 to 1). Rare terms count more; those of the
    documents' titles and file names do not count, since they say which document, not whether it has the answer."""
    own: float = 0.0
    """The same share in the best sentence and the one before it, of the terms that its heading does not hold."""
    met: float = 0.0
    """How closely the words of the question that no title or heading holds are met by those of the best sentence and
    the one before it: a weighted mean of cosines."""
    said: float = 0.0
    """The mean cosine by which the best sentence alone meets the words that say what is asked: none that only ask,
    none of the title or heading. The right thing without what is asked of it scores low."""
    margin: float = 0.0
    """How far the best passage's cosine stands out: (best - mean) / (1 - mean) over the passages (0 to 1)."""
    measure: float = 0.0
    """Whether the best sentence has a value of the measure asked for (1) or not (0); 0.5 when none is asked for."""
    lacking: float = 0.0
    """Whether an amount, a count, a time or a maker is asked for and the best sentence has none, no passage names
    what is to be counted, or the sentence says nothing of what is asked."""
    other: float = 0.0
    """Whether the best sentence is about another thing, model, year or month than the question, or its passage names
    hardly anything that the question names."""
    missing: float = 0.0
    """Share of the question's words that stand in no passage."""
    odds: float = 0.0
    """Log-odds of the likeliest sentence in front to answer, by the network that reads question and sentence together
    (-6 to 6); `NO_ODDS` when it read none, or another language than the question's."""


@dataclass(frozen=True, slots=True)
class Model:
    """A logistic regression over the signals."""

    weights: Signals
    bias: float


WORDS = Model(
    Signals(passage=1.2, own=4.2, margin=6.6, measure=0.9, lacking=-5.1, other=-6.1, missing=-1.9), bias=-3.4
)
"""For embeddings that give no vectors of tokens."""
CLOSE = Model(
    Signals(
        passage=1.1,
        own=2.2,
        met=11.9,
        said=7.9,
        measure=0.8,
        lacking=-5.1,
        other=-5.7,
        missing=-2.0,
        odds=0.8,
    ),
    bias=-7.6,
)
"""With late interaction."""
CONFIDENCE = (0.11, 1.82, 1.49)
"""Weights of the score's log-odds and of the logarithm of the first sentence's chance, and the bias.

Fitted to whether the first sentence is right: logistic regression on the sample, on half of the questions about
Wikipedia pages in each language, and on small collections in both, each set weighted by the root of its size. Of the
answers of a set that was left out, those with a confidence of 0.9 or more were right in 92 to 100 of 100 cases."""
WITHOUT_VALUE = 0.3
"""What the score is multiplied with when the value that is asked for (an amount, a count, a time, a maker) is lacking
in the best sentence: too little to answer without a model, however much it says about the thing."""
BESIDE = 3.0
"""Log-odds by which the likeliest sentence counts more than the best one at most, when that is a whole sentence: what
another sentence says does not make the one that is shown answer."""
_COUNTED_KO = lazy_compile(
    r"(?P<thing>[가-힣A-Za-z]+)[이가을를]\s(?:(?:최대|최소|모두|총|전부|각각)(?:한|로)?\s)?"
    r"몇\s?(?:개|마리|대|곳|가지|종|장|권)(?![국월])"
)
"""A Korean question for a count, with the thing that is counted. People are often counted unnamed: 120명이 왔다."""
_LONG_KOREAN = lazy_compile(r"[가-힣]{3,}")
"""A Korean word of three syllables or more: shorter ones of a title (안내, 규정) are in many questions."""
_FOUND = 0.5
"""Share of a word's terms (the pairs of letters of a Korean word) that must be found for the word to be."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """How sure the passages are to hold the answer, and what speaks against it."""

    score: float
    """From 0 to 1."""
    signals: Signals
    missing: tuple[str, ...]
    """Words of the question that stand in no passage and matter: none that only ask."""
    ranked: tuple[Ranked, ...] = ()
    """The sentences of the passages, the likeliest to answer first."""

    @property
    def confidence(self) -> float:
        """How sure the first sentence is to answer (0 to 1): the score, and how far it stands out from the others.

        The scores of the sentences are log-odds within one question, so that their softmax is the chance of the first
        one. 0.9 is right nine times in ten: see `CONFIDENCE`.
        """
        if not self.ranked:
            return 0.0
        front = self.ranked[:IN_FRONT]
        compared = [r.score for r in front if r.matches is not None] or [r.score for r in front]
        chance = 1 / math.fsum(math.exp(other - compared[0]) for other in compared)
        sure = min(max(self.score, 1e-4), 1 - 1e-4)
        of_score, of_chance, bias = CONFIDENCE
        total = of_score * math.log(sure / (1 - sure)) + of_chance * math.log(chance) + bias
        return 1 / (1 + math.exp(-total))


def evidence_score(
    question: str, passages: Sequence[Passage], *, embed_tokens: EmbedTokens | None = None
) -> float:
    """The score alone."""
    return assess(question, passages, embed_tokens=embed_tokens).score


def assess(
    question: str,
    passages: Sequence[Passage],
    *,
    embed_tokens: EmbedTokens | None = None,
    eligible: Callable[[Sequence[Ranked]], Sequence[Ranked]] | None = None,
) -> Assessment:
    """The evidence that the passages, in the order of retrieval, hold the answer.

    It is 0 when there are none, and for a question that names nothing that they could be about ("what is this?").
    `embed_tokens` gives the vectors of tokens in context, for a closer look. `eligible` chooses from the sentences,
    in order, those that can be shown as the answer: the best of them is the one whose evidence counts.
    """
    analysed = analyse(question)
    found = candidates(passages)
    if not found or not has_search_terms(question):
        return Assessment(0.0, Signals(), tuple(question.split()))
    ranked = rank(analysed, found, passages, embed_tokens=embed_tokens)
    missing, share = _missing(analysed, passages)
    if eligible is not None:
        front = eligible(ranked)
        first = set(map(id, front))
        ranked = [*front, *(one for one in ranked if id(one) not in first)]
        if not front:
            return Assessment(0.0, Signals(), missing, tuple(ranked))
    signals = signals_of(analysed, found, passages, ranked, share)
    return Assessment(
        score(signals, WORDS if embed_tokens is None else CLOSE), signals, missing, tuple(ranked)
    )


def score(signals: Signals, model: Model) -> float:
    """The logistic function of the weighted signals, less when the value that is asked for is lacking."""
    names = Signals.__slots__
    total = sum(float(getattr(signals, name)) * float(getattr(model.weights, name)) for name in names)
    return (WITHOUT_VALUE if signals.lacking else 1) / (1 + math.exp(-total - model.bias))


def signals_of(
    question: QuestionAnalysis,
    found: Sequence[Candidate],
    passages: Sequence[Passage],
    ranked: Sequence[Ranked],
    missing: float,
) -> Signals:
    """The signals of a question and its passages; `found` are the passages' sentences, `ranked` the same in order."""
    best = ranked[0]
    weights = _specific(question, found, passages)
    texts = [frozenset(keyword_tokens(f"{passage.heading}\n{passage.text}")) for passage in passages]
    same = best.candidate.is_in(language_of(question.text))
    least = 0.0 if same else ACROSS_LANGUAGES
    lacking = lacks_value(question, best.candidate.text) or _counts_another_thing(
        question, passages, best.candidate
    )
    lacking = lacking or (same and not says_asked(question, best))
    elsewhere = same and (stands_elsewhere(question, best) or _names_another(question, passages, best))
    other = max(best.features.other, float(elsewhere))
    odds = _odds(question, ranked) if same else NO_ODDS
    if other:  # the network takes one model for another
        odds = min(odds, NO_ODDS)
    return Signals(
        passage=max(least, *(_share(weights, tokens, question.alike) for tokens in texts)),
        own=max(least, _own_share(question, weights, best)),
        met=_met(best),
        said=_said(question, best),
        margin=_margin(passages),
        measure=best.features.measure,
        lacking=float(lacking),
        other=other,
        missing=missing if same else 0.0,
        odds=odds,
    )


def _specific(
    question: QuestionAnalysis, found: Sequence[Candidate], passages: Sequence[Passage]
) -> dict[str, float]:
    """The weights of the question's terms that are not in the titles of the passages' documents."""
    titles = {token for p in passages for token in keyword_tokens(document_of(p))}
    return {term: weight for term, weight in term_weights(question, found).items() if term not in titles}


def _share(weights: dict[str, float], tokens: frozenset[str], alike: Alike) -> float:
    total = sum(weights.values())
    return sum(held(weights, tokens, alike).values()) / total if total else 1.0


def _own_share(question: QuestionAnalysis, weights: dict[str, float], best: Ranked) -> float:
    above = best.candidate.heading
    above = "" if asks(above) else above  # what stands under a question is its answer
    heading = frozenset(keyword_tokens(above))
    own = {term: weight for term, weight in weights.items() if term not in heading}
    return _share(own, best.candidate.tokens | leading(question, best.candidate), question.alike)


def _met(best: Ranked) -> float:
    """The mean cosine, weighted, over the tokens of the question that neither title nor heading holds."""
    matches = best.matches
    if matches is None:
        return 0.0
    known = _named_above(best)
    weights = [
        0.0 if known.intersection(keyword_tokens(text)) else float(weight)
        for text, weight in zip(matches.texts, matches.weights, strict=True)
    ]
    if not sum(weights):
        weights = matches.weights.tolist()
    cosines = matches.cosines[0].tolist()
    return math.fsum(w * c for w, c in zip(weights, cosines, strict=True)) / (math.fsum(weights) or 1.0)


def _said(question: QuestionAnalysis, best: Ranked) -> float:
    """The mean over the words that say what is asked of how closely the sentence alone meets their tokens."""
    matches = best.matches
    if matches is None:
        return 0.0
    known = _named_above(best)
    asked: dict[str, list[float]] = {}
    every: dict[str, list[float]] = {}
    for word, cosine in zip(matches.words, matches.cosines[1].tolist(), strict=True):
        every.setdefault(word, []).append(cosine)
        tokens = keyword_tokens(word)
        named = 2 * sum(token in known for token in tokens) >= len(tokens) > 0
        if not named and any(matters(term) and term in question.terms for term in query_terms(word)):
            asked.setdefault(word, []).append(cosine)
    means = [math.fsum(found) / len(found) for found in (asked or every).values()]
    return math.fsum(means) / (len(means) or 1)


def _odds(question: QuestionAnalysis, ranked: Sequence[Ranked]) -> float:
    """Those of the likeliest sentence that has the amount, count or time asked for, not much above the best one's."""
    read = [(r, float(r.matches.odds[0])) for r in ranked if r.matches is not None]
    able = [
        odds if is_whole_sentence(r.candidate.text) else max(odds, NO_ODDS)  # it was taught with sentences
        for r, odds in read
        if not lacks_value(question, r.candidate.text)
    ]
    if not able:
        return NO_ODDS
    best, own = read[0]
    most = own + BESIDE if best is ranked[0] and is_whole_sentence(best.candidate.text) else MOST_ODDS
    return max(min(max(able), most, MOST_ODDS), -MOST_ODDS)


def _named_above(best: Ranked) -> frozenset[str]:
    """The tokens of the title, file name and heading of the best sentence."""
    candidate = best.candidate
    return frozenset(keyword_tokens(f"{document_of(candidate.passage)} {candidate.heading}"))


def _margin(passages: Sequence[Passage]) -> float:
    cosines = [p.similarity for p in passages if p.similarity is not None]
    mean = sum(cosines) / len(cosines) if cosines else 0.0
    return (max(cosines) - mean) / (1 - mean) if cosines and mean < 1 else 0.0


def _missing(question: QuestionAnalysis, passages: Sequence[Passage]) -> tuple[tuple[str, ...], float]:
    """The words of the question most of which stands in no passage or title, and their share of those that matter."""
    everything = frozenset(
        t for p in passages for t in keyword_tokens(f"{document_of(p)} {p.heading} {p.text}")
    )
    missing, count = {}, 0
    for word in question.text.split():
        terms = {t: w for t, w in query_terms(word).items() if t in question.terms and matters(t)}
        count += bool(terms)
        least = _FOUND * (ALIKE_WEIGHT if terms.keys() & question.alike.keys() else 1)
        if terms and _share(terms, everything, question.alike) < least:
            missing[word] = plain_word(word)
    return tuple(dict.fromkeys(filter(None, missing.values()))), len(missing) / max(count, 1)


def _names_another(question: QuestionAnalysis, passages: Sequence[Passage], best: Ranked) -> bool:
    """Whether a word of a Korean question is in the title of another document, and not in the passage or its own."""
    passage = best.candidate.passage
    own = frozenset(
        keyword_tokens(f"{document_of(passage)} {passage.header} {passage.heading} {passage.text}")
    )
    titles = {p.file: frozenset(keyword_tokens(document_of(p))) for p in passages if p.file != passage.file}
    for word in _LONG_KOREAN.findall(question.text):
        terms = keyword_tokens(without_particle(word))
        held_here = any(held(dict.fromkeys(terms, 1.0), own, question.alike).values())
        if len(terms) > 1 and not held_here and any(title.issuperset(terms) for title in titles.values()):
            return True
    return False


def _counts_another_thing(question: QuestionAnalysis, passages: Sequence[Passage], best: Candidate) -> bool:
    """Whether the question says what is counted: "how many lifeboats" when no passage names any, "줄을 몇 개" when
    neither the best sentence nor what it is read with does. A Korean counter by itself stands for many things."""
    if korean := _COUNTED_KO.search(question.text):
        passage = best.passage
        near = f"{document_of(passage)} {passage.heading} {best.label} {best.context} {best.text}"
        thing = korean["thing"]
        others = frozenset[str]().union(*(question.alike.get(t, ()) for t in keyword_tokens(thing)))
        return not any(word in near for word in (thing, *others))
    counted = question.unit.removesuffix("s")
    if len(counted) < 3 or not counted.isascii():
        return False
    return not any(counted in f"{p.heading} {p.text}".casefold() for p in passages)
