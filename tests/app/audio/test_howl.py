"""The howl guard: a loop that howls is caught; instruments and voices are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from app.audio.input.faults import InputWatch
from app.audio.input.howl import HowlGuard
from tests.models.music.test_transcriber import LINE, beat, sung

RATE = 48_000
BLOCK = 480


def through(guard: HowlGuard, sound: np.ndarray) -> float:
    """Lowest gain while a sound (n,) comes in."""
    stereo = np.repeat(sound.astype(np.float32)[:, None], 2, axis=1)
    return min(guard.target(stereo[at : at + BLOCK]) for at in range(0, len(stereo), BLOCK))


@pytest.mark.parametrize("loop", [1.1, 1.3, 2.0])
@pytest.mark.parametrize("hertz", [180.0, 1000.0, 3100.0])
def test_a_loop_that_howls_is_caught_before_it_is_loud(loop: float, hertz: float) -> None:
    """A loudspeaker and a microphone 20 ms apart, a room that favours one frequency."""
    guard, delay = HowlGuard(), round(0.02 * RATE)
    rng = np.random.default_rng(1)
    at = np.arange(delay) / RATE
    tone, loudest, gain = np.zeros(delay), 0.0, 1.0
    for turn in range(500):
        level = max(float(np.abs(tone).max()) * loop * gain, 0.002)
        phase = 2 * np.pi * hertz * (at + turn * delay / RATE)
        tone = level * np.sin(phase) + 0.0005 * rng.standard_normal(delay)
        tone = np.clip(tone, -1, 1)
        loudest = max(loudest, float(np.abs(tone).max()) * gain)
        gain = guard.target(np.repeat(tone.astype(np.float32)[:, None], 2, axis=1))
        if guard.howls:
            break
    assert guard.howls == 1 and guard.target(np.zeros((BLOCK, 2), np.float32)) == 0.0
    if loop < 1.2:
        assert loudest < 0.5


def test_music_is_left_alone() -> None:
    at = np.arange(3 * RATE) / RATE
    struck = 0.5 * np.sin(2 * np.pi * 440 * at) * np.exp(-3 * (at % 1.0))
    steady = 0.3 * np.sin(2 * np.pi * 440 * at) * np.clip(at / 0.08, 0, 1)
    swell = np.clip(at / 2.0, 0.02, 1) * sum(
        np.sin(2 * np.pi * 220 * k * at) / k for k in (1, 2, 3)
    )
    for sound in (sung(LINE), beat("khshkhsh"), struck, steady, 0.2 * swell):
        guard = HowlGuard()
        assert through(guard, sound) == 1.0 and guard.howls == 0


def test_it_comes_back_and_waits_longer_where_it_howls_again() -> None:
    guard = HowlGuard()
    at = np.arange(RATE // 2) / RATE
    howl = np.minimum(0.02 * np.exp(8 * at), 1.0) * np.sin(2 * np.pi * 700 * at)
    assert through(guard, howl) == 0.0
    quiet = np.zeros((BLOCK, 2), np.float32)

    def ducked() -> float:
        count = 0
        while guard.target(quiet) == 0.0:
            count += 1
        return count * BLOCK / RATE

    first = ducked()
    assert through(guard, howl) == 0.0
    assert first < ducked() < 4.0


def test_it_is_said_once() -> None:
    watch = InputWatch("the microphone", 0.0)
    said = watch.update(0.1, 0.5, 0, 0, 0, 1)
    assert len(said) == 1 and "howled" in said[0][1]
    assert not watch.update(0.2, 0.5, 0, 0, 0, 1)
