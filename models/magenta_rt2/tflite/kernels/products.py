"""Matrix products, convolutions and Fourier transforms.

Eight-bit weights are used as TFLite's dynamic-range products use them: the input is quantized too,
row by row, and the product is exact in integers.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from models.magenta_rt2.tflite.kernels.call import Call, Kernel, UnknownOperatorError
from models.magenta_rt2.tflite.model_file import QuantizedTensor

SAME: Final = 0
"""Padding by which the output has the input's size divided by the stride."""


def _fully_connected(call: Call) -> Tensor:
    if call.option(1, "b"):
        raise UnknownOperatorError(f"{call.name} with shuffled weights")
    x, weights = call.tensor(0), call.weights(1)
    inner = (weights if isinstance(weights, Tensor) else weights.values).shape[1]
    lead = x.shape[:-1] if call.option(2, "?") else (-1,)
    rows = x.reshape(-1, inner)
    product = rows @ weights.t() if isinstance(weights, Tensor) else _dynamic_product(rows, weights)
    bias = call.optional(2)
    product = product if bias is None else product + bias
    return call.activate(product.reshape(*lead, product.shape[-1]), 0)


def _whole_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Eight-bit rows less their zero points, and scales (n, 1), of rows (n, inputs), as in XNNPACK.

    Each row becomes whole numbers from -128 to 127 over its range with 0 in it; the zero point is
    rounded from the end at which the error is smaller.
    """
    low, high = rows.amin(1, keepdim=True).clamp_max(0), rows.amax(1, keepdim=True).clamp_min(0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, 1.0, scale)
    from_low, from_high = -128 - low / scale, 127 - high / scale
    low_is_better = 128 - low / scale < 127 + high / scale
    zero_point = torch.where(low_is_better, from_low, from_high).round().clamp(-128, 127)
    whole = (rows * (1 / scale)).round()  # before the zero point is added, which rounds otherwise
    return whole.clamp(-128 - zero_point, 127 - zero_point), scale


def _dynamic_product(rows: Tensor, weights: QuantizedTensor) -> Tensor:
    """Product of rows (n, inputs) and weights (outputs, inputs), both in eight bits."""
    whole, scale = _whole_rows(rows)
    # Sums of float64 are exact here, those of float32 are not.
    product = whole.double() @ (weights.values - weights.zero_points[:, None]).double().t()
    return (product * scale * weights.scales).float()


def _batch_matmul(call: Call) -> Tensor:
    x, weights = call.tensor(0), call.weights(1)
    x = x.transpose(-1, -2) if call.option(0, "?") else x
    y = weights if isinstance(weights, Tensor) else weights.real()
    y = y.transpose(-1, -2) if call.option(1, "?") else y
    if isinstance(weights, Tensor):
        return x @ y
    whole, scale = _whole_rows(x.reshape(-1, x.shape[-1]))
    product = whole.reshape(x.shape).double() @ y.double()
    return (product * scale.reshape(*x.shape[:-1], 1)).float()


def _same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis."""
    reach = (math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1
    missing = max(reach - size, 0)
    return missing // 2, missing - missing // 2


def _padded(call: Call, x: Tensor, kernel: tuple[int, int], dilation: tuple[int, int]) -> Tensor:
    """Images (n, channels, height, width) with the padding that the call asks for."""
    if call.option(0, "b") != SAME:
        return x
    stride = (call.option(2), call.option(1))
    rows = _same_padding(x.shape[2], kernel[0], stride[0], dilation[0])
    columns = _same_padding(x.shape[3], kernel[1], stride[1], dilation[1])
    return functional.pad(x, (*columns, *rows))


def _filter(call: Call, number: int) -> Tensor:
    weights = call.weights(number)
    return weights if isinstance(weights, Tensor) else weights.real()


def _convolve(call: Call, weight: Tensor, groups: int, first: int) -> Tensor:
    """weight: as torch has it. first: number of the option with the activation."""
    stride = (call.option(2), call.option(1))
    dilation = (call.option(first + 2, default=1), call.option(first + 1, default=1))
    x, scale = call.tensor(0), torch.ones(())
    if not isinstance(call.weights(1), Tensor):
        rows, scale = _whole_rows(x.flatten(1))
        x, weight, scale = rows.reshape(x.shape).double(), weight.double(), scale[:, :, None, None]
    x = _padded(call, x.permute(0, 3, 1, 2), (weight.shape[2], weight.shape[3]), dilation)
    y = functional.conv2d(x, weight, None, stride, 0, dilation, groups).permute(0, 2, 3, 1)
    y, bias = (y * scale).float(), call.optional(2)
    return call.activate(y if bias is None else y + bias, first)


def _conv_2d(call: Call) -> Tensor:
    weight = _filter(call, 1).permute(0, 3, 1, 2)
    return _convolve(call, weight, call.tensor(0).shape[3] // weight.shape[1], 3)


def _depthwise_conv_2d(call: Call) -> Tensor:
    weight = _filter(call, 1).permute(3, 0, 1, 2)
    return _convolve(call, weight, call.tensor(0).shape[3], 4)


def _transpose_conv(call: Call) -> Tensor:
    shape = call.integers(0)
    weight = _filter(call, 1).permute(3, 0, 1, 2)  # (inputs, outputs, height, width)
    stride = (call.option(2), call.option(1))
    y = functional.conv_transpose2d(call.tensor(2).permute(0, 3, 1, 2), weight, None, stride)
    before = [0, 0]
    if call.option(0, "b") == SAME:
        kernel = weight.shape[2:]
        before = [_same_padding(shape[1 + n], kernel[n], stride[n])[0] for n in (0, 1)]
    rows, columns = y.shape[2] - before[0], y.shape[3] - before[1]
    y = functional.pad(y, (0, max(0, shape[2] - columns), 0, max(0, shape[1] - rows)))
    y = y[:, :, before[0] : before[0] + shape[1], before[1] : before[1] + shape[2]]
    bias = call.optional(3)
    y = y.permute(0, 2, 3, 1)
    return call.activate(y if bias is None else y + bias, 3)


def _average_pool(call: Call) -> Tensor:
    kernel, stride = (call.option(4), call.option(3)), (call.option(2), call.option(1))
    x = call.tensor(0).permute(0, 3, 1, 2)
    ones = torch.ones_like(x[:1, :1])
    total, count = (
        functional.avg_pool2d(_padded(call, part, kernel, (1, 1)), kernel, stride)
        for part in (x, ones)
    )
    return call.activate((total / count).permute(0, 2, 3, 1), 5)


def _max_pool(call: Call) -> Tensor:
    kernel, stride = (call.option(4), call.option(3)), (call.option(2), call.option(1))
    x = call.tensor(0).permute(0, 3, 1, 2)
    if call.option(0, "b") == SAME:
        rows = _same_padding(x.shape[2], kernel[0], stride[0])
        columns = _same_padding(x.shape[3], kernel[1], stride[1])
        x = functional.pad(x, (*columns, *rows), value=float("-inf"))
    return call.activate(functional.max_pool2d(x, kernel, stride).permute(0, 2, 3, 1), 5)


def _rfft_2d(call: Call) -> Tensor:
    return torch.fft.rfft2(call.tensor(0), s=call.integers(1))


KERNELS: Final[dict[str, Kernel]] = {
    "AVERAGE_POOL_2D": _average_pool,
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _max_pool,
    "RFFT2D": _rfft_2d,
    "TRANSPOSE_CONV": _transpose_conv,
}
