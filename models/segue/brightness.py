"""Brightness of the sound, asked and held. Inference lane; pure numpy.

The renderer is conditioned on brightness, the spectral centroid in octaves over 1 kHz. What it
leaves is made up by a slow tilt of the decoded bands, bounded to +-MAX_TILT dB an octave, so
that the knob does what it says. Left at auto, the music may be as bright as it likes, but it must
not creep: measured over ten minutes of one prompt the centroid rose by a third. So the mean of the
first half minute is remembered, and what a slow average strays from it beyond a tenth of an octave
is tilted back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.segue.codec.bands import CENTRES_HZ, LOG_MEAN, LOG_SCALE

DARKEST: Final = -1.3
BRIGHTEST: Final = 2.3
"""Brightness 0 and 1 in octaves over 1 kHz: about the corpus's 3rd and 97th percentile."""
MAX_TILT: Final = 4.0
TARGET_GAIN: Final = 0.12  # share of the error made up per block
REFERENCE_BLOCKS: Final = 125  # blocks (of 240 ms) whose mean is remembered
AVERAGE_SHARE: Final = 0.012  # share of a block in the slow average: 20 s
DRIFT_TOLERANCE: Final = 0.1  # octaves that the slow average may stray
DRIFT_GAIN: Final = 0.02  # dB an octave per block and octave of stray
_OCTAVES: Final = np.log2(np.maximum(CENTRES_HZ, 40.0) / 1000.0).astype(np.float32)
_WIDTH: Final = np.gradient(CENTRES_HZ).astype(np.float32)
_TILT: Final = (np.clip(_OCTAVES, -3.0, 4.0) * (np.log(10.0) / 20.0) / LOG_SCALE).astype(np.float32)


def centroid_octaves(bands: NDArray[np.float32]) -> float:
    """Magnitude-weighted centroid of bands (T, 320) in octaves over 1 kHz; nan in silence."""
    magnitude = np.exp(bands * LOG_SCALE + LOG_MEAN).mean(axis=0) * _WIDTH
    magnitude = np.maximum(magnitude - magnitude.max() * 1e-5, 0.0)
    total = float(magnitude.sum())
    if total <= 1e-6 * len(magnitude):
        return float("nan")
    return float(np.log2(float(magnitude @ CENTRES_HZ) / total / 1000.0))


def tilt(bands: NDArray[np.float32], slope: float) -> NDArray[np.float32]:
    """Bands with `slope` dB an octave about 1 kHz."""
    return (bands + slope * _TILT).astype(np.float32)


@dataclass(frozen=True)
class ToneState:
    """Tilt in dB an octave, applied to the last block; for auto, the style that is played, how many
    blocks of it were heard, their mean centroid at first, and its slow average, in octaves."""

    tilt: float = 0.0
    style: bytes = b""
    blocks: int = 0
    home: float = 0.0
    slow: float = 0.0


def brightness_target(brightness: float | None) -> float | None:
    """Control 0..1 -> octaves over 1 kHz; None stays None (auto)."""
    return None if brightness is None else DARKEST + (BRIGHTEST - DARKEST) * brightness


def control_brightness(
    bands: NDArray[np.float32], asked: float | None, state: ToneState, style: bytes = b""
) -> tuple[NDArray[np.float32], ToneState]:
    """Bands (T, 320) tilted towards the asked brightness; kept from creeping when it is auto.

    `style` is the prompts' style as bytes: with another one the music may sound another way.
    """
    if asked is None:
        state = _stabilise(bands, state, style)
        slope = state.tilt
    else:
        heard = centroid_octaves(tilt(bands, state.tilt))
        error = 0.0 if np.isnan(heard) else float(np.clip(asked - heard, -1.0, 1.0))
        slope = float(np.clip(state.tilt + TARGET_GAIN * error * 2.0, -MAX_TILT, MAX_TILT))
        state = ToneState(slope)
    return (bands if abs(slope) < 0.01 else tilt(bands, slope)), state


def _stabilise(bands: NDArray[np.float32], state: ToneState, style: bytes) -> ToneState:
    """The state after a block at auto."""
    if style != state.style:
        state = ToneState(state.tilt, style)
    heard = centroid_octaves(tilt(bands, state.tilt))
    if np.isnan(heard):
        return replace(state, tilt=state.tilt * 0.9) if state.blocks < REFERENCE_BLOCKS else state
    if state.blocks < REFERENCE_BLOCKS:
        count = state.blocks + 1
        home = state.home + (heard - state.home) / count
        slope = 0.0 if abs(state.tilt) < 0.01 else state.tilt * 0.9
        return ToneState(slope, style, count, home, home)
    slow = state.slow + AVERAGE_SHARE * (heard - state.slow)
    stray = slow - state.home
    excess = stray - float(np.clip(stray, -DRIFT_TOLERANCE, DRIFT_TOLERANCE))
    slope = float(np.clip(state.tilt - DRIFT_GAIN * excess, -MAX_TILT, MAX_TILT))
    return replace(state, tilt=slope, slow=slow)
