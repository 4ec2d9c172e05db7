"""What the inference lane tells the others about itself. Pure data; any lane."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.audio.settings import AudioStatus


@dataclass(frozen=True)
class Incident:
    """Something happened, in a sentence. when: time.time(). level: info, warning or error."""

    when: float
    level: str
    sentence: str


@dataclass(frozen=True)
class WorkerStatus:
    """state: loading, playing, paused, holding, failed or stopped. Delays in milliseconds."""

    state: str = "loading"
    engine: str = ""
    device: str = ""
    real_time_factor: float = 0.0
    render_ms: float = 0.0
    knob_to_sound_ms: float | None = None
    knob_to_sound_worst_ms: float = 0.0
    knob_to_sound_count: int = 0
    plan_seconds: float = 0.0
    plan_seconds_min: float = 0.0
    blocks: int = 0
    rewrites: int = 0
    recoveries: int = 0
    discontinuities: int = 0
    moments_mb: float = 0.0
    audio: AudioStatus = field(default_factory=AudioStatus)
