"""Convolutions whose weights are reordered once for oneDNN's CPU kernels.

torch reorders them at every call, which for a few frames takes longer than the convolution itself.
The results are the same. The operators are those to which torch's own compiler lowers frozen
models; where a torch lacks them, nothing is packed.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

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

    weight: as `conv2d` takes it. Has no gradients. Inputs of another shape need another order, and
    would be reordered at every call.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair, shape: torch.Size
    ) -> None:
        self.shape, self.bias = shape, bias
        self._sizes = (list(padding), list(stride), [1, 1], 1)
        with torch.no_grad():
            self.weight: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
                weight.detach(), *self._sizes, list(shape)
            )

    def __call__(self, x: Tensor) -> Tensor:
        """The convolution of an input of that shape."""
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, *self._sizes, "none", [], ""
        )
        return result


class PackedTransposed:
    """A transposed convolution with packed weights for one input shape.

    weight: as `conv_transpose2d` takes it; low_cut: bins that are cut at either end.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, stride: Pair, low_cut: int, shape: torch.Size
    ) -> None:
        self.shape, self.bias = shape, bias
        self._sizes = ([0, low_cut], [0, 0], list(stride), [1, 1], 1)
        with torch.no_grad():
            self.weight: Tensor = torch.ops.mkldnn._reorder_convolution_transpose_weight(
                weight.detach(), *self._sizes, list(shape)
            )

    def __call__(self, x: Tensor) -> Tensor:
        """The transposed convolution of an input of that shape."""
        result: Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
            x, self.weight, self.bias, *self._sizes, "none", [], ""
        )
        return result


class PackedUpsampling:
    """A transposed convolution that only upsamples bins, as a convolution with packed weights.

    Of a kernel twice as wide as the stride, each output bin meets two inputs: one convolution of
    two taps gives all outputs between two inputs as channels, which channels-last lie in order
    already (the sub-pixel convolution of Shi et al., arXiv 1609.05158, figure 4). oneDNN's own
    kernel for a stride of three takes more than twice as long.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, stride: Pair, low_cut: int, shape: torch.Size
    ) -> None:
        self.shape, self.low_cut, self.upsampled = shape, low_cut, stride[1]
        inputs, outputs, time, taps = weight.shape
        self.outputs = outputs
        if not self.fits(weight, stride):
            raise ValueError(f"a kernel of {taps} bins and stride {stride} is not of this kind")
        phases = weight.detach().flip(2).unflatten(3, (2, stride[1])).flip(3)
        kernel = phases.permute(4, 1, 0, 2, 3).reshape(stride[1] * outputs, inputs, time, 2)
        repeated = None if bias is None else bias.detach().repeat(stride[1])
        self._convolve = PackedConvolution(
            kernel.contiguous(), repeated, (1, 1), (time - 1, 1), shape
        )

    @staticmethod
    def fits(weight: Tensor, stride: Pair) -> bool:
        """Whether a transposed convolution's weight and stride are of this kind."""
        return stride[0] == 1 < stride[1] and weight.shape[3] == 2 * stride[1]

    def __call__(self, x: Tensor) -> Tensor:
        """The transposed convolution of an input of that shape; its upper cut is left out."""
        phases = self._convolve(x).permute(0, 2, 3, 1)
        bins = phases.unflatten(3, (self.upsampled, self.outputs)).flatten(2, 3)
        return bins.permute(0, 3, 1, 2)[..., self.low_cut :]


class PackedNarrow:
    """A convolution with few outputs and packed weights: its taps along the bins as channels.

    oneDNN computes at least sixteen outputs. With two of them and seven taps there are fourteen, so
    that the taps come at the price of one; they are shifted and added in float32.
    """

    LEAST_OUTPUTS = 16

    def __init__(
        self, weight: Tensor, bias: Tensor | None, padding: int, shape: torch.Size
    ) -> None:
        self.shape, self.bias, self.padding = shape, bias, padding
        self.outputs, inputs, time, self.taps = weight.shape
        kernel = weight.detach().permute(3, 0, 1, 2).reshape(-1, inputs, time, 1)
        self._convolve = PackedConvolution(kernel.contiguous(), None, (1, 1), (0, 0), shape)

    @classmethod
    def fits(cls, weight: Tensor, stride: Pair) -> bool:
        """Whether a convolution's weight and stride are of this kind."""
        outputs, _, _, taps = weight.shape
        return stride == (1, 1) and taps > 1 and outputs * taps <= cls.LEAST_OUTPUTS

    def __call__(self, x: Tensor) -> Tensor:
        """The convolution of an input of that shape."""
        taps = self._convolve(x).float()
        bins = taps.shape[3] + 2 * self.padding - self.taps + 1
        taps = functional.pad(taps, (self.padding, self.padding)).unflatten(1, (self.taps, -1))
        result = taps[:, 0, :, :, :bins].clone()
        for tap in range(1, self.taps):
            result += taps[:, tap, :, :, tap : tap + bins]
        if self.bias is not None:
            result += self.bias[:, None, None]
        return result.to(x.dtype)
