"""Format of the studio's blocks of sound."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 3840
"""Samples of a block at SAMPLE_RATE: two frames of the score, 80 ms."""

Planes = NDArray[np.float32]
"""Sound as (channels, samples)."""


def sliding_windows(x: Planes, length: int, step: int = 1) -> Planes:
    """View of every window of a sound, for reading only.

    As `numpy.lib.stride_tricks.sliding_window_view`, which takes longer to check its arguments
    than a window of a block takes to compute.

    Args:
        x: (channels, n); copied where it has gaps in memory.
        length: of a window in samples.
        step: from one window to the next.

    Returns:
        (channels, windows, length).

    """
    whole = np.ascontiguousarray(x)
    channels, samples = whole.shape
    row, sample = whole.strides
    shape = (channels, (samples - length) // step + 1, length)
    return np.ndarray(shape, whole.dtype, whole, 0, (row, step * sample, sample))
