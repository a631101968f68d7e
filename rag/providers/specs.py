"""The `provider:model` names of models."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from rag.errors import SettingsError

EXTRACTIVE = "extractive"
BUILTIN_EMBEDDINGS = "e5-small"
PROVIDERS = ("openai", "azure", "compatible", "ollama", "gguf", "hf")


@dataclass(frozen=True, slots=True)
class Spec:
    """A model and who serves it."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}" if self.model else self.provider


def parse_spec(text: str) -> Spec:
    """Read `provider:model`. The built-in pair has no model part.

    Raises SettingsError for a name that is no spec, with the nearest provider.
    """
    text = text.strip()
    if text in (EXTRACTIVE, BUILTIN_EMBEDDINGS):
        return Spec(text, "")
    provider, colon, model = text.partition(":")
    if not colon or not model:
        near = difflib.get_close_matches(provider, (*PROVIDERS, EXTRACTIVE, BUILTIN_EMBEDDINGS), n=1)
        hint = (
            f" Did you mean {near[0]}{'' if near[0] in (EXTRACTIVE, BUILTIN_EMBEDDINGS) else ':MODEL'}?"
            if near
            else ""
        )
        raise SettingsError(
            f"`{text}` is not a model name: write provider:model, such as openai:gpt-4o-mini, or {EXTRACTIVE}"
            f" or {BUILTIN_EMBEDDINGS}.{hint}"
        )
    return Spec(provider, model)


def nearest_provider(name: str) -> str:
    """` Did you mean openai?` for a slip such as `opena`; empty when no provider here is near."""
    near = difflib.get_close_matches(name.casefold(), PROVIDERS, n=1, cutoff=0.7)
    return f" Did you mean {near[0]}?" if near and near[0] != name else ""
