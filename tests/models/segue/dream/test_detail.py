"""Detail of a guide's treble: rises, falls and partials are kept, the colour is the sound's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.segue.codec import bands as B
from models.segue.codec.vocoder import Vocoder
from models.segue.dream.detail import DetailState, share, with_detail
from models.segue.dream.dreamer import ITERATIONS

FRAMES = 96
TREBLE = (B.CENTRES_HZ > 5000) & (B.CENTRES_HZ < 15_000)
BASS = B.CENTRES_HZ < 2000


def decays(ring: float) -> np.ndarray:
    """Magnitudes of strokes every 240 ms that fall with a time constant in seconds."""
    time = (np.arange(FRAMES) % 24) * B.HOP / B.SAMPLE_RATE
    return np.repeat((0.001 + 0.1 * np.exp(-time / ring))[:, None], B.BANDS, 1).astype(np.float32)


def grey(guide: np.ndarray) -> np.ndarray:
    """A bar without a fall for each stroke, 6 dB louder, as bands of the codec."""
    bars = np.sqrt(np.square(guide).reshape(-1, 24, B.BANDS).mean(axis=1, keepdims=True))
    return B.compress(2 * np.repeat(bars, 24, axis=1).reshape(FRAMES, B.BANDS))


def levels(bands: np.ndarray) -> np.ndarray:
    """Decibels of bands (T, 320)."""
    return 20 / math.log(10) * (bands * B.LOG_SCALE + B.LOG_MEAN)


@pytest.mark.parametrize("ring", [0.02, 0.06, 0.15])
def test_a_stroke_rises_and_falls_as_the_guide_s(ring: float) -> None:
    guide = decays(ring)
    shown, _, _ = with_detail(grey(guide), guide, 1.0, DetailState())
    made, told = levels(shown)[24:], levels(B.compress(guide))[24:]
    rise = (made[24] - made[23])[TREBLE]
    assert rise == pytest.approx((told[24] - told[23])[TREBLE], abs=2.5)
    fall = (made[24] - made[36])[TREBLE]
    assert fall == pytest.approx((told[24] - told[36])[TREBLE], abs=2.5)


@pytest.mark.parametrize("ring", [0.02, 0.06, 0.15])
def test_below_the_treble_what_is_over_falls_and_nothing_is_raised(ring: float) -> None:
    """A kick that the renderer holds: its strokes are the renderer's, its rests the guide's."""
    guide, bars = decays(ring), levels(grey(decays(ring)))
    for sigma in (1.0, math.inf):
        shown, _, _ = with_detail(grey(guide), guide, sigma, DetailState())
        change = (levels(shown) - bars)[48:, BASS]
        assert change[0] == pytest.approx(0.0, abs=1.0), "the stroke"
        assert change.max() < 1.0
        assert (change[22] < (-4.0 if ring > 0.1 else -15.5)).all(), "the rest"


def slurred(late: int) -> np.ndarray:
    """Magnitudes of two notes without a stroke between them, three bands apart."""
    found = np.full((FRAMES, B.BANDS), 0.0003, np.float32)
    found[: FRAMES // 2 + late, 40] = found[FRAMES // 2 + late :, 43] = 0.1
    return found


def test_a_slurred_note_begins_with_the_guide_s() -> None:
    """The renderer goes on to it 60 ms late."""
    guide, sound = slurred(0), B.compress(2 * slurred(6))
    near, loose, far = (
        levels(with_detail(sound, guide, sigma, DetailState())[0]) for sigma in (1.2, 2.0, math.inf)
    )
    at, told = FRAMES // 2 + 1, levels(sound)
    assert far[at, 40:44] == pytest.approx(told[at, 40:44], abs=0.5), "where nothing binds it"
    assert near[at, 43] > told[at, 43] + 20
    assert near[at, 40] < told[at, 40] - 20, "the note before is over"
    assert near[at, 43] > loose[at, 43] + 3 > told[at, 43] + 6, "less where it is freer"
    assert near[-1] == pytest.approx(levels(sound)[-1], abs=3.0), "the colour stays"


def test_the_colour_stays_the_sound_s() -> None:
    """The gain is led to the sound's power within its time: 6 dB over the guide."""
    guide = decays(0.06)
    shown, gains, _ = with_detail(grey(guide), guide, 1.0, DetailState())
    assert gains[-1, TREBLE] == pytest.approx(2.0, rel=0.15)
    made, told = (10 ** (levels(x)[24:, TREBLE] / 10) for x in (shown, grey(guide)))
    assert 10 * np.log10(made.mean() / told.mean()) == pytest.approx(0.0, abs=1.5)


