"""Finds the sentences of the passages that a sentence of a draft is to be read against.

An answerer names passages with words, without, with a wrong number, or not at all. What it names without words is
looked up by the words of its own sentence; a fragment that names nothing ("1957") by its question as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rag.answering.entailment import coverage, same_polarity
from rag.answering.fragments import SHORT, answers
from rag.answering.markers import Quote
from rag.answering.reply import DraftSentence
from rag.text.facts import FactText, facts, supported
from rag.text.keywords import STOP_WORDS
from rag.text.patterns import lazy_compile
from rag.text.sentences import sentences as split_sentences
from rag.types import Passage

ATTACHED = 0.8
"""Share of a sentence's words that a sentence of the cited passage must hold to be quoted for it."""
ASKED = 0.3
"""Share of the question's words that a sentence must hold to be quoted for a fragment that cites nothing."""
TELLING = 3
"""Distinct words that a sentence without any citation must have, unless it states a fact, to be quoted for: one or
two words stand somewhere in most passages."""
PLAUSIBLE = 0.5
"""Share of a sentence's words that a sentence of the passages must hold to be worth reading beside it."""
FOUNDED = 0.3
"""Share of a sentence's words that must stand around its quotes for a reader to be asked to judge it at all."""
REPAIRS = 5
"""Sentences of the passages that are tried in place of what was cited."""
_WORD = lazy_compile(r"\w+")


def quotes_of(
    sentence: DraftSentence, passages: Sequence[Passage], question: str, likely: Sequence[str] = ()
) -> Iterator[Quote]:
    """The quotes of the sentence, and for each passage that it cites without words the sentence that says it.

    A passage in which no sentence does is a quote without text. `likely` are sentences that are likely to answer the
    question, the likeliest first.
    """
    yield from sentence.quotes
    quoted = {quote.passage for quote in sentence.quotes}
    for number in sentence.passages:
        if number not in quoted:
            cited = [(number, passages[number - 1])] if number <= len(passages) else []
            yield _best(sentence.text, cited, ATTACHED) or Quote("", number)
    if not sentence.quotes and not sentence.passages:
        every = list(enumerate(passages, 1))
        found = _answering(sentence.text, question, every, likely)
        if found is None and _tells(sentence.text):
            stated = bool(facts(sentence.text))
            found = _best(sentence.text, every, FOUNDED if stated else PLAUSIBLE, denying=True)
            found = found or _founding(sentence.text, every, likely)
        if found is not None:
            yield found


def nearest(sentence: DraftSentence, passages: Sequence[Passage]) -> list[Quote]:
    """The sentences of the passages that say most of the sentence, those of the cited passages first."""
    cited = set(sentence.passages)
    found = []
    for number, words in _sentences(list(enumerate(passages, 1))):
        share = coverage(sentence.text, words)
        if share >= PLAUSIBLE:
            found.append((number in cited, share, -number, words))
    return [Quote(words, -number) for _, _, number, words in sorted(found, reverse=True)[:REPAIRS]]


def _tells(text: str) -> bool:
    """Whether the sentence says enough for a passage that holds it to be more than chance."""
    words = set(_WORD.findall(text.casefold())) - STOP_WORDS
    return len(words) >= TELLING or bool(facts(text))


def _best(
    text: str, passages: Sequence[tuple[int, Passage]], enough: float, *, denying: bool = False
) -> Quote | None:
    """The sentence of the passages that says what `text` says, when one holds all its facts and words enough.

    One that denies what `text` does not deny is only taken with `denying`, to be read beside it.
    """
    wanted = facts(text)
    best: tuple[float, Quote] | None = None
    for number, candidate in _sentences(passages):
        covered = coverage(text, candidate)
        if covered < enough or (best is not None and covered <= best[0]):
            continue
        evidence = FactText(candidate)
        agrees = denying or same_polarity(text, candidate)
        if agrees and all(supported(fact, evidence) for fact in wanted):
            best = covered, Quote(candidate, number)
    return best[1] if best else None


def _answering(
    fragment: str, question: str, passages: Sequence[tuple[int, Passage]], likely: Sequence[str]
) -> Quote | None:
    """The sentence that holds a fragment word for word, or what it adds to the words of its question, and some of
    that question; best one where it answers it."""
    spoken, asked = fragment.split(), set(_WORD.findall(question.casefold()))
    if not question or len(spoken) >= SHORT:
        return None
    added = " ".join(word for word in spoken if not asked.issuperset(_WORD.findall(word.casefold())))
    wanted = {_squeezed(text).rstrip(".") for text in (fragment, added)} - {""}
    best: tuple[tuple[bool, int, float], Quote] | None = None
    for number, candidate in _sentences(passages):
        if not any(text in _squeezed(candidate) for text in wanted):
            continue
        covered = coverage(question, candidate)
        place = likely.index(candidate) if candidate in likely else len(likely)
        fit = answers(fragment, question, candidate) is not None, -place, covered
        if (covered >= ASKED or candidate in likely) and (best is None or fit > best[0]):
            best = fit, Quote(candidate, number)
    return best[1] if best else None


def _founding(text: str, passages: Sequence[tuple[int, Passage]], likely: Sequence[str]) -> Quote | None:
    """The likeliest sentence to answer that `text` may be founded in: some of its facts may stand around it."""
    numbers = {candidate: number for number, candidate in _sentences(passages)}
    near = (c for c in likely if c in numbers and coverage(text, c) >= FOUNDED)
    return next((Quote(c, numbers[c]) for c in near), None)


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


def _sentences(passages: Sequence[tuple[int, Passage]]) -> Iterator[tuple[int, str]]:
    """Every sentence of the passages, with the number of its passage."""
    for number, passage in passages:
        for start, end in split_sentences(passage.text):
            yield number, passage.text[start:end]
