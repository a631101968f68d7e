"""What a visitor has chosen on the page: how the next question is answered."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

from rag.settings import Settings


@dataclass(frozen=True, slots=True)
class Choices:
    """Kept with the session. What is None follows the settings in force, or the template."""

    prompt: str = "few-shot"
    k: int = 8
    strict: bool = False
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    abstain: float | None = None
    files: tuple[str, ...] = ()
    """Answer from these documents alone."""
    conditions: tuple[str, ...] = ()
    """Further conditions as `--where` writes them."""
    variables: tuple[tuple[str, str], ...] = ()
    """Values for the template's own variables, such as the persona."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those that the settings start with."""
        return cls(prompt=settings.prompt, k=settings.k, strict=settings.strict)

    def with_prompt(self, name: str) -> Self:
        """Another template; values for the variables of the old one mean nothing to it."""
        return self if name == self.prompt else replace(self, prompt=name, variables=())

    def flags(self) -> dict[str, object]:
        """The settings that need a pipeline of their own."""
        chosen = {
            "model": self.model,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "abstain": self.abstain,
        }
        return {name: value for name, value in chosen.items() if value is not None}

    def where(self) -> tuple[str, ...] | None:
        """The filters as `--where` writes them; None for everything."""
        named = tuple(f"file=./{_literal(file)}" for file in self.files)
        return (*named, *(c for c in self.conditions if c.strip())) or None


def _literal(name: str) -> str:
    """A file name as the glob that matches it alone."""
    return re.sub(r"([*?\[])", r"[\1]", name)
