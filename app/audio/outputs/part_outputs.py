"""Parts in the audio callback: from their ring to channels of their own.

They go through what delays the mix and fades it, and not through limiter and volume: at a mixing
console each has its own fader. Nothing here allocates sample memory, logs or waits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.audio.outputs.routes import Routes
from app.audio.rewrite_buffer import RewriteBuffer
from app.audio.ring import take
from app.audio.shared_memory import CHANNELS, STEM_CHANNELS
from models.music.score import PARTS

Samples = NDArray[np.float32]


class PartOutputs:
    """Sound of the parts on a device's channels.

    Args:
        words: of the shared memory.
        stems: ring of the parts beside the plan, float32 (frames, 2 * parts).
        routes: those that the device has channels for.
        lookahead: frames by which the limiter delays the mix.
        max_frames: of one call.
        rewrites: of the plan, where another thread or process writes it.

    """

    def __init__(
        self,
        words: NDArray[np.int64],
        stems: Samples,
        routes: Routes,
        lookahead: int,
        max_frames: int,
        rewrites: RewriteBuffer | None = None,
    ) -> None:
        self._words, self._stems, self._rewrites = words, stems, rewrites
        self._look = lookahead
        self._pairs = [(2 * PARTS.index(part), first - 1) for part, first in routes]
        self._sound = np.zeros((lookahead + max_frames, stems.shape[1]), np.float32)

    def process(self, out: Samples, read: int, planned: int, gain: Samples) -> None:
        """Fill the channels behind the mix.

        Args:
            out: the device's buffer, float32 (n, channels).
            read: plan position of its first frame.
            planned: how many of its frames come from the plan.
            gain: the fade, (n, 1).

        """
        n, look = len(out), self._look
        whole = self._sound[: look + n]
        fresh = whole[look:]
        there = int(self._words[STEM_CHANNELS])
        if planned and there:
            take(self._stems, read, fresh[:planned])
            if self._rewrites is not None and not self._rewrites.overlay(
                read, fresh[:planned], CHANNELS
            ):
                take(self._stems, read, fresh[:planned])  # it is in the ring by now
            fresh[planned:] = 0.0
            np.multiply(fresh, gain, out=fresh)
        else:
            fresh[:] = 0.0
        out[:, 2:] = 0.0
        for column, channel in self._pairs:
            if column < there:
                out[:, channel : channel + 2] += whole[:n, column : column + 2]
        whole[:look] = whole[n:]
