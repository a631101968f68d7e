"""Cross-encoders of sentence-transformers as rerankers (extra `rerank`)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from rag.errors import MissingCapability, MissingExtra, ModelNotFound, ProviderError
from rag.providers.failures import scrub
from rag.settings import Settings

_BATCH = 16


class CrossEncoderReranker:
    """Rates question and passage read together. Longer passages are cut at the model's limit."""

    def __init__(self, name: str, model: Any) -> None:
        self.spec = f"cross-encoder:{name}"
        self._model = model
        self._lock = threading.Lock()  # fast tokenizers refuse a second thread while they truncate

    def rate(self, question: str, texts: Sequence[str]) -> list[float]:
        """The model's own score for each text, from 0 to 1 for most models."""
        pairs = [(question, text) for text in texts]
        with self._lock:
            scores = self._model.predict(pairs, batch_size=_BATCH, show_progress_bar=False)
        return [float(score) for score in scores]


def load_cross_encoder(name: str, settings: Settings) -> CrossEncoderReranker:
    """Load a cross-encoder by its name on the hub or its folder; no code of a model repository is run.

    Raises MissingExtra without the extra `rerank`, ModelNotFound when the model is neither here nor to be had,
    MissingCapability when it does not give one score.
    """
    try:
        from sentence_transformers import CrossEncoder
        from transformers.utils import logging
    except ImportError:
        raise MissingExtra("sentence-transformers", "rerank", f"cross-encoder:{name}") from None

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model = CrossEncoder(
            name,
            local_files_only=settings.offline,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # noqa: BLE001  transformers raises OSError, ValueError, RuntimeError and more
        raise _not_loaded(name, error, settings) from None
    if model.num_labels != 1:
        raise MissingCapability(
            f"cross-encoder:{name} gives {model.num_labels} numbers for a passage and cannot rank by them: name a"
            " cross-encoder with one label."
        )
    _limit(model)
    return CrossEncoderReranker(name, model)


def _limit(model: Any) -> None:
    """Cut at the real limit of RoBERTa's kin, which lose the positions up to the padding index."""
    config = model.config
    if "roberta" in config.model_type:
        usable = config.max_position_embeddings - config.pad_token_id - 1
        model.max_seq_length = min(model.max_seq_length, usable)


def _not_loaded(name: str, error: Exception, settings: Settings) -> ProviderError:
    said = " ".join(scrub(str(error), settings.secrets()).split())[:160]
    if isinstance(error, OSError):
        return ModelNotFound(
            f"cross-encoder:{name} is not on this machine and cannot be fetched: check its name, or load it once"
            f" with the network allowed ({said})."
        )
    return ProviderError(f"cross-encoder:{name} cannot be loaded: {said}.")
