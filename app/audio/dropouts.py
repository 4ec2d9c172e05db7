"""Dropouts of the sound as incidents: a sentence now and then, and none is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.audio.settings import AudioStatus

QUIET_SECONDS: Final = 5.0
"""Shortest time between two sentences, in seconds; what happens meanwhile is in the next one."""
LOCAL_CAUSE: Final = "the engine is too slow; close other programs or choose a faster engine"
REMOTE_CAUSE: Final = "the line to the engine was down or is too thin; what comes is played at once"


@dataclass
class DropoutLog:
    """Sentences about underruns and xruns since the last one.

    An underrun is the plan that ran dry: the engine was too slow. An xrun is the device that was
    served too late, as the audio system counts it.
    """

    underruns: int = 0
    xruns: int = 0
    next_at: float = 0.0

    def update(self, audio: AudioStatus, now: float, remote: bool = False) -> str:
        """What to say; '' for nothing. now: seconds, monotonic. remote: the engine is elsewhere."""
        underruns, xruns = audio.underruns - self.underruns, audio.xruns - self.xruns
        if (underruns <= 0 and xruns <= 0) or now < self.next_at:
            return ""
        self.underruns, self.xruns, self.next_at = audio.underruns, audio.xruns, now + QUIET_SECONDS
        parts = []
        if underruns > 0:
            cause = REMOTE_CAUSE if remote else LOCAL_CAUSE
            parts.append(f"the music ran dry {_times(underruns)}: {cause}")
        if xruns > 0:
            parts.append(
                f"the audio device was late {_times(xruns)} (xruns): choose a larger buffer in "
                "the settings, or close other programs"
            )
        return "; ".join(parts) + "."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
