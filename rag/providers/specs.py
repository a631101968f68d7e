"""The `provider:model` names, what a model takes, and what a provider hands to the registry.

The facts on OpenAI's models are from its reference (reasoning models refuse sampling parameters and
`max_tokens`, and spend output tokens on thoughts that are not shown) and model pages (context windows).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rag.errors import SettingsError
from rag.providers.failures import CallSite
from rag.providers.offline import is_local
from rag.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from langchain_core.language_models import BaseChatModel
    from numpy.typing import NDArray


EXTRACTIVE = "extractive"
BUILTIN_EMBEDDINGS = "e5-small"
PROVIDERS = {
    "openai": "openai",
    "azure": "openai",
    "compatible": "openai",
    "ollama": "openai",
    "gguf": "gguf",
    "hf": "huggingface",
}
"""The module of `rag.providers` that opens the models of each provider; others are opened by `other`."""


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
        names = [*(f"{name}:MODEL" for name in PROVIDERS), EXTRACTIVE, BUILTIN_EMBEDDINGS]
        near = difflib.get_close_matches(provider, [*PROVIDERS, EXTRACTIVE, BUILTIN_EMBEDDINGS], n=1)
        hint = f" Did you mean {next(name for name in names if name.startswith(near[0]))}?" if near else ""
        raise SettingsError(
            f"`{text}` is not a model name: write provider:model, such as openai:gpt-4o-mini, or {EXTRACTIVE}"
            f" or {BUILTIN_EMBEDDINGS}.{hint}"
        )
    return Spec(provider, model)


SAMPLING = frozenset(
    {
        *("temperature", "top_p", "max_tokens", "stop", "presence_penalty", "frequency_penalty", "seed"),
        *("logprobs", "top_logprobs"),
    }
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
PATIENCE = 60.0
"""Seconds that all tries of a call take together, unless the setting `patience` says otherwise."""
PATIENCE_LOOPBACK = 300.0
"""The same for a server on this machine, whose processor may read a long prompt for minutes."""


_NO_IMAGES = re.compile(r"gpt-3\.5|gpt-4(?!o|\.\d|-turbo)|o1-mini|o1-preview|o3-mini")
_NO_SCHEMA = re.compile(r"gpt-3\.5|gpt-4(?!o|\.\d)|o1-mini|o1-preview|gpt-4o-2024-05-13")
"""OpenAI's models without pictures as input, and without replies that follow a JSON schema."""
IMAGE_TOKENS = 2_000
"""Tokens of a picture of 1,024 by 724 pixels: 765 (four tiles) for gpt-4o, up to 1,811 (patches) for small models."""
_IMAGE_TOKENS_4O_MINI = 25_501
"""gpt-4o-mini counts 2,833 and 5,667 a tile, so that a picture costs what it costs with gpt-4o."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What may be sent to a model."""

    parameters: frozenset[str] = SAMPLING
    """Those of `SAMPLING` that it takes."""
    context_tokens: int = _UNKNOWN_CONTEXT
    hidden_output_tokens: int = 0
    """Allowance for thoughts, on top of the length of a reply that was asked for."""
    image_tokens: int | None = IMAGE_TOKENS
    """Tokens of a page's picture, at most; None for a model that takes none."""


def capabilities(provider: str, model: str) -> Capabilities:
    """The table's entry for a model."""
    name = model.lower()
    if provider in ("openai", "azure"):
        context = next((size for pattern, size in _CONTEXTS if pattern.match(name)), 128_000)
        schema = frozenset() if _NO_SCHEMA.match(name) else frozenset({"response_format"})
        images = _IMAGE_TOKENS_4O_MINI if name.startswith("gpt-4o-mini") else IMAGE_TOKENS
        seen = None if _NO_IMAGES.match(name) else images
        if _REASONING.match(name):
            return Capabilities(frozenset({"max_tokens", "seed"}) | schema, context, _THOUGHTS, seen)
        return Capabilities(SAMPLING | schema, context, image_tokens=seen)
    if provider == "ollama":
        return Capabilities(context_tokens=_OLLAMA_CONTEXT)
    if provider == "compatible":
        return Capabilities()
    if provider == "gguf":
        return Capabilities(image_tokens=None)
    if provider == "hf":
        return Capabilities(_COMMON, image_tokens=None)
    return Capabilities(_COMMON, 32_000)


@dataclass(frozen=True, slots=True)
class ChatConnection:
    """A LangChain chat model of a provider, without guards."""

    model: BaseChatModel
    site: CallSite
    marks_end: bool = True
    count_tokens: Callable[[str], int] | None = None
    """The model's own tokenizer, where it is at hand."""
    context_tokens: int | None = None
    """What the server said about its context window; None when it did not."""
    local: bool = False
    """Runs on this machine, so that no price needs to be known."""
    url: str | None = None
    """The address of its server; None for the provider's own and for a model in this process."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of one request, and the tokens that the server billed for it, if it said."""

    vectors: NDArray[np.float32]
    tokens: int | None


@dataclass(frozen=True, slots=True)
class EmbeddingConnection:
    """One request of texts to an embedding model, without guards."""

    request: Callable[[Sequence[str]], Embedded]
    site: CallSite
    request_query: Callable[[str], Embedded] | None = None
    """For models that embed questions otherwise than passages; None when both are alike."""
    dimension: int | None = None
    """Known from the model's name; None when only a request can tell."""
    batch_texts: int = 256
    batch_tokens: int = 16_000
    parallel: int = 4
    """Requests under way at once, at most."""
    local: bool = False
    url: str | None = None
    """As in `ChatConnection`."""


def patience(settings: Settings, url: str | None) -> tuple[float, float]:
    """Seconds that one try of a call to the server at `url` may take, and all tries together."""
    longest = settings.patience
    if longest is None:
        usual = PATIENCE_LOOPBACK if url is not None and is_loopback(url) else PATIENCE
        longest = max(usual, settings.timeout or 0.0)
    return settings.timeout or longest / 2, longest


def is_loopback(url: str) -> bool:
    """Whether an address points at this machine."""
    host = urlsplit(url).hostname
    return bool(host) and is_local(host)
