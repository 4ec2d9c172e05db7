"""A TFLite network, run in torch on the CPU.

Operators are torch's, one for one, so that a network needs neither TensorFlow nor LiteRT. Every
operator of a file is looked up when it is opened: one that is not known is named then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.magenta_rt2.tflite.flatbuffer import DamagedFileError
from models.magenta_rt2.tflite.kernels import elementwise, products, reductions, shapes
from models.magenta_rt2.tflite.kernels.call import Call, Kernel, Operand, UnknownOperatorError
from models.magenta_rt2.tflite.model_file import (
    Graph,
    Operation,
    TensorInfo,
    read_model,
)

KERNELS: Final[dict[str, Kernel]] = {
    **elementwise.KERNELS,
    **reductions.KERNELS,
    **shapes.KERNELS,
    **products.KERNELS,
}
"""Operators without graphs of their own, by name."""
CONTROL: Final = frozenset({"IF", "WHILE", "STABLEHLO_COMPOSITE"})
"""Operators that run other graphs of the file."""
MAX_ROUNDS: Final = 10_000
"""Rounds of a loop that ends in no released network."""


@dataclass(frozen=True)
class InputInfo:
    """Shape and type of an input."""

    shape: tuple[int, ...]
    type: np.dtype[np.generic]


class TfliteNetwork:
    """An open network. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            DamagedFileError: it is no TFLite file.
            UnknownOperatorError: it holds operators that are not known here; the text names them.

        """
        self._graphs = read_model(path)
        names = {operation.name for graph in self._graphs for operation in graph.operations}
        unknown = sorted(names - KERNELS.keys() - CONTROL)
        if unknown:
            raise UnknownOperatorError(", ".join(unknown))
        self._last_uses = [_last_uses(graph) for graph in self._graphs]
        main = self._graphs[0]
        self.inputs = [_input_info(main.tensors[number]) for number in main.inputs]

    @torch.inference_mode()
    def run(self, inputs: Sequence[NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """The outputs for these inputs, each of the declared shape and type.

        Raises:
            DamagedFileError: an input of another shape or type, or a graph that cannot be run.
            UnknownOperatorError: an operator is used in a way that is not known here.

        """
        if len(inputs) != len(self.inputs):
            raise DamagedFileError(f"{len(inputs)} inputs instead of {len(self.inputs)}")
        for values, info in zip(inputs, self.inputs, strict=True):
            if values.shape != info.shape or values.dtype != info.type:
                raise DamagedFileError(f"an input is {values.dtype} {values.shape}, not {info}")
        tensors = [torch.from_numpy(np.array(values, order="C")) for values in inputs]
        try:
            results = self._run_graph(0, tensors)
            return [result.numpy() for result in results if isinstance(result, Tensor)]
        except UnknownOperatorError:
            raise
        except (IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise DamagedFileError(str(error).splitlines()[0]) from None

    def _run_graph(self, number: int, inputs: Sequence[Operand]) -> list[Operand]:
        graph = self._graphs[number]
        values: dict[int, Operand] = dict(zip(graph.inputs, inputs, strict=True))

        def operand(tensor: int) -> Operand:
            if tensor < 0:
                return None
            if tensor in values:
                return values[tensor]
            constant = graph.tensors[tensor].constant
            if constant is None:
                raise DamagedFileError(f"nothing computes {graph.tensors[tensor].name}")
            return constant

        for operation, finished in zip(graph.operations, self._last_uses[number], strict=True):
            operands = [operand(tensor) for tensor in operation.inputs]
            outputs = [graph.tensors[tensor] for tensor in operation.outputs]
            call = Call(operation.name, operands, outputs, operation.options)
            results = self._run_operation(operation, call)
            values.update(zip(operation.outputs, results, strict=True))
            for tensor in finished:  # an encoder's activations together are a gigabyte
                values.pop(tensor, None)
        return [operand(tensor) for tensor in graph.outputs]

    def _run_operation(self, operation: Operation, call: Call) -> Sequence[Operand]:
        if operation.name in KERNELS:
            results = KERNELS[operation.name](call)
            return [results] if isinstance(results, Tensor) else results
        return self._run_control(call)

    def _run_control(self, call: Call) -> Sequence[Operand]:
        first, second = call.option(0), call.option(1)
        if call.name == "IF":
            chosen = first if bool(call.tensor(0)) else second
            return self._run_graph(chosen, call.operands[1:])
        if call.name == "STABLEHLO_COMPOSITE":
            return self._run_graph(second, call.operands)
        values = list(call.operands)
        for _ in range(MAX_ROUNDS):
            (condition,) = self._run_graph(first, values)
            if not bool(condition):
                return values
            values = self._run_graph(second, values)
        raise DamagedFileError("a loop does not end")


def _input_info(tensor: TensorInfo) -> InputInfo:
    if tensor.type is None:
        raise UnknownOperatorError("an input that holds no numbers")
    return InputInfo(tensor.shape, torch.empty(0, dtype=tensor.type).numpy().dtype)


def _last_uses(graph: Graph) -> list[tuple[int, ...]]:
    """For each operation the tensors that nothing after it uses."""
    last = {
        tensor: place
        for place, operation in enumerate(graph.operations)
        for tensor in (*operation.inputs, *operation.outputs)
    }
    kept = set(graph.outputs)
    finished: list[list[int]] = [[] for _ in graph.operations]
    for tensor, place in last.items():
        if tensor not in kept:
            finished[place].append(tensor)
    return [tuple(tensors) for tensors in finished]
