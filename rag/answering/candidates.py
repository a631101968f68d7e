"""The sentences of the retrieved passages, each with what stands around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.text.keywords import keyword_tokens
from rag.text.sentences import sentences
from rag.types import Passage


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may answer."""

    rank: int
    """Index (from 0) of its passage in the list of retrieved passages."""
    passage: Passage
    text: str
    tokens: frozenset[str]
    before: frozenset[str]
    """Tokens of the sentence before it in the passage."""
    after: frozenset[str]
    context: str
    """The sentence before it, to be read with it."""

    @property
    def file(self) -> str:
        return self.passage.file


def candidates(passages: Sequence[Passage]) -> list[Candidate]:
    """Every distinct sentence of the passages, in their order; of repeats (overlapping chunks) the first."""
    found: list[Candidate] = []
    seen: set[tuple[str, int, str]] = set()
    for rank, passage in enumerate(passages):
        texts = [passage.text[start:end] for start, end in sentences(passage.text)]
        tokens = [frozenset(keyword_tokens(text)) for text in texts]
        for i, text in enumerate(texts):
            key = (passage.file, passage.page, "".join(text.split()))
            if key in seen or not tokens[i]:
                continue
            seen.add(key)
            before = tokens[i - 1] if i else frozenset()
            after = tokens[i + 1] if i + 1 < len(texts) else frozenset()
            context = texts[i - 1] if i else ""
            found.append(Candidate(rank, passage, text, tokens[i], before, after, context))
    return found
