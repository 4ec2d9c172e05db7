"""Operations of torch, recorded once and then run without Python. Any lane that computes.

Each operation called from Python lets go of Python's lock and waits for it again, for up to 5 ms
where another thread, a window's for one, works meanwhile; a recorded function waits once. It is
torch's own recorder, in its interpreter, without a compiler: the samples are the same to the bit.
What torch offers in its place needs a compiler on the machine, or runs from Python.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

Recorded = Callable[..., tuple[Tensor, ...]]

_PRODUCT = """
def product(x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
"""


class TracedFunction:
    """What was recorded, run as it is.

    torch's interpreter would watch the first calls and then settle how to run it. For the
    renderer's four passes that takes 0.7 s, while the engine is waited for, and gains nothing:
    19 ms a block with it and without.
    """

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        with torch.jit.optimized_execution(False):
            return self._recorded(*tensors)


def trace(function: Recorded, example: Sequence[Tensor]) -> Recorded:
    """`function`, from tensors to a tuple of tensors, with its operations recorded; where torch
    cannot record, the function itself.

    example: what it is called with, in shape; only those sizes may differ later that the function
    reads nowhere as a number. Branches are taken as the example takes them. What changes or is laid
    out by `PackedLinear` must be among the arguments; other tensors become part of the recording.
    Any number of threads may call it at once, if they may call the function.
    """
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore", DeprecationWarning)
            recorded = TracedFunction(torch.jit.trace(function, tuple(example), check_trace=False))
            recorded(*example)  # made ready to run at the first call
            return recorded
    except (AttributeError, ImportError, RuntimeError):
        return function


@cache
def packed_product() -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """The product of x (..., inputs) with a weight that `PackedLinear` has laid out, and a bias or
    None. Unlike torch's own function for it, this one can be recorded. Only where it `packs`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        unit: Any = torch.jit.CompilationUnit(_PRODUCT)  # from text: a bundle has no source files
    product: Callable[[Tensor, Tensor, Tensor | None], Tensor] = unit.product
    return product
