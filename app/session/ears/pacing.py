"""Pacing of changes of the plan: some may follow each other at once, but not for long."""

from __future__ import annotations

from typing import Final

BURST: Final = 3
"""Changes that may follow each other at once after a rest."""


class ChangePacing:
    """Token bucket: BURST changes at once, and one more every `apart` seconds.

    In the mean the plan is made again no oftener than if every change had waited for that long, and
    yet what comes after a rest does not wait.
    """

    def __init__(self, apart: float) -> None:
        self._apart = apart
        self._left, self._at = float(BURST), 0.0

    def may(self, now: float) -> bool:
        """Whether a change may be made at a time in seconds; it counts if so."""
        passed = now - self._at
        self._left = min(BURST, self._left + passed / self._apart) if passed >= 0.0 else BURST
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
