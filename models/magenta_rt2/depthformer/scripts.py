"""The steps of a frame that read a number from a tensor, for `recorded.py`. Inference lane.

A recorder would keep such a number as it was at the time. As a script of torch's the reading itself
is recorded. Each does what its namesake in `layers.py` or `sampling.py` does on a CPU, to the bit.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, Final

import torch

_TEXT: Final = """
def one_row_norm(x: Tensor, scale: Tensor, epsilon: float) -> Tensor:
    length = float(torch.ops.aten.linalg_vector_norm(x).item())
    return x * (1.0 / torch.ops.aten.sqrt(length * length / x.numel() + epsilon)) * scale

def choose(logits: Tensor, noise: Tensor, temperature: Tensor, top_k: Tensor) -> Tensor:
    values, indices = torch.topk(logits, int(top_k), sorted=False)
    loud = values + noise.index_select(0, indices) * temperature
    return indices.index_select(0, loud.argmax(dim=0, keepdim=True))
"""


@cache
def scripts() -> Any:
    """`one_row_norm(x, scale, epsilon)` and `choose(logits, noise, temperature, top_k)`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.CompilationUnit(_TEXT)  # from text: a bundle has no source files
