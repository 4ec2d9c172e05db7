"""Key estimation from notes.

Krumhansl and Kessler's probe-tone profiles, correlated with the durations of pitch classes in all
24 keys (Krumhansl, "Cognitive foundations of musical pitch", 1990, chapter 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.harmony import MINOR_LIKE

_MAJOR: Final = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR: Final = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def _profiles() -> NDArray[np.float64]:
    rows = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    table = np.array(rows)
    table -= table.mean(axis=1, keepdims=True)
    return np.asarray(table / np.linalg.norm(table, axis=1, keepdims=True))


_PROFILES: Final = _profiles()


def pitch_class_weights(
    notes: Mapping[str, NDArray[np.void]], step_seconds: float
) -> NDArray[np.float64]:
    """Duration in seconds of each pitch class (12,), weighted by velocity; 1 s at most per note,
    since long notes fade.
    """
    weights = np.zeros(12)
    for table in notes.values():
        seconds = np.minimum(table["length"] * step_seconds, 1.0) + 0.05
        np.add.at(weights, table["pitch"] % 12, seconds * table["velocity"] / 100.0)
    return weights


def key_profiles() -> NDArray[np.float64]:
    """(24, 12) profiles of unit length and zero mean: twelve major keys, then twelve minor ones."""
    return _PROFILES


def key_correlations(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(24,) correlation of (12,) pitch class weights with each of `key_profiles`."""
    centred = weights - weights.mean()
    return np.asarray(_PROFILES @ centred / max(float(np.linalg.norm(centred)), 1e-12))


def estimate_key(weights: NDArray[np.float64]) -> tuple[int, bool]:
    """Most likely tonic 0..11, and whether minor, of pitch class weights (12,)."""
    best = int(np.argmax(key_correlations(weights)))
    return best % 12, best >= 12


def agrees(
    notes: Mapping[str, NDArray[np.void]], step_seconds: float, tonic: int, mode: str
) -> bool:
    """Whether the estimated key of notes is the given one; without any third the tonic suffices,
    and no notes agree with all keys.
    """
    weights = pitch_class_weights(notes, step_seconds)
    if weights.sum() == 0:
        return True
    found, minor = estimate_key(weights)
    thirds = weights[(tonic + 3) % 12] + weights[(tonic + 4) % 12]
    if found == tonic and thirds < 0.03 * weights.sum():
        return True
    return found == tonic and minor == (mode in MINOR_LIKE)
