"""Contrast and energy of decoded highs (models/segue/codec/highs.py)."""

from __future__ import annotations

import numpy as np
import pytest

from models.segue.codec import bands as B
from models.segue.codec.highs import NEIGHBOURS, restored

AIR = B.CENTRES_HZ > 8000
MIDDLE = (B.CENTRES_HZ > 300) & (B.CENTRES_HZ < 3000)


def decibels(bands: np.ndarray) -> np.ndarray:
    return np.asarray(bands * B.LOG_SCALE * 20 / np.log(10))


def comb(height: float) -> np.ndarray:
    """A partial in every sixth band, over a level floor; height in band values."""
    bands = np.zeros((8, B.BANDS), np.float32)
    bands[:, ::6] = height
    return bands


def test_partials_of_the_highs_stand_out_further() -> None:
    height = 0.4
    shown = decibels(restored(comb(height)))
    peaks = np.zeros(B.BANDS, bool)
    peaks[::6] = True
    told = float(decibels(np.array(height)))
    air = shown[0][AIR & peaks].mean() - shown[0][AIR & ~peaks].mean()
    assert air > 1.4 * told
    middle = shown[0][MIDDLE & peaks].mean() - shown[0][MIDDLE & ~peaks].mean()
    assert middle == pytest.approx(told, rel=0.15)


def test_what_stands_high_already_is_hardly_raised() -> None:
    told, shown = decibels(comb(2.0))[0], decibels(restored(comb(2.0)))[0]
    energy = decibels(restored(np.zeros((1, B.BANDS), np.float32)))[0]
    raised = (shown - told - energy)[::6][AIR[::6]]
    assert 2.0 < raised.min() <= raised.max() < 3.0


def test_a_level_spectrum_gets_the_energy_alone() -> None:
    change = decibels(restored(np.zeros((4, B.BANDS), np.float32)))[0]
    inner = change[: B.BANDS - NEIGHBOURS]
    assert inner[:9] == pytest.approx(0.0, abs=0.01)
    assert (np.diff(inner) > -0.01).all()
    assert 1.0 < change[AIR].mean() < 3.0


def test_silence_stays_silence_and_what_is_given_is_not_changed() -> None:
    silent = np.full((4, B.BANDS), B.SILENCE - 0.3, np.float32)
    before = silent.copy()
    assert B.to_magnitudes(restored(silent)).max() < 1e-7
    assert np.array_equal(silent, before)


def test_frames_do_not_depend_on_each_other() -> None:
    bands = np.random.default_rng(0).normal(0, 0.5, (12, B.BANDS)).astype(np.float32)
    parts = [restored(bands[at : at + 4]) for at in (0, 4, 8)]
    assert np.array_equal(np.concatenate(parts), restored(bands))
