"""Traced depthformer frame for a CPU: one call instead of a thousand.

Each operation called from Python releases the GIL and waits to get it back, which delays a frame
while the GUI thread is busy. `FrameStepper.run` works in fixed buffers, so torch's tracer records
it once, and a frame takes the GIL once; the results are bit-identical. `models.runtime.tracing`
says why the tracer is used.

The model is traced as a module, so that the trace refers to its weights instead of copying them;
eight-bit weights cannot be traced in any other way. The buffers that a frame writes are arguments,
so that the writes are traced as in-place operations.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from models.magenta_rt2.depthformer.stepper import FrameStepper

WARM_UP: Final = 3
"""Calls in which torch profiles and optimizes a trace."""


class FrameModule(nn.Module):
    """`FrameStepper.run` as a module that can be traced: buffers in, tokens out."""

    def __init__(self, stepper: FrameStepper) -> None:
        super().__init__()
        self.model = stepper.model
        self._run = stepper.run
        self._tokens = stepper.tokens

    def forward(self, *buffers: Tensor) -> Tensor:
        self._run()  # reads and writes these same buffers
        return self._tokens


def trace_frame(stepper: FrameStepper) -> bool:
    """Trace the stepper's frame, which it replays from now on; False where torch cannot trace it.

    The stepper is reset, since the warm-up frames are written into its KV cache.
    """
    buffers = stepper.buffers()
    stepper.replay = None
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore", DeprecationWarning)
            # The tracer warns of every number read from a shape; all shapes here are fixed.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            traced = torch.jit.trace(FrameModule(stepper), buffers, check_trace=False)
            for _ in range(WARM_UP):
                traced(*buffers)
        stepper.replay = partial(traced, *buffers)
    except (AttributeError, ImportError, RuntimeError):
        return False
    finally:
        stepper.reset()
    return True
