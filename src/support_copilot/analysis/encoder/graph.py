"""The ONNX graph of a 6-layer BERT sentence encoder, built from its safetensors.

Inputs are ``ids`` and ``mask`` (int32, texts by tokens); the output ``vectors`` (float32, texts
by 384) is the L2-normalised mean over the tokens under the mask.

The int8 graph quantises each row of activations by itself (symmetric about the zero point 128)
and each output channel of the weights, so that a text's vector does not depend on the texts
encoded beside it, as it does with one scale for a whole batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

LAYERS = 6
HEADS = 12
HIDDEN = 384
EPSILON = 1e-12
OPSET = 18
MICROSOFT = "com.microsoft"
PROBE_RESULT = 255 * 127 * 4

Array = np.ndarray[Any, np.dtype[Any]]


def build_graph(weights: Mapping[str, Array], *, int8: bool = True) -> bytes:
    """Return the serialised model. Raises KeyError where a tensor of the weights is missing."""
    return _Builder(weights, int8=int8).build()


def overflow_probe() -> bytes:
    """Return a product of the largest int8 values; it is PROBE_RESULT where nothing saturates."""
    constants: dict[str, Array] = {
        "left": np.full((1, 4), 255, np.uint8),
        "right": np.full((4, 1), 127, np.int8),
        "one": np.array(1, np.float32),
    }
    node = helper.make_node(
        "MatMulIntegerToFloat", ["left", "right", "one", "one"], ["product"], domain=MICROSOFT
    )
    return _serialise(
        [node],
        [],
        helper.make_tensor_value_info("product", TensorProto.FLOAT, [1, 1]),
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def _serialise(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    output: onnx.ValueInfoProto,
    constants: list[onnx.TensorProto],
) -> bytes:
    graph = helper.make_graph(nodes, "encoder", inputs, [output], constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return bytes(model.SerializeToString())


class _Builder:
    """Appends nodes one after the other; every method returns the name of its output."""

    def __init__(self, weights: Mapping[str, Array], *, int8: bool) -> None:
        self._weights = weights
        self._int8 = int8
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def build(self) -> bytes:
        hidden = self._embeddings()
        for layer in range(LAYERS):
            hidden = self._layer(hidden, f"encoder.layer.{layer}")
        self._pooling(hidden)
        tokens = ["texts", "tokens"]
        return _serialise(
            self._nodes,
            [
                helper.make_tensor_value_info("ids", TensorProto.INT32, tokens),
                helper.make_tensor_value_info("mask", TensorProto.INT32, tokens),
            ],
            helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", HIDDEN]),
            list(self._constants.values()),
        )

    def _embeddings(self) -> str:
        words = self._weights["embeddings.word_embeddings.weight"]
        # Every text is one segment, so its type's row is part of each position's.
        places = (
            self._weights["embeddings.position_embeddings.weight"]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        if self._int8:
            values, scales = _quantise(words, axis=1)
            rows = self._node("Gather", [self._constant("words", values), "ids"], axis=0)
            row_scales = self._node("Gather", [self._constant("word_scales", scales), "ids"])
            embedded = self._node(
                "Mul", [self._node("Cast", [rows], to=TensorProto.FLOAT), row_scales]
            )
        else:
            embedded = self._node("Gather", [self._constant("words", words), "ids"], axis=0)
        # Slicing by the length, since Range with Gather breaks in onnxruntime's own fusion.
        length = self._node("Shape", ["ids"], start=1, end=2)
        zero = self._constant("zero", np.zeros(1, np.int64))
        positions = self._node("Slice", [self._constant("positions", places), zero, length, zero])
        return self._norm(self._node("Add", [embedded, positions]), "embeddings.LayerNorm")

    def _layer(self, hidden: str, name: str) -> str:
        attention = f"{name}.attention"
        parts = [f"{attention}.self.{part}" for part in ("query", "key", "value")]
        weight = np.concatenate([self._weights[f"{part}.weight"] for part in parts]).T
        bias = np.concatenate([self._weights[f"{part}.bias"] for part in parts])
        context = self._attention(hidden, weight, self._constant(f"{attention}.bias", bias), name)
        hidden = self._skip_norm(
            self._dense(context, f"{attention}.output.dense"), hidden, f"{attention}.output"
        )
        inner = self._node(
            "BiasGelu",
            [
                self._dense(hidden, f"{name}.intermediate.dense"),
                self._weight(f"{name}.intermediate.dense.bias"),
            ],
            domain=MICROSOFT,
        )
        return self._skip_norm(self._dense(inner, f"{name}.output.dense"), hidden, f"{name}.output")

    def _attention(self, hidden: str, weight: Array, bias: str, name: str) -> str:
        if not self._int8:
            return self._node(
                "Attention",
                [hidden, self._constant(f"{name}.qkv", weight), bias, "mask"],
                domain=MICROSOFT,
                num_heads=HEADS,
            )
        joined = self._matmul(hidden, weight, f"{name}.qkv")
        query, key, value = (f"{name}.{part}" for part in ("query", "key", "value"))
        self._nodes.append(
            helper.make_node("Split", [joined], [query, key, value], axis=-1, num_outputs=3)
        )
        return self._node(
            "MultiHeadAttention",
            [query, key, value, bias, "mask"],
            domain=MICROSOFT,
            num_heads=HEADS,
        )

    def _skip_norm(self, dense: str, skip: str, name: str) -> str:
        # Two additions and a LayerNormalization take 40 us here, the fused SkipLayerNormalization
        # 97 us (50 tokens, one thread).
        biased = self._node("Add", [dense, self._weight(f"{name}.dense.bias")])
        return self._norm(self._node("Add", [biased, skip]), f"{name}.LayerNorm")

    def _norm(self, hidden: str, name: str) -> str:
        return self._node(
            "LayerNormalization",
            [hidden, self._weight(f"{name}.weight"), self._weight(f"{name}.bias")],
            axis=-1,
            epsilon=EPSILON,
        )

    def _dense(self, hidden: str, name: str) -> str:
        return self._matmul(hidden, self._weights[f"{name}.weight"].T, name)

    def _matmul(self, hidden: str, weight: Array, name: str) -> str:
        if not self._int8:
            return self._node("MatMul", [hidden, self._constant(f"{name}.weight", weight)])
        values, scales = _quantise(weight, axis=0)
        largest = self._node(
            "ReduceMax",
            [self._node("Abs", [hidden]), self._constant("last", np.array([-1], np.int64))],
            keepdims=1,
        )
        row_scale = self._node("Mul", [largest, self._constant("step", np.float32(1 / 127))])
        one = self._constant("one", np.float32(1))
        middle = self._constant("middle", np.uint8(128))
        quantised = self._node(
            "QuantizeLinear", [self._node("Div", [hidden, row_scale]), one, middle]
        )
        product = self._node(
            "MatMulIntegerToFloat",
            [
                quantised,
                self._constant(f"{name}.weight", values),
                one,
                self._constant(f"{name}.scale", scales.reshape(-1)),
                middle,
            ],
            domain=MICROSOFT,
        )
        return self._node("Mul", [product, row_scale])

    def _pooling(self, hidden: str) -> None:
        axis = self._constant("middle_axis", np.array([1], np.int64))
        weights = self._node(
            "Unsqueeze", [self._node("Cast", ["mask"], to=TensorProto.FLOAT), axis]
        )
        # The sum serves as well as the mean: the length of the vector is normalised next.
        total = self._node("Squeeze", [self._node("MatMul", [weights, hidden]), axis])
        self._nodes.append(helper.make_node("LpNormalization", [total], ["vectors"], axis=-1, p=2))

    def _node(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{operator}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _constant(self, name: str, value: Array | np.generic) -> str:
        if name not in self._constants:
            array = np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value)
            self._constants[name] = numpy_helper.from_array(array, name)
        return name


def _quantise(weight: Array, axis: int) -> tuple[Array, Array]:
    """Return int8 values and float32 scales, one for each slice along ``axis`` reduced."""
    scales = np.abs(weight).max(axis=axis, keepdims=True).astype(np.float32) / np.float32(127)
    scales[scales == 0] = 1
    return np.round(weight / scales).astype(np.int8), scales
