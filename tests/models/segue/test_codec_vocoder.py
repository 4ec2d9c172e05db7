"""Vocoder (models/segue/codec/vocoder.py)."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SegueError
from models.segue.codec import bands as B
from models.segue.codec import phases as phases_of
from models.segue.codec.vocoder import Vocoder, mixing_gains

RATE = B.SAMPLE_RATE


def music(seconds: float = 1.2) -> np.ndarray:
    """Three decaying chords with a burst of noise at each, and a little width."""
    rng = np.random.default_rng(3)
    time = np.arange(int(seconds * RATE)) / RATE
    out = np.zeros((len(time), 2))
    for start, root in [(0.1, 220.0), (0.45, 277.2), (0.8, 329.6)]:
        since = time - start
        on = since >= 0
        for partial in range(1, 7):
            wave = np.sin(2 * np.pi * root * partial * since[on]) * np.exp(-3 * since[on]) / partial
            out[on] += 0.12 * wave[:, None] * np.array([1.0, 0.6])
        out[on] += 0.1 * rng.normal(size=(on.sum(), 2)) * np.exp(-60 * since[on])[:, None]
    return out.astype(np.float32)


def play(vocoder: Vocoder, bands: np.ndarray, stereo: np.ndarray, sizes: list[int]) -> np.ndarray:
    state, pieces, at = vocoder.start(5), [], 0
    for size in sizes:
        piece, state = vocoder.step(bands[4 * at : 4 * (at + size)], stereo[at : at + size], state)
        pieces.append(piece)
        at += size
    return np.concatenate(pieces)


def magnitudes(wave: np.ndarray) -> np.ndarray:
    padded = np.zeros((len(wave) + B.WINDOW, 2), np.float32)
    padded[B.LOOKAHEAD : B.LOOKAHEAD + len(wave)] = wave
    spectrum = np.abs(B.spectra(padded, len(wave) // B.HOP))
    return np.asarray(np.sqrt((spectrum**2).mean(1)))


def test_the_wave_has_the_magnitudes_it_was_asked_for() -> None:
    sound = music()
    bands, stereo = B.analyse(sound)
    vocoder = Vocoder(iterations=16)
    heard = play(vocoder, bands, stereo, [len(stereo)])[vocoder.delay :]
    want, got = (magnitudes(x[: len(heard)]) for x in (sound, heard))
    assert np.linalg.norm(want - got) / np.linalg.norm(want) < 0.15
    plain = Vocoder(iterations=0, shaped=False)
    started = play(plain, bands, stereo, [len(stereo)])[vocoder.delay :]
    assert np.linalg.norm(want - got) < 0.5 * np.linalg.norm(want - magnitudes(started))


def test_the_delay_is_the_one_reported() -> None:
    burst = np.zeros((RATE, 2), np.float32)
    burst[24_000:24_100] = 0.5
    bands, stereo = B.analyse(burst)
    vocoder = Vocoder()
    heard = play(vocoder, bands, stereo, [len(stereo)])
    centre = int((heard[:, 0] ** 2 * np.arange(len(heard))).sum() / (heard[:, 0] ** 2).sum())
    assert abs(centre - vocoder.delay - 24_050) < B.HOP


def test_blocks_of_any_size_give_the_same_samples() -> None:
    bands, stereo = B.analyse(music())
    vocoder = Vocoder(iterations=4)
    whole = play(vocoder, bands, stereo, [30])
    for sizes in ([1] * 30, [6] * 5, [7, 1, 13, 9]):
        np.testing.assert_array_equal(play(vocoder, bands, stereo, sizes), whole)


def test_a_kept_state_gives_the_same_samples_again() -> None:
    bands, stereo = B.analyse(music())
    vocoder = Vocoder(iterations=4)
    _, state = vocoder.step(bands[:40], stereo[:10], vocoder.start(9))
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in state]
    first, _ = vocoder.step(bands[40:80], stereo[10:20], state)
    again, _ = vocoder.step(bands[40:80], stereo[10:20], state)
    np.testing.assert_array_equal(first, again)
    for kept, copy in zip(state, copies, strict=True):
        np.testing.assert_array_equal(kept, copy)


def test_noise_stays_noise() -> None:
    """Smooth bands must not turn into a buzz: their ripple is that of noise, 5.6 dB."""
    level = B.compress(np.full((400, B.BANDS), 0.003, np.float32))
    image = np.concatenate([np.zeros(20), np.ones(20)]).astype(np.float32)
    heard = play(Vocoder(), level, np.repeat(image[None], 100, 0), [100])[9600:]
    ripple = 20 * np.log10(magnitudes(heard)[10:-10, 40:900] + 1e-9)
    assert 5.0 < ripple.std() < 6.1
    envelope = (heard[:, 0] ** 2)[: len(heard) // 48 * 48].reshape(-1, 48).mean(1)
    lines = np.abs(np.fft.rfft(envelope - envelope.mean()))
    rate = np.fft.rfftfreq(len(envelope), 0.001)
    assert lines[(rate > 98) & (rate < 102)].max() < 5 * np.median(lines)


def test_a_steady_tone_stays_one_line() -> None:
    time = np.arange(2 * RATE) / RATE
    wave = (0.3 * np.sin(2 * np.pi * 523.25 * time)).astype(np.float32)
    bands, stereo = B.analyse(np.stack([wave, wave], 1))
    heard = play(Vocoder(), bands, stereo, [len(stereo)])[RATE // 2 : RATE * 3 // 2, 0]
    power = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) ** 2
    near = power[515:532].sum() / power.sum()
    assert near > 0.999
    assert abs(heard.std() / wave.std() - 1) < 0.05


def test_edges_of_blocks_do_not_click() -> None:
    time = np.arange(2 * RATE) / RATE
    wave = (0.3 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)
    bands, stereo = B.analyse(np.stack([wave, wave], 1))
    heard = play(Vocoder(), bands, stereo, [1] * len(stereo))[9600:, 0]
    jumps = np.abs(np.diff(heard, n=2))
    edges = np.arange(B.FRAME - 1, len(jumps), B.FRAME)
    assert jumps[edges].max() <= 1.2 * np.quantile(jumps, 0.999)


def test_silence_in_silence_out() -> None:
    bands, stereo = B.analyse(np.zeros((RATE // 2, 2), np.float32))
    assert np.abs(play(Vocoder(), bands, stereo, [len(stereo)])).max() < 1e-7


@pytest.mark.parametrize("pan", [-0.9, 0.0, 0.6])
@pytest.mark.parametrize("coherence", [-1.0, 0.0, 0.5, 1.0])
def test_mixing_gains_give_the_panning_and_coherence_asked(pan: float, coherence: float) -> None:
    image = np.concatenate([np.full(20, pan), np.full(20, coherence)]).astype(np.float32)
    a, b, c, d = mixing_gains(image[None])[:, 0, 0]
    left, right = a * a + b * b, c * c + d * d
    assert left == pytest.approx(1 + pan, abs=1e-5)
    assert right == pytest.approx(1 - pan, abs=1e-5)
    assert (a * c + b * d) / np.sqrt(left * right) == pytest.approx(coherence, abs=1e-4)


def test_width_comes_back() -> None:
    """Independent noises left and right stay nearly independent."""
    wide = np.random.default_rng(0).normal(0, 0.1, (2 * RATE, 2)).astype(np.float32)
    bands, stereo = B.analyse(wide)
    heard = play(Vocoder(iterations=4), bands, stereo, [len(stereo)])[9600:]
    assert abs(np.corrcoef(heard.T)[0, 1]) < 0.2
    side, middle = (heard[:, 0] - heard[:, 1]).std(), (heard[:, 0] + heard[:, 1]).std()
    assert 20 * np.log10(side / middle) == pytest.approx(0.0, abs=0.5), "and as wide"


def test_peaks_are_as_low_as_the_music_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Harmonics whose phases were chosen for a low crest: new phases must not add up higher."""
    time, number = np.arange(2 * RATE) / RATE, np.arange(1, 25)
    phases = np.pi * number**2 / len(number)  # Schroeder 1970
    wave = 0.02 * np.cos(2 * np.pi * 110 * number * time[:, None] + phases).sum(axis=1)
    bands, stereo = B.analyse(np.repeat(wave[:, None], 2, axis=1).astype(np.float32))

    def crest(sound: np.ndarray) -> float:
        return float(20 * np.log10(np.abs(sound).max() / sound.std()))

    def played() -> float:
        vocoder = Vocoder(lookahead=2)
        vocoder._reconstruct = phases_of._PhaseReconstruction(16, 2, 0.99, shaped=True)
        return crest(play(vocoder, bands, stereo, [len(stereo)])[9600:, 0])

    bounded = played()
    monkeypatch.setattr(phases_of, "_CREST", 1e6)
    assert bounded < played() - 1.0
    assert bounded < crest(wave) + 5.0


