"""Detail of a guide's treble in the sound that is made of it: attacks, decays, partials. Pure.

Above a few kilohertz the codec's bands pool many partials and its latents hold little more than an
envelope, so that a renderer makes a cymbal a grey bar and a string noise. The guide has both, the
fall of the cymbal and the partials. So the gain that leads from the guide to the sound is smoothed
over half a second and a third of an octave, by powers, and the guide with that gain takes the
sound's place: the colour is the renderer's, whatever is shorter or finer the guide's. The share of
the guide falls with the noise on it, and towards the middle of the spectrum, whose partials the
bands resolve. It is larger where the guide is the fainter of both: what fills the rests between
partials or strokes is fog. Further down the sound falls, a third of an octave at a time, where the
guide does: a kick that is over, or a rest. And as the renderer changes from one note to the next
half a tenth of a second late where nothing is struck, each band takes the guide's course there:
what it departs from its own mean of the last tenths, in the measure in which the sound is bound to
the guide at all. No third of an octave gets louder by it: a stroke stays the renderer's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.segue.codec import bands as B

Array = NDArray[np.float32]

FROM_HZ: Final = 2000.0
"""Frequency up to which the sound stays as the renderer made it."""
WHOLE_HZ: Final = 5000.0
"""Frequency from which the guide's detail is kept whole."""
NEIGHBOURS: Final = 10
"""Bands on either side over which the gain is smoothed: a third of an octave in the treble."""
SECONDS: Final = 0.5
"""Time constant of the gain."""
LEAST: Final = 0.6
"""Share of the guide's detail that stays where the noise on the guide is without bound."""
CLEAR: Final = 0.9
"""The same, where the guide is fainter than the sound."""
FALL_DB: Final = 24.0
"""Greatest fall of the guide that the sound follows below the treble."""
RANGE_DB: Final = 30.0
"""Greatest gain and, downwards, the least."""
COURSE_SECONDS: Final = 0.4
"""Time constant of the means that a band's course departs from."""
COURSE_DB: Final = 30.0
"""Greatest change of a band by the guide's course."""
FAINT: Final = 1e-12
"""Power of a band that nobody hears, added to both sounds."""


def _nothing() -> Array:
    return np.zeros((2, B.BANDS), np.float32)


def _silence() -> Array:
    return np.full((2, B.BANDS), B.SILENCE, np.float32)


@dataclass(frozen=True)
class DetailState:
    """Powers of sound and guide, (2, 320), smoothed over time, and the means of their band values.
    Field names are stored in files.
    """

    powers: Array = field(default_factory=_nothing)
    levels: Array = field(default_factory=_silence)


def share(sigma: float, least: float = LEAST) -> float:
    """Share of the guide's detail that is kept, 0 to 1, for the noise of `knob.DreamSetting`; it is
    `least` where that is without bound.
    """
    near = 0.0 if math.isinf(sigma) else min(1.0, 1.0 / sigma)
    return least + (1.0 - least) * near


def with_detail(
    shown: Array, guide: Array, sigma: float, state: DetailState
) -> tuple[Array, Array, DetailState]:
    """Bands of a sound with the detail of its guide.

    Args:
        shown: bands of the sound, (T, 320), as of `codec.bands.compress`.
        guide: magnitudes of the guide in the same bands and at the same time, (T, 320).
        sigma: noise on the guide, as of `knob.DreamSetting`.
        state: of the frames before.

    Returns:
        Bands (T, 320); the gains (T, 320) that lead from the guide to them, smoothed; the state.

    """
    both = _neighbour_sums(np.square(np.stack([_magnitudes(shown), guide], axis=1)))
    step = np.float32(1.0 - math.exp(-B.HOP / B.SAMPLE_RATE / SECONDS))
    now, smoothed = state.powers, np.empty_like(both)
    for i, powers in enumerate(both):
        now = now + step * (powers - now)
        smoothed[i] = now
    ratio = np.sqrt((smoothed[:, 0] + FAINT) / (smoothed[:, 1] + FAINT))
    most = np.float32(10 ** (RANGE_DB / 20))
    gains = np.clip(ratio, 1 / most, most)
    change = B.compress(guide * gains) - shown
    treble = _weights()
    kept = shown + treble * change * np.where(change < 0, share(sigma, CLEAR), share(sigma))
    level = (both + FAINT)[:, 1] / (both + FAINT)[:, 0] * np.square(gains)
    fall = np.clip(10 * np.log10(level), -FALL_DB, 0.0) * (1 - treble)
    kept += fall * (math.log(10) / 20 / B.LOG_SCALE)
    change, levels = _course(kept, B.compress(guide), state.levels)
    kept = _no_louder(kept + change * (1 - treble) * share(sigma, 0.0), kept)
    return kept.astype(np.float32, copy=False), gains, DetailState(now, levels)


def _magnitudes(values: Array) -> Array:
    """Magnitudes of band values, (T, 320)."""
    return np.asarray(np.maximum(np.exp(values * B.LOG_SCALE + B.LOG_MEAN) - B.FLOOR, 0))


def _no_louder(sound: Array, before: Array) -> Array:
    """Band values (T, 320) of a sound that is nowhere louder than it was, by thirds of octaves."""
    both = _neighbour_sums(np.square(np.stack([_magnitudes(sound), _magnitudes(before)], axis=1)))
    excess = np.maximum(10 * np.log10((both[:, 0] + FAINT) / (both[:, 1] + FAINT)), 0.0)
    return np.asarray(sound - excess * (math.log(10) / 20 / B.LOG_SCALE), np.float32)


def _course(sound: Array, guide: Array, levels: Array) -> tuple[Array, Array]:
    """Change of band values (T, 320) that gives a sound its guide's course, and the new levels."""
    both = np.maximum(np.stack([sound, guide], axis=1), B.SILENCE)
    step = np.float32(1.0 - math.exp(-B.HOP / B.SAMPLE_RATE / COURSE_SECONDS))
    away = np.empty_like(both)
    for i, values in enumerate(both):
        levels = levels + step * (values - levels)
        away[i] = values - levels
    most = COURSE_DB * math.log(10) / 20 / B.LOG_SCALE
    return np.clip(away[:, 1] - away[:, 0], -most, most), levels


@lru_cache(maxsize=1)
def _weights() -> Array:
    """Share of each band, 0 to 1, (320,)."""
    octaves = np.log(np.maximum(B.CENTRES_HZ, 1.0))
    low, high = math.log(FROM_HZ), math.log(WHOLE_HZ)
    return np.clip((octaves - low) / (high - low), 0.0, 1.0).astype(np.float32)


def _neighbour_sums(values: Array) -> Array:
    """Means over the neighbouring bands, (..., 320)."""
    edge = [(0, 0)] * (values.ndim - 1) + [(NEIGHBOURS + 1, NEIGHBOURS)]
    sums = np.cumsum(np.pad(values, edge, mode="edge"), axis=-1, dtype=np.float64)
    width = 2 * NEIGHBOURS + 1
    return np.asarray((sums[..., width:] - sums[..., :-width]) / width, np.float32)
