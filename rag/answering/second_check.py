"""A model as second checker of the sentences that rules cannot decide: a chat model, or a local entailment model.

Rules come first. What they verify or contradict is not asked about, and a sentence that adds or drops a negation, a
condition, a hedge, a quantity, an attribution or a superlative, or that states a figure which its quote lacks, is not
asked about either: models say yes to those too easily. Of the rest a chat model says yes or no, in a short call
for each: asked about several at once, a small model hardly tells true from false. A yes counts only when it is a sure
one, by the probability that the server gives with it. An entailment model (`--check hf:MODEL`) tells a probability
itself, of the sentence given its quote.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from rag.answering import korean_words
from rag.answering import rewrites as words
from rag.answering.context import neutralise
from rag.answering.english_words import PUNCTUATION, is_past, tokenize
from rag.answering.entailment import same_polarity
from rag.answering.fragments import SHORT
from rag.text.language import language_of
from rag.text.patterns import lazy_compile

if TYPE_CHECKING:
    from rag.providers.huggingface import EntailmentModel

Pair = tuple[str, str]
"""A sentence, and the sentences of the page that it cites."""
Checker = Callable[[Sequence[Pair], str], Sequence[bool]]
"""Says of each pair, given the question, whether the quote states everything that the sentence states."""


class SecondChecker(Protocol):
    """What can be asked whether sentences follow from what they cite."""

    def check(self, pairs: Sequence[Pair], question: str, config: Any) -> Sequence[bool]:
        """As a `Checker`; `config` is LangChain's, for who follows the calls. Raises ProviderError, BudgetReached."""
        ...


@dataclass(frozen=True, slots=True)
class EntailmentChecker:
    """A local entailment model as second checker; it costs nothing and calls nobody."""

    model: EntailmentModel

    def check(self, pairs: Sequence[Pair], question: str, config: Any = None) -> list[bool]:  # noqa: ARG002
        """Whether each sentence follows from what it cites, with a probability of `SURE` or more."""
        texts = [(line(quote), asked_as(sentence, question)) for sentence, quote in pairs]
        return [probability >= SURE for probability in self.model.probabilities(texts)]


SURE = 0.9
"""Probability of "yes" from which a yes counts: with a model of 1.5 billion weights it passes some 2 % of the false
sentences in benchmarks/claims and a quarter of the true ones that rules leave open; at 0.85 5 to 6 %, and half."""
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
_TENSES = (words.word_set("is are"), words.BE_PAST)
_KO_GUARDS = tuple(
    map(
        lazy_compile,
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
_KO_VERB = lazy_compile(r"[다요까]\W*$")
"""How a Korean sentence with a verb ends."""
_KO_FIGURE = lazy_compile(r"\d+(?:\.\d+)?")
_YES, _NO = ("yes", "예", "네"), ("no", "아니", "아니오", "아니요")


def vetoed(sentence: str, quote: str, question: str = "") -> bool:
    """Whether rules forbid that the sentence follows from the quote, whatever a model says."""
    if language_of(asked_as(sentence, question)) != language_of(quote):
        return True
    if language_of(quote) == "ko":
        return _vetoed_korean(sentence, quote, question)
    said, told = tokenize(sentence), tokenize(quote)
    own, asked, given = set(said), set(tokenize(question)), set(told)
    figures = {token for token in own if token[0].isdigit() or token[0] == "@"}
    guarded = any(guards & own - given or guards & given - own - asked for guards in _GUARDS)
    return (
        bool(figures - given)
        or guarded
        or not same_polarity(sentence, quote)
        or any(one & own and not one & given and other & given for one, other in (_TENSES, _TENSES[::-1]))
        or any(not _behind(word, said) <= _behind(word, told) for word in ("from", "by") if word in given)
        or (not is_phrase(sentence) and _cut(said, told))
    )


def _behind(word: str, tokens: Sequence[str]) -> set[str]:
    """The tokens that follow a preposition: another source or doer is another claim."""
    named = [token for token in tokens if token not in words.ARTICLES]
    return {after for before, after in pairwise(named) if before == word}


def _cut(said: Sequence[str], told: Sequence[str]) -> bool:
    """Whether a sentence is the quote without its beginning or end: what may be left out, rules tell better."""
    own = [token for token in said if token not in PUNCTUATION]
    whole = [token for token in told if token not in PUNCTUATION]
    starts = range(len(whole) - len(own) + 1)
    return len(own) < len(whole) and any(whole[i : i + len(own)] == own for i in starts)


def _vetoed_korean(sentence: str, quote: str, question: str) -> bool:
    figures = [set(_KO_FIGURE.findall(korean_words.figures(text))) for text in (sentence, quote)]
    known = f"{question} {sentence}"
    guarded = any(bool(guard.search(known)) != bool(guard.search(quote)) for guard in _KO_GUARDS)
    return bool(figures[0] - figures[1]) or guarded


def read_verdict(logprobs: Mapping[str, Any] | None) -> bool:
    """Whether the model surely says yes, by what OpenAI's protocol gives with a reply; False when it gives
    nothing, or nothing that can be read.

    The first yes or no of the reply counts.
    """
    try:
        for token in (logprobs or {}).get("content") or ():
            if token["token"].strip().casefold() in (*_YES, *_NO):
                likely = token.get("top_logprobs") or [token]
                yes, no = _weight(likely, _YES), _weight(likely, _NO)
                return yes > 0 and yes >= SURE * (yes + no)
    except (KeyError, TypeError, AttributeError, ArithmeticError):  # whatever a compatible server sends
        pass
    return False


def _weight(likely: Sequence[Mapping[str, Any]], chosen: Sequence[str]) -> float:
    """The probability of the words together."""
    return sum(math.exp(one["logprob"]) for one in likely if one["token"].strip().casefold() in chosen)


def asked_as(sentence: str, question: str) -> str:
    """The sentence as a model reads it: a short one, and one without a verb, with the question that it answers."""
    alone = len(sentence.split()) >= SHORT and not is_phrase(sentence)
    return line(sentence if alone else f"{question} {sentence}".strip())


def is_phrase(sentence: str) -> bool:
    """Whether it has no verb, so that it says something only as the answer to a question."""
    if language_of(sentence) == "ko":
        return not _KO_VERB.search(sentence)
    return not any(token in words.FINITE or is_past(token) for token in tokenize(sentence))


def line(text: str) -> str:
    """Untrusted text on one line of a prompt."""
    return " ".join(neutralise(text).split())
