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
        self.stride, self.padding, self.transposed = list(stride), list(padding), transposed
        ops, size = torch.ops.mkldnn, list(shape)
        with torch.no_grad():
            weight = weight.detach()
            if transposed:
                self.weight = ops._reorder_convolution_transpose_weight(
                    weight, self.padding, [0, 0], self.stride, [1, 1], 1, size
                )
            else:
                self.weight = ops._reorder_convolution_weight(
                    weight, self.padding, self.stride, [1, 1], 1, size
                )

    def __call__(self, x: Tensor) -> Tensor:
        """The convolution of an input of that shape."""
        ops = torch.ops.mkldnn
        no_activation: tuple[str, list[float], str] = ("none", [], "")
        if self.transposed:
            result: Tensor = ops._convolution_transpose_pointwise(
                x,
                self.weight,
                self.bias,
                self.padding,
                [0, 0],
                self.stride,
                [1, 1],
                1,
                *no_activation,
            )
        else:
            result = ops._convolution_pointwise(
                x, self.weight, self.bias, self.padding, self.stride, [1, 1], 1, *no_activation
            )
        return result
