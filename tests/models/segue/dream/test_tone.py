"""The equaliser between a guide and what was made of it, by sounds of known spectra."""

from __future__ import annotations

import numpy as np
import pytest

from models.segue.codec import bands as B
from models.segue.dream.tone import BOOST_DB, CENTRES, CUT_DB, ToneMatch, powers
from models.segue.studio.warmth import lean, warmed

BLOCK = 11_520
TONES = np.array([250.0, 1000.0, 4000.0, 10_000.0])


def tones(levels: list[float], blocks: int = 1) -> np.ndarray:
    """Four sines, levels in dB, (n, 2)."""
    time = np.arange(blocks * BLOCK)[:, None] / 48_000
    waves = 0.05 * 10 ** (np.array(levels) / 20) * np.sin(2 * np.pi * TONES * time)
    return np.repeat(waves.sum(axis=1, keepdims=True), 2, axis=1).astype(np.float32)


def gains_db(match: ToneMatch) -> np.ndarray:
    return 20 * np.log10(np.interp(TONES, B.CENTRES_HZ, match.gains))


def follow(guide: list[float], sound: list[float], blocks: int = 40) -> ToneMatch:
    match = ToneMatch()
    for _ in range(blocks):
        gains = match.gains
        shaped = [float(s + g) for s, g in zip(sound, gains_db(match), strict=True)]
        match = match.with_guide(tones(guide)).with_sound(tones(shaped), gains)
    return match


def test_powers_are_mean_squares_in_their_bands() -> None:
    sound = tones([0.0, -6.0, -12.0, -90.0])
    found = powers(sound)
    for hertz, level in zip(TONES[:3], (0.0, -6.0, -12.0), strict=True):
        band = CENTRES.index(hertz)
        assert found[band] == pytest.approx(0.05**2 / 2 * 10 ** (level / 10), rel=0.02)
    assert found.sum() == pytest.approx(np.mean(np.square(sound)), rel=0.02)


def test_the_tone_is_led_to_the_guide_s_and_the_level_left_alone() -> None:
    guide, sound = [0.0, 0.0, 0.0, -10.0], [0.0, 0.0, -5.0, -3.0]
    difference = gains_db(follow(guide, sound)) - [0.0, 0.0, 5.0, -7.0]
    assert np.ptp(difference) < 0.5
    louder = gains_db(follow(guide, [level - 6.0 for level in guide]))
    assert np.abs(louder).max() < 0.5


def test_it_has_limits_and_comes_in_over_seconds() -> None:
    match = follow([0.0, 0.0, 0.0, 0.0], [0.0, 0.0, -40.0, 0.0])
    assert gains_db(match).max() <= BOOST_DB
    assert gains_db(follow([0.0, 0.0, 0.0, -80.0], [0.0] * 4)).min() >= CUT_DB
    first = follow([0.0, 0.0, 0.0, -20.0], [0.0] * 4, blocks=1)
    assert -5.0 < gains_db(first)[3] < -2.0


def test_without_both_sounds_it_changes_nothing_and_rests_tell_nothing() -> None:
    match = ToneMatch().with_guide(tones([0.0] * 4))
    assert np.array_equal(match.gains, np.ones(B.BANDS))
    rest = np.zeros((BLOCK, 2), np.float32)
    known = follow([0.0, 0.0, -5.0, 0.0], [0.0] * 4)
    after = known.with_guide(rest).with_sound(rest, known.gains)
    assert after.guide is known.guide and after.sound is known.sound


def test_what_the_guide_brings_does_not_count_before_the_sound_has_it() -> None:
    """Cymbals after a dull beginning, in a guide that is heard two blocks ahead."""
    dull, bright = [0.0, 0.0, -50.0, -60.0], [0.0, 0.0, 0.0, 0.0]
    course = [*[dull] * 20, *[bright] * 12]
    match = ToneMatch().with_guide(tones(course[0])).with_guide(tones(course[1]))
    for now, ahead in zip(course[:-2], course[2:], strict=True):
        match = match.with_guide(tones(ahead))
        gains = match.gains
        assert np.abs(gains_db(match)).max() < 0.2
        match = match.with_sound(tones(now), gains)
    assert len(match.waiting) == 2 * BLOCK // 1920


def test_lean_and_warm_are_inverse_and_keep_silence_silent() -> None:
    shown = B.compress(np.geomspace(1e-3, 0.3, B.BANDS).astype(np.float32))[None]
    assert np.allclose(lean(warmed(shown)), shown, atol=2e-3)
    treble, bass = int(np.argmax(B.CENTRES_HZ > 9000)), int(np.argmax(B.CENTRES_HZ > 100))
    assert warmed(shown)[0, treble] < shown[0, treble]
    assert warmed(shown)[0, bass] > shown[0, bass]
    silence = np.full((4, B.BANDS), B.SILENCE, np.float32)
    assert np.allclose(warmed(silence), silence, atol=1e-6)
    assert np.allclose(lean(silence), silence, atol=1e-6)
