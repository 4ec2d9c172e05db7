"""Status and incidents of the inference thread, and what it knows of the reader of the plan."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from app.audio.settings import AudioStatus
from app.audio.shared_memory import SAMPLE_RATE
from app.inference.plan import MARGIN
from app.inference.planner import Planner


@dataclass(frozen=True)
class Incident:
    """Message for the incident log. when: time.time(). level: info, warning or error."""

    when: float
    level: str
    sentence: str


@dataclass(frozen=True)
class WorkerStatus:
    """Figures of the worker. state: loading, playing, paused, holding, failed or stopped.

    echo_dry: as `Engine.echo_dry`. remote: whether the engine is elsewhere; line_ms: the journey
    there and back, where it is known.
    """

    state: str = "loading"
    engine: str = ""
    device: str = ""
    real_time_factor: float = 0.0
    render_ms: float = 0.0
    knob_to_sound_ms: float | None = None
    knob_to_sound_worst_ms: float = 0.0
    knob_to_sound_count: int = 0
    remote: bool = False
    line_ms: float | None = None
    plan_seconds: float = 0.0
    plan_seconds_min: float = 0.0
    blocks: int = 0
    rewrites: int = 0
    recoveries: int = 0
    discontinuities: int = 0
    moments_mb: float = 0.0
    echo_dry: bool = False
    audio: AudioStatus = field(default_factory=AudioStatus)


def status_of(planner: Planner, audio: AudioStatus, plan_min: float) -> WorkerStatus:
    """Current figures. plan_min: shortest plan so far in seconds, inf if unknown."""
    if planner.source.recovery.failures > 4:
        state = "failed"
    elif not audio.playing:
        state = "paused"
    else:
        state = "holding" if planner.holding else "playing"
    latency, times = planner.latency_stats, planner.source.times
    line = planner.source.engine.line_seconds
    return WorkerStatus(
        state=state,
        engine=planner.info.name,
        device=planner.info.device,
        real_time_factor=times.real_time_factor if planner.info.rewinds else 0.0,
        render_ms=1e3 * times.median,
        knob_to_sound_ms=None if latency.last is None else 1e3 * latency.last,
        knob_to_sound_worst_ms=1e3 * latency.worst,
        knob_to_sound_count=latency.count,
        remote=planner.info.remote,
        line_ms=None if line is None else 1e3 * line,
        plan_seconds=audio.plan_seconds,
        plan_seconds_min=0.0 if math.isinf(plan_min) else plan_min,
        blocks=planner.blocks,
        rewrites=planner.rewrites,
        recoveries=planner.recoveries,
        discontinuities=planner.discontinuities,
        moments_mb=planner.moments.bytes / 1e6,
        echo_dry=planner.source.engine.echo_dry,
        audio=audio,
    )


class ReaderWatch:
    """Tells the planner of the reader, and measures the shortest plan while music plays."""

    def __init__(self) -> None:
        self.plan_min = math.inf
        """Shortest plan so far in seconds, since playing was first at its full gain."""
        self._full_gain = False

    def update(self, planner: Planner, status: AudioStatus, settled: int = 0) -> None:
        """Take the reader's position and the margin ahead of it from the audio process's status.

        settled: frames ahead of the reader that others rely on, see `ScoreLink.settled`.
        """
        planner.writer.reading = status.plan_buffer
        ahead = settled + status.plan_buffer if settled else MARGIN
        planner.margin = ahead + status.plan_buffer
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
