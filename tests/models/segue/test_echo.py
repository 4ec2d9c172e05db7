"""The echo send: what is played in comes back after its time, made anew or as it was."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from models.engine.controls import Controls
from models.engine.hearing import Hearing, PlayedSound
from models.music.score import SAMPLE_RATE
from models.segue.echo import SHORTEST_BESIDE, SHORTEST_SECONDS, delay_frames
from models.segue.echo_renderer import LATE, EchoRenderer
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


def beside(
    engine: SegueEngine, sound: np.ndarray, seconds: float, *, spare: bool, wait: bool = False
) -> tuple[np.ndarray, list[Hearing]]:
    """As played beside the music, and what the blocks heard. wait: until all is made."""
    engine.echo = EchoRenderer(lambda: engine.dreamer)  # nothing is made yet
    stream, given, blocks, hearings = engine.start(1), PlayedSound(sound), [], []
    send = SILENT.with_(echo=0.5, echo_time=2.0, echo_dream=0.5, echo_feedback=0.3)
    for number in range(round(seconds * SAMPLE_RATE / BLOCK)):
        stream.hear(replace(given.at(number * BLOCK), live=True, spare=spare))
        blocks.append(stream.render(send))
        assert stream.heard is not None
        hearings.append(stream.heard)
        deadline = time.monotonic() + 20.0
        while wait and engine.echo.busy and time.monotonic() < deadline:
            time.sleep(0.002)
    return np.concatenate(blocks), hearings


def delayed(sound: np.ndarray, count: int) -> np.ndarray:
    """A plain echo at the shortest time beside the music."""
    delay, out = round(SHORTEST_BESIDE * SAMPLE_RATE), np.zeros((count, 2), np.float32)
    out[delay:] = 0.5 * sound[: count - delay]
    return out


def test_a_renderer_without_time_costs_the_echo_its_dream_alone(engine: SegueEngine) -> None:
    sound = clicks(1.5)
    made, hearings = beside(engine, sound, 2.0, spare=False)
    assert np.abs(made - delayed(sound, len(made))).max() < 0.02
    assert {hearing.echoed for hearing in hearings} == {0}
    assert engine.notices() == (("info", LATE),) and engine.echo_dry


def test_what_was_made_beside_the_music_is_rendered_again_the_same(engine: SegueEngine) -> None:
    sound = clicks(1.5)
    made, hearings = beside(engine, sound, 2.0, spare=True, wait=True)
    assert sum(hearing.echoed for hearing in hearings) > 20
    assert np.abs(made - delayed(sound, len(made))).max() > 0.05  # it was made anew
    assert not engine.echo_dry
    assert not any(hearing.live for hearing in hearings)
    engine.echo, again = EchoRenderer(lambda: engine.dreamer), []
    stream = engine.start(1)
    send = SILENT.with_(echo=0.5, echo_time=2.0, echo_dream=0.5, echo_feedback=0.3)
    for hearing in hearings:
        stream.hear(hearing)
        again.append(stream.render(send))
    assert np.array_equal(made, np.concatenate(again))


def test_a_plan_within_its_reach_never_has_to_be_made_again_for_it(engine: SegueEngine) -> None:
    """Each block is rendered once, over a second ahead, and the echo is made anew all the same."""
    sound, delay = clicks(4.0), 2 * SAMPLE_RATE
    engine.echo = EchoRenderer(lambda: engine.dreamer)
    stream, given, blocks, reach = engine.start(1), PlayedSound(sound), [], 0
    send = SILENT.with_(echo=0.5, echo_time=5.0, echo_dream=0.5)
    for number in range(45):
        position = number * BLOCK
        known = max(0, position - round(1.1 * SAMPLE_RATE))
        heard = replace(given.at(position), known=known, live=True)
        stream.hear(heard)
        blocks.append(stream.render(send))
        assert stream.heard is not None
        reach = stream.heard.reach
        while engine.echo.busy:
            time.sleep(0.002)
    assert 1.1 * SAMPLE_RATE < reach < delay
    made = np.concatenate(blocks)
    dry = np.zeros_like(made)
    dry[delay:] = 0.5 * sound[: len(made) - delay]
    assert np.abs(made - dry).max() > 0.05
    level = np.abs(made).max(axis=1).reshape(-1, 480).max(axis=1)
    for burst in (2.1, 2.5):
        assert level[round(burst * 100) - 3 : round(burst * 100) + 8].max() > 0.05


def test_a_chain_that_ends_fades_and_begins_anew(engine: SegueEngine) -> None:
    """The renderer has time for a second, then none: the sound has no step where it changes."""
    line = 0.2 * np.sin(2 * np.pi * 220 * np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE)
    tone = np.repeat(line[:, None], 2, axis=1).astype(np.float32)
    engine.echo = EchoRenderer(lambda: engine.dreamer)
    stream, given, blocks = engine.start(1), PlayedSound(tone), []
    send = SILENT.with_(echo=0.5, echo_time=2.0, echo_dream=0.5)
    dry = []
    for number in range(75):
        spare = not 22 <= number < 45
        stream.hear(replace(given.at(number * BLOCK), live=True, spare=spare))
        blocks.append(stream.render(send))
        while spare and engine.echo.busy:
            time.sleep(0.002)
        dry.append(engine.echo_dry)
    assert not any(dry[:22]) and all(dry[43:50]) and not dry[-1]  # it is dry, and dreams again
    stream.hear(replace(given.at(75 * BLOCK), live=True, spare=False))
    engine.echo.late()
    stream.render(SILENT)
    assert not engine.echo_dry  # the send is closed
    assert engine.notices() == (("info", LATE),)
    joined = np.concatenate(blocks)[25 * BLOCK :, 0]
    edges = np.arange(1, 19) * BLOCK
    steps = np.abs(np.diff(joined))
    assert max(steps[edges - 1]) < 3.0 * np.percentile(steps, 99)


def test_a_tempo_that_wavers_does_not_move_the_echo(engine: SegueEngine) -> None:
    """A long tone comes back without a step, though its delay is 4 ms more and less in turn."""
    line = 0.2 * np.sin(2 * np.pi * 220 * np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE)
    tone = np.repeat(line[:, None], 2, axis=1).astype(np.float32)
    stream, given, blocks = engine.start(1), PlayedSound(tone), []
    send = SILENT.with_(echo=0.5, echo_time=2.0, echo_dream=0.0)
    for number in range(40):
        stream.hear(given.at(number * BLOCK))
        blocks.append(stream.render(send.with_(bpm=120.0 + 0.5 * (number // 7 % 2))))
    steps = np.abs(np.diff(np.concatenate(blocks)[15 * BLOCK :, 0]))
    assert steps.max() < 1.2 * 0.1 * 2 * np.pi * 220 / SAMPLE_RATE


def test_the_time_counts_in_beats_and_has_a_least() -> None:
    assert delay_frames(Controls(echo_time=4.0), 120.0) == 2 * SAMPLE_RATE
    assert delay_frames(Controls(echo_time=0.0), 120.0) == round(SHORTEST_SECONDS * SAMPLE_RATE)
