"""The chat model as a reranker: it rates passages from 0 to 10, a few in each call.

Ratings on a scale beat yes or no (Zhuang et al., "Beyond Yes and No", 2023), and unlike a ranking they can be
compared between calls, so that any number of passages fits any context window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rag.errors import ContextTooLong
from rag.retrieval.asking import Asker
from rag.retrieval.replies import read_ratings

BATCH = 10
"""Passages in one call, at most: small models lose count in longer lists."""
PASSAGE_TOKENS = 480
"""A passage is cut here, the longest that chunking allows."""
_LEAST_TOKENS = 32


@dataclass(frozen=True, slots=True)
class ChatReranker:
    """Rates by asking a chat model with the template `rerank`."""

    asker: Asker
    neutralise: Callable[[str], str]

    @property
    def spec(self) -> str:
        return self.asker.model.spec

    def rate(self, question: str, texts: Sequence[str]) -> Sequence[float] | None:
        """Ratings from 0 to 10; what a reply leaves out gets 0. None when a reply holds no rating at all."""
        batches = list(self._batches(question, texts))
        rated = self.asker.at_once(lambda batch: self._rate(question, batch), batches)
        if any(ratings is None for ratings in rated):
            return None  # ratings of some passages alone would say nothing about their order among the others
        return [rating for ratings in rated for rating in ratings or ()]

    def _rate(self, question: str, texts: list[str]) -> list[float] | None:
        """Ratings of one batch; a batch that is too long after all is asked in halves."""
        try:
            reply = self.asker.ask("rerank", question, passages=_block(texts))
        except ContextTooLong:
            if len(texts) == 1:
                raise
            half = len(texts) // 2
            first, second = self._rate(question, texts[:half]), self._rate(question, texts[half:])
            return None if first is None or second is None else first + second
        ratings = read_ratings(reply, len(texts))
        return None if ratings is None else [ratings.get(n, 0.0) for n in range(1, len(texts) + 1)]

    def _batches(self, question: str, texts: Sequence[str]) -> Iterator[list[str]]:
        """The texts, cut and neutralised, in order, as many in each batch as the context window holds."""
        room = max(self.asker.room("rerank", question, passages=""), _LEAST_TOKENS)
        batch: list[str] = []
        left = room
        for text in texts:
            shown = self._cut(self.neutralise(text), min(PASSAGE_TOKENS, room - _LEAST_TOKENS // 2))
            cost = self.asker.count_tokens(_block([shown]))
            if batch and (len(batch) == BATCH or cost > left):
                yield batch
                batch, left = [], room
            batch.append(shown)
            left -= cost
        yield batch

    def _cut(self, text: str, limit: int) -> str:
        """The beginning of the text, of `limit` tokens at most."""
        while (tokens := self.asker.count_tokens(text)) > limit:
            text = text[: min(len(text) - 1, len(text) * limit // tokens)]
        return text


def _block(texts: Sequence[str]) -> str:
    return "\n\n".join(f"[{number}] {text}" for number, text in enumerate(texts, 1))
