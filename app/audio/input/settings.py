"""Settings of the audio input, and its state as others see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.errors import SegueError

INPUT_STYLE: Final = "input"
"""Key of the input's style among those of the prompts; no prompt's key is this one."""
LOW_CUTS: Final = (0, 40, 80, 120, 200)
"""Hz of the low-cut; 0 is none."""
MAX_CHANNEL: Final = 64


@dataclass(frozen=True)
class InputSettings:
    """Choice of the input. SegueError for wrong values.

    Attributes:
        device: a label of `AudioDevice`, or None for the system's default input.
        first_channel: the channel that is heard, from 1.
        stereo: whether the next channel is heard too, as the right one.
        sample_rate: Hz; None for 48000 where the device can and its own rate where it cannot.
        low_cut: Hz below which the input is attenuated by 12 dB an octave; 0 for none.
        round_trip_ms: measured time from output to input, or None for what the drivers report.

    """

    device: str | None = None
    first_channel: int = 1
    stereo: bool = False
    sample_rate: int | None = None
    low_cut: int = 0
    round_trip_ms: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.first_channel <= MAX_CHANNEL:
            raise SegueError(
                f"there is no input channel {self.first_channel}: choose 1 to {MAX_CHANNEL}."
            )
        if self.sample_rate is not None and not 8_000 <= self.sample_rate <= 384_000:
            raise SegueError(
                f"an input of {self.sample_rate} Hz cannot be used: choose 44100 to 96000."
            )
        if not 0 <= self.low_cut <= 1000:
            raise SegueError(f"a low-cut of {self.low_cut} Hz cannot be set: choose 0 to 200.")
        if self.round_trip_ms is not None and not 0.0 <= self.round_trip_ms <= 2000.0:
            raise SegueError("the round trip must be 0 to 2000 ms: measure it again.")


@dataclass(frozen=True)
class InputStatus:
    """State of the input.

    peak, hold: linear levels (left, right) after the gain. clips: blocks at full scale since the
    device was opened. lost: times that the device reported lost sound, as JACK does
    for each of its xruns. frames: that it gave; skipped: those of them that were not taken in time.
    jumps: times that the input had to move on the output's clock. error_ms: how far it is off its
    place there.
    """

    running: bool = False
    sample_rate: int = 0
    peak: tuple[float, float] = (0.0, 0.0)
    hold: tuple[float, float] = (0.0, 0.0)
    clips: int = 0
    lost: int = 0
    frames: int = 0
    skipped: int = 0
    jumps: int = 0
    round_trip_ms: float = 0.0
    error_ms: float = 0.0
