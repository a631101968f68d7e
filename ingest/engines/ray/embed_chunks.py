"""The second stage: embeds the chunks of frames, asking the cache first and keeping every batch that was paid."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ingest.embedding import FailurePolicy, TooManyFailures
from ingest.engines.ray.desk import Errand, Permit
from ingest.engines.ray.frames import Vectors, with_vectors
from ingest.engines.ray.proxies import DeskCache, DeskConnection, DeskLimiter, DeskMeter
from ingest.engines.ray.read_files import MOST_DEATHS
from ingest.wire import chunks_in
from rag.errors import ContextTooLong, EngineError, ProviderError, RagError
from rag.types import Chunk

if TYPE_CHECKING:
    import pyarrow as pa

    from rag.providers.embedding import EmbeddingProvider
    from rag.store import EmbeddingCache

_ASK_AGAIN = 0.2


class EmbedChunks:
    """A worker of the second stage; it holds the embedding model."""

    def __init__(self, desk: Any, number: int) -> None:
        self._line = DeskConnection(desk, number)
        self._line.keep_alive()
        self._open = ExitStack()
        self._patience = FailurePolicy(lambda text: self._line.tell("note", text=text))

    def __call__(self, frames: pa.Table) -> pa.Table:
        """The frames with the vectors of their chunks, as far as they could be had."""
        if not frames.num_rows:
            return frames
        rows = [chunks_in(json.loads(frame)) for frame in frames["frame"].to_pylist()]
        chunks = [chunk for row in rows for chunk in row]
        if not chunks:
            return with_vectors(frames, [Vectors() for _ in rows])
        work = f"embed {_name(frames)}"
        permit: Permit | None = self._line.ask("begin", self._line.worker, work)
        if permit is None:
            return with_vectors(frames, [Vectors() for _ in rows])
        if permit.deaths >= MOST_DEATHS:
            reason = f"the worker that embeds it died {permit.deaths} times"
            return with_vectors(frames, [Vectors(refused=reason if row else "") for row in rows])
        texts = _Texts(chunks)
        try:
            self._embed(texts)
        except TooManyFailures as gave_up:
            self._line.stop(gave_up.cause)
        except RagError as error:
            self._line.stop(error)
        self._line.ask("finish", work)
        return with_vectors(frames, [texts.of(row) for row in rows])

    def _embed(self, texts: _Texts) -> None:
        """Find or make the vectors of all texts that nobody refuses. Raises RagError, TooManyFailures."""
        while wanted := texts.wanted:
            digests = [
                hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
                for text in wanted
            ]
            places = self._line.ask("claim", self._line.worker, digests)
            if places is None:
                return
            try:
                self._embed_claimed(texts, [wanted[place] for place in places])
            finally:
                self._line.ask("release", self._line.worker, [digests[place] for place in places])
            if len(places) < len(wanted):  # others are embedding the rest
                time.sleep(_ASK_AGAIN)

    def _embed_claimed(self, texts: _Texts, claimed: Sequence[str]) -> None:
        """Embed texts that nobody else embeds meanwhile. Looking them up now misses nothing."""
        texts.found({claimed[p]: vector for p, vector in self._cache.cached_vectors(claimed).items()})
        while paid := sorted((text for text in claimed if text in texts.missing), key=len):
            try:
                vectors = self._provider.embed(
                    paid,
                    lambda places, found: self._keep(texts, [paid[p] for p in places], found),
                )
                texts.made(dict(zip(paid, vectors, strict=True)))
                self._patience.succeeded()
            except ContextTooLong as error:
                refused = error.texts or [text for text in paid if text in texts.missing]
                texts.refuse(refused, f"not embedded: {error}")
            except ProviderError as error:
                self._patience.failed(error)

    def _keep(self, texts: _Texts, batch: Sequence[str], vectors: Any) -> None:
        self._cache.cache_vectors(batch, vectors)
        texts.made(dict(zip(batch, vectors, strict=True)))
        self._line.tell("embedded", texts=len(batch), tokens=texts.tokens(batch))

    # -- opened when needed ---------------------------------------------------------------------------------

    @cached_property
    def _errand(self) -> Errand:
        from rag import __version__
        from rag.providers.offline import apply_offline

        errand = self._line.errand()
        if errand.version != __version__:
            raise EngineError(
                f"This machine has pagequote {errand.version} and a machine of the cluster {__version__}:"
                " install the same version everywhere."
            )
        apply_offline(errand.settings)
        return errand

    @cached_property
    def _cache(self) -> EmbeddingCache | DeskCache:
        if self._errand.cache_at_desk:
            return DeskCache(self._line)
        from rag.store import open_cache

        return self._open.enter_context(open_cache(self._errand.settings.index))

    @cached_property
    def _provider(self) -> EmbeddingProvider:
        errand = self._errand
        if errand.embedder is not None:
            from ray import cloudpickle

            given: EmbeddingProvider = cloudpickle.loads(errand.embedder)
            return given
        from rag.providers.registry import embedding_model

        return embedding_model(
            errand.embeddings,
            errand.settings,
            meter=DeskMeter(self._line, errand.prices),
            limiter=DeskLimiter(self._line),
            dimension=errand.dimension,
        )


class _Texts:
    """The texts of chunks, and what has become of each."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._tokens = {chunk.indexed_text: chunk.tokens for chunk in chunks}
        self.missing = dict.fromkeys(self._tokens)
        self._vectors: dict[str, Any] = {}
        self._made: set[str] = set()
        self._refused: dict[str, str] = {}

    @property
    def wanted(self) -> list[str]:
        return list(self.missing)

    def tokens(self, texts: Sequence[str]) -> int:
        return sum(self._tokens[text] for text in texts)

    def found(self, vectors: Mapping[str, Any]) -> None:
        for text, vector in vectors.items():
            self._vectors[text] = vector
            self.missing.pop(text, None)

    def made(self, vectors: Mapping[str, Any]) -> None:
        self._made.update(vectors)
        self.found(vectors)

    def refuse(self, texts: Sequence[str], reason: str) -> None:
        for text in texts:
            self._refused[text] = reason
            del self.missing[text]

    def of(self, chunks: Sequence[Chunk]) -> Vectors:
        """What there is for the chunks of one frame."""
        import numpy as np

        texts = [chunk.indexed_text for chunk in chunks]
        refused = next((self._refused[text] for text in texts if text in self._refused), "")
        if not texts or any(text not in self._vectors for text in texts):
            return Vectors(refused=refused)
        together = np.stack([np.asarray(self._vectors[text], np.float32) for text in texts])
        return Vectors(together.tobytes(), sum(text not in self._made for text in texts), refused)


def _name(frames: pa.Table) -> str:
    """A name of this piece of work that is the same when another worker gets it."""
    first, last = frames.slice(0, 1).to_pylist()[0], frames.slice(frames.num_rows - 1).to_pylist()[0]
    return f"{first['job']}.{first['place']}-{last['job']}.{last['place']}"
