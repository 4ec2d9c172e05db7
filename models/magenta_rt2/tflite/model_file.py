"""Contents of a TFLite file: graphs of operators between tensors, and constants.

Fields by their number in TFLite's schema.fbs (version 3). Constants share the file's memory, which
is mapped and read as they are used.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.magenta_rt2.tflite.flatbuffer import DamagedFileError, FlatTable
from models.magenta_rt2.tflite.operator_names import OPERATOR_NAMES

IDENTIFIER: Final = b"TFL3"
CUSTOM: Final = OPERATOR_NAMES.index("CUSTOM")
TYPES: Final = {
    0: torch.float32,
    1: torch.float16,
    2: torch.int32,
    3: torch.uint8,
    4: torch.int64,
    6: torch.bool,
    7: torch.int16,
    8: torch.complex64,
    9: torch.int8,
    10: torch.float64,
}
"""Types of tensors by their number, `TensorType` in the schema."""
_OTHER_TYPES: Final = {5: "text", 13: "resource", 14: "variant", 15: "uint32", 17: "int4"}


@dataclass(frozen=True)
class QuantizedTensor:
    """Weights in eight bits: (values - zero_points) * scales along an axis.

    values: int8. scales: float32, zero_points: int64, both with one number or as many as the axis.
    """

    values: Tensor
    scales: Tensor
    zero_points: Tensor
    axis: int

    def real(self) -> Tensor:
        """The weights as float32."""
        shape = [1] * self.values.ndim
        if self.values.ndim:
            shape[self.axis] = -1
        scales, zero_points = self.scales.view(shape), self.zero_points.view(shape)
        return (self.values - zero_points).float() * scales


@dataclass(frozen=True)
class TensorInfo:
    """A tensor as the file declares it. type: None for one that holds no numbers."""

    name: str
    shape: tuple[int, ...]
    type: torch.dtype | None
    constant: Tensor | QuantizedTensor | None


@dataclass(frozen=True)
class Operation:
    """One operator: its name, numbers of its tensors (-1 for one left out), and its options."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: FlatTable | None


@dataclass(frozen=True)
class Graph:
    """Operators in the order in which they run."""

    tensors: tuple[TensorInfo, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operations: tuple[Operation, ...]


def read_model(path: Path) -> tuple[Graph, ...]:
    """The graphs of a file, the main one first. DamagedFileError where it is no TFLite file."""
    try:
        with path.open("rb") as file:
            # A private copy: torch wants memory that it may write to, though nothing is written.
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        model = FlatTable.root(data, IDENTIFIER)
        names = [_operator_name(table) for table in model.tables(1)]
        buffers = model.tables(4)
        graphs = tuple(_graph(table, names, buffers, data) for table in model.tables(2))
    except (ValueError, IndexError, RuntimeError) as error:
        raise DamagedFileError(str(error)) from None
    if not graphs:
        raise DamagedFileError("the file holds no graph")
    return graphs


def _operator_name(table: FlatTable) -> str:
    # Numbers above 127 did not fit the first field, so later versions of the schema have another.
    number = max(table.scalar(0, "b"), table.scalar(3, "i"))
    if number == CUSTOM:
        return table.text(1)
    return OPERATOR_NAMES[number] if number < len(OPERATOR_NAMES) else f"number {number}"


def _graph(table: FlatTable, names: list[str], buffers: list[FlatTable], data: memoryview) -> Graph:
    return Graph(
        tuple(_tensor(entry, buffers, data) for entry in table.tables(0)),
        table.integers(1),
        table.integers(2),
        tuple(
            Operation(
                names[entry.scalar(0, "I")],
                entry.integers(1),
                entry.integers(2),
                entry.table(4) or entry.table(12),
            )
            for entry in table.tables(3)
        ),
    )


def _tensor(table: FlatTable, buffers: list[FlatTable], data: memoryview) -> TensorInfo:
    number, shape, name = table.scalar(1, "b"), table.integers(0), table.text(3)
    kind = TYPES.get(number)
    buffer = table.scalar(2, "I")
    content = _content(buffers[buffer], data) if buffer else memoryview(b"")
    if not len(content):
        return TensorInfo(name, shape, kind, None)
    if kind is None:
        raise DamagedFileError(f"a constant of type {_OTHER_TYPES.get(number, number)}")
    values = torch.frombuffer(content, dtype=kind).reshape(shape)
    quantization = table.table(4)
    scales = np.zeros(0) if quantization is None else quantization.numbers(2, "<f4")
    if quantization is None or not len(scales):
        return TensorInfo(name, shape, kind, values)
    zero_points = quantization.numbers(3, "<i8")
    weights = QuantizedTensor(
        values,
        torch.from_numpy(scales.copy()),
        torch.from_numpy(zero_points.astype(np.int64) if len(zero_points) else np.zeros(1, int)),
        quantization.scalar(6),
    )
    return TensorInfo(name, shape, kind, weights)


def _content(buffer: FlatTable, data: memoryview) -> memoryview:
    """Bytes of a buffer: in its table, or in large files behind all tables."""
    offset, size = buffer.scalar(1, "Q"), buffer.scalar(2, "Q")
    if offset > 1:
        if offset + size > len(data):
            raise DamagedFileError("the file ends within a constant")
        return data[offset : offset + size]
    numbers = buffer.numbers(0, np.uint8)
    return memoryview(numbers) if len(numbers) else memoryview(b"")  # type: ignore[arg-type]
