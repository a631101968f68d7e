"""Fit the threshold for declining to a user's own documents, for a stated rate of false answers.

Questions are made from the index itself: a sentence with a figure, date or name gives up that fact and some of its
words, and what is left is asked. Asked with its document, the answer is there; with the document left out, an answer
would be false. The threshold is the score that only the stated share of the latter reaches.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rag.answering.entailment import coverage
from rag.answering.evidence import evidence_score
from rag.errors import UsageError
from rag.text.facts import facts, supported
from rag.text.keywords import query_terms
from rag.text.sentences import sentences
from rag.types import Page, Passage

if TYPE_CHECKING:
    from rag.providers.embedding import EmbedTokens

RATE = 0.05
"""Default rate of false answers."""
QUESTIONS = 200
"""Questions that are made by default: the rate is then known to about 1.5 points."""
FEWEST = 40
"""Questions below which no threshold is fitted."""
DEPTH = 5
"""How many times as many passages are retrieved as are used, so that enough remain without a document."""
_WORDS = range(6, 41)
"""Words of a sentence that a question can be made from."""
_KEPT = 0.6
"""Share of the remaining words that a question keeps: people do not ask in the document's own words."""
_SHORTEST = 3
_REPEATED = 0.5
"""Share of a sentence's words from which a sentence of another document is a version of it."""
_RELATED = 0.3
"""And when it holds the same fact besides."""

Retrieve = Callable[[str, int], Sequence[Passage]]
"""Question and number of passages to the passages, best first."""


@dataclass(frozen=True, slots=True)
class Cloze:
    """A question made from a sentence of a file."""

    question: str
    answer: str
    """The fact that was taken out."""
    sentence: str
    """The sentence as it stands."""
    file: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted, to be kept with the index."""

    threshold: float
    """Score from which to answer."""
    rate: float
    """The rate of false answers asked for."""
    answered: float
    """Share of the questions that are answered at the threshold when their document is there."""
    asked: int
    """Questions it rests on."""

    def as_json(self) -> dict[str, Any]:
        """The form that an index keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Calibration | None:
        """The calibration in what an index kept; None when it is not one (an index may come from anywhere)."""
        if not isinstance(value, dict):
            return None
        try:
            found = cls(
                float(value["threshold"]), float(value["rate"]), float(value["answered"]), int(value["asked"])
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        return found if 0 <= found.threshold <= 1 else None


def make_questions(
    pages: Iterable[tuple[str, Page]], count: int = QUESTIONS, *, seed: int = 0
) -> list[Cloze]:
    """`count` questions, spread over the files as evenly as their sentences allow; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    by_file: dict[str, list[Cloze]] = {}
    for file, page in pages:
        for start, end in sentences(page.text):
            cloze = _cloze(page.text[start:end], file, chance)
            if cloze is not None:
                by_file.setdefault(file, []).append(cloze)
    for made in by_file.values():
        chance.shuffle(made)
    chosen: list[Cloze] = []
    while len(chosen) < count and any(by_file.values()):
        chosen += [made.pop() for made in by_file.values() if made]
    return chosen[:count]


def _cloze(sentence: str, file: str, chance: random.Random) -> Cloze | None:
    """A question from the sentence; None when it has no fact to ask for or too few or many words."""
    found = [fact for fact in facts(sentence) if fact.kind != "title"]
    if not found or len(sentence.split()) not in _WORDS:
        return None
    fact = chance.choice(found)
    rest = (sentence[: fact.start] + " " + sentence[fact.end :]).split()
    telling = [word.strip("\"'“”‘’.,;:()[]") for word in rest if query_terms(word)]
    kept = [word for word in telling if len(word) > 1 and chance.random() < _KEPT]
    return Cloze(" ".join(kept) + "?", fact.text, sentence, file) if len(kept) >= _SHORTEST else None


def calibrate(
    questions: Sequence[Cloze],
    retrieve: Retrieve,
    *,
    rate: float = RATE,
    k: int = 8,
    embed_tokens: EmbedTokens | None = None,
    on_question: Callable[[], None] | None = None,
) -> Calibration:
    """Ask every question with and without its document, and fit the threshold for `rate` (0 to 1).

    `embed_tokens` is what the pipeline's evidence score uses, as `evidence_score` wants it.

    Raises UsageError when the index has too little to ask about, or too few documents to leave one out.
    """
    with_it: list[float] = []
    without: list[float] = []
    for cloze in questions:
        passages = list(retrieve(cloze.question, k * DEPTH))
        rest = [passage for passage in passages if passage.file != cloze.file][:k]
        with_it.append(evidence_score(cloze.question, passages[:k], embed_tokens=embed_tokens))
        # Another edition of the same document may hold the answer too; then answering is not false.
        if rest and not _holds(cloze, rest):
            without.append(evidence_score(cloze.question, rest, embed_tokens=embed_tokens))
        if on_question is not None:
            on_question()
    if len(without) < FEWEST:
        asked = "1 question" if len(without) == 1 else f"{len(without)} questions"
        raise UsageError(
            f"Only {asked} could be asked with their document left out, and {FEWEST} are needed:"
            " the defaults stay in force; calibrate when the index holds more documents."
        )
    threshold = fit(without, rate)
    answered = sum(score >= threshold for score in with_it) / len(with_it)
    return Calibration(threshold, rate, round(answered, 4), len(without))


def fit(without: Sequence[float], rate: float) -> float:
    """The lowest threshold, to four digits, that at most the share `rate` (0 to 1) of the scores `without` reach."""
    allowed = math.floor(rate * len(without))
    if allowed >= len(without):
        return 0.0
    highest = sorted(without, reverse=True)[allowed]
    # an answer is given at the threshold itself, so it has to stand above the first score that must not reach it
    threshold = round(highest, 4)
    return min(1.0, threshold if threshold > highest else round(threshold + 1e-4, 4))


def _holds(cloze: Cloze, passages: Sequence[Passage]) -> bool:
    """Whether another document says nearly the same: the sentence itself, or the fact among its words."""
    wanted = facts(cloze.answer)
    for passage in passages:
        for start, end in sentences(passage.text):
            text = passage.text[start:end]
            alike = coverage(cloze.sentence, text)
            if alike >= _REPEATED or (alike >= _RELATED and all(supported(f, text) for f in wanted)):
                return True
    return False
