"""How much of a question one sentence of a passage holds: the last look at the passages in front.

BM25 counts a passage's words wherever they stand. Of two passages on the same subject the one that answers mostly
has the asked words together in one sentence (sentence scores as evidence for a document: Akkalyoncu Yilmaz et al.,
EMNLP 2019, there with a trained model).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from rag.text.keywords import indexed_tokens

_END = re.compile(r"(?<=[.!?。])\s+|\n\s*\n")
"""Rough, since a cut too many costs little here; the rows of a table stay together."""


def coverage(terms: Mapping[str, float], texts: Sequence[str]) -> list[float]:
    """For each text the share of the question in its best sentence, 1 for the best of the texts.

    terms: tokens of the question with weights. A token counts the less the more of the texts hold it, since it
    then does not tell them apart (inverse document frequency among them).
    """
    held = [[terms.keys() & indexed_tokens(sentence) for sentence in _END.split(text)] for text in texts]
    weights = _weights(terms, [frozenset().union(*sentences) for sentences in held])
    # fsum: the order of a set differs between runs and must not show in the last digit
    shares = [max(math.fsum(weights[t] for t in sentence) for sentence in sentences) for sentences in held]
    best = max(shares, default=0.0)
    return [share / best if best > 0 else 0.0 for share in shares]


def _weights(terms: Mapping[str, float], texts: Sequence[frozenset[str]]) -> dict[str, float]:
    counts = {term: sum(term in text for text in texts) for term in terms}
    return {
        term: weight * math.log(1 + len(texts) / counts[term])
        for term, weight in terms.items()
        if counts[term]
    }
