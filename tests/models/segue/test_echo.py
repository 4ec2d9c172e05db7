"""The echo send: what is played in comes back after its time, made anew or as it was."""

from __future__ import annotations

import numpy as np
import pytest

from models.engine.controls import Controls
from models.engine.hearing import PlayedSound
from models.music.score import SAMPLE_RATE
from models.segue.echo import SHORTEST_SECONDS, delay_frames
from models.segue.engine import SegueEngine, SegueStream
from models.segue.stream_state import StudioStreamState
from models.segue.studio.block import BLOCK

BPM = 150.0
SILENT = Controls(bpm=BPM, mute=frozenset({"drums", "bass", "other"}))


@pytest.fixture(scope="module")
def engine() -> SegueEngine:
    return SegueEngine()


def clicks(seconds: float) -> np.ndarray:
    """Two bursts at 0.1 and 0.5 s, (n, 2)."""
    line = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    burst = 0.4 * np.random.default_rng(1).standard_normal(2400) * np.exp(-np.arange(2400) / 500)
    for start in (0.1, 0.5):
        at = round(start * SAMPLE_RATE)
        line[at : at + 2400] += burst.astype(np.float32)
    return np.repeat(line[:, None], 2, axis=1)


def played(engine: SegueEngine, sound: np.ndarray, seconds: float, **send: float) -> np.ndarray:
    stream, given, blocks = engine.start(1), PlayedSound(sound), []
    for number in range(round(seconds * SAMPLE_RATE / BLOCK)):
        stream.hear(given.at(number * BLOCK))
        blocks.append(stream.render(SILENT.with_(**send)))
    return np.concatenate(blocks)


def test_a_plain_delay_returns_what_was_played_and_feeds_it_back(engine: SegueEngine) -> None:
    sound, delay = clicks(4.0), round(2 * 60 / BPM * SAMPLE_RATE)
    made = played(engine, sound, 3.2, echo=0.5, echo_time=2.0, echo_dream=0.0, echo_feedback=0.4)
    count = len(made) - delay
    expected = np.zeros_like(made)
    expected[delay:] += 0.5 * sound[:count]
    expected[2 * delay :] += 0.5 * 0.4 * sound[: count - delay]
    expected[3 * delay :] += 0.5 * 0.16 * sound[: count - 2 * delay]
    assert np.abs(made - expected).max() < 0.02  # under full scale it is not limited


def test_the_renderer_makes_it_anew_at_its_time(engine: SegueEngine) -> None:
    sound, send = clicks(3.0), {"echo": 1.0, "echo_time": 2.0, "echo_dream": 0.5}
    made = played(engine, sound, 1.6, **send)
    again = played(engine, sound, 1.12, **send)
    assert np.array_equal(made[: len(again)], again)
    delay = round(2 * 60 / BPM * SAMPLE_RATE)
    assert not np.allclose(made[delay:], sound[: len(made) - delay], atol=0.02)
    level = np.abs(made).max(axis=1).reshape(-1, 480).max(axis=1)
    # Loud where the bursts come back, after 0.8 s, and not before.
    for burst in (0.9, 1.3):
        assert level[round(burst * 100) - 3 : round(burst * 100) + 8].max() > 0.1
    assert level[:80].max() < 1e-4


def test_nothing_of_the_input_is_in_a_file_and_the_music_goes_on_the_same(
    engine: SegueEngine,
) -> None:
    stream, given = engine.start(2), PlayedSound(clicks(3.0))
    controls = Controls(bpm=BPM, echo=1.0, echo_time=2.0, echo_dream=0.0)
    for number in range(15):
        stream.hear(given.at(number * BLOCK))
        stream.render(controls)
    assert isinstance(stream, SegueStream) and stream.state.echo is not None
    moment = engine.moment_of(stream.state)  # no sound of the input stays for an hour
    assert isinstance(moment, StudioStreamState) and moment.echo is None
    assert moment.arranger is stream.state.arranger and engine.moment_of(moment) is moment
    here = stream.snapshot()
    first = stream.render(controls)
    stream.restore(here)
    assert np.array_equal(first, stream.render(controls))
    state = engine.unpack(engine.pack(here))
    assert isinstance(state, StudioStreamState) and state.echo is None
    stream.hear(None)
    closed = stream.render(controls)
    assert stream.state.echo is None and len(closed) == BLOCK


def test_the_time_counts_in_beats_and_has_a_least() -> None:
    assert delay_frames(Controls(echo_time=4.0), 120.0) == 2 * SAMPLE_RATE
    assert delay_frames(Controls(echo_time=0.0), 120.0) == round(SHORTEST_SECONDS * SAMPLE_RATE)
