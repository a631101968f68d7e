"""Runs the encoder: token ids of one text in, its unit vector out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import ProviderError
from rag.providers.e5 import cache, graph
from rag.providers.e5.weights import WeightsFile, find_weights

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime as ort
    from numpy.typing import NDArray


class Encoder:
    """An ONNX Runtime session over the cached model. `embed` may be called from many threads at once."""

    def __init__(self, root: Path | None, notify: Callable[[str], None]) -> None:
        """Load the model from the cache below `root` (None: the user's), converting it if need be."""
        weights = WeightsFile(find_weights())
        hidden, positions = weights.shape.hidden, weights.shape.positions
        self.dimension = hidden
        self._weights = weights
        # every token is of type 0, so its vector can be added to the positions once
        self._positions = (
            weights.floats("emb.pos").reshape(positions, hidden) + weights.floats("emb.type")[:hidden]
        )
        root = root or cache.cache_root()
        self._session = _open(cache.load_model(root, notify))
        if not self._is_exact():
            self._session = _open(cache.load_model(root, notify, unsigned=True))

    def embed(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The unit vector [dimension] of one text of 1 to 512 token ids."""
        import numpy as np

        words = self._weights.rows("emb.word", self.dimension, np.asarray(ids, np.int64))
        given = {"embeddings": (words + self._positions[: len(ids)])[None]}
        vector: NDArray[np.float32] = self._session.run(None, given)[0][0]
        return vector

    def _is_exact(self) -> bool:
        import numpy as np

        blank = np.zeros((1, 4, self.dimension), np.float32)
        probe = self._session.run(None, {"embeddings": blank})[1]
        return bool((probe == graph.PROBE_EXPECTED).all())


def _open(model: bytes) -> ort.InferenceSession:
    import onnxruntime as ort

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
