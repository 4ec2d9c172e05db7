"""Context audio of an accompaniment at 44.1 kHz, gaps mended, read at 48 kHz. No thread of its own.

A gap is filled with what was heard a beat earlier, and where no beat is known with silence; either
way its edges are crossfaded, so that no click is taken for an onset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE

Samples: TypeAlias = NDArray[np.float32]

RATE: Final = 44_100
GRID: Final = (147, 160)
"""Samples of 44.1 and of 48 kHz that are as long as each other."""
PAD: Final = 4
"""Grids before and after a stretch that are converted with it, for the filter."""
KEPT: Final = 12 * RATE
EDGE: Final = 220  # samples of a crossfade at a gap's edge


def to_48k(frame: int) -> int:
    """The 48 kHz frame at or before a 44.1 kHz frame."""
    return frame * GRID[1] // GRID[0]


def converted(read: Callable[[int, int], Samples], start: int, stop: int, to_48: bool) -> Samples:
    """A stretch of a sound at the other rate; stretches that follow one another join.

    Args:
        read: gives float32 (n,) from one frame to another, at the rate it has.
        start: frame at the new rate.
        stop: frame at the new rate.
        to_48: from 44.1 to 48 kHz, otherwise from 48 to 44.1 kHz.

    """
    here, there = GRID if to_48 else GRID[::-1]
    first, last = start // there - PAD, -(-stop // there) + PAD
    source = read(first * here, last * here)
    rates = (RATE, SAMPLE_RATE) if to_48 else (SAMPLE_RATE, RATE)
    found = np.asarray(soxr.resample(source, *rates), np.float32)
    return found[start - first * there : stop - first * there]


def mended(
    samples: Samples, missing: Sequence[tuple[int, int]], before: Samples, beat: int
) -> Samples:
    """Samples without gaps.

    Args:
        samples: float32 (n,).
        missing: (start, stop) of the gaps.
        before: what came before them, at least a beat of it where there is one.
        beat: samples of a beat; 0 where none is known.

    """
    line = np.concatenate([before, samples])
    for start, stop in ((a + len(before), b + len(before)) for a, b in missing):
        filled = np.zeros(stop - start + 2 * EDGE, np.float32)
        places = np.arange(start - EDGE, stop + EDGE)
        while beat and (places >= start - EDGE).any() and places.min() >= 0:
            places = np.where(places >= start - EDGE, places - beat, places)
        if beat and places.min() >= 0:
            filled = line[places]
        low, high = max(0, start - EDGE), min(len(line), stop + EDGE)
        gain = np.interp(
            np.arange(low, high), (start - EDGE, start, stop, stop + EDGE), (0.0, 1.0, 1.0, 0.0)
        ).astype(np.float32)
        patch = filled[low - (start - EDGE) : high - (start - EDGE)]
        line[low:high] = line[low:high] * (1.0 - gain) + patch * gain
    return line[len(before) :]


class ContextTrack:
    """The context's last seconds, by samples since its start."""

    def __init__(self) -> None:
        self.end = 0
        self._line = np.zeros(KEPT, np.float32)

    def append(self, samples: Samples, missing: Sequence[tuple[int, int]], beat: int) -> None:
        """Take samples in. Arguments as those of `mended`."""
        if missing:
            samples = mended(samples, missing, self._line.copy(), beat)
        self._line = np.concatenate([self._line, samples])[-KEPT:]
        self.end += len(samples)

    def read(self, start: int, stop: int) -> Samples:
        """float32 (stop - start,) at 44.1 kHz; silence outside of what is kept."""
        found = np.zeros(stop - start, np.float32)
        first = self.end - len(self._line)
        low, high = max(start, first), min(stop, self.end)
        if low < high:
            found[low - start : high - start] = self._line[low - first : high - first]
        return found

    def at_48k(self, start: int, stop: int) -> Samples:
        """float32 (stop - start,) at 48 kHz, by frames of 48 kHz since its start."""
        return converted(self.read, start, stop, to_48=True)
