"""Whether one English sentence follows from another, by aligning their words.

Every word of the claim must stand in the source's sentence, in its order; what the source has beside it may be left
out only where a sentence may lose it: a parenthesis, an apposition, a further clause, or where and when of something
that happened, but no condition, negation, quantity, hedge or attribution. A few rewrites are tried: the passive
turned active, a phrase moved to the front, an apposition made a sentence. Nothing else passes, and most paraphrases
do not: a wrong "yes" costs more than a reader's glance at the quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from rag.answering import rewrites as words
from rag.answering.alignment_gaps import Gaps
from rag.answering.coordination import SUBJECT_WORDS, statements
from rag.answering.english_words import PUNCTUATION, Source, adjuncts, is_past, tokenize
from rag.text.patterns import lazy_compile

Basis = Literal["quoted", "entailed"]

_TITLE = lazy_compile(
    r"(?:^(?P<first>(?:[A-Z][\w-]* ){1,3}(?:[a-z][a-z-]+ ){1,2})and )?"
    r"\b(?P<told>(?:[A-Z][\w-]* ){0,3}(?:[a-z][a-z-]+ ){1,3})(?P<name>[A-Z][\w.'-]+ [A-Z][\w'-]+)"
)
"""What a person is called before a name of two words; at the beginning of a sentence two such."""
_OFFICE = lazy_compile(
    r"(?:\b[A-Z][\w-]+ ){0,3}\b(?:Senator|Governor|Congressman|Congresswoman|Representative"
    r"|Attorney General|Mayor|Minister|Professor|Judge|Ambassador|Chancellor|Cardinal|Archbishop|Bishop) "
    r"(?=[A-Z][\w.'-]+ [A-Z])"
)
"""An office with what is before it, before a name of two words."""
_FUNCTION_WORDS = (
    words.ARTICLES | words.PREPOSITIONS | words.RELATIVES | words.word_set("of that and or but as not than")
)
_NO_TITLE = (
    _FUNCTION_WORDS | words.GUARDS | words.COPULAS | words.SUBORDINATORS | words.CLAUSE_OPENERS | {"unlike"}
)
"""Words before a name that are no part of what its bearer is called."""
_PRESENT = words.word_set("has have can may must will should does do")
_LONGEST_ITEM = 8
"""Words within which the "and" of a list must follow one of its commas."""
_LONGEST_FRONT = 5
"""Words of the longest phrase that is moved from the front without a comma behind it."""
LONGEST = 90
"""Words beyond which a sentence is aligned only part by part between its semicolons: it is a list or a broken page,
and alignment is quadratic."""


def follows(claim: str, sentence: str, before: str = "", question: str = "") -> Basis | None:
    """How the claim follows from the sentence; None when that cannot be told.

    `quoted` means that it is the sentence's words, whole or shortened; `entailed` that it is a safe rewrite of them.
    `before` is the sentence before it on the page, whose subject an "it" of the sentence takes up; `question` what
    the claim answers, whose subject an "it" of the claim takes up.
    """
    wanted = tuple(tokenize(claim))
    found = aligned(wanted, tuple(tokenize(sentence)), before, question)
    bare = _TITLE.sub(_untitled, _OFFICE.sub(_without_office, sentence))
    return found or (aligned(wanted, tuple(tokenize(bare)), before, question) if bare != sentence else None)


def _without_office(match: re.Match[str]) -> str:
    """What stands before an office and does not belong to it: the `If` of `If Democratic Governor …`."""
    told = match[0].split()
    last = max((i for i, t in enumerate(told) if _is_no_title(t)), default=-1)
    return "".join(f"{word} " for word in told[: last + 1])


def _is_no_title(word: str) -> bool:
    """Whether a word before a name is no part of a title: the `Blaming` of `Blaming Senator …` governs the name."""
    return word.casefold() in _NO_TITLE or word.endswith("ing")


def _untitled(match: re.Match[str]) -> str:
    """A name without what is told of its bearer before it: `cartoonist Matt Groening`, `Matt Groening`."""
    told, first = match["told"].split(), (match["first"] or "").split()
    last = max((i for i, t in enumerate(told) if _is_no_title(t) or is_past(t)), default=-1)
    if last >= 0 or any(_is_no_title(t) or is_past(t) for t in first):
        told = [*first, "and"] * bool(first) + told[: last + 1]
    else:
        told = []
    return " ".join([*told, match["name"]])


def aligned(wanted: tuple[str, ...], source: tuple[str, ...], before: str, question: str) -> Basis | None:
    """`follows` for claim and sentence as tokens."""
    if not any(word[0].isalpha() for word in wanted) or len(wanted) > LONGEST:
        return None
    if len(source) > LONGEST:
        found = {aligned(wanted, part, "", question) for part in _unguarded_parts(source)}
        return "quoted" if "quoted" in found else "entailed" if "entailed" in found else None
    said = statements(source)
    if any(Alignment(wanted, Source(one)).holds(exact=True) for one in said):
        return "quoted"
    # behind its verb "for her followers" would tell of the deed, and no more of whose belief it is
    sources = [Source(v) for one in said for v in ([one] if one[0] in ("for", "to") else variants(one))]
    for variant in (
        *variants(wanted),
        *_turned(wanted),
        *_with_pronoun(wanted, source, before),
        *_with_subject(wanted, source, question),
    ):
        if any(Alignment(variant, one).holds() for one in sources):
            return "entailed"
    return None


def _unguarded_parts(source: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The parts of a long sentence between its semicolons, up to the first that may restrict those behind it."""
    start = 0
    for i in (*(i for i, word in enumerate(source) if word == ";"), len(source)):
        if start < i <= start + LONGEST:
            yield source[start:i]
        if ":" in source[start:i] or (words.GUARDS - words.QUANTITIES) & set(source[start:i]):
            return
        start = i + 1


