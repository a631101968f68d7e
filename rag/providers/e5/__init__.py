"""Built-in embeddings: multilingual-e5-small, run in ONNX Runtime with int8 kernels, without key or network.

Names are resolved on first use, so that importing this package loads neither numpy nor ONNX Runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.providers.e5.embeddings import E5Embeddings
    from rag.providers.e5.model_files import E5Tokenizer, load_tokenizer

__all__ = ["E5Embeddings", "E5Tokenizer", "load_tokenizer"]


def __getattr__(name: str) -> Any:
    if name == "E5Embeddings":
        from rag.providers.e5 import embeddings

        return embeddings.E5Embeddings
    if name in {"E5Tokenizer", "load_tokenizer"}:
        from rag.providers.e5 import model_files

        return getattr(model_files, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
