"""What the inference thread knows of the reader of the plan, the audio process."""

from __future__ import annotations

import math

from app.audio.settings import AudioStatus
from app.audio.shared_memory import SAMPLE_RATE
from app.inference.plan import MARGIN
from app.inference.planner import Planner


class ReaderWatch:
    """Tells the planner of the reader, and measures the shortest plan while music plays."""

    def __init__(self) -> None:
        self.plan_min = math.inf
        """Shortest plan so far in seconds, since playing was first at its full gain."""
        self._full_gain = False

    def update(self, planner: Planner, status: AudioStatus) -> None:
        """Take the reader's position and the margin ahead of it from the audio process's status."""
        planner.margin = MARGIN + 2 * status.plan_buffer
        planner.output_latency = status.latency_seconds + status.plan_buffer / SAMPLE_RATE
        silent = status.gain <= 0.0 or not status.running
        planner.reader_stopped = not status.playing and silent
        if status.running and status.playing:
            planner.latency_stats.reader_at(
                status.read, status.read_at, planner.output_latency, SAMPLE_RATE
            )
            if status.gain >= 1.0 or self._full_gain:
                self._full_gain = True
                self.plan_min = min(self.plan_min, status.plan_seconds)

    def stopped(self) -> None:
        """Begin anew: the reader fades out, so that a short plan says nothing."""
        self._full_gain = False
