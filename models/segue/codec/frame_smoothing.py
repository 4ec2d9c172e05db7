"""Smoothing of the steps between latent frames in decoded bands.

A decoder renders the four band frames of a latent frame smooth in themselves, because latents do
not encode the ripple of noise, while consecutive latent frames differ by that ripple and by a
generator's errors. So bands change in steps, 25 a second, which is audible as roughness.

The step between two latent frames is spread over the four band frames of the later one, without
delay, unless it is an event. A change common to many neighbouring bands is an attack or a release
and is kept from a fraction of a decibel on; a change of a single band is treated as noise up to
several decibels, since a partial that begins changes by more.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.segue.codec import bands as B

Array = NDArray[np.float32]

NEIGHBOURS: Final = 17
"""Width in bands of the average that is a common change."""
COMMON: Final = np.float32(0.1)
"""Common change of which half is kept, in band values (1.7 dB)."""
SINGLE: Final = np.float32(0.5)
"""Change of a single band of which half is kept, in band values (8.7 dB)."""
REMAINDER: Final = np.array([0.75, 0.5, 0.25, 0.0], np.float32)[:, None]
"""Share of the step that is removed from each of the four band frames."""


def smooth_frames(bands: Array, last: Array | None) -> tuple[Array, Array]:
    """Smoothed bands; the same result however the frames are divided into calls.

    Args:
        bands: float32 (4 k, 320), half nepers as in `models.segue.codec.bands`; k >= 1.
        last: (320,) last frame of the call before; None at the start of a sound.

    Returns:
        Bands (4 k, 320), and `last` for the next call.

    """
    out = bands.copy()
    for at in range(0, len(out), B.PATCH):
        if last is not None:
            step = out[at] - last
            common = _neighbour_mean(step)
            single = step - common
            grain = common * COMMON**2 / (COMMON**2 + common**2)
            grain += single * SINGLE**2 / (SINGLE**2 + single**2)
            out[at : at + B.PATCH] -= grain * REMAINDER
        last = out[at + B.PATCH - 1]
    assert last is not None  # k >= 1
    return out, last.copy()


def _neighbour_mean(values: Array) -> Array:
    """Moving average over NEIGHBOURS values, (n,), with edge padding."""
    # Without scipy, whose import would lengthen the loading of the engine.
    padded = np.pad(values.astype(np.float64), NEIGHBOURS // 2, mode="edge")
    sums = np.cumsum(np.concatenate([[0.0], padded]))
    return np.asarray((sums[NEIGHBOURS:] - sums[:-NEIGHBOURS]) / NEIGHBOURS, np.float32)
