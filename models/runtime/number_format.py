"""Number format in which a machine multiplies matrices fastest."""

from __future__ import annotations

import time
from typing import Final

import torch

SIZES: Final = ((768, 384, 2048), (768, 1024, 384))
"""Rows, inputs and outputs of the products that are timed: layers of the renderer in training."""


def fastest_format(device: str = "cpu", seconds: float = 5.0) -> torch.dtype:
    """Number format for the matrix products of training on a device.

    Some processors have units for bfloat16 (AMX, AVX512-BF16); on others it is many times slower
    than float32. Both are timed in turns, so that other work on the machine disturbs both alike.

    Args:
        device: torch device; only a CPU is timed.
        seconds: for all products together.

    Returns:
        torch.bfloat16 or torch.float32; bfloat16 on a GPU.

    """
    if torch.device(device).type != "cpu":
        return torch.bfloat16
    formats = (torch.float32, torch.bfloat16)
    pairs = {
        kind: [
            (torch.ones(rows, width, dtype=kind), torch.ones(width, out, dtype=kind))
            for rows, width, out in SIZES
        ]
        for kind in formats
    }
    best = dict.fromkeys(formats, float("inf"))
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 2 or time.perf_counter() < end:  # the first round also starts the library
        for kind in formats:
            begin = time.perf_counter()
            for left, right in pairs[kind]:
                torch.mm(left, right)
            best[kind] = min(best[kind], time.perf_counter() - begin)
        rounds += 1
    return min(formats, key=lambda kind: best[kind])
