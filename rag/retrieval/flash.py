"""FlashRank's small ONNX cross-encoders as rerankers (extra `rerank`); they run without PyTorch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag.errors import MissingCapability, MissingExtra, ModelNotFound, ProviderError
from rag.providers.failures import scrub
from rag.settings import Settings


class FlashReranker:
    """Rates question and passage read together, cut at the model's limit, from 0 to 1."""

    def __init__(self, name: str, ranker: Any, request: Any) -> None:
        self.spec = f"flashrank:{name}"
        self._ranker = ranker
        self._request = request
        self._lock = threading.Lock()

    def rate(self, question: str, texts: Sequence[str]) -> list[float]:
        passages = [{"id": place, "text": text} for place, text in enumerate(texts)]
        with self._lock:
            ranked = self._ranker.rerank(self._request(query=question, passages=passages))
        scores = {passage["id"]: float(passage["score"]) for passage in ranked}
        return [scores[place] for place in range(len(texts))]


def load_flashrank(name: str, settings: Settings) -> FlashReranker:
    """Load one of FlashRank's models by its name (fetched once into the cache folder) or by its folder.

    A folder holds one .onnx file beside tokenizer.json, tokenizer_config.json, special_tokens_map.json and
    config.json. Raises MissingExtra without the extra `rerank`, ModelNotFound, MissingCapability for the listwise
    models, which are chat models.
    """
    try:
        from flashrank import Ranker, RerankRequest
        from flashrank.Config import listwise_rankers, model_file_map
    except ImportError:
        raise MissingExtra("FlashRank", "rerank", f"flashrank:{name}") from None

    folder = Path(name).expanduser()
    if not folder.is_dir():
        if name not in model_file_map:
            raise ModelNotFound(
                f"flashrank:{name} is neither a folder nor one of FlashRank's models: {', '.join(model_file_map)}."
            )
        folder = _cache(settings) / name
    if folder.name in listwise_rankers:
        raise MissingCapability(
            f"flashrank:{name} is a chat model: run it with --model gguf:FILE --rerank chat."
        )
    if settings.offline and not folder.is_dir():
        raise ModelNotFound(
            f"flashrank:{name} is not in {folder.parent} and --offline forbids to fetch it: load it once without."
        )
    if folder.name not in model_file_map:  # the library finds a model's file only through this table
        model_file_map[folder.name] = _onnx_file(folder)
    try:
        with _quiet_logging():
            ranker = Ranker(folder.name, cache_dir=str(folder.parent), log_level="WARNING")
    except Exception as error:  # noqa: BLE001  requests, zipfile, tokenizers and onnxruntime raise their own
        said = " ".join(scrub(str(error), settings.secrets()).split())[:160]
        raise ProviderError(f"flashrank:{name} cannot be loaded: {said}.") from None
    return FlashReranker(name, ranker, RerankRequest)


def _cache(settings: Settings) -> Path:
    from rag.providers.e5.cache import cache_root

    root = Path(settings.cache_dir).expanduser() if settings.cache_dir else cache_root()
    return root / "flashrank"


def _onnx_file(folder: Path) -> str:
    files = sorted(path.name for path in folder.glob("*.onnx"))
    if len(files) != 1:
        raise ModelNotFound(
            f"The folder {folder} holds {len(files) or 'no'} .onnx files: a model of FlashRank's form has one."
        )
    return files[0]


@contextmanager
def _quiet_logging() -> Iterator[None]:
    """Undo what the library does to the root logger of the whole program."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
