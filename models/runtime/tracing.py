"""Tracing of torch functions, which then run without Python.

Each operation called from Python releases the GIL and waits to get it back, for milliseconds where
another thread such as the GUI thread is busy; a traced function waits once. It runs in the
TorchScript interpreter without a compiler, so the samples are bit-identical. torch's successors to
tracing need a compiler on the machine, or run from Python.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

TensorFunction = Callable[..., tuple[Tensor, ...]]

_PACKED_LINEAR = """
def linear(x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
"""


class TracedFunction:
    """A traced function, run without TorchScript's profiling and optimization.

    Optimizing it delays the first calls and makes the later ones no faster.
    """

    def __init__(self, traced: TensorFunction) -> None:
        self._traced = traced

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        with torch.jit.optimized_execution(False):
            return self._traced(*tensors)


def trace(function: TensorFunction, example: Sequence[Tensor]) -> TensorFunction:
    """Trace a function from tensors to a tuple of tensors.

    Args:
        function: branches are traced as the example takes them. Tensors that change or that
            `PackedLinear` has packed must be arguments; others become constants of the trace.
        example: arguments; later ones may differ only in sizes that the function never reads.

    Returns:
        The traced function, as thread-safe as the function; where torch cannot trace, the function.

    """
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore", DeprecationWarning)
            traced = TracedFunction(torch.jit.trace(function, tuple(example), check_trace=False))
            traced(*example)  # the first call prepares it
            return traced
    except (AttributeError, ImportError, RuntimeError):
        return function


@cache
def packed_linear_op() -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """Linear operator on x (..., inputs), a packed weight and a bias or None, which can be traced.

    Only where `packed_linear.can_pack`; torch's own function for it cannot be traced.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # From text: a bundle has no source files.
        unit = torch.jit.CompilationUnit(_PACKED_LINEAR)
    linear: Callable[[Tensor, Tensor, Tensor | None], Tensor] = unit.linear
    return linear
