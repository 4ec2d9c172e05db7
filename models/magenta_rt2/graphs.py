"""One frame as a CUDA graph. Inference lane.

A frame is about 1500 small launches, twelve sequential steps of the depth stack among them, so on a
GPU the launching is what takes the time. `FrameStepper.run` works in fixed buffers and asks the
device nothing, so it is captured once and replayed.

Not run where it was written: the machine had no CUDA device. It is used only where torch finds
one, and NO_CUDA_GRAPH=1 in the environment turns it off; frames are then launched one by one.
"""

from __future__ import annotations

import os
from typing import Final

import torch

from models.magenta_rt2.stepper import FrameStepper

SWITCH: Final = "NO_CUDA_GRAPH"
WARM_UP: Final = 3


def wanted(device: str) -> bool:
    """Whether frames are to be captured on this device."""
    return device.startswith("cuda") and os.environ.get(SWITCH, "") in ("", "0")


def capture(stepper: FrameStepper) -> None:
    """Let the stepper replay a captured graph of its frame from now on. Needs a CUDA device.

    The warm-up runs in a side stream, as capturing asks for, and writes into the slot that the
    next frame writes anyway, so the stepper's memory is not changed.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side), torch.inference_mode():
        for _ in range(WARM_UP):
            stepper.run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        stepper.run()
    stepper.replay = graph.replay
