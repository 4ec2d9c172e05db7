"""Status and incidents of the inference thread."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from app.audio.settings import AudioStatus
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

    remote: whether the engine is elsewhere; line_ms: the journey there and back, where it is known.
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
        audio=audio,
    )
