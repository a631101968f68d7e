"""Rerankers: a model rates the passages found for a question, and the best come first.

A cross-encoder reads question and passage together: one of sentence-transformers, or one of FlashRank's small ONNX
models, which run without PyTorch (extra `rerank`). Or the chat model rates. Ratings on a scale beat yes or no (Zhuang
et al., "Beyond Yes and No", 2023), and unlike a ranking they can be compared between calls, so that any number of
passages fits any context window.
"""

from __future__ import annotations

import difflib
import logging
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from rag.errors import (
    BadResponse,
    ContextTooLong,
    MissingCapability,
    MissingExtra,
    ModelNotFound,
    ProviderError,
    SettingsError,
)
from rag.messages import Language, message
from rag.providers.e5.model_files import cache_root
from rag.providers.failures import scrub
from rag.retrieval.model_calls import ModelStep, PromptedModel, measured, model_step_note, read_ratings
from rag.settings import Settings
from rag.types import Passage

CHAT = "chat"
CROSS_ENCODER = "cross-encoder"
FLASHRANK = "flashrank"
DEPTH = 30
"""Passages that are reranked when nothing else is asked for."""


class Reranker(Protocol):
    """A model that rates passages for a question."""

    @property
    def spec(self) -> str:
        """Its name as `--rerank` takes it."""
        ...

    def rate(self, question: str, texts: Sequence[str]) -> Sequence[float] | None:
        """A rating for each text, larger is better; None when the model gave none that can be read."""
        ...


@dataclass(frozen=True, slots=True)
class Reranked:
    """Passages in their new order, and what that took."""

    passages: tuple[Passage, ...]
    model_step: ModelStep | None
    notes: tuple[str, ...] = ()


def rerank(
    reranker: Reranker,
    question: str,
    passages: Sequence[Passage],
    depth: int = DEPTH,
    language: Language = "en",
) -> Reranked:
    """The best `depth` of the passages by the reranker's ratings, ties in their old order; the rest behind them.

    Each rated passage carries its `rerank_score`. Notes are in `language`. Raises BadResponse for ratings that are
    not numbers, and what the reranker's own calls raise.
    """
    head, rest = list(passages[:depth]), passages[depth:]
    if not head:
        return Reranked((), None)
    # under its header, since what a passage is about is often said in the title alone
    texts = [f"{passage.header}\n{passage.text}" if passage.header else passage.text for passage in head]
    ratings, model_step = measured("rerank", reranker.spec, lambda: reranker.rate(question, texts))
    notes = (model_step_note(model_step, language),)
    if ratings is None:
        return Reranked(tuple(passages), model_step, (message("search.rerank_unread", language), *notes))
    if len(ratings) != len(head) or not all(map(math.isfinite, ratings)):
        raise BadResponse(f"{reranker.spec} does not give one number for each passage: use another reranker.")
    rated = [replace(p, rerank_score=float(rating)) for p, rating in zip(head, ratings, strict=True)]
    rated.sort(key=lambda passage: -(passage.rerank_score or 0.0))  # stable: ties keep their order
    return Reranked((*rated, *rest), model_step, notes)


def check_spec(spec: str) -> tuple[str, str]:
    """Kind and model of a reranker. Raises SettingsError for a name that is none, with the nearest kind."""
    kind, _, model = spec.strip().partition(":")
    if (kind == CHAT and not model) or (kind in (CROSS_ENCODER, FLASHRANK) and model):
        return kind, model
    near = difflib.get_close_matches(kind, (CHAT, CROSS_ENCODER, FLASHRANK), n=1)
    hint = "" if not near else f" Did you mean {near[0]}{'' if near[0] == CHAT else ':NAME'}?"
    raise SettingsError(
        f"`{spec}` is not a reranker: write cross-encoder:NAME_OR_FOLDER, flashrank:NAME_OR_FOLDER or chat.{hint}"
    )


def open_reranker(
    spec: str, settings: Settings, prompted: PromptedModel | None, neutralise: Callable[[str], str]
) -> Reranker:
    """The reranker `spec`: `cross-encoder:NAME_OR_FOLDER`, `flashrank:NAME_OR_FOLDER` or `chat`.

    prompted: the chat model, when there is one. neutralise: takes markup of prompts out of a passage's text.

    Raises SettingsError for another name, MissingCapability for `chat` without a chat model, MissingExtra,
    ModelNotFound.
    """
    kind, model = check_spec(spec)
    if kind == CROSS_ENCODER:
        return load_cross_encoder(model, settings)
    if kind == FLASHRANK:
        return load_flashrank(model, settings)
    if prompted is None:
        raise MissingCapability(
            "--rerank chat needs a chat model, and `extractive` cannot rate passages: name one with --model."
        )
    return ChatReranker(prompted, neutralise)


BATCH = 10
"""Passages in one call, at most: small models lose count in longer lists."""
PASSAGE_TOKENS = 480
"""A passage is cut here, the longest that chunking allows."""
_LEAST_TOKENS = 32


@dataclass(frozen=True, slots=True)
class ChatReranker:
    """Rates by asking a chat model with the template `rerank`."""

    prompted: PromptedModel
    neutralise: Callable[[str], str]

    @property
    def spec(self) -> str:
        return self.prompted.model.spec

    def rate(self, question: str, texts: Sequence[str]) -> Sequence[float] | None:
        """Ratings from 0 to 10; what a reply leaves out gets 0. None when a reply holds no rating at all."""
        batches = list(self._batches(question, texts))
        rated = self.prompted.at_once(lambda batch: self._rate(question, batch), batches)
        if any(ratings is None for ratings in rated):
            return None  # ratings of some passages alone would say nothing about their order among the others
        return [rating for ratings in rated for rating in ratings or ()]

    def _rate(self, question: str, texts: list[str]) -> list[float] | None:
        """Ratings of one batch; a batch that is too long after all is asked in halves."""
        try:
            reply = self.prompted.ask("rerank", question, passages=_block(texts))
        except ContextTooLong:
            if len(texts) == 1:
                raise
            half = len(texts) // 2
            first, second = self._rate(question, texts[:half]), self._rate(question, texts[half:])
            return None if first is None or second is None else first + second
        ratings = read_ratings(reply, len(texts))
        return None if ratings is None else [ratings.get(n, 0.0) for n in range(1, len(texts) + 1)]

    def _batches(self, question: str, texts: Sequence[str]) -> Iterator[list[str]]:
        """The texts, cut and neutralised, in order, as many in each batch as the context window holds."""
        room = max(self.prompted.room("rerank", question, passages=""), _LEAST_TOKENS)
        batch: list[str] = []
        left = room
        for text in texts:
            shown = self._cut(self.neutralise(text), min(PASSAGE_TOKENS, room - _LEAST_TOKENS // 2))
            cost = self.prompted.count_tokens(_block([shown]))
            if batch and (len(batch) == BATCH or cost > left):
                yield batch
                batch, left = [], room
            batch.append(shown)
            left -= cost
        yield batch

    def _cut(self, text: str, limit: int) -> str:
        """The beginning of the text, of `limit` tokens at most."""
        while (tokens := self.prompted.count_tokens(text)) > limit:
            text = text[: min(len(text) - 1, len(text) * limit // tokens)]
        return text


def _block(texts: Sequence[str]) -> str:
    return "\n\n".join(f"[{number}] {text}" for number, text in enumerate(texts, 1))


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
        cache = Path(settings.cache_dir).expanduser() if settings.cache_dir else cache_root()
        folder = cache / "flashrank" / name
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
