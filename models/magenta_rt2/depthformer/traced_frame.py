"""One frame as a recorded call, for a CPU. Inference lane.

A frame is about 1500 operations, and each one that Python calls lets go of Python's lock and waits
for it again: up to a millisecond where the window's thread works meanwhile. As `FrameStepper.run`
works in fixed buffers, torch's recorder takes it down once, and a frame is one call that waits for
the lock once; its numbers are the same to the bit. `models.runtime.tracing` tells why this
recorder.

The model is recorded as a module, so that the recording refers to its weights: none is copied, and
eight-bit weights are objects that torch records in no other way. What a frame writes is among the
arguments, so that writing is recorded as such.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn

from models.magenta_rt2.depthformer.stepper import FrameStepper

WARM_UP: Final = 3
"""torch watches the first calls and settles in them how to run what it recorded."""


class _Frame(nn.Module):
    """`FrameStepper.run` as torch's recorder takes it: buffers in, tokens out."""

    def __init__(self, stepper: FrameStepper) -> None:
        super().__init__()
        self.model = stepper.model
        self._run = stepper.run
        self._tokens = stepper.tokens

    def forward(self, *buffers: Tensor) -> Tensor:
        self._run()  # it reads and writes these same buffers
        return self._tokens


def trace_frame(stepper: FrameStepper) -> bool:
    """Let the stepper play a recording of its frame from now on; False, and nothing changed, where
    torch cannot record. The stepper begins afresh, as the first frames are written into the rings.
    """
    buffers = stepper.buffers()
    stepper.replay = None
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore", DeprecationWarning)
            # It warns of every number that is read from a shape; all shapes here are fixed.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            recorded: Any = torch.jit.trace(_Frame(stepper), buffers, check_trace=False)
            for _ in range(WARM_UP):
                recorded(*buffers)
        stepper.replay = partial(recorded, *buffers)
    except (AttributeError, ImportError, RuntimeError):
        return False
    finally:
        stepper.forget()
    return True
