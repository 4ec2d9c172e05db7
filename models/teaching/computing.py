"""What a lesson computes on: its device, number format and clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from models.runtime.device import resolve_device, use_full_precision
from models.runtime.number_format import fastest_format


@dataclass(frozen=True)
class Computing:
    """Device, number format of the matrix products, a clock of seconds of computing, and how many
    cores or cards compute at once.

    On the CPU the clock counts what its threads computed, so that waiting for the music costs no
    part of the lesson; a card computes beside the process, so there it is the time that passes.
    """

    device: str
    number_format: torch.dtype
    clock: Callable[[], float]
    cores: int


def computing(wanted: str, threads: int) -> Computing:
    """What a course computes on.

    Args:
        wanted: "auto" for a CUDA card where there is one and else the CPU, "cpu" or "cuda".
        threads: Of the CPU.

    Raises:
        SegueError: A CUDA card is wanted, and torch finds none.

    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    device = resolve_device(wanted)
    number_format = fastest_format(device, seconds=1.0)
    if device == "cpu":
        return Computing(device, number_format, lambda: time.process_time() / threads, threads)
    use_full_precision()
    return Computing(device, number_format, time.monotonic, 1)
