"""Whether a sentence answers a question: a small trained network reads the two together.

It starts where the built-in encoder is after two thirds of its layers. There a token still stands for its word in
context, and a sentence about the right thing without what is asked of it can be told from one that says it. Each
token of the question looks for its like in the sentence and the other way round (one step of attention each), what it
finds is compared with it, and two layers judge the whole: the decomposable attention of Parikh et al., EMNLP 2016.

The weights (three networks of 0.6 million numbers each, in half precision) come from
`benchmarks/train_answer_head.py`; on what they were trained, see docs/models.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("answer_head.npz")
LONGEST = 90
"""Tokens of a sentence that are read, as in training."""
SHARPNESS = 4.0
"""What the attention's products are multiplied with, beside the usual root of the width."""


@dataclass(frozen=True)
class AnswerHead:
    """Some networks of the same form, trained from different starts; what they say is averaged.

    head = AnswerHead.load()
    odds = head.log_odds(question.middle, [sentence_states])  # above 0: more likely an answer than not
    """

    networks: tuple[_Network, ...]

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> AnswerHead:
        """The networks that are shipped."""
        weights: dict[str, dict[str, Array]] = {}
        with np.load(WEIGHTS, allow_pickle=False) as stored:
            for name in stored.files:
                number, _, part = name.partition(".")
                weights.setdefault(number, {})[part] = stored[name].astype(np.float32)
        return cls(tuple(map(_Network, weights.values())))

    def log_odds(self, question: Array, sentences: Sequence[Array]) -> Array:
        """For each sentence the log-odds that it answers the question, float32 [sentences].

        `question` and each of the `sentences` hold the encoder's middle states, [tokens, 384]. A sentence without
        tokens gets the lowest odds.
        """
        odds = np.full(len(sentences), -np.inf, np.float32)
        read = [i for i, sentence in enumerate(sentences) if len(sentence)]
        if read and len(question):
            texts = [sentences[i][:LONGEST] for i in read]
            odds[read] = np.mean([network.read(question, texts) for network in self.networks], 0)
        return odds


@dataclass(frozen=True)
class _Network:
    weights: Mapping[str, Array]

    def read(self, question: Array, sentences: Sequence[Array]) -> Array:
        """The log-odds of each sentence; what is done to every token is done for all sentences at once."""
        ends = np.cumsum([len(sentence) for sentence in sentences])[:-1]
        q = self._enter("q", question)
        entered = np.split(self._enter("s", np.concatenate(sentences)), ends)
        whole = (_softmax(self._dense("gate", q), 0) * q).sum(0)
        finds, says = [], []
        for s in entered:
            near = q @ s.T * (SHARPNESS / math.sqrt(q.shape[1]))
            found = _softmax(near, 1) @ s
            finds.append(np.concatenate([q, found, q * found, np.abs(q - found)], 1))
            says.append(np.concatenate([s, s * whole, _softmax(near.T, 1) @ q], 1))
        compared = _gelu(self._dense("cq", np.concatenate(finds))).reshape(len(sentences), len(q), -1)
        weighed = (_softmax(self._dense("w", compared), 1) * compared).sum(1)
        said = np.split(_gelu(self._dense("cs", np.concatenate(says))), ends)
        most, mean = np.stack([one.max(0) for one in said]), np.stack([one.mean(0) for one in said])
        judged = np.concatenate([weighed, compared.mean(1), most, mean], 1)
        return self._dense("o2", _gelu(self._dense("o1", judged)))[:, 0]

    def _enter(self, side: str, states: Array) -> Array:
        """The states in the network's own, whitened space."""
        x = self._dense(f"p{side}", states)
        x = x - x.mean(1, keepdims=True)
        x = x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-5)
        entered: Array = x * self.weights[f"n{side}.weight"] + self.weights[f"n{side}.bias"]
        return entered

    def _dense(self, name: str, x: Array) -> Array:
        result: Array = x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return result


def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    result: Array = e / e.sum(axis, keepdims=True)
    return result


def _gelu(x: Array) -> Array:
    result: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return result
