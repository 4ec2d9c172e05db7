"""Settings, devices, events and status of the audio process."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio import shared_memory as s
from app.audio.input.settings import InputSettings, InputStatus
from app.audio.outputs.routes import Routes
from app.audio.shared_memory import SAMPLE_RATE
from models.errors import SegueError

NULL_DEVICE: Final = "null"
"""Label of the device that discards the sound in real time."""

BUFFER_SIZES: Final = (64, 128, 256, 512, 1024, 2048)
SAMPLE_RATES: Final = (44_100, SAMPLE_RATE, 88_200, 96_000, 176_400, 192_000)


@dataclass(frozen=True)
class AudioSettings:
    """Choice of device, rate and buffer. SegueError for wrong values.

    device: a label of `AudioDevice`, None for the system's default, or NULL_DEVICE.
    sample_rate: Hz; None for 48000 where the device can and its own rate where it cannot.
    buffer_frames: frames of one callback.
    input: what is listened to; None for nothing.
    parts: which part goes to channels of its own.
    """

    device: str | None = None
    sample_rate: int | None = None
    buffer_frames: int = 256
    input: InputSettings | None = None
    parts: Routes = ()

    def __post_init__(self) -> None:
        if self.sample_rate is not None and not 8_000 <= self.sample_rate <= 384_000:
            raise SegueError(
                f"a sample rate of {self.sample_rate} Hz cannot be played: choose 48000."
            )
        if not 16 <= self.buffer_frames <= 8192:
            raise SegueError(
                f"a buffer of {self.buffer_frames} frames cannot be played: choose 64 to 2048."
            )


@dataclass(frozen=True)
class AudioDevice:
    """Output or input that PortAudio offers. index: valid until PortAudio is initialised again."""

    name: str
    host: str
    channels: int
    sample_rate: int
    is_default: bool = False
    index: int = field(default=-1, compare=False)

    @property
    def label(self) -> str:
        return f"{self.name} ({self.host})"


@dataclass(frozen=True)
class AudioEvent:
    """Event of the audio process as a sentence. level: info, warning or error.

    kind: 'device' (opened, lost), 'devices' (the list changed), 'input' (opened, lost, faulty),
    'score' (a MIDI port of the score), 'parts' (their channels), 'restart' (of the audio process).
    """

    kind: str
    level: str
    sentence: str


@dataclass(frozen=True)
class AudioStatus:
    """State of the audio process.

    read, end: plan positions in frames. read_at: time.monotonic() when `read` was written.
    limiting: the limiter's gain. Levels are
    linear (left, right), full scale at 1.
    """

    running: bool = False
    device: str = ""
    sample_rate: int = SAMPLE_RATE
    buffer_frames: int = 0
    is_null: bool = False
    playing: bool = False
    read: int = 0
    end: int = 0
    read_at: float = 0.0
    latency_seconds: float = 0.0
    underruns: int = 0
    xruns: int = 0
    worst_callback_ms: float = 0.0
    callbacks: int = 0
    restarts: int = 0
    gain: float = 0.0
    peak: tuple[float, float] = (0.0, 0.0)
    hold: tuple[float, float] = (0.0, 0.0)
    rms: tuple[float, float] = (0.0, 0.0)
    limiting: float = 1.0
    limiting_lowest: float = 1.0
    input: InputStatus = field(default_factory=InputStatus)

    @property
    def limited(self) -> bool:
        return self.limiting < 1.0

    @property
    def plan_buffer(self) -> int:
        """Frames of the plan that the device takes at once."""
        rate = self.sample_rate or SAMPLE_RATE
        return math.ceil(max(self.buffer_frames, BUFFER_SIZES[0]) * SAMPLE_RATE / rate)

    @property
    def plan_seconds(self) -> float:
        return (self.end - self.read) / SAMPLE_RATE


def read_status(
    words: NDArray[np.int64], floats: NDArray[np.float64], device: str, restarts: int
) -> AudioStatus:
    """State of the audio process as the shared memory holds it.

    Args:
        words: of the shared memory, see `shared_memory`.
        floats: of the shared memory.
        device: label of the device that is open.
        restarts: how often the process was started again.

    """
    w, f = words[: s.ANCHORS].tolist(), floats.tolist()
    return AudioStatus(
        running=bool(w[s.RUNNING]),
        device=device,
        sample_rate=w[s.DEVICE_RATE] or s.SAMPLE_RATE,
        buffer_frames=w[s.BUFFER],
        is_null=bool(w[s.IS_NULL]),
        playing=bool(w[s.PLAYING]),
        read=w[s.READ],
        end=w[s.END],
        read_at=f[s.READ_TIME],
        latency_seconds=f[s.LATENCY],
        underruns=w[s.UNDERRUNS],
        xruns=w[s.XRUNS],
        worst_callback_ms=f[s.WORST_MS],
        callbacks=w[s.CALLBACKS],
        restarts=restarts,
        gain=f[s.GAIN],
        peak=(f[s.PEAK], f[s.PEAK + 1]),
        hold=(f[s.HOLD], f[s.HOLD + 1]),
        rms=(f[s.RMS], f[s.RMS + 1]),
        limiting=f[s.LIMITING],
        limiting_lowest=f[s.LOWEST_LIMITING],
        input=InputStatus(
            running=bool(w[s.INPUT_RUNNING]),
            sample_rate=w[s.INPUT_RATE],
            peak=(f[s.INPUT_PEAK], f[s.INPUT_PEAK + 1]),
            hold=(f[s.INPUT_HOLD], f[s.INPUT_HOLD + 1]),
            clips=w[s.INPUT_CLIPS],
            lost=w[s.INPUT_LOST],
            frames=w[s.INPUT_FRAMES],
            skipped=w[s.INPUT_SKIPPED],
            jumps=w[s.INPUT_JUMPS],
            round_trip_ms=1e3 * f[s.INPUT_LATENCY],
            error_ms=1e3 * f[s.INPUT_ERROR],
        ),
    )
