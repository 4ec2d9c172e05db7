"""Accompaniment of a context that comes in pieces: gaps, rates, windows, and being in time."""

from __future__ import annotations

import numpy as np
import pytest

from app.session.accompaniment.accompanist import WindowAccompanist, players
from app.session.accompaniment.context import RATE, ContextTrack, Samples, converted, mended
from models.engine.controls import Controls
from models.errors import SegueError
from models.music.score import SAMPLE_RATE
from tests.support.tone_engine import ToneEngine


def sine(count: int, hertz: float = 441.0, rate: int = RATE) -> Samples:
    return np.sin(2 * np.pi * hertz * np.arange(count) / rate).astype(np.float32)


@pytest.mark.parametrize("beat", [0, 4400])
def test_a_gap_is_filled_without_a_step(beat: int) -> None:
    """With what was heard a beat before, if a beat is known: here that is just the same."""
    whole = sine(30_000)
    broken = whole[20_000:].copy()
    broken[3000:9000] = 0.0  # longer than a beat
    line = mended(broken, [(3000, 9000)], whole[:20_000], beat)
    steps = np.abs(np.diff(np.concatenate([whole[:20_000], line]))).max()
    assert steps < 1.2 * np.abs(np.diff(whole)).max()
    if beat:
        np.testing.assert_allclose(line, whole[20_000:], atol=1e-4)
    else:
        assert not line[3300:8700].any()


def test_a_gap_at_either_end_of_a_batch_is_filled_too() -> None:
    whole = sine(30_000)
    for gap in ((0, 2000), (8000, 10_000), (0, 10_000)):
        broken = whole[20_000:].copy()
        broken[slice(*gap)] = 0.0
        line = mended(broken, [gap], whole[:20_000], 4400)
        np.testing.assert_allclose(line, whole[20_000:], atol=1e-4)


def test_stretches_of_the_other_rate_join() -> None:
    track = ContextTrack()
    for start in range(0, 44_100, 4900):
        track.append(sine(44_100)[start : start + 4900], (), 0)
    parts = [track.at_48k(a, a + 3001) for a in range(1000, 40_000, 3001)]
    line = np.concatenate(parts)
    wanted = sine(48_000, rate=SAMPLE_RATE)[1000 : 1000 + len(line)]
    np.testing.assert_allclose(line, wanted, atol=2e-3)

    def read(start: int, stop: int) -> Samples:
        return np.sin(2 * np.pi * 441 * np.arange(start, stop) / SAMPLE_RATE).astype(np.float32)

    back = np.concatenate(
        [converted(read, a, a + 2205, to_48=False) for a in range(-4410, 4410, 2205)]
    )
    np.testing.assert_allclose(
        back, np.sin(2 * np.pi * 441 * np.arange(-4410, 4410) / RATE), atol=2e-3
    )


def test_who_plays_what() -> None:
    assert players(["drums", "piano"]) == {"drums": "drums", "piano": "chords"}
    assert players(["guitar"]) == {"guitar": "chords"}
    assert players(["piano", "guitar"]) == {"piano": "chords", "guitar": "lead"}


def test_windows_join_and_step_back() -> None:
    """The tone engine plays a sine through all windows, whatever their length and order."""
    mate = WindowAccompanist(ToneEngine(), Controls())
    step = 6615
    position = mate.hear(np.zeros(step, np.float32))
    first = mate.window(position, position + step, ("bass",))["bass"]
    position = mate.hear(np.zeros(step, np.float32))
    second = mate.window(position, position + step, ("bass",))["bass"]
    again = mate.window(position - step // 2, position + step // 2, ("bass",))["bass"]
    line = np.concatenate([first, second])
    np.testing.assert_allclose(again, line[step - step // 2 : step + step // 2], atol=1e-3)
    assert np.abs(line[2000:]).max() > 0.01
    mate.reset()
    assert mate.context.end == 0 and mate.bpm == 0.0


def test_an_engine_without_follow_is_refused_in_a_sentence() -> None:
    with pytest.raises(SegueError, match="cannot accompany"):
        WindowAccompanist(ToneEngine(controls=frozenset({"style", "bpm"})), Controls())
