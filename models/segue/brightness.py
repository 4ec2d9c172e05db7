"""Brightness control: closed-loop spectral tilt of the decoded bands.

The renderer is conditioned on brightness, the spectral centroid in octaves over 1 kHz. The
remaining error is corrected by a slow tilt of the decoded bands, within +-MAX_TILT dB an octave. At
auto the brightness is free but must not drift over minutes: the mean centroid of the first half
minute is the reference, and a deviation of a slow average from it by more than DRIFT_TOLERANCE is
corrected.
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
TARGET_GAIN: Final = 0.12  # share of the error that is corrected per block
REFERENCE_BLOCKS: Final = 125  # blocks (of 240 ms) whose mean is the reference
AVERAGE_SHARE: Final = 0.012  # weight of a block in the slow average: time constant 20 s
DRIFT_TOLERANCE: Final = 0.1  # octaves
DRIFT_GAIN: Final = 0.02  # dB an octave per block and octave of excess
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
    """Bands (T, 320), tilted by `slope` dB an octave about 1 kHz."""
    return np.asarray(bands + slope * _TILT, np.float32)


@dataclass(frozen=True)
class ToneState:
    """State of the brightness control.

    tilt: dB an octave, of the last block. For auto: style: that is played; blocks: of it so far, up
    to REFERENCE_BLOCKS; home: mean centroid of these; slow: slow average of the centroid; octaves.
    """

    tilt: float = 0.0
    style: bytes = b""
    blocks: int = 0
    home: float = 0.0
    slow: float = 0.0


def brightness_target(brightness: float | None) -> float | None:
    """Centroid in octaves over 1 kHz of a control value 0 to 1; None stays None (auto)."""
    return None if brightness is None else DARKEST + (BRIGHTEST - DARKEST) * brightness


def control_brightness(
    bands: NDArray[np.float32], target: float | None, state: ToneState, style: bytes = b""
) -> tuple[NDArray[np.float32], ToneState]:
    """Bands with the tilt of the brightness control.

    Args:
        bands: float32 (T, 320), one block.
        target: centroid in octaves over 1 kHz, of `brightness_target`; None for auto.
        state: of the block before.
        style: bytes of the prompts' style; a new one resets the reference of auto.

    Returns:
        Bands (T, 320), and the state for the next block.

    """
    if target is None:
        state = _stabilise(bands, state, style)
        slope = state.tilt
    else:
        centroid = centroid_octaves(tilt(bands, state.tilt))
        error = 0.0 if np.isnan(centroid) else float(np.clip(target - centroid, -1.0, 1.0))
        slope = float(np.clip(state.tilt + TARGET_GAIN * error * 2.0, -MAX_TILT, MAX_TILT))
        state = ToneState(slope)
    return (bands if abs(slope) < 0.01 else tilt(bands, slope)), state


def _stabilise(bands: NDArray[np.float32], state: ToneState, style: bytes) -> ToneState:
    """The state after a block at auto: drift correction."""
    if style != state.style:
        state = ToneState(state.tilt, style)
    centroid = centroid_octaves(tilt(bands, state.tilt))
    if np.isnan(centroid):
        return replace(state, tilt=state.tilt * 0.9) if state.blocks < REFERENCE_BLOCKS else state
    if state.blocks < REFERENCE_BLOCKS:
        count = state.blocks + 1
        home = state.home + (centroid - state.home) / count
        slope = 0.0 if abs(state.tilt) < 0.01 else state.tilt * 0.9
        return ToneState(slope, style, count, home, home)
    slow = state.slow + AVERAGE_SHARE * (centroid - state.slow)
    deviation = slow - state.home
    excess = deviation - float(np.clip(deviation, -DRIFT_TOLERANCE, DRIFT_TOLERANCE))
    slope = float(np.clip(state.tilt - DRIFT_GAIN * excess, -MAX_TILT, MAX_TILT))
    return replace(state, tilt=slope, slow=slow)
