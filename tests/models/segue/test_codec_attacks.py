"""Temporal shape of the vocoder's waves (models/segue/codec/attacks.py)."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from models.segue.codec import bands as B
from models.segue.codec.attacks import EDGES, STEP, AttackShaping
from models.segue.codec.vocoder import Vocoder

RATE = B.SAMPLE_RATE


@cache
def strokes(ring: float) -> np.ndarray:
    """Noise over a faint floor that is struck every 250 ms and falls with a time constant in
    seconds, (n, 2).
    """
    noise = np.random.default_rng(4).standard_normal(RATE * 3 // 2)
    time = (np.arange(len(noise)) % (RATE // 4)) / RATE
    wave = 0.1 * noise * (np.exp(-time / ring) + 0.003)
    return np.repeat(wave[:, None], 2, axis=1).astype(np.float32)


def played(sound: np.ndarray, shaped: bool) -> np.ndarray:
    bands, stereo = B.analyse(sound)
    vocoder = Vocoder(lookahead=2, shaped=shaped)
    wave, _ = vocoder.step(bands, stereo, vocoder.start(0))
    return wave[vocoder.delay :]


def levels(wave: np.ndarray) -> np.ndarray:
    """Decibels over 4 kHz of every 5 ms of the strokes, the strokes one over the other, (50,)."""
    frames = wave[RATE // 4 : RATE // 4 * 5, 0].reshape(4, 50, 240)
    power = np.square(np.abs(np.fft.rfft(frames, axis=2)[..., 20:])).sum(axis=2).mean(axis=0)
    return 10 * np.log10(power + 1e-9)


@pytest.mark.parametrize("ring", [0.01, 0.02, 0.04])
def test_strokes_rise_and_fall_as_they_should(ring: float) -> None:
    sound = strokes(ring)
    told, plain, made = (levels(x) for x in (sound, played(sound, False), played(sound, True)))
    echo = slice(47, 50)  # the 15 ms before a stroke
    before = [float(np.abs(x - told)[echo].mean()) for x in (plain, made)]
    assert before[1] < before[0] - 6.0, "what sounds before the stroke is less"
    errors = [float(np.abs(x - told)[:20].mean()) for x in (plain, made)]
    assert errors[1] < max(errors[0], 1.5), "its fall is no worse"


def test_a_steady_sound_is_left_as_it_is() -> None:
    shaping = AttackShaping(6)
    time = np.arange(shaping.length) / RATE
    tone = (0.2 * np.sin(2 * np.pi * 1500 * time)).astype(np.float32)
    spectra = B.spectra(tone[:, None], 6)[:, 0]
    gains = shaping.gains(torch.from_numpy(tone), torch.from_numpy(np.abs(spectra)))
    band = int(np.searchsorted(EDGES, 64, side="right")) - 1
    assert gains.shape == (len(EDGES), 1, shaping.size)
    assert gains[band, 0, B.HOP : B.FRAME].numpy() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("at", [1400, 2000, 2600])
def test_an_instant_is_found_within_some_milliseconds(at: int) -> None:
    """The wave is a steady noise, the magnitudes those of a noise that begins at a sample."""
    shaping = AttackShaping(6)
    noise = np.random.default_rng(1).standard_normal(shaping.length).astype(np.float32) * 0.1
    begun = noise * (np.arange(shaping.length) >= at)
    magnitudes = np.abs(B.spectra(begun[:, None], 6)[:, 0])
    # Windows before know nothing of the change: only those in progress tell it.
    gains = shaping.gains(torch.from_numpy(noise), torch.from_numpy(magnitudes))[-1, 0].numpy()
    before, after = gains[at - 5 * STEP : at - 4 * STEP], gains[at + 4 * STEP : at + 5 * STEP]
    assert before.max() < 0.5 * after.min()


def test_split_bands_sum_to_the_wave() -> None:
    shaping = AttackShaping(6)
    wave = torch.from_numpy(np.random.default_rng(2).standard_normal((2, 3488)).astype(np.float32))
    assert torch.allclose(shaping.split(wave).sum(0)[:, :3488], wave, atol=1e-4)
    ones = torch.ones(len(EDGES), 1, shaping.size)
    assert torch.allclose(shaping.shaped(wave, ones), wave, atol=1e-4)
