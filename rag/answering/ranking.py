"""Rank candidate sentences by how likely they answer the question: a linear score of a few readable features.

The weights were fitted as a softmax over the candidates of each question (maximum likelihood of the sentences that
hold a gold answer on a gold page, L2 penalty) by `benchmarks/fit_sentences.py`, on questions about Korean and English
Wikipedia pages, the sample documents, and small collections of manuals, rules and minutes in both languages, those of
a small set counting more. It prints the figures for each collection when it is left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from rag.answering.asked_forms import only_describes, states_default
from rag.answering.candidates import Candidate, is_whole_sentence, items_after, opens_list
from rag.answering.definitions import identifiers, says_what
from rag.answering.identity import Named, conflict, named, other_topic, subjects, topic
from rag.answering.late_interaction import Matches, match
from rag.answering.paraphrases import Alike
from rag.answering.question import (
    LABELLED,
    AnswerKind,
    QuestionAnalysis,
    counts_unit,
    holds_kind,
    holds_measure,
)
from rag.text.keywords import STEM, keyword_tokens, same_stem
from rag.text.language import language_of
from rag.text.patterns import lazy_compile
from rag.types import Passage

if TYPE_CHECKING:
    from rag.providers.embedding import EmbedTokens


_SEPARATORS = lazy_compile(r"\.[A-Za-z]\w{0,4}$|[-_./\\]")
"""What is between the words of a file name, and its ending."""
_NUMBER = lazy_compile(r"\d{1,2}(?:\.\d{1,2})*[.)]\s")
"""The number of a heading, which says nothing new."""
READ = 2
"""Passages that are read again at most, those of the likeliest sentences: each costs as much as embedding one."""
STEM_WEIGHT = 0.7
"""What another form of a word counts for, against 1 for the same word."""
ALIKE_WEIGHT = 0.6
"""What another word for it counts for."""
ECHO = 20.0
"""Log-odds taken from a line that only repeats the question: more than all else can give."""
OPENING = 3.0
"""Log-odds taken from a sentence that opens a list which is not there, or only says what a setting is for: about what
the right kind of answer gives."""
VALUES = (AnswerKind.PLACE, AnswerKind.DATE, AnswerKind.NUMBER)
"""The kinds whose answer is a value."""
AHEAD = 1.0
"""Log-odds by which the sentence that states a default is put before the one that describes the setting."""
IN_FRONT = 12
"""Sentences whose tokens are compared: the gold answer is among so many in 98 of 100 cases."""
ENOUGH_NEW = 6
"""New words beyond which more do not make an answer likelier."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the score of a candidate sentence is made of; each from 0 to 1 unless noted."""

    coverage: float
    """Share of the question's terms in the sentence, rare ones counting more."""
    named: float
    """The part of it that the title or heading holds too: it tells whose sentence it is, not that it answers."""
    before: float
    """Share that only the sentence before adds."""
    after: float
    """Share that only the sentence after adds."""
    heading: float
    """Share that only the title or heading adds."""
    similarity: float
    """Cosine of question and passage, less that of the best passage (0 or below)."""
    rank: float
    """1 / rank of the passage."""
    kind: float
    """Whether it holds a date, number, person or place when one is asked for."""
    unit: float
    """Whether it counts what is asked to be counted."""
    new: float
    """How much it says that the question does not."""
    file: float
    """Share of the retrieved passages, weighted by rank, that are of its file."""
    measure: float = 0.5
    """Whether it holds a value of the measure, or a count of the things, that is asked for."""
    other: float = 0.0
    """Whether it is about another thing, model, option, year or month than the question."""
    says: float = 0.0
    """Whether it says what the thing is or does, when that is asked."""
    interaction: float = 0.0
    """How closely its words meet those of the question, in context, less that of the best sentence in front."""
    odds: float = 0.0
    """Log-odds that it answers, by the network that reads it with the question (-6 to 6); 0 when none read it."""


WORDS = Features(
    coverage=12.3,
    named=-5.2,
    before=6.1,
    after=2.5,
    heading=3.4,
    similarity=54.0,
    rank=0.9,
    kind=2.3,
    unit=1.3,
    new=1.3,
    file=2.9,
    measure=3.5,
    other=-2.2,
    says=3.0,
)
"""Weights when only words are compared."""
CLOSE = Features(
    coverage=6.9,
    named=-4.7,
    before=5.8,
    after=2.6,
    heading=3.5,
    similarity=26.0,
    rank=0.5,
    kind=2.2,
    unit=1.3,
    new=0.3,
    file=3.1,
    measure=2.8,
    other=-2.4,
    says=3.0,
    interaction=17.8,
    odds=0.3,
)
"""Weights among the sentences in front, when their tokens are compared too. That of the network's odds was chosen by
eye: it decides between sentences that are nearly equal otherwise."""
NO_ODDS = -1.0
"""Log-odds of what the network cannot judge. It was trained on whole sentences: those of other lines are no lower."""
MOST_ODDS = 6.0
"""Log-odds beyond which the network is not trusted more: it has given as much to wrong sentences."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score (a log-odds scale, comparable within one question) and its features."""

    candidate: Candidate
    score: float
    features: Features
    matches: Matches | None = None
    """How closely each word of the question is met: by it or the sentence before it (first row), and by it alone."""


