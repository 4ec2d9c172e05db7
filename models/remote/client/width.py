"""Width of a line: which audio format it carries faster than the music plays."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from models.remote.protocol.audio import FORMATS

GAPS: Final = 24
LATE_GAPS: Final = 3
"""Gaps that are left out, the longest: a stutter says nothing about the width."""
ENOUGH: Final = 1.25
"""Seconds of music a second that a format should come in with."""


class LineWidth:
    """Choice of the format, by the time between blocks that follow each other without a pause.

    On this machine it is float32, elsewhere it begins with 24 bits and goes down a step at a time.
    """

    def __init__(self, chosen: str, elsewhere: bool) -> None:
        """chosen: a format that stays, '' for one that fits."""
        self.audio_format = chosen or FORMATS[1 if elsewhere else 0]
        self._fixed = bool(chosen) or not elsewhere
        self._gaps: deque[tuple[float, float]] = deque(maxlen=GAPS)

    def add(self, gap: float, rendering: float, block_seconds: float) -> None:
        """Note a block. gap: seconds since the last one. rendering: seconds of it on the server."""
        self._gaps.append((gap / block_seconds, rendering / block_seconds))

    def narrow(self) -> bool:
        """Choose a thinner format where blocks come too slowly; True where that was done."""
        if self._fixed or len(self._gaps) < GAPS or self.audio_format == FORMATS[-1]:
            return False
        gaps = sorted(gap for gap, _ in self._gaps)[: GAPS - LATE_GAPS]
        rendering = float(np.median([seconds for _, seconds in self._gaps]))
        mean = float(np.mean(gaps))
        if mean * ENOUGH <= 1.0 or rendering > 0.5 * mean:  # wide enough, or the server is slow
            return False
        self.audio_format = FORMATS[FORMATS.index(self.audio_format) + 1]
        self._gaps.clear()
        return True
