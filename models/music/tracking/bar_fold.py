"""Fold network: which tempo, and which place in the bar, explains the sound of the last seconds.

The frames of the last ten seconds are laid over each other bar by bar, at the interval of each
tempo: what repeats adds up, what does not is evened out (rhythmic patterns as in Dixon, Gouyon and
Widmer, "Towards characterisation of music via rhythmic patterns", ISMIR 2004). A small network,
the same for all tempi, says how much such a bar looks like music when it is begun at each of its
places; a softmax over all tempi and places makes them rivals. So half the tempo, two thirds of it
and the off-beats are compared with the beat by the whole course of a bar, which the bar pointer's
frames, one after the other, never see together. Learned by `models.training.bar_fold`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.tracking.front_end import Line
from models.music.tracking.periodicity import SPAN
from models.music.tracking.rhythm import FEATURES, FRAME, PLACES

BAR: Final = 4  # beats that are laid over each other
BAR_PLACES: Final = BAR * PLACES
WORDS: Final = 4
"""What the networks say of a frame: beat and downbeat, composed and recorded."""
CHANNELS: Final = WORDS + FEATURES
LATER: Final = 2
"""Frames by which the networks speak later than the flux."""
MEMORY: Final = 4.0  # seconds
EMPTY: Final = 0.02  # of a place's mean share: fewer frames in it say nothing
TEMPO: Final = 3  # inputs that tell of the tempo
USUAL: Final = 112.0  # beats a minute
SPREAD: Final = 0.35  # of the tempo's logarithm
SCORE_SCALE: Final = 4.0
FLOOR: Final = -8.0
"""Least logarithm of a tempo and place, beside the best."""


@dataclass(frozen=True, eq=False)
class FoldNetwork:
    """Weights.

    bar_weight: (units, CHANNELS, BAR_PLACES) from the bar's beginning on, with enter_bias (units,).
    tempo_weight: (units, TEMPO). leave_weight: (units,). leave_tempo: (TEMPO,).
    """

    bar_weight: Line
    enter_bias: Line
    tempo_weight: Line
    leave_weight: Line
    leave_tempo: Line

    @cached_property
    def spectrum(self) -> NDArray[np.complex64]:
        """(frequencies, CHANNELS, units) of the bar weights: turning a bar is a product there."""
        turned = np.fft.rfft(self.bar_weight, axis=2).transpose(2, 1, 0)
        return np.ascontiguousarray(turned, np.complex64)

    def scores(self, bars: Line, tempo: Line) -> Line:
        """Logarithms (intervals, BAR_PLACES) of how well each interval fits, and each place as the
        one that sounds now; 0 for the best and FLOOR at least.

        Args:
            bars: (intervals, BAR_PLACES, CHANNELS) as of `folded`.
            tempo: (intervals, TEMPO) as of `tempo_inputs`.

        """
        turning = np.fft.rfft(bars, axis=1).conj().astype(np.complex64).transpose(1, 0, 2)
        units = np.fft.irfft(turning @ self.spectrum, BAR_PLACES, axis=0).astype(np.float32)
        units += self.enter_bias + tempo @ self.tempo_weight.T
        fits = np.maximum(units, 0) @ self.leave_weight + tempo @ self.leave_tempo
        return np.asarray(np.maximum(fits.T - fits.max(), FLOOR), np.float32)


def tempo_inputs(intervals: Line, scores: Line) -> Line:
    """(intervals, TEMPO) of intervals in frames and their periodicity, 0 to 1."""
    tempo = np.log(60 / FRAME / USUAL / intervals) / SPREAD
    return np.stack([tempo, tempo * tempo, SCORE_SCALE * scores], axis=1).astype(np.float32)


def folded(words: Line, flux: Line, filled: int, intervals: Line) -> Line:
    """The last seconds laid over each other, bar by bar.

    Args:
        words: (SPAN, WORDS) what the networks say, square roots of chances, the newest last.
        flux: (SPAN, FEATURES) flux features.
        filled: how many of them there are yet, more than LATER.
        intervals: from beat to beat in frames, not whole ones.

    Returns:
        (intervals, BAR_PLACES, CHANNELS) means with a fading memory; place 0 is the newest frame,
        and the place before it the last one.

    """
    count = filled - LATER
    rows = np.concatenate([words[SPAN - count :], flux[SPAN - filled : SPAN - LATER]], axis=1)
    age = np.arange(count, dtype=np.float32)[::-1]
    weight = np.exp(-age * np.float32(FRAME / MEMORY))
    rows = np.concatenate([rows, np.ones((count, 1), np.float32)], axis=1) * weight[:, None]
    beats = -age / intervals[:, None].astype(np.float32)
    place = (beats - BAR * np.floor(beats / BAR)) * PLACES
    low = place.astype(np.int64)
    share = (place - low).astype(np.float32)
    base = np.arange(len(intervals))[:, None] * BAR_PLACES
    size = len(intervals) * BAR_PLACES
    found = np.zeros((CHANNELS + 1, size))
    for step, part in ((0, 1 - share), (1, share)):
        index = (base + (low + step) % BAR_PLACES).ravel()
        for channel in range(CHANNELS + 1):
            given = (part * rows[:, channel]).ravel()
            found[channel] += np.bincount(index, given, minlength=size)
    least = EMPTY * float(weight.sum()) / BAR_PLACES
    means = found[:CHANNELS] / np.maximum(found[CHANNELS], least)
    shape = (CHANNELS, len(intervals), BAR_PLACES)
    return np.ascontiguousarray(means.reshape(shape).transpose(1, 2, 0), np.float32)


def of_any_beat(scores: Line) -> Line:
    """Scores (intervals, PLACES) of the places in a beat, whichever of the bar it is."""
    beats = np.exp(scores.reshape(len(scores), BAR, PLACES)).mean(axis=1)
    return np.asarray(np.log(beats), np.float32)
