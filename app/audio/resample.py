"""From the plan's 48 kHz stereo to what a device takes. Audio lane, in the callback.

soxr resamples as the sound streams (polyphase and FFT stages; its 'HQ' recipe). This is the one
place where the callback allocates: soxr returns a new array for each chunk. Only devices that are
not at 48 kHz take this way.
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
    """Pulls 48 kHz stereo from `source` and fills buffers of another rate or channel count."""

    def __init__(
        self,
        source: Callable[[Samples], None],
        sample_rate: int,
        channels: int = CHANNELS,
        most: int = 16_384,
    ) -> None:
        """source fills an array (n, 2). most: the most frames one `process` may ask for."""
        self._source = source
        self._channels = channels
        self._stream = (
            soxr.ResampleStream(SAMPLE_RATE, sample_rate, CHANNELS, dtype="float32", quality="HQ")
            if sample_rate != SAMPLE_RATE
            else None
        )
        self._chunk = np.zeros((CHUNK, CHANNELS), np.float32)
        room = most + 8 * CHUNK * max(1, -(-sample_rate // SAMPLE_RATE))
        self._ready = np.zeros((room, CHANNELS), np.float32)
        self._count = 0

    def process(self, out: Samples) -> None:
        """Fill out (n, channels) of the device."""
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
            out[:, :CHANNELS] = self._ready[:n]
            out[:, CHANNELS:] = 0.0
        left = self._count - n
        self._ready[:left] = self._ready[n : self._count]
        self._count = left
