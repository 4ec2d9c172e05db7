"""Bands and stereo parameters (models/segue/codec/bands.py)."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SegueError
from models.segue.codec import bands as B


def tone(hertz: float, amplitude: float, seconds: float = 0.5) -> np.ndarray:
    time = np.arange(int(seconds * B.SAMPLE_RATE)) / B.SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


@pytest.mark.parametrize("hertz", [220.0, 3000.0, 9000.0, 18_000.0])
def test_a_tone_reads_its_level_in_the_band_of_its_frequency(hertz: float) -> None:
    wave = tone(hertz, 0.25)
    bands, _ = B.analyse(np.stack([wave, wave], 1))
    middle = bands[len(bands) // 2]
    loudest = int(middle.argmax())
    assert abs(B.CENTRES_HZ[loudest] - hertz) < max(24.0, 0.012 * hertz)
    magnitude = B.to_magnitudes(middle[None])[0].max()
    # Up to 3.5 kHz a band is a bin (scalloping at most 1.4 dB); above, the peak is shared out.
    assert 0.25 * 0.25 < magnitude < 1.05 * 0.25
    if hertz < 3500:
        assert magnitude > 0.83 * 0.25


def test_silence_is_the_floor_and_spreads_to_nothing() -> None:
    bands, stereo = B.analyse(np.zeros((5000, 2), np.float32))
    assert bands.shape == (12, 320) and stereo.shape == (3, 40)
    np.testing.assert_allclose(bands, B.SILENCE, atol=1e-5)
    assert B.to_magnitudes(bands).max() < 1e-8
    np.testing.assert_allclose(stereo[:, :20], 0, atol=1e-6)
    np.testing.assert_allclose(stereo[:, 20:], 1, atol=1e-6)


def test_bands_do_not_change_when_a_channel_turns_over() -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, 20_000).astype(np.float32)
    together, image = B.analyse(np.stack([wave, wave], 1))
    opposed, other = B.analyse(np.stack([wave, -wave], 1))
    np.testing.assert_allclose(together, opposed, atol=1e-4)
    assert image[4, 20:].min() > 0.99 and other[4, 20:].max() < -0.99


@pytest.mark.parametrize(("left", "right"), [(1.0, 1.0), (1.0, 0.5), (0.1, 1.0), (1.0, 0.0)])
def test_panning_is_the_ratio_of_powers(left: float, right: float) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, 20_000).astype(np.float32)
    _, stereo = B.analyse(np.stack([left * wave, right * wave], 1))
    expected = (left**2 - right**2) / (left**2 + right**2)
    np.testing.assert_allclose(stereo[3:8, 4:20], expected, atol=0.02)


def test_independent_channels_are_incoherent() -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, (96_000, 2)).astype(np.float32)
    _, stereo = B.analyse(wave)
    assert abs(float(stereo[5:45, 28:].mean())) < 0.05


def test_compress_and_spread_are_inverse_below_the_log_spaced_bands() -> None:
    magnitude = np.geomspace(1e-4, 1.0, B.LINEAR_BANDS).astype(np.float32)
    full = np.full((1, B.BANDS), 0.01, np.float32)
    full[0, : B.LINEAR_BANDS] = magnitude
    back = B.to_magnitudes(B.compress(full))[0, : B.LINEAR_BANDS]
    np.testing.assert_allclose(back, magnitude, rtol=1e-3)


@pytest.mark.parametrize(
    "bad",
    [np.zeros((10, 3)), np.zeros((2, 2, 2)), np.array([0.0, np.nan]), np.array([np.inf, 0.0])],
)
def test_unusable_audio_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(SegueError):
        B.analyse(bad)


def test_odd_lengths_round_up_to_whole_frames() -> None:
    for length, frames in [(0, 0), (1, 1), (1920, 1), (1921, 2)]:
        bands, stereo = B.analyse(np.zeros((length, 2), np.float32))
        assert (len(bands), len(stereo)) == (4 * frames, frames)
