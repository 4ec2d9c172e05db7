"""Loudness governor at the end of a block. Inference lane; pure numpy.

An endless stream must neither fade nor swell: a slow gain (time constant 12 s, within +-9 dB)
leads the level of what sounds to a target, and a soft knee keeps every sample under full scale.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE

TARGET_DB: Final = -17.0  # mean square of both channels, re full scale
GATE_DB: Final = -45.0  # quieter blocks are rests and do not pull the gain up
TIME_CONSTANT: Final = 12.0  # seconds
STEM_POWER: Final = {"drums": 0.41, "bass": 0.21, "other": 0.38}
"""Mean share of each stem in the power of 21 mixes of the corpus that have drums."""
MAX_GAIN_DB: Final = 9.0
KNEE: Final = 0.7
CEILING: Final = 0.97


@dataclass(frozen=True)
class LevelState:
    """Gain in dB at the end of the last block."""

    gain_db: float = 0.0


def soft_limit(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Leave samples under KNEE alone, bend louder ones towards CEILING; slope 1 at the knee.

    What goes in is not written to, and is what comes out where nothing is louder.
    """
    size = np.abs(audio)
    loud = size > KNEE
    if not loud.any():
        return audio
    room = CEILING - KNEE
    bent = KNEE + room * np.tanh((size - KNEE) / room)
    return np.where(loud, np.copysign(bent, audio), audio).astype(np.float32, copy=False)


def target_level_db(mute: Collection[str]) -> float:
    """The level to lead to, in dB, where stems are muted: what is left must not grow louder."""
    left = 1.0 - sum(STEM_POWER[stem] for stem in mute)
    return TARGET_DB + 10.0 * float(np.log10(max(left, 0.05)))


def normalise_loudness(
    audio: NDArray[np.float32],
    state: LevelState,
    sample_rate: int = SAMPLE_RATE,
    target_db: float = TARGET_DB,
) -> tuple[NDArray[np.float32], LevelState]:
    """Audio (n, 2) at the governed level, and the state after it; the gain glides by the sample."""
    power = float(np.mean(np.square(audio, dtype=np.float64)))
    level_db = 10.0 * np.log10(power + 1e-12)
    gain_db = state.gain_db
    if level_db > GATE_DB:
        wanted = np.clip(target_db - level_db, -MAX_GAIN_DB, MAX_GAIN_DB)
        pull = 1.0 - np.exp(-len(audio) / sample_rate / TIME_CONSTANT)
        gain_db += float((wanted - gain_db) * pull)
    ramp = np.linspace(state.gain_db, gain_db, len(audio), endpoint=False, dtype=np.float32)
    gain = np.power(np.float32(10.0), ramp / np.float32(20.0))
    return soft_limit(audio * gain[:, None]), LevelState(gain_db)
