"""Share of what comes in that is what went out: whether a microphone hears the loudspeakers.

The delay between both is where their cross-correlation peaks (Knapp and Carter, "The generalized
correlation method for estimation of time delay", 1976, with the phase transform); the share is
their magnitude-squared coherence there, averaged over frequencies by the power of what comes in.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.music.tracking.front_end import Line, mono

OWN: Final = 0.55
"""Share from which the input is the instrument's own sound."""
FACTOR: Final = 4  # by which both are brought down
WINDOW: Final = 2048  # of them: 170 ms, in which most of a room's echo comes
LONGEST: Final = 0.6  # seconds of delay
EARLIEST: Final = 0.1  # seconds by which the input may seem to be ahead
LEAST: Final = 1.5  # seconds that must be compared
QUIET: Final = 1e-4  # root mean square


def own_share(played: NDArray[np.floating], heard: NDArray[np.floating]) -> float:
    """Share of the power that came in which is the sound that went out, 0 to 1.

    Args:
        played: (n,) or (n, channels) at 48 kHz, what went out.
        heard: the same length, what came in meanwhile.

    """
    out, into = (_slower(sound) for sound in (played, heard))
    rate = SAMPLE_RATE // FACTOR
    if len(out) != len(into) or len(out) < LEAST * rate:
        return 0.0
    if min(float(np.sqrt(np.mean(line * line))) for line in (out, into)) < QUIET:
        return 0.0
    size = 1 << (2 * len(out) - 1).bit_length()
    cross = np.fft.rfft(into, size) * np.conj(np.fft.rfft(out, size))
    peaks = np.fft.irfft(cross / np.maximum(np.abs(cross), 1e-12), size)
    later, earlier = round(LONGEST * rate), round(EARLIEST * rate)
    delay = int(np.concatenate([peaks[-earlier:], peaks[:later]]).argmax()) - earlier
    if delay >= 0:
        out, into = out[: len(out) - delay], into[delay:]
    else:
        out, into = out[-delay:], into[:delay]
    return _coherence(out, into)


def _slower(sound: NDArray[np.floating]) -> Line:
    line = mono(sound)
    whole = line[: len(line) // FACTOR * FACTOR].reshape(-1, FACTOR)
    return np.asarray(whole.mean(axis=1), np.float32)


def _coherence(out: Line, into: Line) -> float:
    """Magnitude-squared coherence by Welch's method, less its bias, weighted by `into`'s power."""
    windows = [
        np.fft.rfft(
            np.lib.stride_tricks.sliding_window_view(line, WINDOW)[:: WINDOW // 2]
            * np.hanning(WINDOW)
        )
        for line in (out, into)
    ]
    count = len(windows[0])
    if count < 8:
        return 0.0
    cross = np.abs((windows[1] * np.conj(windows[0])).mean(axis=0)) ** 2
    powers = [(np.abs(window) ** 2).mean(axis=0) for window in windows]
    share = cross / np.maximum(powers[0] * powers[1], 1e-20)
    weighted = float((share * powers[1]).sum() / max(float(powers[1].sum()), 1e-20))
    bias = 1 / count
    return max(0.0, (weighted - bias) / (1 - bias))
