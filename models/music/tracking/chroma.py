"""Chroma: how strong each semitone and each pitch class is, ten times a second.

The sound is brought down to 6 kHz; windows of a third of a second are long enough to tell semitones
apart from A1 on. Square roots of magnitudes keep a loud bass from hiding the chord. Beside them
stands how far the sound rose since the last chroma.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from models.music.score import SAMPLE_RATE
from models.music.tracking.front_end import BANDS as MEL_BANDS
from models.music.tracking.front_end import HOP, HOP_SECONDS, Line, SoundFrame
from models.music.tracking.rhythm import EDGES

FACTOR: Final = 8
RATE: Final = SAMPLE_RATE // FACTOR
TAPS: Final = 161
CUTOFF: Final = 2400.0
SPAN: Final = 2048  # samples at RATE
FALL: Final = 512  # of them in which the window falls
STEP: Final = 10  # frames between two chromas
PAIR: Final = 2  # frames that are brought down together
STEP_SECONDS: Final = STEP * HOP_SECONDS
LOW: Final = 33  # MIDI pitch of the lowest band
HIGH: Final = 93
WIDTH: Final = 0.35  # standard deviation of a band in semitones
QUIETEST: Final = 3e-4
BANDS: Final = HIGH - LOW
RECENT: Final = 0.6  # seconds of the recent mean
MEMORY: Final = 8.0  # seconds of the slow mean
RISES: Final = len(EDGES) - 1


@dataclass(frozen=True, eq=False)
class ChromaState:
    """The last SPAN samples at 6 kHz, recent mean (BANDS,), slow mean (12,), greatest rise of each
    mel band since the last chroma, frames to wait.
    """

    tail: Line
    recent: Line
    slow: Line
    rise: Line
    waiting: int = STEP


@dataclass(frozen=True, eq=False)
class Chroma:
    """Strength of semitones and pitch classes, each array of length 1 unless all is silent.

    Attributes:
        now: (BANDS,) semitones from LOW on, in the last third of a second.
        recent: (BANDS,) the same, of the last 0.6 s.
        slow: (12,) pitch classes of the last seconds, C first.
        rise: (RISES,) how far lows, middle and highs rose since the last chroma.
        loud: whether anything sounds.

    """

    now: Line
    recent: Line
    slow: Line
    rise: Line
    loud: bool


def initial_chroma() -> ChromaState:
    """The state before any sound."""
    tail, recent, slow, rise = (np.zeros(n, np.float32) for n in (SPAN, BANDS, 12, MEL_BANDS))
    return ChromaState(tail, recent, slow, rise)


@lru_cache(maxsize=1)
def _low_pass() -> Line:
    """Windowed sinc (TAPS,) with unit gain at 0 Hz."""
    place = np.arange(TAPS) - TAPS // 2
    taps = np.sinc(2 * CUTOFF / SAMPLE_RATE * place) * np.hamming(TAPS)
    return np.asarray(taps / taps.sum(), np.float32)


@lru_cache(maxsize=1)
def _window() -> Line:
    """Slow to rise, quick to fall: a chord that has just begun counts sooner than in a symmetric
    window.
    """
    rise = np.hanning(2 * (SPAN - FALL) + 1)[: SPAN - FALL]
    fall = np.hanning(2 * FALL + 1)[FALL:-1]
    return np.concatenate([rise, fall]).astype(np.float32)


@lru_cache(maxsize=1)
def _bands() -> Line:
    """(BANDS, SPAN // 2 + 1) weights of the bins in each semitone; rows sum to 1."""
    bins = np.arange(1, SPAN // 2 + 1) * RATE / SPAN
    pitch = np.concatenate([[-99.0], 69 + 12 * np.log2(bins / 440)])
    rows = np.exp(-0.5 * ((pitch[None, :] - np.arange(LOW, HIGH)[:, None]) / WIDTH) ** 2)
    rows /= np.maximum(rows.sum(axis=1, keepdims=True), 1e-6)
    return rows.astype(np.float32)


def semitones(tail: Line) -> Line:
    """Strength (BANDS,) of each semitone in (SPAN,) samples at 6 kHz, of length 1."""
    magnitude = np.abs(np.fft.rfft(tail * _window())).astype(np.float32)
    strength = np.sqrt(_bands() @ magnitude)
    # What stands out of its surroundings is a note; the rest is noise.
    wide = np.convolve(strength, np.full(9, 1 / 9, np.float32), "same")
    return unit(np.maximum(strength - wide, 0))


def pitch_classes(strength: Line) -> Line:
    """(12,) sums over octaves of (BANDS,) strengths, C first."""
    return np.roll(strength.reshape(-1, 12).sum(axis=0), LOW % 12)


def averaged(mean: Line, new: Line, memory: float) -> Line:
    """Moving mean with a memory in seconds."""
    share = np.float32(STEP_SECONDS / memory)
    return ((1 - share) * mean + share * new).astype(np.float32)


def unit(row: Line) -> Line:
    """Scaled to length 1; zeros stay."""
    length = float(np.sqrt((row * row).sum()))
    return (row / np.float32(max(length, 1e-6))).astype(np.float32)


def decimate(frame: SoundFrame) -> Line:
    """The last 20 ms up to a frame's end at 6 kHz, (120,)."""
    reach = frame.samples[-(PAIR * HOP + TAPS - 1) :]
    windows = np.lib.stride_tricks.sliding_window_view(reach, TAPS)[FACTOR - 1 :: FACTOR]
    return np.asarray(np.ascontiguousarray(windows) @ _low_pass(), np.float32)


def find_chroma(state: ChromaState, frame: SoundFrame) -> tuple[ChromaState, Chroma | None]:
    """Take one frame in.

    Args:
        state: after the frames before.
        frame: the next.

    Returns:
        The state after it and, ten times a second, the chroma.

    """
    rise = np.maximum(state.rise, frame.rise)
    if state.waiting % PAIR == 0:
        return replace(state, rise=rise, waiting=state.waiting - 1), None
    new = decimate(frame)
    tail = np.concatenate([state.tail[len(new) :], new])
    if state.waiting > 1:
        return replace(state, tail=tail, rise=rise, waiting=state.waiting - 1), None
    loud = float(np.sqrt(np.mean(tail * tail))) > QUIETEST
    now = semitones(tail)
    recent, slow = averaged(state.recent, now, RECENT), state.slow
    if loud:
        slow = averaged(slow, pitch_classes(now), MEMORY)
    rises = np.array([rise[low:high].mean() for low, high in pairwise(EDGES)], np.float32)
    after = ChromaState(tail, recent, slow, np.zeros_like(rise))
    return after, Chroma(now, unit(recent), unit(slow), rises, loud)