@dataclass(frozen=True)
class Alignment:
    """A claim beside a source."""

    claim: tuple[str, ...]
    source: Source

    def holds(self, *, exact: bool = False) -> bool:
        """Whether all words of the claim stand in the source in order, and all that is left out may be."""
        spoken = [t for t in self.claim if t not in PUNCTUATION]
        if self._aligned(tuple(spoken), exact=exact, apart=frozenset()):
            return True
        return self._aligned_apart(self.claim, exact=exact)

    def _aligned_apart(self, claim: tuple[str, ...], *, exact: bool) -> bool:
        """The same with the phrases of time taken out of both: they may stand anywhere in their clause."""
        own = list(adjuncts(claim))
        if not own and not self.source.adjuncts:
            return False
        taken = {i for a, b in own for i in range(a, b)}
        rest = tuple(t for i, t in enumerate(claim) if i not in taken and t not in PUNCTUATION)
        apart: set[int] = set()
        clauses: set[int] = set()
        last = -1
        for a, b in own:
            place = self._same_adjunct(claim[a:b])
            if place is None or place[0] < last:
                return False
            last = place[0]
            if not self._stays(claim[:a], place):
                if "and" in self.source.tokens[max(place[0] - 2, 0) : place[0]]:
                    return False  # "and, since 2011, of the team": it belongs to the second alone
                if exact or len(own) > 1 or not self._alone(place):
                    return False
                clauses.add(self.source.clauses[place[1] - 1])
            apart |= set(range(*place))
        return bool(rest) and self._aligned(
            rest, exact=exact, apart=frozenset(apart), clauses=frozenset(clauses)
        )

    def _stays(self, before: Sequence[str], place: tuple[int, int]) -> bool:
        """Whether a phrase of time has the word before it that it has in the source."""
        ahead = self.source.tokens[: place[0]]
        return bool(before and ahead and before[-1] == ahead[-1]) or not (before or ahead)

    def _alone(self, place: tuple[int, int]) -> bool:
        """Whether it is the only phrase of time in its clause, so that it may stand anywhere in it."""
        clause = self.source.clauses[place[1] - 1]
        return sum(self.source.clauses[b - 1] == clause for _, b in self.source.adjuncts) <= 1

    def _same_adjunct(self, phrase: tuple[str, ...]) -> tuple[int, int] | None:
        """Where the source has the phrase of time."""
        tokens = self.source.tokens
        for a, b in self.source.adjuncts:
            if tokens[a:b] == phrase or (len(phrase) == 2 and b == a + 2 and _within(phrase, tokens[a:b])):
                return a, b
        if len(phrase) == 2 and phrase[0] in ("in", "on"):
            return next(((i, i + 1) for i, t in enumerate(tokens) if t == phrase[1] and t[0] == "@"), None)
        return None

    def _aligned(
        self,
        claim: tuple[str, ...],
        *,
        exact: bool,
        apart: frozenset[int],
        clauses: frozenset[int] = frozenset(),
    ) -> bool:
        tokens = self.source.tokens
        gaps = Gaps(self.source, claim, apart)

        @cache
        def fits(i: int, j: int) -> bool:
            """Whether the claim from word `i` aligns with the source from token `j`."""
            if i == len(claim):
                return gaps.may_end(j)
            for k in range(j, len(tokens)):
                if clauses and self.source.clauses[k] not in clauses:
                    continue
                same = k not in apart and _same(claim[i], tokens[k], exact)
                if same and gaps.may_skip(j, k, first=i == 0) and fits(i + 1, k + 1):
                    return True
            if claim[i] in words.ARTICLES or claim[i] == "that":
                return fits(i + 1, j)
            if exact:
                return False
            return (self._apposition(claim, i, j) or self._list_comma(claim, i, j)) and fits(i + 1, j + 1)

        return fits(0, 0)

    def _list_comma(self, claim: tuple[str, ...], i: int, j: int) -> bool:
        """Whether the claim's "and" stands for a comma of a list: `glass, wood and most metals`, `glass and wood`."""
        tokens = self.source.tokens
        if claim[i] != "and" or j == 0 or j + 1 >= len(tokens) or tokens[j] != ",":
            return False
        named = tokens[j + 1] not in words.ARTICLES | words.RELATIVES | words.CLAUSE_OPENERS
        return named and not is_past(tokens[j + 1]) and "and" in tokens[j + 1 : j + _LONGEST_ITEM]

    def _apposition(self, claim: tuple[str, ...], i: int, j: int) -> bool:
        """Whether the claim's copula stands for the comma before an apposition or a participle."""
        tokens = self.source.tokens
        if claim[i] not in words.COPULAS or i == 0 or j == 0 or j + 1 >= len(tokens) or tokens[j] != ",":
            return False
        participle = is_past(tokens[j + 1]) and claim[i] in words.BE_PAST
        return tokens[j + 1] in words.ARTICLES or tokens[j + 1] == "former" or participle


