"""Built-in embeddings: multilingual-e5-small, run in ONNX Runtime with int8 kernels, without key or network.

Names are resolved on first use, so that importing this package loads neither numpy nor ONNX Runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.providers.e5.embeddings import E5Embeddings
    from rag.providers.e5.model import E5Model
    from rag.providers.e5.model_files import E5Tokenizer, load_tokenizer

__all__ = ["E5Embeddings", "E5Model", "E5Tokenizer", "load_tokenizer"]


_HOMES = {
    "E5Embeddings": "embeddings",
    "E5Model": "model",
    "E5Tokenizer": "model_files",
    "load_tokenizer": "model_files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
