"""Answer metrics: a given answer against gold answers, of which the best counts.

Every function takes the answer as given and a sequence of gold answers that is not empty, and returns a value
between 0 and 1. `language` chooses the official normalisation: KorQuAD's for `ko`, SQuAD's otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from rag.evaluation.metrics import normalise

# Hangul carries its particles on the word, so each syllable is a token; elsewhere a run of letters or digits
_ROUGE_TOKENS = re.compile(r"[가-힣㐀-鿿぀-ヿ]|[^\W_가-힣㐀-鿿぀-ヿ]+")


def exact_match(answer: str, golds: Sequence[str], language: str = "en") -> float:
    """1 when the answer equals a gold answer after normalisation."""
    normal = _normaliser(language)
    return float(any(normal(answer) == normal(gold) for gold in golds))


def token_f1(answer: str, golds: Sequence[str]) -> float:
    """SQuAD's F1: overlap of words as multisets, the harmonic mean of precision and recall."""
    return max(f1(normalise.squad(answer).split(), normalise.squad(gold).split()) for gold in golds)


def character_f1(answer: str, golds: Sequence[str]) -> float:
    """KorQuAD's F1: overlap of characters other than spaces, as multisets."""
    characters = normalise.korquad(answer).replace(" ", "")
    return max(f1(characters, normalise.korquad(gold).replace(" ", "")) for gold in golds)


def answer_f1(answer: str, golds: Sequence[str], language: str = "en") -> float:
    """The F1 that is official for the language: by characters for Korean, by words otherwise."""
    return character_f1(answer, golds) if language == "ko" else token_f1(answer, golds)


def answer_hit(answer: str, golds: Sequence[str]) -> float:
    """1 when a gold answer stands in the answer, white space and case folded."""
    folded = normalise.fold(answer)
    return float(any(normalise.fold(gold) in folded for gold in golds))


def rouge_l(answer: str, golds: Sequence[str]) -> float:
    """ROUGE-L (Lin 2004): F1 of the longest common subsequence of words, or of syllables in Korean."""
    given = _ROUGE_TOKENS.findall(answer.lower())
    return max(_rouge_l(given, _ROUGE_TOKENS.findall(gold.lower())) for gold in golds)


def f1(given: Sequence[Hashable], gold: Sequence[Hashable]) -> float:
    """F1 of two multisets; 0 when they share nothing, also when both are empty, as SQuAD 1.1 has it."""
    shared = (Counter(given) & Counter(gold)).total()
    return 2.0 * shared / (len(given) + len(gold)) if shared else 0.0


def _normaliser(language: str) -> Callable[[str], str]:
    return normalise.korquad if language == "ko" else normalise.squad


def _rouge_l(given: Sequence[str], gold: Sequence[str]) -> float:
    common = _longest_common_subsequence(given, gold)
    return 2.0 * common / (len(given) + len(gold)) if common else 0.0


def _longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Its length, in O(len(one) * len(other)) time and one row of memory."""
    row = [0] * (len(other) + 1)
    for token in one:
        diagonal = 0
        for j, against in enumerate(other, start=1):
            above = row[j]
            row[j] = diagonal + 1 if token == against else max(above, row[j - 1])
            diagonal = above
    return row[-1]
