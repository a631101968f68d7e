"""A pipeline as the functions that a run asks and searches with, and the fingerprints of what it is made of."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.evaluation.questions import Question
from rag.types import Answer, Page, Passage

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.settings import Settings
    from rag.store import Filter, Index

_SAMPLED = 1 << 20  # bytes at either end of a model file: enough to tell two files apart


class Asker:
    """`ask` and `search` over a pipeline, under conditions that `where` gives.

    A question that leaves files out is asked of the others only. `found` is shared between variants that
    search the same index, so that a sweep searches once for each question.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        where: Sequence[str] = (),
        prompt: str | None = None,
        k: int | None = None,
        depth: int = 20,
        found: dict[str, list[Passage]] | None = None,
    ) -> None:
        self._pipeline, self._where = pipeline, tuple(where)
        self._prompt, self._k, self._depth = prompt, k, depth
        self._found = {} if found is None else found
        self._lock = threading.Lock()

    def ask(self, question: Question) -> Answer:
        """The answer of the pipeline. Raises what `Pipeline.ask` raises."""
        return self._pipeline.ask(
            question.question, where=self._conditions(question), prompt=self._prompt, k=self._k
        )

    def search(self, question: Question) -> Sequence[Passage]:
        """The first `depth` passages."""
        with self._lock:
            known = self._found.get(question.id)
        if known is None:
            where = self._conditions(question)
            known = self._pipeline.search(question.question, where=where, k=self._depth)
            with self._lock:
                self._found[question.id] = known
        return known

    def _conditions(self, question: Question) -> Sequence[str] | Filter | None:
        if not question.leave_out:
            return self._where or None
        from dataclasses import replace

        from rag.store import Filter

        return replace(Filter.parse(self._where) or Filter(), without=tuple(question.leave_out))


def describe(
    pipeline: Pipeline, *, prompt: str | None = None, k: int | None = None, where: Sequence[str] = ()
) -> dict[str, Any]:
    """Everything that the answers of a pipeline depend on, flat: what `run.json` keeps and a resume compares."""
    from rag.prompting.catalogue import load_template

    settings, index = pipeline.settings, pipeline.index
    template = None
    if pipeline.model != "extractive":
        template = load_template(prompt or settings.prompt, settings.prompts_dir)
    given = {
        "model": pipeline.model,
        "model_fingerprint": model_fingerprint(pipeline.model, settings),
        "prompt": None if template is None else prompt or settings.prompt,
        "prompt_fingerprint": None if template is None else template.fingerprint,
        "k": k or settings.k,
        "temperature": settings.temperature,
        "max_tokens": settings.max_tokens,
        "context_tokens": settings.context_tokens,
        "abstain": pipeline.threshold,
        "glossary": settings.glossary,
        "expand": list(settings.expand) or None,
        "rerank": settings.rerank,
        "rerank_depth": settings.rerank_depth if settings.rerank is not None else None,
        "strict": settings.strict or None,
        "where": list(where) or None,
        "index": settings.shown_index,
        "index_generation": index.generation,
        "embeddings": index.spec.embedding_model,
        "embeddings_fingerprint": index.spec.embedding_id,
        "chunk_tokens": index.spec.chunk_tokens,
        "chunk_overlap": index.spec.chunk_overlap,
    }
    return {name: value for name, value in given.items() if value is not None}


def model_fingerprint(spec: str, settings: Settings) -> str:
    """SHA-256 of what is known of a model: its name, its server, and the file of a local one."""
    import rag

    provider, _, name = spec.partition(":")
    parts = [spec, rag.__version__ if provider == "extractive" else ""]
    if provider == "gguf":
        parts.append(_sampled(Path(name).expanduser()))
    elif provider in ("compatible", "ollama"):
        parts.append(settings.base_url or "")
    elif provider == "openai":
        parts.append(settings.openai_base_url or "")
    elif provider == "azure":
        parts += [settings.azure_openai_endpoint or "", settings.openai_api_version or ""]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _sampled(path: Path) -> str:
    if not path.is_file():
        return ""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_SAMPLED)
        file.seek(max(0, size - _SAMPLED))
        tail = file.read()
    return hashlib.sha256(head + tail + str(size).encode()).hexdigest()


def pages_of(index: Index) -> dict[str, list[Page]]:
    """The pages of the files that can be searched, by file."""
    files = [source.file for source in index.sources() if source.status.searchable]
    return {file: index.pages(file) for file in files}
