"""Opens the retriever that the settings ask for: hybrid search, alone or with a model's help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.answering.context import neutralise
from rag.errors import MissingCapability
from rag.retrieval.glossary import load_glossary
from rag.retrieval.hybrid import HybridSearch, Retrieval

if TYPE_CHECKING:
    from rag.providers.chat import GuardedChat
    from rag.providers.embedding import EmbeddingProvider
    from rag.retrieval.expansion import AssistedRetriever, Expander
    from rag.retrieval.model_calls import ModelStep, PromptedModel
    from rag.settings import Settings
    from rag.store import Index


def open_retriever(
    index: Index, provider: EmbeddingProvider, settings: Settings, chat: GuardedChat | None
) -> HybridSearch | AssistedRetriever:
    """The retriever over `index`; `chat` is the model in force, None for the extractive answerer.

    Raises MissingCapability when --expand or --rerank chat has no chat model, and what loading a reranker raises.
    """
    base = HybridSearch(
        index=index,
        embed_query=provider.embed_query,
        k=settings.k,
        glossary=load_glossary(settings.glossary),
    )
    if not settings.expand and settings.rerank is None:
        return base
    from rag.retrieval.expansion import (
        AssistedRetriever,  # with them comes LangChain, which takes long to import
    )
    from rag.retrieval.model_calls import PromptedModel
    from rag.retrieval.reranking import open_reranker

    asker = PromptedModel(chat, settings.prompts_dir) if chat is not None else None
    return AssistedRetriever(
        base=base,
        embed_passages=provider.embed,
        expand=_expander(settings, asker).expand if settings.expand else None,
        reranker=None
        if settings.rerank is None
        else open_reranker(settings.rerank, settings, asker, neutralise),
        rerank_depth=settings.rerank_depth,
        language=settings.language,
    )


def _expander(settings: Settings, asker: PromptedModel | None) -> Expander:
    if asker is None:
        raise MissingCapability(
            "--expand needs a chat model, and `extractive` cannot write: name one with --model."
        )
    from rag.retrieval.expansion import Expander

    return Expander(asker, settings.expand, settings.language)


def model_step_seconds(retrieval: Retrieval) -> dict[str, float]:
    """Seconds by stage for what models did in a search: `expand` as a whole, since its calls run together."""
    seconds: dict[str, float] = {}
    for model_step in retrieval.model_steps:
        stage = model_step.step if model_step.step == "rerank" else "expand"
        seconds[stage] = max(model_step.seconds, seconds.get(stage, 0.0))
    return seconds


def model_step_forms(retrieval: Retrieval | None) -> list[dict[str, Any]]:
    """What each step of a search with a model took, as plain data."""
    return [_form(model_step) for model_step in retrieval.model_steps] if retrieval is not None else []


def _form(model_step: ModelStep) -> dict[str, Any]:
    usage = model_step.usage
    return {
        "step": model_step.step,
        "model": model_step.model,
        "calls": usage.calls,
        "cached_calls": usage.cached_calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
        "seconds": round(model_step.seconds, 4),
    }
