"""Loudness control of the master bus."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from models.corpus.sound.measure import loudness
from models.segue.studio.block import BLOCK
from models.segue.studio.master import TARGET, MasterState, master
from models.segue.studio.production import MixParameters

SECOND = 48_000


def played(x: np.ndarray) -> np.ndarray:
    """(n, 2) what the master makes of a mix (2, n)."""
    state, out = MasterState(), []
    for start in range(0, x.shape[1] - BLOCK + 1, BLOCK):
        piece = np.ascontiguousarray(x[:, start : start + BLOCK])
        y, state = master(piece, state, MixParameters(), 0.0, TARGET, start, 7)
        out.append(y)
    return np.concatenate(out, axis=1).T


def mix(seconds: float, level_db: float) -> np.ndarray:
    """Noise with the slope of music."""
    white = np.random.default_rng(3).standard_normal((2, round(seconds * SECOND)))
    pink = sosfilt(butter(1, 300, fs=SECOND, output="sos"), white, axis=1)
    return (pink / pink.std() * 10 ** (level_db / 20)).astype(np.float32)


@pytest.mark.parametrize(("before_db", "after_db"), [(-30.0, -8.0), (-12.0, -24.0)])
def test_a_change_of_level_is_led_back_without_overshooting(
    before_db: float, after_db: float
) -> None:
    """After an entry it was led 8 dB past the target, and seconds later back again."""
    out = played(np.concatenate([mix(5, before_db), mix(7, after_db)], axis=1))
    spans = [loudness(out[at : at + SECOND]) for at in range(6 * SECOND, 11 * SECOND, 12_000)]
    past = [TARGET - s if after_db > before_db else s - TARGET for s in spans]
    assert max(past) < 1.5
    assert max(abs(s - TARGET) for s in spans[12:]) < 1.5


def test_what_the_limiter_takes_away_is_not_turned_up_for_ever() -> None:
    """Short strokes alone: their peaks meet the limiter, and what follows must not blast."""
    strokes = mix(6, -18)
    strokes *= (np.arange(strokes.shape[1]) % 24_000 < 600).astype(np.float32)
    out = played(np.concatenate([strokes, mix(4, -22)], axis=1))
    after = [loudness(out[at : at + 19_200]) for at in range(6 * SECOND, 9 * SECOND, 4800)]
    assert max(after) < TARGET + 6.0
    assert max(after[20:]) < TARGET + 1.5


def test_a_rest_is_little_reason_to_turn_up() -> None:
    """The way into silence still counts; the silence itself does not."""
    x = mix(12, -22)
    x[:, 5 * SECOND : 9 * SECOND] *= np.float32(1e-3)
    out = played(x)
    before, after = (loudness(out[at * SECOND :][:SECOND]) for at in (4, 9))
    assert after == pytest.approx(before, abs=3.5)
