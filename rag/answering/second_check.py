"""A chat model as second checker of the sentences that rules cannot decide.

Rules come first. What they verify or contradict is not asked about, and a sentence that adds or drops a negation, a
condition, a hedge, a quantity, an attribution or a superlative, or that states a figure which its quote lacks, is not
asked about either: models say yes to those too easily. Of the rest the model says yes or no, in a short call for
each: asked about several at once, a small model hardly tells true from false. Where its server gives probabilities,
a yes must be a sure one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rag.answering import alignment_korean
from rag.answering import rewrites as words
from rag.answering.alignment_words import tokenize
from rag.answering.context import neutralise
from rag.answering.entailment import same_polarity
from rag.text.language import language_of

Pair = tuple[str, str]
"""A sentence, and the sentences of the page that it cites."""
Checker = Callable[[Sequence[Pair], str], Sequence[bool]]
"""Says of each pair, given the question, whether the quote states everything that the sentence states."""

SURE = 0.85
"""Probability of "yes" from which a yes counts, where it is known. With a model of 1.5 billion weights 7 of 11 true
sentences passed, and of 136 false ones, 43 of which rules left to it, 3 (benchmarks/claims, half developed on)."""
TOP = 8
"""Most likely words whose probabilities are asked for: "yes", "Yes" and " yes" are three."""
_GUARDS = (
    words.NEGATIONS,
    words.CONDITIONS,
    words.HEDGES,
    words.QUANTITIES,
    words.ATTRIBUTIONS,
    words.SUPERLATIVES,
)
_KO_GUARDS = tuple(
    map(
        re.compile,
        (
            r"않|못하|못한|없|아니",
            r"면\s|경우|때에?만|한해|제외|다만",
            r"추정|예상|예정|계획|아마|약 |대략|가량|정도|듯",
            r"모든|모두|전체|전부|일부|대부분|각각|만(?=[ 을에이])|최소|최대|이상|이하|미만|초과|까지|부터",
            r"따르면|라고|다고|주장|제안|발표",
            r"수 있|해야|하여야|써야|마쳐야",
        ),
    )
)
_KO_FIGURE = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"\b(?:yes|no)\b|예|네|아니", re.IGNORECASE)
_YES, _NO = ("yes", "예", "네"), ("no", "아니", "아니오", "아니요")
_SHORT = 6
"""Words from which a sentence is understood without its question."""


def vetoed(sentence: str, quote: str, question: str = "") -> bool:
    """Whether rules forbid that the sentence follows from the quote, whatever a model says."""
    if language_of(sentence) != language_of(quote):
        return True
    if language_of(quote) == "ko":
        return _vetoed_korean(sentence, quote, question)
    own, asked, given = set(tokenize(sentence)), set(tokenize(question)), set(tokenize(quote))
    figures = {token for token in own if token[0].isdigit() or token[0] == "@"}
    guarded = any(guards & own - given or guards & given - own - asked for guards in _GUARDS)
    return bool(figures - given) or guarded or not same_polarity(sentence, quote)


def _vetoed_korean(sentence: str, quote: str, question: str) -> bool:
    figures = [set(_KO_FIGURE.findall(alignment_korean.figures(text))) for text in (sentence, quote)]
    known = f"{question} {sentence}"
    guarded = any(bool(guard.search(known)) != bool(guard.search(quote)) for guard in _KO_GUARDS)
    return bool(figures[0] - figures[1]) or guarded


def read_verdict(reply: str, logprobs: Mapping[str, Any] | None) -> bool:
    """Whether the model says yes. `logprobs` is what OpenAI's protocol gives with a reply: with it, surely yes.

    The first yes or no of the reply counts; without one the answer is no.
    """
    for token in (logprobs or {}).get("content") or ():
        if token["token"].strip().casefold() in (*_YES, *_NO):
            likely = token.get("top_logprobs") or [token]
            yes, no = _weight(likely, _YES), _weight(likely, _NO)
            return yes > 0 and yes >= SURE * (yes + no)
    found = _WORD.search(reply)
    return found is not None and found[0].casefold() in _YES


def _weight(likely: Sequence[Mapping[str, Any]], chosen: Sequence[str]) -> float:
    """The probability of the words together."""
    return sum(math.exp(one["logprob"]) for one in likely if one["token"].strip().casefold() in chosen)


def asked_as(sentence: str, question: str) -> str:
    """The sentence as the model reads it: a fragment with the question that it answers."""
    fragment = len(sentence.split()) < _SHORT
    return line(f"{question} {sentence}".strip() if fragment else sentence)


def line(text: str) -> str:
    """Untrusted text on one line of a prompt."""
    return " ".join(neutralise(text).split())
