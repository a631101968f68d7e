"""Builds the encoder as an ONNX graph with int8 weights, one text at a time.

The graph takes the summed input embeddings of one text, [1, tokens, hidden], and gives its unit vector [1, hidden].
One text a run means no padding, no attention mask, activations that stay in the processor's cache, and a result
that cannot depend on other texts, although activations are quantised by the range they have in the run.
Weights are quantised per output channel: per tensor costs four times the error (cosine 0.984 instead of 0.997).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

    from rag.providers.e5.weights import WeightsFile

QUANTISATION = "int8-channel-1"
"""Names the numeric scheme; raise the number whenever the vectors change."""

_MICROSOFT = "com.microsoft"
_INT8_MAX = 127


class _Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def add(self, kind: str, inputs: list[str], outputs: int = 1, domain: str = "", **attributes: Any) -> list[str]:
        from onnx import helper

        name = f"{kind}_{len(self.nodes)}"
        names = [f"{name}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, domain=domain, **attributes))
        return names

    def one(self, kind: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        return self.add(kind, inputs, 1, domain, **attributes)[0]


class _Encoder:
    """Adds the layers of the BERT encoder to a graph."""

    def __init__(self, weights: WeightsFile) -> None:
        self.weights = weights
        self.shape = weights.shape
        self.graph = _Graph()

    def build(self) -> None:
        graph = self.graph
        scale, shift = self._floats("emb.ln")
        x = graph.one("LayerNormalization", ["embeddings", scale, shift], axis=-1, epsilon=self.shape.epsilon)
        for number in range(self.shape.layers):
            x = self._layer(x, f"l{number}")
        mean = graph.one("ReduceMean", [x, graph.constant("axes", _int64(1))], keepdims=0)
        graph.one("LpNormalization", [mean], axis=-1, p=2)

    def _layer(self, x: str, layer: str) -> str:
        graph, shape = self.graph, self.shape
        qkv = self._dense(x, layer, ["q", "k", "v"], shape.hidden, with_bias=True)
        query, key, value = graph.add("Split", [qkv], 3, axis=-1, num_outputs=3)
        scale = 1 / math.sqrt(shape.hidden / shape.heads)
        context = graph.one(
            "MultiHeadAttention", [query, key, value], _MICROSOFT, num_heads=shape.heads, scale=scale
        )
        x = self._add_and_normalise(self._dense(context, layer, ["ao"], shape.hidden), x, layer, "ao", "aln")
        inner = self._dense(x, layer, ["fi"], shape.hidden)
        inner = graph.one("BiasGelu", [inner, self._vector(f"{layer}.fi.b")], _MICROSOFT)
        return self._add_and_normalise(self._dense(inner, layer, ["fo"], shape.ffn), x, layer, "fo", "oln")

    def _dense(self, x: str, layer: str, names: list[str], inputs: int, with_bias: bool = False) -> str:
        import numpy as np

        name = f"{layer}.{''.join(names)}"
        matrix = np.concatenate([self.weights.matrix(f"{layer}.{n}.w", inputs) for n in names])
        quantised, scales = quantise_rows(matrix)
        operands = [
            x,
            self.graph.constant(f"{name}.w", np.ascontiguousarray(quantised.T)),
            self.graph.constant(f"{name}.scale", scales),
        ]
        if with_bias:
            bias = np.concatenate([self.weights.floats(f"{layer}.{n}.b") for n in names])
            operands += ["", self.graph.constant(f"{name}.b", bias)]
        return self.graph.one("DynamicQuantizeMatMul", operands, _MICROSOFT)

    def _add_and_normalise(self, y: str, x: str, layer: str, dense: str, norm: str) -> str:
        bias = self._vector(f"{layer}.{dense}.b")
        operands = [y, x, *self._floats(f"{layer}.{norm}"), bias]
        return self.graph.one("SkipLayerNormalization", operands, _MICROSOFT, epsilon=self.shape.epsilon)

    def _floats(self, name: str) -> tuple[str, str]:
        return self._vector(f"{name}.w"), self._vector(f"{name}.b")

    def _vector(self, name: str) -> str:
        return self.graph.constant(name, self.weights.floats(name))


def quantise_rows(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 quantisation of each row: weights [rows, columns] and scales [rows], so that w ~ q * scale."""
    import numpy as np

    scales = np.maximum(np.abs(matrix).max(axis=1), np.finfo(np.float32).tiny) / _INT8_MAX
    return np.rint(matrix / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def build_model(weights: WeightsFile) -> bytes:
    """The serialised ONNX model of the encoder: input `embeddings` [1, tokens, hidden], output [1, hidden]."""
    from onnx import TensorProto, helper

    encoder = _Encoder(weights)
    encoder.build()
    hidden = weights.shape.hidden
    given = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, [1, "tokens", hidden])
    output = encoder.graph.nodes[-1].output[0]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, hidden])
    graph = helper.make_graph(encoder.graph.nodes, "e5-small", [given], [result], encoder.graph.constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(_MICROSOFT, 1)]
    # IR version 10 goes with opset 20 to 22: a newer onnx would write one that older ONNX Runtimes refuse
    model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    return model


def _int64(*values: int) -> NDArray[np.int64]:
    import numpy as np

    return np.array(values, np.int64)
