"""Smoothing of the steps between latent frames (models/segue/codec/frame_smoothing.py)."""

from __future__ import annotations

import numpy as np
import pytest

from models.segue.codec import bands as B
from models.segue.codec import frame_smoothing as grain


def stairs(seed: int = 0, frames: int = 40, spread: float = 0.15) -> np.ndarray:
    """Bands that are still inside a latent frame and differ between them: (4 frames, 320)."""
    steps = np.random.default_rng(seed).normal(0, spread, (frames, B.BANDS))
    return np.repeat(steps, B.PATCH, axis=0).astype(np.float32)


def changes(bands: np.ndarray) -> tuple[float, float]:
    """Mean change between latent frames, and inside them."""
    change = np.abs(np.diff(bands, axis=0)).mean(1)
    between = np.arange(B.PATCH - 1, len(change), B.PATCH)
    return float(change[between].mean()), float(np.delete(change, between).mean())


def test_grain_is_spread_over_the_frame() -> None:
    bands = stairs()
    before, after = changes(bands), changes(grain.smooth_frames(bands, None)[0])
    assert before[1] == 0.0
    assert after[0] < 0.45 * before[0]
    assert after[1] > 0.3 * after[0]


@pytest.mark.parametrize(
    ("decibels", "width", "kept"),
    [(12.0, 320, 0.95), (6.0, 320, 0.9), (-12.0, 320, 0.95), (30.0, 2, 0.85), (20.0, 1, 0.7)],
)
def test_events_stay_where_they_are(decibels: float, width: int, kept: float) -> None:
    """Attacks and releases of all bands, and onsets of partials."""
    height = decibels / (20 / np.log(10) * B.LOG_SCALE)
    bands = np.zeros((8, B.BANDS), np.float32)
    bands[4:, 100 : 100 + width] = height
    if width == B.BANDS:
        bands[4:] = height
    out, _ = grain.smooth_frames(bands, None)
    assert out[4, 100] / height > kept
    np.testing.assert_allclose(out[7], bands[7], atol=1e-6)
    np.testing.assert_array_equal(out[:4], bands[:4])


def test_portions_do_not_matter() -> None:
    bands = stairs(1)
    whole, end = grain.smooth_frames(bands, None)
    last, parts = None, []
    for portion in np.split(bands, [4, 28, 40, 64]):
        part, last = grain.smooth_frames(portion, last)
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert last is not None
    np.testing.assert_array_equal(last, end)


def test_the_given_bands_are_not_changed() -> None:
    bands = stairs(2)
    before = bands.copy()
    grain.smooth_frames(bands, bands[0] + 1)
    np.testing.assert_array_equal(bands, before)