def rank(
    question: QuestionAnalysis,
    found: Sequence[Candidate],
    passages: Sequence[Passage],
    *,
    embed_tokens: EmbedTokens | None = None,
) -> list[Ranked]:
    """The candidates, best first. `embed_tokens` refines the order of those in front."""
    rows = features(question, found, passages)
    ranked = _sorted(
        Ranked(c, score(f, WORDS) - _empty(question, c, f), f) for c, f in zip(found, rows, strict=True)
    )
    if embed_tokens is None or not ranked:
        return ranked
    front = ranked[:IN_FRONT]
    read = set(list(dict.fromkeys(r.candidate.rank for r in front))[:READ])
    head = [r for r in front if r.candidate.rank in read]
    behind = [r for r in front if r.candidate.rank not in read] + ranked[IN_FRONT:]
    closer = _sorted(_closer(question, head, found, embed_tokens))
    return (_default_first(closer) if question.default else closer) + behind


def _default_first(ranked: list[Ranked]) -> list[Ranked]:
    """The sentence that states the default in front, when it stands under the same term as the best one."""
    best = ranked[0]
    if states_default(best.candidate.text):
        return ranked
    for other in ranked[1:]:
        c = other.candidate
        same = c.rank == best.candidate.rank and c.label == best.candidate.label
        if same and best.candidate.tokens <= c.entry and states_default(c.text):
            return [replace(other, score=best.score + AHEAD), *(r for r in ranked if r is not other)]
    return ranked


def _closer(
    question: QuestionAnalysis, head: Sequence[Ranked], found: Sequence[Candidate], embed_tokens: EmbedTokens
) -> Iterator[Ranked]:
    """The sentences in front with the late interaction of question and sentence."""
    read = {r.candidate.rank for r in head}
    known = [candidate for candidate in found if candidate.rank in read]
    matches = match(question.text, known, embed_tokens, front=[r.candidate for r in head])
    place = {id(candidate): i for i, candidate in enumerate(known)}
    scores = matches.scores()
    best = max(float(scores[place[id(r.candidate)]]) for r in head)
    language = language_of(question.text)
    for ranked in head:
        at = place[id(ranked.candidate)]
        same = ranked.candidate.is_in(language)
        least = -MOST_ODDS if is_whole_sentence(ranked.candidate.text) else NO_ODDS
        odds = min(max(float(matches.odds[at]), least), MOST_ODDS) if same else 0.0
        row = replace(ranked.features, interaction=float(scores[at]) - best, odds=odds)
        pair = [at - 1, at] if at and known[at - 1].rank == ranked.candidate.rank else [at]
        cosines = matches.cosines
        own = np.stack([cosines[pair].max(0), cosines[at]])
        met = replace(matches, cosines=own, odds=matches.odds[[at]])
        empty = _empty(question, ranked.candidate, row)
        yield Ranked(ranked.candidate, score(row, CLOSE) - empty, row, met)


def features(
    question: QuestionAnalysis, found: Sequence[Candidate], passages: Sequence[Passage]
) -> list[Features]:
    """The features of each candidate, without `interaction` and `odds`."""
    asked, identified = named(question.text), identifiers(question.text)
    topics = [topic(candidate.text) for candidate in found]
    known = frozenset(word for words in topics for word in words).union(*(subjects(c.text) for c in found))
    weights = term_weights(question, found)
    heads = {place: frozenset(keyword_tokens(" ".join(place[1:]))) for place in map(_place, found)}
    headings = {place: held(weights, head, question.alike) for place, head in heads.items()}
    best = max((p.similarity for p in passages if p.similarity is not None), default=0.0)
    shares = _file_shares(passages)
    return [
        _features(
            question,
            c,
            weights,
            headings[_place(c)],
            heads[_place(c)],
            best,
            shares,
            max(
                _other(asked, c),
                float(other_topic(question.text, known, own, _told(c))),
                float(not identified <= (identifiers(c.label) or identifiers(c.text))),
            ),
        )
        for c, own in zip(found, topics, strict=True)
    ]


def _place(candidate: Candidate) -> tuple[int, str, str]:
    """The passage of a candidate and what it stands under there."""
    passage = candidate.passage
    same = candidate.heading == passage.heading
    document = f"{passage.title} {passage.header}" if same else document_of(passage)
    return candidate.rank, document, candidate.heading


def _other(asked: Named, candidate: Candidate) -> float:
    """Whether a candidate is about another model, year or month than is asked for."""
    if not asked:
        return 0.0
    passage = candidate.passage
    near, document = f"{candidate.context} {candidate.text}", document_of(passage)
    return conflict(asked, [_named(text) for text in (near, candidate.heading, document, passage.header)])


