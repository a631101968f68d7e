"""Reranking: a model reads question and passage together, which the search itself cannot afford for every page."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rag.errors import BadResponse, MissingCapability, SettingsError
from rag.retrieval.asking import Asker, Effort, measured
from rag.retrieval.wording import effort_note, say
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
    effort: Effort | None
    notes: tuple[str, ...] = ()


def rerank(reranker: Reranker, question: str, passages: Sequence[Passage], depth: int = DEPTH) -> Reranked:
    """The best `depth` of the passages by the reranker's ratings, ties in their old order; the rest behind them.

    Each rated passage carries its `rerank_score`. Raises BadResponse for ratings that are not numbers, and what the
    reranker's own calls raise.
    """
    head, rest = list(passages[:depth]), passages[depth:]
    if not head:
        return Reranked((), None)
    texts = [_shown(passage) for passage in head]
    ratings, effort = measured("rerank", reranker.spec, lambda: reranker.rate(question, texts))
    notes = (effort_note(effort, question),)
    if ratings is None:
        return Reranked(tuple(passages), effort, (say("rerank_unread", question), *notes))
    if len(ratings) != len(head) or not all(map(math.isfinite, ratings)):
        raise BadResponse(f"{reranker.spec} does not give one number for each passage: use another reranker.")
    rated = [replace(p, rerank_score=float(rating)) for p, rating in zip(head, ratings, strict=True)]
    rated.sort(key=lambda passage: -(passage.rerank_score or 0.0))  # stable: ties keep their order
    return Reranked((*rated, *rest), effort, notes)


def _shown(passage: Passage) -> str:
    """The passage under its header, since what it is about is often said in the title alone."""
    return f"{passage.header}\n{passage.text}" if passage.header else passage.text


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
    spec: str, settings: Settings, asker: Asker | None, neutralise: Callable[[str], str]
) -> Reranker:
    """The reranker `spec`: `cross-encoder:NAME_OR_FOLDER`, `flashrank:NAME_OR_FOLDER` or `chat`.

    asker: the chat model, when there is one. neutralise: takes markup of prompts out of a passage's text.

    Raises SettingsError for another name, MissingCapability for `chat` without a chat model, MissingExtra,
    ModelNotFound.
    """
    kind, model = check_spec(spec)
    if kind == CROSS_ENCODER:
        from rag.retrieval.cross_encoder import load_cross_encoder

        return load_cross_encoder(model, settings)
    if kind == FLASHRANK:
        from rag.retrieval.flash import load_flashrank

        return load_flashrank(model, settings)
    if asker is None:
        raise MissingCapability(
            "--rerank chat needs a chat model, and `extractive` cannot rate passages: name one with --model."
        )
    from rag.retrieval.chat_rating import ChatReranker

    return ChatReranker(asker, neutralise)
