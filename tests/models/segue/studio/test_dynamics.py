"""Compressor, loudness and limiter of the studio."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfilt

from models.corpus.sound.measure import loudness as standard_loudness
from models.segue.studio.dynamics import (
    AHEAD,
    CEILING,
    QUIET,
    CompressorSettings,
    LimiterState,
    _between,
    compress,
    limit,
    loudness,
    true_peaks,
)

BLOCK = 3840


def noise(blocks: int, gain: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((2, blocks * BLOCK)) * gain).astype(
        np.float32
    )


def limited(x: np.ndarray) -> np.ndarray:
    state, out = LimiterState.start(), []
    for start in range(0, x.shape[1], BLOCK):
        y, state = limit(x[:, start : start + BLOCK], state)
        out.append(y)
    return np.concatenate(out, axis=1)


@pytest.mark.parametrize("gain", [0.05, 0.5, 2.0])
def test_no_true_peak_is_over_minus_one_decibel(gain: float) -> None:
    # Music's treble: noise up to 18 kHz, whose peaks lie between the samples.
    x = sosfilt(butter(8, 18_000, fs=48_000, output="sos"), noise(20, gain), axis=1)
    out = limited(x.astype(np.float32)).astype(np.float64)
    fine = resample_poly(out, 8, 1, axis=1)
    assert np.abs(fine).max() <= 10 ** (-1 / 20)


def test_quiet_sound_passes_unchanged_and_late() -> None:
    x = noise(4, 0.05)
    out = limited(x)
    assert np.array_equal(out[:, AHEAD:], x[:, :-AHEAD])
    assert not out[:, :AHEAD].any()


def test_gain_is_reduced_before_a_peak_and_not_in_a_step() -> None:
    x = np.full((2, 4 * BLOCK), 0.3, np.float32)
    x[:, 5000:5040] = 2.5
    out = limited(x)
    gain = out[0, AHEAD:] / x[0, :-AHEAD]
    assert np.abs(np.diff(gain)).max() < 1.1 / AHEAD
    assert gain[:4700].min() == pytest.approx(1.0)


@pytest.mark.parametrize("hertz", [60.0, 997.0, 8000.0])
def test_loudness_is_the_standards(hertz: float) -> None:
    t = np.arange(10 * BLOCK) / 48_000
    x = np.stack([0.2 * np.sin(2 * np.pi * hertz * t)] * 2).astype(np.float32)
    blocks = [loudness(x[:, k * BLOCK : (k + 1) * BLOCK]) for k in range(10)]
    assert np.mean(blocks) == pytest.approx(standard_loudness(x.T), abs=0.25)


def test_true_peaks_see_between_samples() -> None:
    t = np.arange(BLOCK)
    x = np.stack([np.sin(np.pi / 2 * t + np.pi / 4)] * 2).astype(np.float32)
    assert np.abs(x).max() == pytest.approx(0.7071, abs=1e-3)
    assert true_peaks(x)[2:-2].max() == pytest.approx(1.0, abs=0.03)


def test_what_true_peaks_pass_over_cannot_be_over_the_ceiling() -> None:
    """The worst sound for a filter has the signs of its taps."""
    taps = _between()
    x = np.zeros((2, 4 * AHEAD), np.float32)
    worst = taps[:, np.abs(taps).sum(axis=0).argmax()]
    x[0, 100 : 100 + len(taps)] = np.sign(worst) * QUIET
    assert np.abs(worst).sum() * QUIET < CEILING
    x[1, 3 * AHEAD + 50] = 0.9  # a loud hop, so that not all are passed over
    peaks = true_peaks(x)
    assert peaks[1] < CEILING and peaks[3] >= np.float32(0.9)


def test_compression_holds_loud_sound_and_leaves_soft() -> None:
    press = CompressorSettings(-18.0, 4.0, 0.005, 0.1, 4.0)
    soft, loud = noise(10, 0.005), noise(10, 0.5)
    out, reduction = compress(soft, press, 0.0)
    assert out is soft and reduction == 0.0
    out, reduction = compress(loud, press, 0.0)
    assert reduction > 6.0
    assert np.std(out[:, -BLOCK:]) < 0.5 * np.std(loud)


def test_a_compressor_does_not_know_where_blocks_end() -> None:
    press = CompressorSettings(-18.0, 4.0, 0.005, 0.1, 4.0)
    x = noise(4, 0.3)
    whole, _ = compress(x, press, 0.0)
    reduction, parts = 0.0, []
    for start in range(0, x.shape[1], BLOCK):
        y, reduction = compress(x[:, start : start + BLOCK], press, reduction)
        parts.append(y)
    assert np.allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)
