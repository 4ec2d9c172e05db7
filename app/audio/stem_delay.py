"""Delay of the stems by the master's look-ahead, so that they lie on the mix to the sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class StemDelay:
    """Delay line of the parts' sounds. Its state, `tail`, belongs to a place in the stream."""

    def __init__(self, parts: Sequence[str], lead: int) -> None:
        """parts, lead: as `EngineInfo.parts` and `EngineInfo.stems_lead`."""
        self.parts = tuple(parts)
        self._lead = lead
        self.tail: Samples | None = None
        """The last `lead` samples (lead, 2 * parts); None where they are not known."""

    @property
    def channels(self) -> int:
        """Channels of all parts together."""
        return 2 * len(self.parts)

    def push(self, stems: Mapping[str, Samples]) -> Samples:
        """The next block of all parts side by side, (n, 2 * parts), delayed.

        stems: (n, 2) by part, of the block that follows the last one. Where the tail is not known
        the block begins with silence.
        """
        block = np.concatenate([stems[part] for part in self.parts], axis=1)
        tail = self.tail
        if tail is None:
            tail = np.zeros((self._lead, self.channels), np.float32)
        joined = np.concatenate([tail, block])
        self.tail = joined[len(block) :].copy()
        return joined[: len(block)]