def test_partials_stand_out_of_a_fog() -> None:
    guide = np.full((FRAMES, B.BANDS), 0.001, np.float32)
    guide[:, ::7] = 0.05
    fog = B.compress(np.full_like(guide, 0.02))
    shown, _, _ = with_detail(fog, guide, 1.0, DetailState())
    made = levels(shown)[-1]
    peaks, valleys = made[::7][TREBLE[::7]], made[3::7][TREBLE[3::7]]
    assert peaks.min() - valleys.max() > 25
    far = levels(with_detail(fog, guide, math.inf, DetailState())[0])[-1]
    peaks, valleys = far[::7][TREBLE[::7]], far[3::7][TREBLE[3::7]]
    assert 15 < peaks.min() - valleys.max() < 30, "less of the guide where it is far"
    assert valleys.max() < levels(fog)[-1, TREBLE].min() - 8, "its valleys most of all"


@pytest.mark.parametrize(("sigma", "kept"), [(1.0, 1.0), (2.0, 0.8), (math.inf, 0.6)])
def test_the_share_falls_with_the_noise(sigma: float, kept: float) -> None:
    assert share(sigma) == pytest.approx(kept)


def test_in_pieces_it_is_the_same_and_silence_stays_silent() -> None:
    guide = decays(0.06)
    shown, gains, last = with_detail(grey(guide), guide, 1.2, DetailState())
    state, pieces = DetailState(), []
    for at in range(0, FRAMES, 24):
        one, _, state = with_detail(grey(guide)[at : at + 24], guide[at : at + 24], 1.2, state)
        pieces.append(one)
    assert np.allclose(np.concatenate(pieces), shown, atol=1e-5)
    assert np.allclose(state.powers, last.powers) and np.allclose(state.levels, last.levels)
    nothing = np.zeros_like(guide)
    for sound in (B.compress(nothing), grey(guide)):
        rest, gains, _ = with_detail(sound, nothing, 1.0, DetailState())
        assert np.isfinite(gains).all()
        assert rest[:, TREBLE].max() < B.SILENCE + 1e-4


def test_a_click_stays_as_short_through_the_vocoder() -> None:
    """A click of noise whose bands were blurred over 80 ms: with detail and the guide's phases it
    has the guide's rise again.
    """
    noise = np.random.default_rng(5).standard_normal((48_000, 2)).astype(np.float32)
    time = (np.arange(48_000) % 12_000) / 48_000
    audio = 0.1 * noise.mean(axis=1, keepdims=True) * np.exp(-time / 0.03)[:, None]
    audio = np.repeat(audio, 2, axis=1).astype(np.float32)
    padded = np.concatenate([audio, np.zeros((B.WINDOW, 2), np.float32)])
    count = 96
    spectra = B.spectra(padded[:, :1], count)[:, 0]
    heard = np.abs(spectra) @ B.POOL.T
    kernel = np.ones(9) / 9
    blurred = np.stack([np.convolve(band, kernel, "same") for band in heard.T], axis=1)
    image = np.concatenate([np.zeros(20), np.ones(20)]).astype(np.float32)[None].repeat(count, 0)
    vocoder = Vocoder(iterations=ITERATIONS, lookahead=2, shaped=False)

    def steepest(bands: np.ndarray) -> float:
        wave, _ = vocoder.step(bands, image, vocoder.start(0), spectra)
        frames = wave[:, 0].reshape(-1, 480)[25:]
        high = np.abs(np.fft.rfft(frames, axis=1)[:, 50:150])
        return float(np.diff(20 * np.log10(np.sqrt(np.square(high).mean(axis=1)) + 1e-5)).max())

    flat = B.compress(blurred.astype(np.float32))
    detailed, _, _ = with_detail(flat, heard, 1.0, DetailState())
    told = steepest(B.compress(heard))
    assert steepest(detailed) > told - 3.0
    assert steepest(flat) < told - 6.0
