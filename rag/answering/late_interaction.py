"""Late interaction: how closely each word of a question is met by the words of a sentence, in context.

The encoder reads a passage once, under its heading. The last hidden states of its tokens are compared with those of
the question, token by token, and a sentence gets the best cosine of each question token among its own (the MaxSim of
ColBERT, Khattab and Zaharia, SIGIR 2020, here without training). The mean of all passage tokens is taken off first:
the states of this encoder share a large common part that says nothing about a word.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.answering.answer_head import AnswerHead
from rag.answering.candidates import Candidate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.providers.embedding import EmbedTokens, TokenVectors


@dataclass(frozen=True, slots=True)
class Matches:
    """How well the sentences meet the tokens of the question."""

    texts: tuple[str, ...]
    """The tokens of the question that were compared, as the question writes them; m of them."""
    words: tuple[str, ...]
    """The word of the question that each is a part of."""
    weights: NDArray[np.float32]
    """The weight of each, summing to 1: rarer among the sentences counts more. float32 [m]."""
    cosines: NDArray[np.float32]
    """Best cosine of each token in each sentence, float32 [sentences, m]."""
    odds: NDArray[np.float32]
    """Log-odds that each sentence answers, by the trained head; lowest for one not read. float32 [sentences]."""

    def scores(self) -> NDArray[np.float32]:
        """The weighted mean cosine of each sentence, float32 [sentences]."""
        scores: NDArray[np.float32] = self.cosines @ self.weights
        return scores


def match(
    question: str, sentences: Sequence[Candidate], embed: EmbedTokens, *, front: Sequence[Candidate] = ()
) -> Matches:
    """Compare the question with the sentences, each read in its passage; the trained head reads those in `front`."""
    passages = {c.rank: c.passage for c in sentences}
    heads = {rank: f"{p.header}\n" if p.header else "" for rank, p in passages.items()}
    read = dict(
        zip(passages, embed([heads[rank] + p.text for rank, p in passages.items()], "passage"), strict=True)
    )
    asked = embed([question], "query")[0]
    centre = np.concatenate([tokens.states for tokens in read.values()]).mean(0)
    kept = [i for i, (start, end) in enumerate(asked.offsets) if _tells(question[start:end])]
    query = _unit(asked.states[kept] - centre)
    near = {rank: _unit(tokens.states - centre) @ query.T for rank, tokens in read.items()}
    rows, held, middle = [], [], []
    for c in sentences:
        tokens, begin = read[c.rank], len(heads[c.rank]) + c.start
        own = _within(tokens, begin, begin + len(c.text))
        rows.append(near[c.rank][own].max(0) if own else np.full(len(kept), 0.0, np.float32))
        held.append({tokens.ids[i] for i in own})
        middle.append(tokens.middle[own if any(c is one for one in front) else []])
    counts = Counter(token for ids in held for token in ids)
    raw = [math.log(1 + len(held) / (counts[asked.ids[i]] + 0.5)) for i in kept]
    texts = tuple(question[asked.offsets[i][0] : asked.offsets[i][1]].strip() for i in kept)
    spans = [(word.end(), word[0]) for word in re.finditer(r"\S+", question)]
    words = tuple(next(word for end, word in spans if end >= asked.offsets[i][1]) for i in kept)
    weights = np.array(raw, np.float32) / (sum(raw) or 1.0)
    cosines = np.array(rows, np.float32).reshape(len(sentences), len(kept))
    return Matches(texts, words, weights, cosines, AnswerHead.load().log_odds(asked.middle, middle))


def _within(tokens: TokenVectors, begin: int, end: int) -> list[int]:
    """Places of the tokens between two characters; the space before a word belongs to its token."""
    return [i for i, (a, b) in enumerate(tokens.offsets) if a >= begin - 1 and b > begin and b <= end]


def _tells(token: str) -> bool:
    return any(map(str.isalnum, token))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-9)
    return unit
