"""Quiet of decoded bands (models/segue/codec/quiet.py)."""

from __future__ import annotations

import numpy as np
import pytest

from models.segue.codec import bands as B
from models.segue.codec.quiet import ERROR, quietened


def test_the_decoder_s_errors_in_silence_are_hardly_heard() -> None:
    errors = np.random.default_rng(3).normal(0, 0.1, (40, B.BANDS)).astype(np.float32)
    decoded = B.SILENCE + errors
    before, after = (
        float(np.square(B.to_magnitudes(bands)).mean()) for bands in (decoded, quietened(decoded))
    )
    assert 10 * np.log10(after / before) < -8.0
    assert 20 * np.log10(np.sqrt(after)) < -105.0


def test_music_is_left_as_it_is() -> None:
    magnitudes = np.geomspace(1e-3, 0.5, 12, dtype=np.float32)[:, None].repeat(B.BANDS, 1)
    told = B.compress(magnitudes)
    change = (quietened(told) - told) * B.LOG_SCALE * 20 / np.log(10)
    assert np.abs(change).max() < 0.5


def test_louder_stays_louder_and_nothing_is_raised() -> None:
    ladder = np.linspace(B.SILENCE - 0.5, 2.0, B.BANDS, dtype=np.float32)[None]
    shown = quietened(ladder)
    assert (np.diff(shown) >= 0).all()
    assert (shown <= np.maximum(ladder, B.SILENCE)).all()
    half = quietened(np.full((1, B.BANDS), B.SILENCE + ERROR, np.float32)) - B.SILENCE
    assert half == pytest.approx(ERROR / 2, abs=1e-6)


def test_what_is_given_is_not_changed() -> None:
    bands = np.full((4, B.BANDS), B.SILENCE + 0.1, np.float32)
    before = bands.copy()
    quietened(bands)
    assert np.array_equal(bands, before)
