"""Two verbs of one subject: what "and" or "but" joins, so that a claim may keep the second verb and drop the first.

There is no parser. A verb is told by its form: a past tense beside a past tense, or a verb that is finite by itself
("is", "has", "may"), or a present in "s" beside another. What stands before the first must be a subject and no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.answering import rewrites as words
from rag.answering.english_words import PUNCTUATION, Source, is_past

SUBJECT_WORDS = 8
"""Longest subject (in words) that a second verb may share: longer ones hold a verb of their own."""
ENDING = words.word_set("until till when where than")
"""Conditions that end the clause they are in, and say nothing of the next."""
_NAMED = words.word_set("called named known")
"""Verbs that report nothing with a name behind them."""
_CLAUSES = words.word_set("; that because when")
"""Words behind which a clause with a subject of its own begins."""


def shares_subject(source: Source, claim: Sequence[str], gap: Sequence[str], start: int, end: int) -> bool:
    """Whether `gap` is the first of two verbs of one subject: `won the league and` before `won the cup`."""
    before = _subject(source.tokens, start)
    if len(gap) > 1 and gap[-1].endswith("ly") and gap[-1] not in words.GUARDS:
        gap = gap[:-1]
    if gap[-1] not in ("and", "but") or not 0 < len(before) <= SUBJECT_WORDS:
        return False
    aside = (
        gap.index(",", 1) + 1 if gap[0] == "," and "," in gap[1:-1] else 0
    )  # "They, in partnership with X, won"
    inner = [t for t in gap[aside:-1] if t not in words.ADVERBS and t not in PUNCTUATION]
    if not inner or any(is_past(t) or t in words.COPULAS for t in before):
        return False
    blocked = words.CLAUSE_OPENERS | words.RELATIVES | words.CONDITIONS | words.ATTRIBUTIONS | {";", "that"}
    blocked -= _NAMED | ENDING | ({"and"} if gap[-2:-1] == [","] else set())
    if blocked & set(inner) or words.NEGATIONS & set(inner[:1]):
        return False
    behind = [t for t in _without_date(source, end) if not (t in words.ADVERBS or t.endswith("ly"))]
    second = behind[0] if behind else ""
    infinitive = any(
        a == "to" and b not in words.ARTICLES for a, b in zip(inner, [*inner[1:], ""], strict=True)
    )
    past = is_past(inner[0]) and is_past(second) and not infinitive
    return past or _both_finite(inner, second, claim)


def clause_start(tokens: Sequence[str], start: int, openers: frozenset[str] = frozenset({";"})) -> int:
    """Where the clause begins that the token `start` is in: behind one of `openers`, or ", and" and the like."""
    for i in range(start - 1, 0, -1):
        joins = tokens[i] in ("and", "but", "while", "whereas") and tokens[i - 1] == ","
        if tokens[i] in openers or joins:
            return i + 1
    return 0


def _subject(tokens: Sequence[str], start: int) -> Sequence[str]:
    """What stands before the verb at `start` in its clause, without where and when in front; () if unclear."""
    before = tokens[clause_start(tokens, start, _CLAUSES) : start]
    if before and before[-1] in words.BE_PAST:
        before = before[:-1]
    if "," not in before:
        return before
    end = len(before) - before[::-1].index(",")
    front, rest = before[:end], before[end:]
    opens = front[0] in words.PREPOSITIONS | words.CONNECTIVES or front[0].endswith("ing")
    verbs = any(is_past(t) or t in words.FINITE for t in front)
    unclear = not opens or verbs or not rest or rest[0] in words.PREPOSITIONS
    return () if unclear or words.GUARDS & {*front} else rest


def _both_finite(inner: Sequence[str], second: str, claim: Sequence[str]) -> bool:
    """Whether two verbs are finite by their form alone: `is … but may be`, `has … and hosts`."""
    if second in words.FINITE:
        return is_past(inner[0]) or inner[0] in words.FINITE or _in_s(inner[0])
    first = inner[0] in ("is", "has") or (_in_s(inner[0]) and len(inner) > 1)
    return first and _in_s(second) and not words.FINITE & {*claim}


def _in_s(token: str) -> bool:
    """Whether the word has the form of the present of one: `hosts`."""
    return token.isalpha() and len(token) > 3 and token.endswith("s") and not token.endswith("ss")


def _without_date(source: Source, start: int) -> Sequence[str]:
    """The source from `start` on without a phrase of time that it begins with there."""
    dated = (b for a, b in source.adjuncts if start - 1 <= a <= start + 1)
    return source.tokens[next(dated, start) :]
