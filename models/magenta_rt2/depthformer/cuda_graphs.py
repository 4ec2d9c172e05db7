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

from models.magenta_rt2.depthformer.stepper import FrameStepper

SWITCH: Final = "NO_CUDA_GRAPH"
WARM_UP: Final = 3


def wanted(device: str) -> bool:
    """Whether frames are to be captured on this device."""
    return device.startswith("cuda") and os.environ.get(SWITCH, "") in ("", "0")


def capture(stepper: FrameStepper) -> None:
    """Let the stepper replay a captured graph of its frame from now on. Needs a CUDA device.

    As PyTorch's notes on CUDA graphs ask for it: a warm-up in a side stream first, so that every
    library has its workspace before the capture; all inputs and outputs of `run` are buffers made
    before; nothing in it waits for the device or draws from a generator (noise comes in as an
    input). Replays run in the stream that is current, behind the copies into the buffers. Warm-up
    frames are written into the rings, so the stepper begins afresh.
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
    stepper.forget()
