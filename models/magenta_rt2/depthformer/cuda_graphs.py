"""CUDA graph of one depthformer frame.

A frame is a thousand small kernel launches, twelve sequential depth steps among them, so on a GPU
launch overhead dominates. `FrameStepper.run` works in fixed buffers without synchronizing with the
device, so it is captured once and replayed.

NO_CUDA_GRAPH=1 in the environment turns it off; kernels are then launched one by one.
"""

from __future__ import annotations

import os
from typing import Final

import torch

from models.magenta_rt2.depthformer.stepper import FrameStepper

DISABLE_VARIABLE: Final = "NO_CUDA_GRAPH"
WARM_UP: Final = 3


def enabled(device: str) -> bool:
    """Whether frames are captured as a graph on this device."""
    return device.startswith("cuda") and os.environ.get(DISABLE_VARIABLE, "") in ("", "0")


def capture(stepper: FrameStepper) -> None:
    """Capture the stepper's frame as a graph that it replays from now on. Needs a CUDA device.

    Follows PyTorch's notes on CUDA graphs: a warm-up in a side stream, so that every library has
    its workspace before the capture; preallocated inputs and outputs; no synchronization and no
    random generator (noise is an input). Replays run in the current stream, after the copies into
    the buffers. Warm-up frames are written into the KV cache, so the stepper is reset.
    """
    side_stream = torch.cuda.Stream()
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream), torch.inference_mode():
        for _ in range(WARM_UP):
            stepper.run()
    torch.cuda.current_stream().wait_stream(side_stream)
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        stepper.run()
    stepper.replay = graph.replay
    stepper.reset()
