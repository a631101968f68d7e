"""What a question is like, as far as ranking depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rag.retrieval.glossary import Glossary
from rag.text.keywords import searched_terms


@dataclass(frozen=True, slots=True)
class Question:
    """A question, taken apart once for all searches."""

    text: str
    terms: Mapping[str, float]
    """Keyword tokens with their weights."""
    expansion: Mapping[str, float]
    """Tokens that the glossary adds; searched for apart, so that they cannot drown the question's own."""


def read_question(text: str, glossary: Glossary) -> Question:
    """Take `text` apart."""
    terms = searched_terms(text)
    expansion: dict[str, float] = {}
    for printed in glossary.expand(text):
        expansion.update(searched_terms(printed))
    return Question(text=text, terms=terms, expansion=expansion)
