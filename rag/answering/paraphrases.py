"""Other words for the words of a question: people get rid of what a manual deletes, and turn off what it disables.

The groups of words are in `paraphrases.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rag.text.keywords import STEM, keyword_tokens
from rag.text.nesting import safe_load

Alike = Mapping[str, frozenset[str]]
"""Tokens of a question, and for each the tokens of other words for the same."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Words that mean the same."""

    words: tuple[str, ...]
    """Single words; phrases are only asked with."""
    found: re.Pattern[str]
    """Finds one of the words or phrases in a question."""


def alike(question: str) -> Alike:
    """For the tokens of each known word or phrase of a question those of the other words of its group."""
    result: dict[str, frozenset[str]] = {}
    for group in _groups():
        for match in group.found.finditer(question):
            asked = match[0].casefold()
            others = frozenset(_telling(word) for word in group.words if not asked.startswith(word[:STEM]))
            for token in keyword_tokens(asked):
                result[token] = result.get(token, frozenset()) | others
    return result


def _telling(word: str) -> str:
    """The token that tells most of a word: of the pairs of letters of a Korean one the second, when it has more."""
    tokens = keyword_tokens(word)
    return tokens[min(1, len(tokens) - 1)]


@cache
def _groups() -> tuple[_Group, ...]:
    rows = safe_load((files("rag.answering") / "paraphrases.yaml").read_text(encoding="utf-8"))
    english = (rf"\b(?:{'|'.join(map(_forms, row))})\b" for row in rows["en"])
    korean = (rf"(?<![가-힣])(?:{'|'.join(map(re.escape, row))})" for row in rows["ko"])
    return tuple(
        _Group(tuple(word for word in row if " " not in word), re.compile(pattern, re.IGNORECASE))
        for row, pattern in zip([*rows["en"], *rows["ko"]], [*english, *korean], strict=True)
    )


def _forms(words: str) -> str:
    """The forms of an English word or phrase, whose first word is its verb: "gets rid of", "removing"."""
    first, *rest = words.split()
    stem = re.escape(first.removesuffix("e")) + ("e?" if first.endswith("e") else "")
    return r"\s".join([f"{stem}{first[-1]}?(?:s|es|d|ed|ing)?", *rest])
