"""A linear layer whose weights lie as the processor wants to read them. Inference lane.

A block's passes have three or six rows, so that a product takes as long as reading its weights,
and `functional.linear` lays them out anew for every product. Measured on the renderer's layers (50
MB, two cores of an EPYC, one thread, six rows): `functional.linear` 5.4 ms a pass, weights laid
out once by oneDNN 2.4 ms; in float32 both. torch's own compiler uses the same two functions.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.tracing import packed_product


@cache
def packs() -> bool:
    """Whether this build of torch can lay weights out; it cannot on ARM, for one."""
    if not torch.backends.mkldnn.is_available():
        return False
    try:
        weight, x = torch.eye(16), torch.arange(48.0).reshape(3, 16)
        return torch.equal(packed_product()(x, _packed(weight, 3), None), x)
    except (AttributeError, RuntimeError):  # a version of torch that has them no more
        return False


def _packed(weight: Tensor, rows: int) -> Tensor:
    laid: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return laid


class PackedLinear:
    """x (..., inputs) float32 -> (..., outputs), as `functional.linear` but for rounding.

    For a weight that changes no more, and no gradients. rows: of most of the inputs (any number
    works). Elsewhere than in float32 on a CPU with oneDNN it is `functional.linear`.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, rows: int = 6) -> None:
        self.bias = None if bias is None else bias.detach()
        weight = weight.detach()
        self.packed = packs() and weight.device.type == "cpu" and weight.dtype == torch.float32
        with torch.no_grad():
            self.weight = _packed(weight, rows) if self.packed else weight

    def __call__(self, x: Tensor) -> Tensor:
        return self.product(x, self.weight)

    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        """The same with `weight` handed in, as a recording wants it (`models.runtime.tracing`)."""
        if self.packed:
            return packed_product()(x, weight, self.bias)
        return functional.linear(x, weight, self.bias)
