"""What a provider's module hands to the registry: a way to call its model, and how to speak of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rag.providers.failures import Place

if TYPE_CHECKING:
    import numpy as np
    from langchain_core.language_models import BaseChatModel
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ChatConnection:
    """A LangChain chat model of a provider, without guards."""

    model: BaseChatModel
    place: Place
    marks_end: bool = True
    count_tokens: Callable[[str], int] | None = None
    """The model's own tokenizer, where it is at hand."""
    context_tokens: int | None = None
    """What the server said about its context window; None when it did not."""
    local: bool = False
    """Runs on this machine, so that no price needs to be known."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of one request, and the tokens that the server billed for it, if it said."""

    vectors: NDArray[np.float32]
    tokens: int | None


@dataclass(frozen=True, slots=True)
class EmbeddingConnection:
    """One request of texts to an embedding model, without guards."""

    request: Callable[[Sequence[str]], Embedded]
    place: Place
    request_query: Callable[[str], Embedded] | None = None
    """For models that embed questions otherwise than passages; None when both are alike."""
    dimension: int | None = None
    """Known from the model's name; None when only a request can tell."""
    batch_texts: int = 256
    batch_tokens: int = 16_000
    parallel: int = 4
    """Requests under way at once, at most."""
    local: bool = False


def is_loopback(url: str) -> bool:
    """Whether an address points at this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