def _within(phrase: Sequence[str], other: Sequence[str]) -> bool:
    """Whether `in 1973` is said by `on @1973-10-06@`."""
    date = other[1].strip("@")
    said = phrase[1].strip("@")
    return phrase[0] in ("in", "on") and other[0] in ("in", "on") and date.startswith(said) and len(said) >= 4


def _same(claimed: str, given: str, exact: bool) -> bool:
    if claimed == given:
        return True
    if exact:
        return False
    if {claimed, given} == {"'s", "whose"}:
        return claimed == "'s"
    return frozenset((claimed, given)) in words.SYNONYMS


def variants(claim: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The sentence, with its passive made active, with a leading clause moved to its end, and `the Ford plant` for
    `Ford's plant`."""
    found = [claim, *_fronted(claim)]
    if "'s" in claim:
        found.append(tuple(t for t in claim if t != "'s"))
    found += [active for one in list(found) for active in _active(one)]
    return list(dict.fromkeys(found))


def _turned(claim: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """`Leeds is the largest town` for the claim `the largest town is Leeds`."""
    at = [i for i, token in enumerate(claim) if token in words.COPULAS]
    if len(at) == 1 and claim[0] == "the" and not PUNCTUATION & {*claim} and at[0] + 1 < len(claim):
        yield (*claim[at[0] + 1 :], claim[at[0]], *claim[: at[0]])


def _with_pronoun(claim: Sequence[str], source: Sequence[str], before: str) -> Iterator[tuple[str, ...]]:
    """The claim with the pronoun in place of its subject, when that is the subject of the sentence before."""
    if not before or not source or source[0] not in ("it", "he", "she", "they"):
        return
    earlier = [t for t in tokenize(before) if t not in words.ARTICLES]
    said = [t for t in claim if t not in words.ARTICLES]
    shared = 0
    while shared < min(len(earlier), len(said)) and earlier[shared] == said[shared]:
        shared += 1
    while shared and (is_past(said[shared - 1]) or said[shared - 1] in words.COPULAS):
        shared -= 1
    if (
        shared
        and len(earlier) > shared
        and (is_past(earlier[shared]) or earlier[shared] in words.COPULAS | {"has"})
    ):
        yield (source[0], *said[shared:])


def _with_subject(claim: Sequence[str], source: Sequence[str], question: str) -> Iterator[tuple[str, ...]]:
    """A claim that begins with a pronoun, with the source's subject in its place when the question asks about it."""
    if not claim or claim[0] not in ("it", "he", "she", "they") or not question:
        return
    end = next(
        (i for i, t in enumerate(source) if is_past(t) or t in PUNCTUATION or t in words.COPULAS | _PRESENT),
        0,
    )
    subject = [t for t in source[:end] if t not in words.ARTICLES]
    if 0 < len(subject) <= SUBJECT_WORDS and set(subject) <= set(tokenize(question)):
        yield (*source[:end], *claim[1:])


def _fronted(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """`because of rain, the match ended` as `the match ended because of rain`, and phrases of place likewise."""
    if tokens and tokens[0] in words.SUBORDINATORS | words.PREPOSITIONS and "," in tokens:
        at = tokens.index(",")
        end = next((i for i in range(at + 1, len(tokens)) if tokens[i] in (",", ";")), len(tokens))
        moved = tokens[at + 1 : end]
        # behind a second verb it would belong to that one alone, and be left out with it
        if any(is_past(t) for t in moved) or not {"and", "but"} & {*moved}:
            yield (*moved, *tokens[:at], *_repeated(tokens[:at], tokens[end:]))
    if tokens and tokens[0] in words.PREPOSITIONS and not PUNCTUATION & set(tokens[: 2 * _LONGEST_FRONT]):
        end = next((i for i, t in enumerate(tokens) if t in PUNCTUATION), len(tokens))
        for at in range(2, min(_LONGEST_FRONT, end - 2) + 1):
            yield (*tokens[at:end], *tokens[:at], *_repeated(tokens[:at], tokens[end:]))


def _repeated(front: tuple[str, ...], rest: tuple[str, ...]) -> tuple[str, ...]:
    """The clauses behind that from which a phrase in front was moved, with the phrase: it holds of them as well."""
    own = words.PREPOSITIONS | words.SUBORDINATORS
    joined = rest[:1] == (",",) and rest[1:2] and rest[1] in words.CLAUSE_OPENERS and not own & {*rest[2:3]}
    return (*rest[:2], *front, *rest[2:]) if joined else rest


def _active(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """`the name was coined in 1777 by Lavoisier` as `Lavoisier coined the name in 1777`."""
    for i, token in enumerate(tokens):
        if token not in words.BE_PAST or i == 0 or i + 2 >= len(tokens):
            continue
        verb_at = i + 1 + (tokens[i + 1] in words.ADVERBS | {"first"})
        verb = tokens[verb_at]
        if not is_past(verb) or "by" not in tokens[verb_at:]:
            continue
        if set(tokens[:i]) & (PUNCTUATION | words.RELATIVES | words.ATTRIBUTIONS):
            continue
        by = tokens.index("by", verb_at)
        active = words.PARTICIPLES.get(verb, verb)
        if PUNCTUATION & set(tokens[verb_at:by]):
            continue
        clause = next((k for k in range(by, len(tokens)) if tokens[k] in PUNCTUATION), len(tokens))
        for end in {_phrase_end(tokens, by + 1), clause} - {by + 1}:
            adverb = tokens[i + 1 : verb_at]
            yield (
                *tokens[by + 1 : end],
                *adverb,
                active,
                *tokens[:i],
                *tokens[verb_at + 1 : by],
                *tokens[end:],
            )


def _phrase_end(tokens: Sequence[str], start: int) -> int:
    """Where the noun phrase from `start` ends."""
    stops = words.PREPOSITIONS - {"of"} | words.RELATIVES | PUNCTUATION | {"because", "that", "to", "but"}
    i = start
    while i < len(tokens) and tokens[i] not in stops and tokens[i][0] != "@":
        i += 1
    return i
