"""Watching for the collapse into silence. Inference lane; pure.

Sustained high guidance can drive Magenta RealTime into silence that it then continues, because
silence is all that it remembers. So a stream that falls silent has its style guidance eased
towards where the reference keeps it, and where that does not wake it, its history is cleared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SILENT_DB: Final = -55.0
"""Mean square of a block, re full scale, under which it counts as silent."""
PATIENCE: Final = 2.0
"""Seconds of silence that may be a rest."""
EASE_RATE: Final = 2.0
"""Guidance that is taken away for each second of silence beyond that."""
RECOVERY_RATE: Final = 0.25
"""Guidance that is given back for each second of sound."""
SAFE_GUIDANCE: Final = 1.0
HOPELESS: Final = 8.0
"""Seconds of silence after which the history is cleared."""


@dataclass(frozen=True)
class SilenceWatch:
    """Seconds of silence up to now, and how much guidance is taken away at present."""

    silent: float = 0.0
    eased: float = 0.0

    def after(self, level_db: float, seconds: float, asked: float) -> SilenceWatch:
        """The watch after a block of `seconds` at a level, with the guidance that was asked."""
        if level_db >= SILENT_DB:
            return SilenceWatch(0.0, max(0.0, self.eased - RECOVERY_RATE * seconds))
        silent = self.silent + seconds
        eased = self.eased
        if silent > PATIENCE:
            eased = min(eased + EASE_RATE * seconds, max(0.0, asked - SAFE_GUIDANCE))
        return SilenceWatch(silent, eased)

    def guidance(self, asked: float) -> float:
        """What is played for a guidance that is asked; never eased under the safe value."""
        if self.eased <= 0.0 or asked <= SAFE_GUIDANCE:
            return asked
        return max(SAFE_GUIDANCE, asked - self.eased)

    @property
    def hopeless(self) -> bool:
        """Whether the history should be cleared."""
        return self.silent >= HOPELESS
