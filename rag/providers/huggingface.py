"""Hugging Face models run in this process by transformers, through langchain-huggingface (extra `hf`).

Chat models, embedding models, and entailment models: classifiers of a pair of texts that were trained on natural
language inference, of which one checks whether a sentence follows from its quote. Weights are loaded from safetensors
alone and no code of a model repository is run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from rag.errors import MissingCapability, MissingExtra, ModelNotFound, ProviderError
from rag.providers.failures import CallSite, scrub
from rag.providers.specs import ChatConnection, Embedded, EmbeddingConnection, Spec
from rag.settings import Settings

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

_SAFE = {"use_safetensors": True}
_PAIRS = 16
"""Pairs of sentences in one batch."""
_loaded: dict[str, Any] = {}
_entailing: dict[str, EntailmentModel] = {}
_lock = threading.Lock()


def connect_chat(spec: Spec, settings: Settings) -> ChatConnection:
    """Load a text generation model by its name on the hub or its folder, or use it when it is loaded already.

    Raises MissingExtra without the extra `hf`, ModelNotFound when it is neither here nor to be had.
    """
    _require_packages(spec)
    with _lock:
        if spec.model not in _loaded:
            _loaded[spec.model] = _load(spec, settings)
        pipeline = _loaded[spec.model]
    config = pipeline.pipeline.model.config
    window = getattr(config, "max_position_embeddings", None)
    tokenizer = pipeline.pipeline.tokenizer
    return ChatConnection(
        _chat_class()(llm=pipeline, model_id=spec.model, tokenizer=tokenizer),
        _site(spec, settings),
        context_tokens=window if isinstance(window, int) else None,
        count_tokens=lambda text: len(tokenizer.encode(text, add_special_tokens=False)),
        local=True,
    )


def connect_embeddings(spec: Spec, settings: Settings) -> EmbeddingConnection:
    """Load a sentence-transformers model. Raises as `connect_chat` does."""
    _require_packages(spec)
    from langchain_huggingface import HuggingFaceEmbeddings

    try:
        made = HuggingFaceEmbeddings(model_name=spec.model, model_kwargs={"model_kwargs": _SAFE})
    except ImportError:
        raise MissingExtra("sentence-transformers", "hf", str(spec)) from None
    except Exception as error:  # noqa: BLE001  transformers raises OSError, ValueError, RuntimeError and more
        raise _not_loaded(spec, error, settings) from None

    def request(texts: Any) -> Embedded:
        return Embedded(np.asarray(made.embed_documents(list(texts)), dtype=np.float32), None)

    return EmbeddingConnection(request, _site(spec, settings), batch_texts=32, parallel=1, local=True)


@dataclass(frozen=True, slots=True)
class EntailmentModel:
    """A classifier that tells how likely one text follows from another."""

    name: str
    classifier: Any
    tokenizer: Any
    label: int
    """Of its labels, the number of the one that says entailment."""
    longest: int
    """Tokens of a pair of texts, at most."""

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """For each pair (premise, hypothesis) the probability, 0 to 1, that the hypothesis follows.

        It is 0 for a pair that is too long to be read whole. Raises ProviderError when the model fails.
        """
        import torch

        found = [0.0] * len(pairs)
        fitting = [
            i for i, pair in enumerate(pairs) if len(self.tokenizer(*pair)["input_ids"]) <= self.longest
        ]
        try:
            with torch.inference_mode():
                for start in range(0, len(fitting), _PAIRS):
                    batch = fitting[start : start + _PAIRS]
                    premises, hypotheses = zip(*(pairs[i] for i in batch), strict=True)
                    read = self.tokenizer([*premises], [*hypotheses], padding=True, return_tensors="pt")
                    likely = torch.softmax(self.classifier(**read).logits.float(), dim=-1)[:, self.label]
                    for i, probability in zip(batch, likely.tolist(), strict=True):
                        found[i] = probability
        except RuntimeError as error:  # what torch raises when memory or shapes do not do
            raise ProviderError(
                f"The model {self.name} failed: {' '.join(str(error).split())[:160]}."
            ) from None
        return found


def connect_entailment(spec: Spec, settings: Settings) -> EntailmentModel:
    """Load an entailment model, or use it when it is loaded already.

    Raises MissingExtra without the extra `hf`, ModelNotFound when it is neither here nor to be had, MissingCapability
    when none of its labels says entailment.
    """
    with _lock:
        if spec.model not in _entailing:
            _entailing[spec.model] = _load_entailment(spec, settings)
        return _entailing[spec.model]


def _load_entailment(spec: Spec, settings: Settings) -> EntailmentModel:
    try:
        import torch  # noqa: F401
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtra(error.name or "transformers", "hf", str(spec)) from None
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    here = {"local_files_only": settings.offline}
    try:
        classifier = AutoModelForSequenceClassification.from_pretrained(spec.model, **_SAFE, **here).eval()
        tokenizer = AutoTokenizer.from_pretrained(spec.model, **here)
    except Exception as error:  # noqa: BLE001  transformers raises OSError, ValueError, RuntimeError and more
        raise _not_loaded(spec, error, settings) from None
    labels = {number: str(label) for number, label in classifier.config.id2label.items()}
    entailing = [number for number, label in labels.items() if label.casefold().startswith("entail")]
    if not entailing:
        raise MissingCapability(
            f"{spec} is no entailment model, none of its labels ({', '.join(labels.values())}) says entailment:"
            " name one that was trained on NLI with --check."
        )
    # RoBERTa and its kin count positions from behind the padding's
    positions = getattr(classifier.config, "max_position_embeddings", None) or tokenizer.model_max_length
    longest = min(tokenizer.model_max_length, positions - (classifier.config.pad_token_id or 0) - 1)
    return EntailmentModel(str(spec), classifier, tokenizer, int(entailing[0]), longest)


def _require_packages(spec: Spec) -> None:
    try:
        import langchain_huggingface  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "langchain-huggingface", "hf", str(spec)) from None


def _load(spec: Spec, settings: Settings) -> Any:
    from langchain_huggingface import HuggingFacePipeline
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return HuggingFacePipeline.from_model_id(spec.model, task="text-generation", model_kwargs=dict(_SAFE))
    except Exception as error:  # noqa: BLE001  transformers raises OSError, ValueError, RuntimeError and more
        raise _not_loaded(spec, error, settings) from None


def _not_loaded(spec: Spec, error: Exception, settings: Settings) -> ProviderError:
    said = " ".join(scrub(str(error), settings.secrets()).split())[:160]
    if isinstance(error, OSError):
        return ModelNotFound(
            f"The model {spec} is not on this machine and cannot be fetched: check its name, or load it once"
            f" with the network allowed ({said})."
        )
    return ProviderError(f"The model {spec} cannot be loaded: {said}.")


def _site(spec: Spec, settings: Settings) -> CallSite:
    return CallSite(str(spec), "this machine", "", tuple(settings.secrets()))


def _chat_class() -> Any:
    """LangChain's class with our names of parameters; made here because its base is an optional package."""
    from langchain_huggingface import ChatHuggingFace

    class LocalChat(ChatHuggingFace):  # type: ignore[misc, unused-ignore]
        """Takes sampling by LangChain's names, and reports the tokens used, which the base does neither."""

        def _generate(
            self,
            messages: list[BaseMessage],
            stop: list[str] | None = None,
            run_manager: Any = None,  # noqa: ARG002
            stream: bool | None = None,  # noqa: ARG002
            **kwargs: Any,
        ) -> ChatResult:
            options = {**self._options(stop, kwargs), "return_full_text": False}
            prompt = self._to_chat_prompt(messages)
            made = self.llm._generate([prompt], pipeline_kwargs=options)
            text = made.generations[0][0].text
            usage, reason = self._usage(prompt, text, options)
            message = AIMessage(text, usage_metadata=usage, response_metadata={"finish_reason": reason})
            return ChatResult(generations=[ChatGeneration(message=message)])

        def _stream(
            self,
            messages: list[BaseMessage],
            stop: list[str] | None = None,
            run_manager: Any = None,  # noqa: ARG002
            **kwargs: Any,
        ) -> Iterator[ChatGenerationChunk]:
            options = self._options(stop, kwargs)
            prompt = self._to_chat_prompt(messages)
            text = ""
            for piece in self.llm._stream(prompt, pipeline_kwargs=options):
                text += piece.text
                yield ChatGenerationChunk(message=AIMessageChunk(content=piece.text))
            usage, reason = self._usage(prompt, text, options)
            last = AIMessageChunk(
                content="", usage_metadata=usage, response_metadata={"finish_reason": reason}
            )
            yield ChatGenerationChunk(message=last)

        def _options(self, stop: list[str] | None, given: dict[str, Any]) -> dict[str, Any]:
            """transformers' names: sampling is off at temperature 0, where it refuses the value itself."""
            temperature = given.get("temperature")
            options: dict[str, Any] = {"max_new_tokens": given.get("max_tokens")}
            if temperature:
                options |= {"do_sample": True, "temperature": temperature, "top_p": given.get("top_p")}
            elif temperature is not None:
                options |= {"do_sample": False}
            if stop:
                options |= {"stop_strings": stop, "tokenizer": self.tokenizer}
            return {name: value for name, value in options.items() if value is not None}

        def _usage(self, prompt: str, text: str, options: dict[str, Any]) -> tuple[UsageMetadata, str]:
            read, written = (len(self.tokenizer.encode(t, add_special_tokens=False)) for t in (prompt, text))
            usage: UsageMetadata = {
                "input_tokens": read,
                "output_tokens": written,
                "total_tokens": read + written,
            }
            return usage, "length" if written >= options.get("max_new_tokens", written + 1) else "stop"

    return LocalChat
