"""Conversion from the plan's 48 kHz stereo to a device's rate and channels, in the callback.

soxr resamples in a stream (quality 'HQ'). This is the one place where the callback allocates, as
soxr returns a new array for each chunk; devices at 48 kHz do not need it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr
from numpy.typing import NDArray

from app.audio.shared_memory import CHANNELS, SAMPLE_RATE

Samples = NDArray[np.float32]

CHUNK = 240


class DeviceRate:
    """Converter that pulls 48 kHz from `source`: stereo, or more where the device has more."""

    def __init__(
        self,
        source: Callable[[Samples], None],
        sample_rate: int,
        channels: int = CHANNELS,
        max_frames: int = 16_384,
    ) -> None:
        """Reads from `source`, which fills an array (n, max(2, channels)). max_frames: of one
        `process`.
        """
        width = max(CHANNELS, channels)
        self._source = source
        self._channels = channels
        self._stream = (
            soxr.ResampleStream(SAMPLE_RATE, sample_rate, width, dtype="float32", quality="HQ")
            if sample_rate != SAMPLE_RATE
            else None
        )
        self._chunk = np.zeros((CHUNK, width), np.float32)
        room = max_frames + 8 * CHUNK * max(1, -(-sample_rate // SAMPLE_RATE))
        self._ready = np.zeros((room, width), np.float32)
        self._count = 0

    def process(self, out: Samples) -> None:
        """Fill the device's buffer (n, channels)."""
        n = len(out)
        while self._count < n:
            self._source(self._chunk)
            more = self._chunk
            if self._stream is not None:
                more = self._stream.resample_chunk(self._chunk)
            self._ready[self._count : self._count + len(more)] = more
            self._count += len(more)
        if self._channels == 1:
            np.mean(self._ready[:n], axis=1, keepdims=True, out=out)
        else:
            out[:] = self._ready[:n]
        left = self._count - n
        self._ready[:left] = self._ready[n : self._count]
        self._count = left
