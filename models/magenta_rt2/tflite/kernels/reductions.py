"""Operators that reduce, order or normalise along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from models.magenta_rt2.tflite.kernels.call import Call, Kernel


def _reduction(function: Callable[[Tensor, list[int], bool], Tensor]) -> Kernel:
    def run(call: Call) -> Tensor:
        x = call.tensor(0)
        axes = sorted({axis % x.ndim for axis in call.integers(1)}) if x.ndim else []
        return function(x, axes, bool(call.option(0, "?"))) if axes else x

    return run


def _one_by_one(function: Callable[[Tensor, int, bool], Tensor]) -> Kernel:
    """Reduction by a function that takes one axis."""

    def run(x: Tensor, axes: list[int], keep: bool) -> Tensor:
        for axis in reversed(axes):
            x = function(x, axis, keep)
        return x

    return _reduction(run)


def _sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.sum(axes, keepdim=keep, dtype=x.dtype)


def _mean(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if x.is_floating_point():
        return x.mean(axes, keepdim=keep)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    total = x.sum(axes, keepdim=keep)
    return torch.div(total, count, rounding_mode="trunc").to(x.dtype)


def _position(function: Callable[[Tensor, int], Tensor]) -> Kernel:
    """Index of the extreme value; the first of equal ones."""

    def run(call: Call) -> Tensor:
        x, (axis,) = call.tensor(0), call.integers(1)
        return function(x, axis).to(call.outputs[0].type)

    return run


def _first_extreme(largest: bool) -> Callable[[Tensor, int], Tensor]:
    def run(x: Tensor, axis: int) -> Tensor:
        extreme = x.amax(axis, keepdim=True) if largest else x.amin(axis, keepdim=True)
        return (x == extreme).to(torch.uint8).argmax(axis)

    return run


def _cumsum(call: Call) -> Tensor:
    x, (axis,) = call.tensor(0), call.integers(1)
    exclusive, backwards = call.option(0, "?"), call.option(1, "?")
    total = (x.flip(axis) if backwards else x).cumsum(axis, dtype=x.dtype)
    total = total.flip(axis) if backwards else total
    return total - x if exclusive else total


def _topk(call: Call) -> Sequence[Tensor]:
    x, (count,) = call.tensor(0), call.integers(1)
    values, indices = x.sort(dim=-1, descending=True, stable=True)
    return values[..., :count], indices[..., :count].to(call.outputs[1].type)


def _softmax(call: Call) -> Tensor:
    beta = 0.0 if call.options is None else call.options.real(0)
    return (call.tensor(0) * beta).softmax(-1)


def _l2_normalization(call: Call) -> Tensor:
    x = call.tensor(0)
    length = x.square().sum(-1, keepdim=True).sqrt().clamp_min(1e-6)
    return call.activate(x / length, 0)


KERNELS: Final[dict[str, Kernel]] = {
    "SUM": _reduction(_sum),
    "MEAN": _reduction(_mean),
    "REDUCE_MAX": _reduction(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "REDUCE_MIN": _reduction(lambda x, axes, keep: x.amin(axes, keepdim=keep)),
    "REDUCE_PROD": _one_by_one(lambda x, axis, keep: x.prod(axis, keepdim=keep, dtype=x.dtype)),
    "REDUCE_ALL": _one_by_one(lambda x, axis, keep: x.all(axis, keepdim=keep)),
    "REDUCE_ANY": _one_by_one(lambda x, axis, keep: x.any(axis, keepdim=keep)),
    "ARG_MAX": _position(_first_extreme(largest=True)),
    "ARG_MIN": _position(_first_extreme(largest=False)),
    "CUMSUM": _cumsum,
    "TOPK_V2": _topk,
    "SOFTMAX": _softmax,
    "LOG_SOFTMAX": lambda call: functional.log_softmax(call.tensor(0), -1),
    "L2_NORMALIZATION": _l2_normalization,
}
