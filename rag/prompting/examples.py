"""Chooses the worked examples of a prompt."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.example_selectors import BaseExampleSelector

from rag.text.keywords import keyword_tokens

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]


class ExampleSelector(BaseExampleSelector):
    """Picks at most `number` examples that together stay within `max_tokens`.

    Examples are dicts with `question`, `passages`, `reply`, and optionally `keep` (always chosen). With
    `nearest`, the others are ranked by likeness to the question: the cosine of their embeddings when `embed`
    is given, else of their keywords. The likest stands last, next to the question that is asked.
    """

    def __init__(
        self,
        examples: Sequence[dict[str, Any]],
        *,
        number: int,
        nearest: bool,
        count_tokens: Callable[[str], int],
        max_tokens: int | None = None,
        embed: Embed | None = None,
    ) -> None:
        self.examples = list(examples)
        self.number = number
        self.nearest = nearest
        self.max_tokens = max_tokens
        self._count = count_tokens
        self._embed = embed

    def add_example(self, example: dict[str, str]) -> None:
        self.examples.append(dict(example))

    def select_examples(self, input_variables: dict[str, str]) -> list[dict[str, Any]]:
        chosen = self._within_budget(self._ranked(input_variables["question"]))
        if self.nearest:
            return [self.examples[i] for i in reversed(chosen)]
        return [self.examples[i] for i in sorted(chosen)]

    def _ranked(self, question: str) -> list[int]:
        """Positions of the examples, kept ones first, then the likest (or simply the first)."""
        order = range(len(self.examples))
        likeness = self._likeness(question) if self.nearest else [0.0] * len(self.examples)
        return sorted(order, key=lambda i: (not self.examples[i].get("keep"), -likeness[i], i))

    def _likeness(self, question: str) -> list[float]:
        questions = [str(example["question"]) for example in self.examples]
        if self._embed is not None:
            asked, *others = self._embed([question, *questions])
            return [_cosine(dict(enumerate(asked)), dict(enumerate(other))) for other in others]
        asked_words = Counter(keyword_tokens(question))
        return [_cosine(asked_words, Counter(keyword_tokens(q))) for q in questions]

    def _within_budget(self, ranked: Sequence[int]) -> list[int]:
        chosen: list[int] = []
        spent = 0
        for i in ranked:
            if len(chosen) == self.number:
                break
            example = self.examples[i]
            cost = sum(self._count(str(example[part])) for part in ("question", "passages", "reply"))
            if self.max_tokens is None or spent + cost <= self.max_tokens:
                chosen.append(i)
                spent += cost
        return chosen


def _cosine(a: dict[Any, Any], b: dict[Any, Any]) -> float:
    dot = sum(value * b.get(key, 0) for key, value in a.items())
    norm = math.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
    return float(dot / norm) if norm else 0.0
