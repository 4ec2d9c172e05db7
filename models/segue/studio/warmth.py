"""Warmth: the tilt towards the bass that every mix gets, as filters and on the codec's bands.

The corpus' mixes are leaner and brighter than mastered records, whose spectrum falls by about 5 dB
an octave (Elowsson & Friberg, "Long-term average spectrum in popular music and its relation to the
level of the percussion", AES 2017). A renderer learned from the corpus, so what it hears is made
lean first, and what it makes gets the tilt of the mixes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.codec.bands import CENTRES_HZ, scaled
from models.segue.studio.filters import FilterSection, coefficients

WARMTH_DB: Final = 4.0
"""Slope of the tilt that every mix gets, as of `tilt_sections`, downwards."""
AIR: Final = FilterSection("high_shelf", 9500.0, 0.7, 4.0)
"""What the tilt leaves to the highest octave, so that cymbals stay open."""


def tilt_sections(slope: float) -> tuple[FilterSection, FilterSection]:
    """Two shelves about 1 kHz that tilt a spectrum upwards by `slope` dB at both its ends."""
    return (
        FilterSection("low_shelf", 260.0, 0.5, -0.9 * slope),
        FilterSection("high_shelf", 3800.0, 0.5, 1.1 * slope),
    )


def warmed(bands: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bands of the codec (T, 320) with the tilt that the studio's master gives its mixes."""
    return scaled(bands, _gains())


def lean(bands: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bands of the codec (T, 320) of a finished mix, as the corpus would have them: the inverse of
    `warmed`.
    """
    return scaled(bands, 1.0 / _gains())


@lru_cache(maxsize=1)
def _gains() -> NDArray[np.float32]:
    """Gains of tilt and air, (320,)."""
    hertz = CENTRES_HZ.astype(np.float64)
    return (_gains_of(tilt_sections(-WARMTH_DB), hertz) * _gains_of((AIR,), hertz)).astype(
        np.float32
    )


def tilt_gains(hertz: NDArray[np.float64], slope: float) -> NDArray[np.float64]:
    """Gains of the tilt of `tilt_sections` at frequencies in Hz, of their shape."""
    return _gains_of(tilt_sections(slope), hertz)


def _gains_of(
    sections: tuple[FilterSection, ...], hertz: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gains of a cascade at frequencies in Hz, of their shape."""
    z = np.exp(-2j * np.pi * hertz / SAMPLE_RATE)
    gain = np.ones(len(z))
    for section in sections:
        top, bottom = coefficients(section)
        gain *= np.abs(np.polyval(top[::-1], z) / np.polyval(bottom[::-1], z))
    return gain