def document_of(passage: Passage) -> str:
    """The title and the words of the file name of a passage's document, without the ending that says its format."""
    return f"{passage.title} {_SEPARATORS.sub(' ', passage.file)}"


def _told(candidate: Candidate) -> str:
    """A sentence with what it stands under."""
    p = candidate.passage
    return f"{document_of(p)} {p.header} {candidate.heading} {candidate.label} {candidate.text}"


_named = lru_cache(maxsize=4096)(named)


def term_weights(question: QuestionAnalysis, found: Sequence[Candidate]) -> dict[str, float]:
    """The weight of each term of the question, summing to 1: rarer among the candidates counts more."""
    counts = Counter(token for candidate in found for token in candidate.tokens)
    raw = {t: w * math.log(1 + len(found) / (counts[t] + 0.5)) for t, w in question.terms.items()}
    total = sum(raw.values()) or 1.0
    return {term: weight / total for term, weight in raw.items()}


def _features(
    question: QuestionAnalysis,
    candidate: Candidate,
    weights: dict[str, float],
    heading: dict[str, float],
    head: frozenset[str],
    best: float,
    shares: dict[str, float],
    other: float,
) -> Features:
    opens = candidate.start == candidate.explained
    says = says_what(question.thing, candidate.text, candidate.label if opens else "")
    own = weights if says else held(weights, candidate.tokens, question.alike)
    coverage = sum(own.values())
    named = sum(min(own[term], heading[term]) for term in weights)
    added = []
    for around in (
        held(weights, leading(question, candidate), question.alike),
        held(weights, candidate.after, question.alike),
        heading,
    ):
        added.append(sum(max(around[term] - own[term], 0.0) for term in weights))
        own = {term: max(around[term], own[term]) for term in weights}
    similarity = candidate.passage.similarity
    number = _NUMBER.match(candidate.text)
    numbered = frozenset(keyword_tokens(number[0])) if number else frozenset()
    told = f"{candidate.label} {candidate.text}" if question.kind in LABELLED else candidate.text
    return Features(
        coverage=coverage,
        named=named,
        before=added[0],
        after=added[1],
        heading=added[2],
        similarity=0.0 if similarity is None else similarity - best,
        rank=1 / (1 + candidate.rank),
        kind=holds_kind(question, told),
        unit=counts_unit(question, candidate.text),
        new=min(len(candidate.tokens - question.terms.keys() - head - numbered), ENOUGH_NEW) / ENOUGH_NEW,
        file=shares[candidate.file],
        measure=holds_measure(question, candidate.text),
        other=other,
        says=float(says),
    )


def leading(question: QuestionAnalysis, candidate: Candidate) -> frozenset[str]:
    """Tokens of what a candidate is read with: the sentence before it; for a default all that its entry says before.

    "The default is 15." is said at the end of what explains a setting, and names nothing by itself.
    """
    return candidate.before | candidate.entry if question.default else candidate.before


def held(
    weights: dict[str, float], tokens: frozenset[str], alike: Alike = MappingProxyType({})
) -> dict[str, float]:
    """For each term the part of its weight that the tokens hold; `alike` has other words for the terms."""
    forms: dict[str, list[str]] = {}
    for token in tokens:
        forms.setdefault(token[:STEM], []).append(token)
    return {
        term: weight
        if term in tokens
        else weight
        * max(
            STEM_WEIGHT * any(same_stem(term, token) for token in forms.get(term[:STEM], ())),
            ALIKE_WEIGHT * any(word in tokens or _inflected(word, forms) for word in alike.get(term, ())),
        )
        for term, weight in weights.items()
    }


def _inflected(word: str, forms: dict[str, list[str]]) -> bool:
    return any(same_stem(word, token) for token in forms.get(word[:STEM], ()))


def _file_shares(passages: Sequence[Passage]) -> dict[str, float]:
    shares = dict.fromkeys((passage.file for passage in passages), 0.0)
    for place, passage in enumerate(passages, 1):
        shares[passage.file] += 1 / place
    total = sum(shares.values())
    return {file: share / total for file, share in shares.items()}


def score(row: Features, weights: Features) -> float:
    """Log-odds, but for a constant of the question, that the candidate answers."""
    return sum(float(getattr(row, name)) * float(getattr(weights, name)) for name in Features.__slots__)


def _empty(question: QuestionAnalysis, candidate: Candidate, row: Features) -> float:
    """What is taken from a line that answers nothing by itself.

    One that is no whole sentence and only says what the question says is a heading elsewhere on the page.
    """
    if question.kind in VALUES and only_describes(candidate.text):
        return OPENING
    opens = opens_list(candidate.text)
    if opens and items_after(candidate):
        return 0.0
    if row.new == 0 and not is_whole_sentence(candidate.text):
        return ECHO
    return OPENING * opens


def _sorted(ranked: Iterable[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda r: -r.score)
