"""Linear layer whose weights are reordered once for oneDNN's CPU kernels.

A block's passes have three or six rows, so a product takes about as long as reading its weights,
and `functional.linear` reorders them for every product. torch's own compiler uses the same two
operators.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.tracing import packed_linear_op


@cache
def can_pack() -> bool:
    """Whether this build of torch can pack weights; on ARM, for example, it cannot."""
    if not torch.backends.mkldnn.is_available():
        return False
    try:
        weight, x = torch.eye(16), torch.arange(48.0).reshape(3, 16)
        return bool(torch.equal(packed_linear_op()(x, _pack_weight(weight, 3), None), x))
    except (AttributeError, RuntimeError):  # a torch without these operators
        return False


def _pack_weight(weight: Tensor, rows: int) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return packed


class PackedLinear:
    """Linear layer for inference, float32 x (..., inputs) -> (..., outputs).

    As `functional.linear` except for rounding. weight: (outputs, inputs), constant. rows: the usual
    number of input rows; any number works. Falls back to `functional.linear` without oneDNN, on
    other devices than a CPU and for other dtypes than float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, rows: int = 6) -> None:
        self.bias = None if bias is None else bias.detach()
        weight = weight.detach()
        self.packed = can_pack() and weight.device.type == "cpu" and weight.dtype == torch.float32
        with torch.no_grad():
            self.weight = _pack_weight(weight, rows) if self.packed else weight

    def __call__(self, x: Tensor) -> Tensor:
        return self.linear(x, self.weight)

    def linear(self, x: Tensor, weight: Tensor) -> Tensor:
        """The layer with its packed weight as an argument, as `models.runtime.tracing` needs it."""
        if self.packed:
            return packed_linear_op()(x, weight, self.bias)
        return functional.linear(x, weight, self.bias)
