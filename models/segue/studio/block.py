"""Format of the studio's blocks of sound."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 3840
"""Samples of a block at SAMPLE_RATE: two frames of the score, 80 ms."""

Planes = NDArray[np.float32]
"""Sound as (channels, samples)."""
