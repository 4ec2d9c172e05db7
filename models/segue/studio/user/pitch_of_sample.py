"""Pitch of a recorded note, for samples whose names do not tell it.

The trackers' YIN (`models.music.tracking.pitch.difference`) on windows of the sounding note, once
as it is and once at a third of the rate, where the lowest notes are within its reach.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.music.tracking.front_end import WINDOW
from models.music.tracking.pitch import LONGEST, SHORTEST, difference

CLEAR: Final = 0.12  # dip of YIN's difference from which a period is believed
LAST: Final = 0.3  # dip that is still taken where there is none deeper
WINDOWS: Final = 15
SPREAD: Final = 0.4  # semitones by which the windows may differ
QUIET: Final = 0.05  # share of the peak's level under which a window is left out


def pitch_of(sound: NDArray[np.float32], rate: int) -> float | None:
    """MIDI pitch of a note.

    Args:
        sound: (frames, channels).
        rate: in Hz.

    Returns:
        The pitch with fractions; None where none is clear.

    """
    mono = sound.mean(axis=1)[: 4 * rate]
    if rate != SAMPLE_RATE:
        mono = np.asarray(soxr.resample(mono, rate, SAMPLE_RATE), np.float32)
    found = [
        pitch
        for window, slow in _windows(mono)
        if (pitch := _window_pitch(window, slow)) is not None
    ]
    if len(found) < 3:
        return None
    middle = float(np.median(found))
    near = [pitch for pitch in found if abs(pitch - middle) < SPREAD]
    return float(np.mean(near)) if len(near) * 2 > len(found) else None


def _windows(
    mono: NDArray[np.float32],
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Windows of the note, at the full rate and at a third of it."""
    slow = np.asarray(soxr.resample(mono, SAMPLE_RATE, SAMPLE_RATE // 3), np.float32)
    peak = float(np.abs(mono).max(initial=0.0))
    last = len(slow) - WINDOW
    if last < 0:  # a short note: silence behind it
        slow = np.pad(slow, (0, -last))
        last = 0
    out = []
    for at in np.linspace(min(0.15 * last, 2400), 0.8 * last, WINDOWS if last else 3).astype(int):
        own = mono[3 * at + WINDOW : 3 * at + 2 * WINDOW]
        if len(own) < WINDOW:
            own = mono[:WINDOW]
        if len(own) == WINDOW and float(np.abs(own).max()) > QUIET * peak > 0.0:
            out.append((own, slow[at : at + WINDOW]))
    return out


def _window_pitch(fast: NDArray[np.float32], slow: NDArray[np.float32]) -> float | None:
    near, depth = _period(fast)
    far, low_depth = _period(slow)
    if near is not None and depth < CLEAR and (depth < low_depth + 0.05 or far is None):
        return _midi(SAMPLE_RATE / near)
    if far is not None and low_depth < LAST:
        return _midi(SAMPLE_RATE / 3 / far)
    return _midi(SAMPLE_RATE / near) if near is not None and depth < LAST else None


def _period(window: NDArray[np.float32]) -> tuple[float | None, float]:
    """Samples of a period and the depth of its dip; None where there is no dip."""
    curve = difference(window)
    under = np.flatnonzero(curve[SHORTEST:-1] < CLEAR) + SHORTEST
    if len(under):
        lag = int(under[0])
        while lag + 1 < LONGEST and curve[lag + 1] < curve[lag]:
            lag += 1
    else:
        lag = int(np.argmin(curve[SHORTEST:-1])) + SHORTEST
    if not SHORTEST < lag < LONGEST - 1:
        return None, 1.0
    left, middle, right = curve[lag - 1 : lag + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend > 1e-12 else 0.0
    return lag + float(np.clip(shift, -1, 1)), float(middle)


def _midi(hertz: float) -> float:
    return 69 + 12 * math.log2(hertz / 440.0)
