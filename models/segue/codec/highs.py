"""Highs of decoded bands: the contrast and the energy that the autoencoder loses. Pure.

A decoder that is trained on absolute errors shows typical values. So its partials over 4 kHz stand
where they should (correlation .8 to .9 with the true ones up to 9 kHz), but less high over what
lies between them, and its highs have less energy than the true ones, whose mean is above what is
typical. Both are raised here by a fixed amount for each band.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.segue.codec import bands as B

Array = NDArray[np.float32]

NEIGHBOURS: Final = 8
"""Bands on either side whose mean a partial stands over."""
RAISE: Final = np.float32(0.15)
"""Most that a band is raised by its contrast, in band values (2.6 dB): what stands high already is
right, and what lies between is too loud.
"""
HERTZ: Final = (200.0, 3500.0, 5000.0, 7500.0, 10_500.0)
CONTRAST: Final = (1.1, 1.1, 1.35, 1.7, 2.2)
"""Factor of the logarithm of a band over its neighbours, at HERTZ."""
ENERGY_DB: Final = (0.0, 0.8, 1.6, 2.4, 2.8)
"""Gain at HERTZ."""


def restored(bands: Array) -> Array:
    """Bands (T, 320) of the decoder with the highs as they should be; silence stays silence."""
    first, factor, gain = _settings()
    out = bands.copy()
    heard = np.maximum(bands, B.SILENCE)
    change = (heard - _neighbour_means(heard))[:, first:] * factor
    out[:, first:] += np.minimum(change, RAISE)
    return B.scaled(out, gain)


@lru_cache(maxsize=1)
def _settings() -> tuple[int, Array, Array]:
    """First band with more contrast; factors less 1 of it and those above; gains (320,)."""
    factor = np.interp(B.CENTRES_HZ, HERTZ, CONTRAST) - 1.0
    first = int(np.argmax(factor > 0.0))
    gain = 10 ** (np.interp(B.CENTRES_HZ, HERTZ, ENERGY_DB) / 20)
    return first, factor[first:].astype(np.float32), gain.astype(np.float32)


def _neighbour_means(values: Array) -> Array:
    """Moving average over the bands, (T, 320)."""
    padded = np.pad(values, ((0, 0), (NEIGHBOURS + 1, NEIGHBOURS)), mode="edge")
    sums = np.cumsum(padded, axis=1, dtype=np.float64)
    width = 2 * NEIGHBOURS + 1
    return np.asarray((sums[:, width:] - sums[:, :-width]) / width, np.float32)
