"""Convolutions whose weights are reordered once for oneDNN's CPU kernels.

torch reorders them at every call, which for a few frames takes longer than the convolution itself.
The results are the same. The operators are those to which torch's own compiler lowers frozen
models; where a torch lacks them, nothing is packed.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor

Pair: TypeAlias = tuple[int, int]

OPERATORS = (
    "_reorder_convolution_weight",
    "_reorder_convolution_transpose_weight",
    "_convolution_pointwise",
    "_convolution_transpose_pointwise",
)


def can_pack_convolutions(device: str) -> bool:
    """Whether this torch can pack convolution weights for a device."""
    found = all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS)
    return device == "cpu" and torch.backends.mkldnn.is_available() and found


class PackedConvolution:
    """A convolution with packed weights for one input shape, (batch, inputs, time, bins).

    weight: as `conv2d` takes it, or `conv_transpose2d` if transposed. Has no gradients. Inputs of
    another shape need another order, and would be reordered at every call.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        stride: Pair,
        padding: Pair,
        transposed: bool,
        shape: torch.Size,
    ) -> None:
        self.shape, self.bias = shape, bias
        self.stride, self.padding = list(stride), list(padding)
        ops = torch.ops.mkldnn
        reorder, self._convolve = (
            (ops._reorder_convolution_transpose_weight, ops._convolution_transpose_pointwise)
            if transposed
            else (ops._reorder_convolution_weight, ops._convolution_pointwise)
        )
        self._output_padding = ([0, 0],) if transposed else ()
        sizes = (self.padding, *self._output_padding, self.stride, [1, 1], 1, list(shape))
        with torch.no_grad():
            self.weight: Tensor = reorder(weight.detach(), *sizes)

    def __call__(self, x: Tensor) -> Tensor:
        """The convolution of an input of that shape."""
        sizes = (self.padding, *self._output_padding, self.stride, [1, 1], 1)
        result: Tensor = self._convolve(x, self.weight, self.bias, *sizes, "none", [], "")
        return result
