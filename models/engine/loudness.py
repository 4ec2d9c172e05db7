"""Loudness normalisation (automatic gain control) and soft limiter of an endless stream.

A slow gain (time constant 12 s, within +-9 dB) moves the level to a target, so that the stream
neither fades nor swells, and a soft knee keeps every sample under full scale.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE

TARGET_DB: Final = -17.0  # mean square of both channels, re full scale
GATE_DB: Final = -45.0  # quieter blocks are rests and do not raise the gain
TIME_CONSTANT: Final = 12.0  # seconds
STEM_POWER: Final = {"drums": 0.41, "bass": 0.21, "other": 0.38}
"""Mean share of each stem in the power of the corpus's mixes that have drums."""
MAX_GAIN_DB: Final = 9.0
KNEE: Final = 0.7
CEILING: Final = 0.97


@dataclass(frozen=True)
class LevelState:
    """State of the normalisation: gain in dB at the end of the last block."""

    gain_db: float = 0.0


def soft_limit(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Soft limiter: identity below KNEE, tanh towards CEILING above it, slope 1 at the knee.

    Returns the argument itself, not a copy, where no sample exceeds the knee.
    """
    size = np.abs(audio)
    loud = size > KNEE
    if not loud.any():
        return audio
    room = CEILING - KNEE
    bent = KNEE + room * np.tanh((size - KNEE) / room)
    return np.where(loud, np.copysign(bent, audio), audio).astype(np.float32, copy=False)


def target_level_db(mute: Collection[str]) -> float:
    """Target level in dB with stems muted: the other stems keep their level."""
    left = 1.0 - sum(STEM_POWER[stem] for stem in mute)
    return TARGET_DB + 10.0 * float(np.log10(max(left, 0.05)))


def normalise_loudness(
    audio: NDArray[np.float32],
    state: LevelState,
    sample_rate: int = SAMPLE_RATE,
    target_db: float = TARGET_DB,
) -> tuple[NDArray[np.float32], LevelState]:
    """Audio at the normalised level; the gain is interpolated per sample.

    Args:
        audio: float32 (n, 2).
        state: of the block before.
        sample_rate: Hz.
        target_db: mean square of both channels, re full scale.

    Returns:
        float32 (n, 2), and the state for the next block.

    """
    power = float(np.mean(np.square(audio, dtype=np.float64)))
    level_db = 10.0 * np.log10(power + 1e-12)
    gain_db = state.gain_db
    if level_db > GATE_DB:
        goal_db = np.clip(target_db - level_db, -MAX_GAIN_DB, MAX_GAIN_DB)
        share = 1.0 - np.exp(-len(audio) / sample_rate / TIME_CONSTANT)
        gain_db += float((goal_db - gain_db) * share)
    ramp = np.linspace(state.gain_db, gain_db, len(audio), endpoint=False, dtype=np.float32)
    gain = np.power(np.float32(10.0), ramp / np.float32(20.0))
    return soft_limit(audio * gain[:, None]), LevelState(gain_db)
