"""Recovery of a stream that has collapsed into silence.

Sustained high guidance can drive Magenta RealTime into silence, which it then continues, because
its context holds nothing else. So the style guidance of a silent stream is lowered towards the
reference's value, and if it stays silent, its context is cleared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SILENT_DB: Final = -55.0
"""Mean square of a block, dB re full scale, below which it counts as silent."""
REST_SECONDS: Final = 2.0
"""Seconds of silence that may be a rest in the music."""
EASE_RATE: Final = 2.0
"""Guidance lowered for each second of silence beyond that."""
RECOVERY_RATE: Final = 0.25
"""Guidance restored for each second of sound."""
SAFE_GUIDANCE: Final = 1.0
CLEAR_SECONDS: Final = 8.0
"""Seconds of silence after which the context is cleared."""


@dataclass(frozen=True)
class SilenceWatch:
    """Seconds of silence up to now, and by how much guidance is lowered at present."""

    silent: float = 0.0
    eased: float = 0.0

    def after(self, level_db: float, seconds: float, requested: float) -> SilenceWatch:
        """The watch after a block of `seconds` at a level, with the guidance requested for it."""
        if level_db >= SILENT_DB:
            return SilenceWatch(0.0, max(0.0, self.eased - RECOVERY_RATE * seconds))
        silent = self.silent + seconds
        eased = self.eased
        if silent > REST_SECONDS:
            eased = min(eased + EASE_RATE * seconds, max(0.0, requested - SAFE_GUIDANCE))
        return SilenceWatch(silent, eased)

    def guidance(self, requested: float) -> float:
        """Guidance to use for a requested one; lowered to the safe value at most."""
        return max(min(requested, SAFE_GUIDANCE), requested - self.eased)

    @property
    def should_clear(self) -> bool:
        """Whether the context should be cleared."""
        return self.silent >= CLEAR_SECONDS
