"""TorchScript versions of the operations of a frame that read a number from a tensor.

Tracing would freeze such a number as a constant; a scripted function reads it on every call. Each
gives bit-identical results to its counterpart in `layers.py` or `sampling.py` on a CPU.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Final

import torch

_TEXT: Final = """
def one_row_norm(x: Tensor, scale: Tensor, epsilon: float) -> Tensor:
    length = float(torch.ops.aten.linalg_vector_norm(x).item())
    return x * (1.0 / torch.ops.aten.sqrt(length * length / x.numel() + epsilon)) * scale

def sample_code(logits: Tensor, noise: Tensor, temperature: Tensor, top_k: Tensor) -> Tensor:
    values, indices = torch.topk(logits, int(top_k), sorted=False)
    perturbed = values + noise.index_select(0, indices) * temperature
    return indices.index_select(0, perturbed.argmax(dim=0, keepdim=True))
"""


@cache
def torchscript() -> torch.jit.CompilationUnit:
    """Compiled `one_row_norm(x, scale, epsilon)` and `sample_code(logits, noise, ...)`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.CompilationUnit(_TEXT)  # from text: a bundle has no sources
