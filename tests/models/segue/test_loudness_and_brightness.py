"""Loudness normalisation and brightness control: bounded and smooth."""

from __future__ import annotations

import numpy as np
import pytest

from models.engine.loudness import (
    CEILING,
    KNEE,
    TARGET_DB,
    LevelState,
    normalise_loudness,
    soft_limit,
    target_level_db,
)
from models.segue.brightness import (
    MAX_TILT,
    ToneState,
    brightness_target,
    centroid_octaves,
    control_brightness,
    tilt,
)
from models.segue.codec.bands import analyse

RNG = np.random.default_rng(5)


@pytest.mark.parametrize(
    ("level", "expected"), [(0.0, 0.0), (0.5, 0.5), (KNEE, KNEE), (-0.5, -0.5)]
)
def test_soften_leaves_quiet_samples_alone(level: float, expected: float) -> None:
    assert soft_limit(np.array([[level]], np.float32))[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("level", [0.9, 1.0, 3.0, -3.0, 100.0])
def test_soften_never_reaches_full_scale(level: float) -> None:
    out = float(soft_limit(np.array([[level]], np.float32))[0, 0])
    assert KNEE < abs(out) < CEILING + 1e-6 and np.sign(out) == np.sign(level)


@pytest.mark.parametrize("start_db", [-30.0, -17.0, -6.0])
def test_the_governor_leads_to_one_level(start_db: float) -> None:
    state = LevelState()
    scale = 10 ** (start_db / 20)
    for _ in range(400):
        block = (RNG.standard_normal((11520, 2)) * scale).astype(np.float32)
        out, state = normalise_loudness(block, state)
    level = 10 * np.log10(np.mean(np.square(out)))
    within = min(9.0, abs(start_db + 17.0))
    assert abs(level - (start_db + np.sign(-17.0 - start_db) * within)) < 1.0


def test_rests_do_not_pull_the_gain_up() -> None:
    state = LevelState(1.0)
    for _ in range(50):
        _, state = normalise_loudness(np.zeros((11520, 2), np.float32), state)
    assert state.gain_db == 1.0


def test_the_gain_is_continuous_over_block_edges() -> None:
    state = LevelState()
    tone = np.full((11520, 2), 0.05, np.float32)
    blocks = []
    for _ in range(5):
        out, state = normalise_loudness(tone, state)
        blocks.append(out)
    assert np.abs(np.diff(np.concatenate(blocks)[:, 0])).max() < 1e-5


def noise_bands(slope: float) -> np.ndarray:
    bands, _ = analyse((RNG.standard_normal((48000, 2)) * 0.1).astype(np.float32))
    return tilt(bands, slope)


def test_centroid_rises_with_tilt() -> None:
    values = [centroid_octaves(noise_bands(slope)) for slope in (-8.0, -4.0, 0.0, 4.0)]
    assert values == sorted(values) and values[-1] - values[0] > 1.0


@pytest.mark.parametrize("asked", [0.4, 0.6, 0.8])
def test_brightness_is_held_where_it_was_asked(asked: float) -> None:
    target = brightness_target(asked)
    assert target is not None
    state = ToneState()
    bands = noise_bands(-5.0)[:24]
    for _ in range(80):
        out, state = control_brightness(bands, target, state)
    reached = abs(state.tilt) >= MAX_TILT - 1e-6
    assert reached or abs(centroid_octaves(out) - target) < 0.2


def test_auto_lets_the_tilt_go() -> None:
    state = ToneState(3.0)
    bands = noise_bands(0.0)[:24]
    for _ in range(80):
        out, state = control_brightness(bands, None, state)
    assert state.tilt == 0.0 and np.array_equal(out, bands)


@pytest.mark.parametrize(
    ("mute", "lower_db"),
    [((), 0.0), (("drums",), 2.29), (("bass",), 1.02), (("drums", "bass"), 4.2)],
)
def test_what_is_left_does_not_grow_louder(mute: tuple[str, ...], lower_db: float) -> None:
    assert TARGET_DB - target_level_db(mute) == pytest.approx(lower_db, abs=0.02)
    assert np.isfinite(target_level_db(("drums", "bass", "other")))


def test_auto_brightness_does_not_creep() -> None:
    """Bands that grow brighter by 1.2 octaves in ten minutes end near where they began."""
    rng = np.random.default_rng(5)
    noise = analyse((rng.normal(size=(48_000, 2)) * 0.1).astype(np.float32))[0][:24]
    state = ToneState()
    heard = []
    for block in range(2500):
        crept = tilt(noise, -3.0 + 3.0 * block / 2500)
        out, state = control_brightness(crept, None, state, b"one")
        heard.append(centroid_octaves(out))
    raw = centroid_octaves(tilt(noise, 0.0)) - centroid_octaves(tilt(noise, -3.0))
    kept = np.mean(heard[-800:]) - np.mean(heard[:125])
    assert raw > 0.4
    assert abs(kept) < 0.2
    _, fresh = control_brightness(noise, None, state, b"another")
    assert fresh.blocks == 1, "another style may sound another way"
