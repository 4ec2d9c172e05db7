"""Small TFLite networks with the inputs and outputs of MusicCoCa's, for tests.

The released networks are not available on every machine. These are the simplest ones whose outputs
depend on every input value: sums, means and one matrix.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

KINDS = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(np.bool_): schema.TensorType.BOOL,
    np.dtype(np.complex64): schema.TensorType.COMPLEX64,
}


class Model:
    """A graph under construction: tensors by number, then operators in order."""

    def __init__(self) -> None:
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.model.subgraphs = [self.graph]

    def tensor(
        self, shape: tuple[int, ...], values: NDArray[Any] | None = None, kind: Any = np.float32
    ) -> int:
        entry = schema.TensorT()
        entry.shape = list(shape)
        entry.type = KINDS[np.dtype(kind if values is None else values.dtype)]
        entry.name = f"t{len(self.graph.tensors)}".encode()
        entry.buffer = 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), dtype=np.uint8)
            entry.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(entry)
        return len(self.graph.tensors) - 1

    def quantized(self, values: NDArray[np.float32], axis: int) -> int:
        """A constant in eight bits with a scale for each index of an axis; one scale for -1."""
        others = tuple(number for number in range(values.ndim) if number != axis)
        scales = np.abs(values).max(axis=others if axis >= 0 else None, keepdims=True) / 127
        number = self.tensor(values.shape, np.round(values / scales).astype(np.int8))
        entry = schema.QuantizationParametersT()
        entry.scale = scales.reshape(-1).astype(np.float32)
        entry.zeroPoint = np.zeros(len(entry.scale), dtype=np.int64)
        entry.quantizedDimension = max(axis, 0)
        self.graph.tensors[number].quantization = entry
        return number

    def run(
        self,
        code: int,
        inputs: list[int],
        output: int | list[int],
        kind: int = 0,
        options: Any = None,
        version: int = 1,
    ) -> int:
        """Append an operator; returns its first output."""
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)
        entry.version = version
        self.model.operatorCodes.append(entry)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        outputs = [output] if isinstance(output, int) else output
        operator.inputs, operator.outputs = inputs, outputs
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.graph.operators.append(operator)
        return outputs[0]

    def matrix(self, source: int, weights: NDArray[np.float32]) -> int:
        """Product of weights (out, in) and the source (1, in)."""
        constant = self.tensor(weights.shape, weights)
        out = self.tensor((1, weights.shape[0]))
        kind = schema.BuiltinOptions.FullyConnectedOptions
        options = schema.FullyConnectedOptionsT()
        code = schema.BuiltinOperator.FULLY_CONNECTED
        return self.run(code, [source, constant, -1], out, kind, options)

    def add(self, first: int, second: int, shape: tuple[int, ...]) -> int:
        kind = schema.BuiltinOptions.AddOptions
        code = schema.BuiltinOperator.ADD
        return self.run(code, [first, second], self.tensor(shape), kind, schema.AddOptionsT())

    def cast(self, source: int, shape: tuple[int, ...], kind: Any) -> int:
        return self.run(schema.BuiltinOperator.CAST, [source], self.tensor(shape, kind=kind))

    def write(self, path: Path, inputs: list[int], output: int | list[int]) -> None:
        self.graph.inputs = inputs
        self.graph.outputs = [output] if isinstance(output, int) else output
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))


def matrices() -> dict[str, NDArray[np.float32]]:
    """The matrices of the networks, always the same."""
    random = np.random.default_rng(11)
    shapes = {"text": (768, 128), "audio": (768, 160), "codes": (12, 768)}
    scales = {"text": 0.002, "audio": 1.0, "codes": 400.0}  # vectors of about unit length
    return {
        name: (scales[name] * random.standard_normal(shape) / np.sqrt(shape[1])).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_models(folder: Path) -> None:
    """Write every network of MusicCoCa into a folder.

    text: A (ids + paddings); audio: B times the mean of a thousand rows of 160 samples; mapper: the
    sum of vector and noise; codes: min((C vector)^2, 1000) truncated to integers.
    """
    weights = matrices()
    folder.mkdir(parents=True, exist_ok=True)

    model = Model()
    # Paddings first: callers must not rely on the order of the inputs.
    paddings = model.tensor((1, 128))
    ids = model.tensor((1, 128), kind=np.int32)
    total = model.add(model.cast(ids, (1, 128), np.float32), paddings, (1, 128))
    out = model.matrix(total, weights["text"])
    model.write(folder / "text_encoder.tflite", [paddings, ids], out)

    model = Model()
    clip = model.tensor((1, 160_000))
    shape = model.tensor((3,), np.array([1, 1000, 160], dtype=np.int32))
    kind = schema.BuiltinOptions.ReshapeOptions
    options = schema.ReshapeOptionsT()
    options.newShape = [1, 1000, 160]
    rows = model.tensor((1, 1000, 160))
    model.run(schema.BuiltinOperator.RESHAPE, [clip, shape], rows, kind, options)
    axis = model.tensor((1,), np.array([1], dtype=np.int32))
    mean = model.tensor((1, 160))
    options = schema.ReducerOptionsT()
    kind = schema.BuiltinOptions.ReducerOptions
    model.run(schema.BuiltinOperator.MEAN, [rows, axis], mean, kind, options)
    model.write(folder / "audio_preprocessor.tflite", [clip], mean)

    model = Model()
    features = model.tensor((1, 160))
    model.write(
        folder / "music_encoder.tflite", [features], model.matrix(features, weights["audio"])
    )

    model = Model()
    vector, noise = model.tensor((1, 768)), model.tensor((1, 768))
    model.write(folder / "mapper.tflite", [vector, noise], model.add(vector, noise, (1, 768)))

    model = Model()
    vector = model.tensor((1, 768))
    line = model.matrix(vector, weights["codes"])
    square = model.run(schema.BuiltinOperator.SQUARE, [line], model.tensor((1, 12)))
    maximum = model.tensor((1,), np.array([1000.0], dtype=np.float32))
    kind = schema.BuiltinOptions.MaximumMinimumOptions
    code = schema.BuiltinOperator.MINIMUM
    options = schema.MaximumMinimumOptionsT()
    clipped = model.run(code, [square, maximum], model.tensor((1, 12)), kind, options)
    codes = model.cast(clipped, (1, 12), np.int32)
    model.write(folder / "pretrained_vector_quantizer.tflite", [vector], codes)
