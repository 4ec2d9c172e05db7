"""Operators that work number by number."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from models.magenta_rt2.tflite.kernels.call import Call, Kernel, UnknownOperatorError


def _unary(function: Callable[[Tensor], Tensor]) -> Kernel:
    return lambda call: function(call.tensor(0))


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Kernel:
    return lambda call: function(call.tensor(0), call.tensor(1))


def _fused(function: Callable[[Tensor, Tensor], Tensor]) -> Kernel:
    """Operator whose first option is an activation."""
    return lambda call: call.activate(function(call.tensor(0), call.tensor(1)), 0)


def _divide(x: Tensor, y: Tensor) -> Tensor:
    return torch.div(x, y) if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def _cast(call: Call) -> Tensor:
    kind = call.outputs[0].type
    if kind is None:
        raise UnknownOperatorError(f"{call.name} to no numbers")
    x = call.tensor(0)
    return x.real.to(kind) if x.is_complex() and not kind.is_complex else x.to(kind)


def _dequantize(call: Call) -> Tensor:
    weights = call.weights(0)
    return weights.float() if isinstance(weights, Tensor) else weights.real()


def _gelu(call: Call) -> Tensor:
    form = "tanh" if call.option(0, "?") else "none"
    return functional.gelu(call.tensor(0), approximate=form)


def _leaky_relu(call: Call) -> Tensor:
    slope = 0.0 if call.options is None else call.options.real(0)
    return functional.leaky_relu(call.tensor(0), slope)


def _prelu(x: Tensor, slopes: Tensor) -> Tensor:
    return torch.where(x >= 0, x, x * slopes)


def _select(call: Call) -> Tensor:
    condition, x, y = call.tensor(0), call.tensor(1), call.tensor(2)
    if call.name == "SELECT" and condition.ndim == 1 and x.ndim > 1:  # it selects whole rows
        condition = condition.view(-1, *[1] * (x.ndim - 1))
    return torch.where(condition, x, y)


KERNELS: Final[dict[str, Kernel]] = {
    "ABS": _unary(torch.abs),
    "CEIL": _unary(torch.ceil),
    "COS": _unary(torch.cos),
    "ELU": _unary(functional.elu),
    "EXP": _unary(torch.exp),
    "FLOOR": _unary(torch.floor),
    "HARD_SWISH": _unary(functional.hardswish),
    "LOG": _unary(torch.log),
    "LOGICAL_NOT": _unary(torch.logical_not),
    "LOGISTIC": _unary(torch.sigmoid),
    "NEG": _unary(torch.neg),
    "RELU": _unary(torch.relu),
    "RELU6": _unary(lambda x: x.clamp(0, 6)),
    "RELU_0_TO_1": _unary(lambda x: x.clamp(0, 1)),
    "RELU_N1_TO_1": _unary(lambda x: x.clamp(-1, 1)),
    "ROUND": _unary(torch.round),
    "RSQRT": _unary(torch.rsqrt),
    "SIGN": _unary(torch.sign),
    "SIN": _unary(torch.sin),
    "SQRT": _unary(torch.sqrt),
    "SQUARE": _unary(torch.square),
    "TANH": _unary(torch.tanh),
    "ZEROS_LIKE": _unary(torch.zeros_like),
    "REAL": _unary(lambda x: x.real),
    "IMAG": _unary(lambda x: x.imag),
    "COMPLEX_ABS": _unary(torch.abs),
    "ADD": _fused(torch.add),
    "SUB": _fused(torch.sub),
    "MUL": _fused(torch.mul),
    "DIV": _fused(_divide),
    "ATAN2": _binary(torch.atan2),
    "BITWISE_XOR": _binary(torch.bitwise_xor),
    "EQUAL": _binary(torch.eq),
    "FLOOR_DIV": _binary(torch.floor_divide),
    "FLOOR_MOD": _binary(torch.remainder),
    "GREATER": _binary(torch.gt),
    "GREATER_EQUAL": _binary(torch.ge),
    "LESS": _binary(torch.lt),
    "LESS_EQUAL": _binary(torch.le),
    "LOGICAL_AND": _binary(torch.logical_and),
    "LOGICAL_OR": _binary(torch.logical_or),
    "MAXIMUM": _binary(torch.maximum),
    "MINIMUM": _binary(torch.minimum),
    "NOT_EQUAL": _binary(torch.ne),
    "POW": _binary(torch.pow),
    "PRELU": _binary(_prelu),
    "RIGHT_SHIFT": _binary(torch.bitwise_right_shift),
    "SQUARED_DIFFERENCE": _binary(lambda x, y: (x - y).square()),
    "ADD_N": lambda call: reduce(
        torch.add, [call.tensor(number) for number in range(len(call.operands))]
    ),
    "CAST": _cast,
    "DEQUANTIZE": _dequantize,
    "GELU": _gelu,
    "LEAKY_RELU": _leaky_relu,
    "SELECT": _select,
    "SELECT_V2": _select,
}
