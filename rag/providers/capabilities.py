"""What a model takes: which parameters, how many tokens. A small table by provider and name.

The facts on OpenAI's models are from its reference (reasoning models refuse sampling parameters and
`max_tokens`, and spend output tokens on thoughts that are not shown) and model pages (context windows).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SAMPLING = frozenset(
    {"temperature", "top_p", "max_tokens", "stop", "presence_penalty", "frequency_penalty", "seed"}
)
_REASONING = re.compile(r"o\d|gpt-5(?!.*chat)|gpt-6")
_COMMON = frozenset({"temperature", "top_p", "max_tokens", "stop"})
_CONTEXTS = (
    (re.compile(r"gpt-4\.1"), 1_000_000),
    (re.compile(r"gpt-5|gpt-6"), 272_000),
    (re.compile(r"o\d(?!-mini|-preview)|o[34]-mini"), 200_000),
    (re.compile(r"gpt-4o|gpt-4-turbo|o1"), 128_000),
    (re.compile(r"gpt-4"), 8_192),
    (re.compile(r"gpt-3\.5"), 16_385),
)
_UNKNOWN_CONTEXT = 8_192
"""A careful guess for servers that do not say; a prompt that is too long all the same is packed again."""
_OLLAMA_CONTEXT = 4_096
"""Ollama's default (OLLAMA_CONTEXT_LENGTH). It cuts longer prompts without a word, beginning with the rules."""
_THOUGHTS = 4_000
DEFAULT_REPLY_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What may be sent to a model."""

    parameters: frozenset[str] = SAMPLING
    """Those of `SAMPLING` that it takes."""
    context_tokens: int = _UNKNOWN_CONTEXT
    hidden_output_tokens: int = 0
    """Allowance for thoughts, on top of the length of a reply that was asked for."""


def capabilities(provider: str, model: str) -> Capabilities:
    """The table's entry for a model."""
    name = model.lower()
    if provider in ("openai", "azure"):
        context = next((size for pattern, size in _CONTEXTS if pattern.match(name)), 128_000)
        if _REASONING.match(name):
            return Capabilities(frozenset({"max_tokens", "seed"}), context, _THOUGHTS)
        return Capabilities(context_tokens=context)
    if provider == "ollama":
        return Capabilities(context_tokens=_OLLAMA_CONTEXT)
    if provider in ("compatible", "gguf"):
        return Capabilities()
    if provider == "hf":
        return Capabilities(_COMMON)
    return Capabilities(_COMMON, 32_000)
