"""Puts a pipeline together: the index, the embeddings it was made with, the retriever and the answerer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rag.answering.context import neutralise
from rag.answering.evidence import GATE, THRESHOLD
from rag.answering.second_check import EntailmentChecker, SecondChecker
from rag.errors import IndexMismatch, MissingCapability
from rag.pipeline.state import read_state_file, write_state
from rag.pipeline.steps import Steps
from rag.providers.registry import chat_model, default_specs, embedding_model
from rag.providers.specs import EXTRACTIVE, parse_spec
from rag.retrieval.glossary import load_glossary
from rag.retrieval.hybrid import HybridSearch
from rag.settings import Settings
from rag.store import Index, open_index
from rag.usage.meter import Meter

if TYPE_CHECKING:
    from rag.answering.calibration import Calibration
    from rag.pipeline.generation import Generator
    from rag.providers.chat import GuardedChat
    from rag.providers.embedding import EmbeddingProvider
    from rag.retrieval.expansion import AssistedSearch


_FILE = "calibration.json"
_FORMAT = 4


def save_calibration(index: str, calibration: Calibration, embeddings: str) -> bool:
    """Keep it for the index at `index`; False when no folder for it can be written.

    `embeddings` is the identity of the weights that the scores come from.
    """
    form = {"format": _FORMAT, "embeddings": embeddings, **calibration.as_json()}
    return write_state(index, _FILE, form) is not None


def load_calibration(index: Index, notify: Callable[[str], None] = lambda _: None) -> Calibration | None:
    """What was kept for the index; None when there is nothing that can be read, or it fits other embeddings.

    `notify` gets a sentence in the latter case.
    """
    form = read_state_file(index.location, _FILE)
    if not isinstance(form, dict) or form.get("format") != _FORMAT:
        return None
    from rag.answering.calibration import Calibration

    found = Calibration.from_json(form)
    if found is not None and form.get("embeddings") != index.spec.embedding_id:
        notify("The index was calibrated for other embeddings: run `rag calibrate` again.")
        return None
    return found


def open_steps(
    settings: Settings, meter: Meter, notify: Callable[[str], None], *, follow: bool = True
) -> Steps:
    """Everything opened that the settings name; `follow` as in `Pipeline.open`.

    Raises the errors of the index and of the providers.
    """
    index = open_index(settings.index, notify=notify)
    try:
        embeddings = _embeddings_of(index, settings, meter, notify)
        index.embeddings = lambda: embeddings.embeddings
        # imported here, while the embedding model loads
        model = default_specs(settings)[0]
        generator = None
        if model != EXTRACTIVE:
            free = None if embeddings.paid else embeddings.embed
            generator = _generator(model, settings, meter, notify, free)
        if settings.vision and (
            generator is None or generator.model.guards.capabilities.image_tokens is None
        ):
            raise MissingCapability(
                f"{model} takes no pictures: leave --vision out, or name another --model."
            )
        chat = generator.model if generator is not None else None
        retriever = _retriever(index, embeddings, settings, chat)
        if settings.abstain is not None:
            threshold = alone = settings.abstain
        else:
            fitted = load_calibration(index, notify)
            alone = THRESHOLD if fitted is None else fitted.threshold
            threshold = alone if generator is None else GATE
        fixed = None if follow else index.snapshot()
        checker = open_checker(settings, meter, notify, generator)
        return Steps(
            index, retriever, embeddings, settings, generator, checker, model, threshold, alone, fixed
        )
    except BaseException:
        index.close()
        raise


def _retriever(
    index: Index, provider: EmbeddingProvider, settings: Settings, chat: GuardedChat | None
) -> HybridSearch | AssistedSearch:
    """Hybrid search over `index`, with the help of models that the settings ask for.

    Raises MissingCapability when --expand or --rerank chat has no chat model, and what loading a reranker raises.
    """
    glossary = load_glossary(settings.glossary)
    base = HybridSearch(index=index, embed_query=provider.embed_query, k=settings.k, glossary=glossary)
    if not settings.expand and settings.rerank is None:
        return base
    # a search without the help of models needs none of them
    from rag.retrieval.expansion import AssistedSearch, Expander
    from rag.retrieval.model_calls import PromptedModel
    from rag.retrieval.reranking import open_reranker

    prompted = PromptedModel(chat, settings.prompts_dir) if chat is not None else None
    expand = reranker = None
    if settings.expand:
        if prompted is None:
            raise MissingCapability(
                "--expand needs a chat model, and `extractive` cannot write: name one with --model."
            )
        expand = Expander(prompted, settings.expand, settings.language).expand
    if settings.rerank is not None:
        reranker = open_reranker(settings.rerank, settings, prompted, neutralise)
    return AssistedSearch(
        base=base,
        embed_passages=provider.embed,
        expand=expand,
        reranker=reranker,
        rerank_depth=settings.rerank_depth,
        language=settings.language,
    )


def _generator(
    model: str,
    settings: Settings,
    meter: Meter,
    notify: Callable[[str], None],
    embed: Callable[[Sequence[str]], Any] | None = None,
) -> Generator:
    """A chat model, opened. `embed` as in `Generator`."""
    from rag.pipeline.generation import Generator  # with it comes LangChain, which takes long to import

    return Generator(chat_model(model, settings, meter=meter, notify=notify), settings, embed)


def open_checker(
    settings: Settings, meter: Meter, notify: Callable[[str], None], generator: Generator | None
) -> SecondChecker | None:
    """What checks the sentences that rules leave open: the model that answers, another, or nothing.

    `hf:MODEL` names a local entailment model, any other spec a chat model. A chat model that tells no probabilities
    checks nothing. Raises MissingCapability when the setting `check` names a model that cannot check, and what
    `chat_model` and `connect_entailment` raise for it.
    """
    if settings.check == "off" or (settings.check == "model" and generator is None):
        return None
    if settings.check.startswith("hf:"):
        from rag.providers.huggingface import connect_entailment

        return EntailmentChecker(connect_entailment(parse_spec(settings.check), settings))
    named = settings.check != "model"
    checker = _generator(settings.check, settings, meter, notify) if named or generator is None else generator
    if "logprobs" in checker.model.guards.capabilities.parameters:
        return checker
    if named:
        raise MissingCapability(
            f"{settings.check} tells no probabilities of its words: name another --check."
        )
    return None


def _embeddings_of(
    index: Index, settings: Settings, meter: Meter, notify: Callable[[str], None]
) -> EmbeddingProvider:
    """The embeddings that the index was made with. Raises IndexMismatch when others are wanted or installed."""
    made = index.spec
    wanted = settings.embeddings
    if wanted is not None and settings.origin("embeddings") == "flag" and wanted != made.embedding_model:
        raise IndexMismatch(
            f"The index {index.location} was made with {made.embedding_model}, not {wanted}: leave --embeddings"
            " out, or name another --index."
        )
    provider = embedding_model(
        made.embedding_model, settings, meter=meter, dimension=made.dimension, notify=notify
    )
    if provider.id != made.embedding_id:
        raise IndexMismatch(
            f"The index {index.location} was made with {made.embedding_id}, and this installation has"
            f" {provider.id}: make it again with `rag ingest --rebuild`."
        )
    provider.preload()
    return provider
