"""Pitch of one voice: a sung, hummed or whistled line, or one instrument.

YIN (de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and music",
2002): the cumulative mean normalised difference, its first dip under a threshold, and a parabola
through the dip. Several thresholds vote, as in pYIN (Mauch and Dixon, 2014), but causally: a dip
near the pitch before counts for more, so that single octave errors do not pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.music.tracking.front_end import WINDOW, SoundFrame

SHORTEST: Final = 16  # samples of a period: 3 kHz
LONGEST: Final = 740  # 65 Hz
SPAN: Final = WINDOW - LONGEST  # samples compared
SIZE: Final = 4096
QUIETEST: Final = 1e-3  # -60 dB
VOICED: Final = 0.5  # confidence from which a pitch counts
THRESHOLDS: Final = 0.05 + 0.025 * np.arange(14)
WEIGHTS: Final = np.array([1, 2, 3, 3, 3, 2.5, 2, 1.5, 1, 0.8, 0.6, 0.4, 0.3, 0.2])
NEAR: Final = 1.5  # semitones from the pitch before
STAY: Final = 0.6  # weight added to a dip near it


@dataclass(frozen=True)
class PitchState:
    """Pitch before (MIDI number, nan where none), and for how many frames none was heard."""

    pitch: float = math.nan
    unvoiced: int = 0


@dataclass(frozen=True)
class Pitch:
    """Pitch of a frame: MIDI number with fractions, nan where none; confidence 0..1."""

    midi: float
    confidence: float

    @property
    def voiced(self) -> bool:
        return self.confidence >= VOICED


UNVOICED: Final = Pitch(math.nan, 0.0)


def difference(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """YIN's cumulative mean normalised difference of (WINDOW,) samples, for lags 0..LONGEST."""
    line = samples.astype(np.float64)
    line -= line.mean()
    start = np.fft.rfft(line[:SPAN], SIZE)
    whole = np.fft.rfft(line, SIZE)
    product = np.fft.irfft(np.conj(start) * whole, SIZE)[: LONGEST + 1]
    energy = np.concatenate([[0.0], np.cumsum(line * line)])
    powers = energy[SPAN : SPAN + LONGEST + 1] - energy[: LONGEST + 1]
    raw = np.maximum(energy[SPAN] + powers - 2 * product, 0.0)
    mean = np.cumsum(raw[1:]) / np.arange(1, LONGEST + 1)
    result = np.ones(LONGEST + 1)
    result[1:] = raw[1:] / np.maximum(mean, 1e-12)
    return result


def track_pitch(state: PitchState, frame: SoundFrame) -> tuple[PitchState, Pitch]:
    """Pitch of one frame.

    Args:
        state: after the frames before.
        frame: the next.

    Returns:
        The state after it and its pitch, which belongs to about 20 ms before the frame's time.

    """
    found = _estimate(state.pitch, frame) if frame.level > QUIETEST else UNVOICED
    if found.voiced:
        return PitchState(found.midi, 0), found
    unvoiced = state.unvoiced + 1
    return PitchState(state.pitch if unvoiced < 10 else math.nan, unvoiced), found


def _estimate(before: float, frame: SoundFrame) -> Pitch:
    curve = difference(frame.samples)
    inner = curve[SHORTEST:LONGEST]
    dips = SHORTEST + np.flatnonzero(
        (inner < curve[SHORTEST - 1 : LONGEST - 1])
        & (inner <= curve[SHORTEST + 1 : LONGEST + 1])
        & (inner < THRESHOLDS[-1])
    )
    if not len(dips):
        return UNVOICED
    depth = curve[dips]
    # Each threshold votes for the first dip under it.
    under = depth[None, :] < THRESHOLDS[:, None]
    votes = np.zeros(len(dips))
    np.add.at(votes, under.argmax(axis=1)[under.any(axis=1)], WEIGHTS[under.any(axis=1)])
    votes /= WEIGHTS.sum()
    pitches = np.array([_midi_of(curve, int(dip)) for dip in dips])
    if before == before:
        votes = votes + STAY * (np.abs(pitches - before) < NEAR) * np.maximum(0, 1 - 3 * depth)
    best = int(votes.argmax())
    return Pitch(float(pitches[best]), float(np.clip(1 - 2 * depth[best], 0, 1)))


def _midi_of(curve: NDArray[np.float64], dip: int) -> float:
    left, middle, right = curve[dip - 1], curve[dip], curve[dip + 1]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend > 0 else 0.0
    return float(69 + 12 * np.log2(SAMPLE_RATE / (dip + shift) / 440.0))
