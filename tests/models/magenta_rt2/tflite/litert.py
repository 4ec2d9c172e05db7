"""LiteRT's results, with which tests compare ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray


def run_litert(path: Path, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Outputs of a network as LiteRT computes them."""
    network = Interpreter(model_path=str(path), num_threads=1)
    network.allocate_tensors()
    for detail, values in zip(network.get_input_details(), inputs, strict=True):
        network.set_tensor(detail["index"], values)
    network.invoke()
    return [network.get_tensor(detail["index"]) for detail in network.get_output_details()]