def test_strokes_are_not_pressed_down_to_the_crest_of_a_dense_mix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Short strokes over a soft noise: the bound of a limited mix would take their peaks away."""
    rng = np.random.default_rng(8)
    time = np.arange(2 * RATE) % (RATE // 4) / RATE
    wave = rng.normal(size=len(time)) * (0.2 * np.exp(-time / 0.003) + 0.002)
    bands, stereo = B.analyse(np.repeat(wave[:, None], 2, axis=1).astype(np.float32))

    def missing() -> float:
        """Decibels by which the strokes are less high than they were."""
        vocoder = Vocoder(lookahead=2)
        vocoder._reconstruct = phases_of._PhaseReconstruction(16, 2, 0.99, shaped=True)
        made = play(vocoder, bands, stereo, [len(stereo)])[vocoder.delay :, 0]
        told = wave[: len(made)]
        heights = [np.abs(x[: 7 * RATE // 4].reshape(7, -1)).max(1) for x in (told, made)]
        return float(20 * np.log10(heights[0] / heights[1]).mean())

    bounded = missing()
    monkeypatch.setattr(phases_of, "_STROKE", 0.0)
    assert bounded < missing() - 1.0


def test_settings_and_shapes_are_checked() -> None:
    for iterations, lookahead in ((-1, 3), (16, 9)):
        with pytest.raises(SegueError):
            Vocoder(iterations, lookahead)
    vocoder = Vocoder()
    good = np.zeros((4, 320), np.float32), np.zeros((1, 40), np.float32)
    for bands, stereo in [(good[0][:3], good[1]), (good[0], np.zeros((3, 40), np.float32))]:
        with pytest.raises(SegueError):
            vocoder.step(bands, stereo, vocoder.start())


def test_with_a_guide_the_wave_itself_comes_back() -> None:
    """Bands of a sound, and the same sound as their guide: phases and attacks are the sound's."""
    rng = np.random.default_rng(3)
    time = np.arange(48_000) / B.SAMPLE_RATE
    clicks = rng.standard_normal(len(time)) * np.exp(-60 * (time % 0.25))
    wave = 0.2 * np.sin(2 * np.pi * 440 * time) + 0.1 * clicks
    sound = np.stack([wave, wave], axis=1).astype(np.float32)
    bands, stereo = B.analyse(sound)
    padded = np.pad(sound, ((B.WINDOW // 2 - B.HOP // 2, B.LOOKAHEAD), (0, 0)))
    guide = B.spectra(padded, len(bands))[:, 0]
    vocoder = Vocoder(iterations=2, lookahead=2)

    def likeness(given: np.ndarray | None) -> float:
        audio, _ = vocoder.step(bands, stereo, vocoder.start(), given)
        made, true = audio[vocoder.delay :, 0], wave[: len(audio) - vocoder.delay]
        return float(np.corrcoef(made[9600:], true[9600:])[0, 1])

    assert likeness(guide) > 0.97
    assert likeness(None) < 0.9
    # A guide that is not there, or is silent, changes nothing.
    state = vocoder.start(2)
    plain = vocoder.step(bands, stereo, state)[0]
    assert np.array_equal(vocoder.step(bands, stereo, state, np.zeros_like(guide))[0], plain)


def test_a_guide_s_partials_stand_apart_within_a_band() -> None:
    """Two tones and what lies between them, in bands that pool several bins."""
    time = np.arange(int(1.2 * RATE)) / RATE
    tones = 0.1 * np.sin(2 * np.pi * np.array([[7000.0], [7200.0]]) * time).sum(0)
    sound = np.repeat(tones[:, None], 2, 1).astype(np.float32)
    bands, stereo = B.analyse(sound)
    padded = np.pad(sound.mean(1), (B.LOOKAHEAD, B.LOOKAHEAD))[:, None]
    guide = B.spectra(padded, len(bands))[:, 0]
    vocoder = Vocoder(iterations=1, lookahead=2, shaped=False)
    heard, _ = vocoder.step(bands, stereo, vocoder.start(1), guide)

    def depth(wave: np.ndarray) -> float:
        """Decibels from the tones to the middle between them."""
        part = wave[RATE // 4 : RATE // 4 + RATE // 2].mean(1)
        found = np.abs(np.fft.rfft(part * np.blackman(len(part))))
        bins = np.fft.rfftfreq(len(part), 1 / RATE)
        tone, middle = (found[np.abs(bins - hertz) < 15].max() for hertz in (7000.0, 7100.0))
        return float(20 * np.log10(tone / middle))

    assert depth(heard) > 40.0
