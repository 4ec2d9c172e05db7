"""Audio input through a real JACK server, with the output looped back into it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest

from app.audio.input.link import AGAIN
from app.audio.input.settings import InputSettings
from app.audio.output import AudioEvent, AudioOutput, AudioSettings
from tests.app.audio.test_jack import RATE, needs_jack, sine, until
from tests.support import jack
from tests.support.jack import loop_back

PERIOD = 256
LOOKAHEAD_MS = 2.0
"""The limiter's; JACK itself adds nothing to a loop within one cycle."""


@pytest.fixture
def server() -> Iterator[jack.JackServer]:
    with jack.JackServer(PERIOD) as running:
        yield running


@needs_jack
def test_loopback_is_measured_and_the_input_lands_on_its_place(server: jack.JackServer) -> None:
    events: list[AudioEvent] = []
    with AudioOutput(AudioSettings(buffer_frames=PERIOD, input=InputSettings())) as output:
        output.on_event = events.append
        assert until(lambda: output.status().input.running)
        loop_back(server)
        measured = output.measure_round_trip()
        assert abs(measured.milliseconds - LOOKAHEAD_MS) < 1.0, measured

        settings = InputSettings(round_trip_ms=measured.milliseconds)
        output.apply(AudioSettings(buffer_frames=PERIOD, input=settings))
        assert until(
            lambda: output.status().input.round_trip_ms == pytest.approx(measured.milliseconds)
        )
        loop_back(server)
        # What is heard at a plan position comes in at that plan position.
        rng = np.random.default_rng(2)
        noise = np.repeat(rng.uniform(-0.3, 0.3, (6 * RATE, 1)), 2, 1).astype(np.float32)
        output.ring.append(noise)
        output.set_playing(True)
        assert until(lambda: output.ring.read > 3 * RATE, 15.0)
        start = 2 * RATE
        block = output.input.at_plan(start, start + 4800)
        assert block.known == 4800
        around = noise[start - 480 : start + 4800 + 480, 0]
        match = np.correlate(around, block.samples[:, 0], "valid")
        assert match.max() > 20 * np.median(np.abs(match))
        assert abs(int(match.argmax()) - 480) < 48  # 1 ms
        assert output.status().underruns == 0
    assert any("listening" in event.sentence for event in events)


@needs_jack
def test_input_that_fails_leaves_the_music_alone(server: jack.JackServer) -> None:
    events: list[AudioEvent] = []
    with AudioOutput(AudioSettings(buffer_frames=PERIOD)) as output:
        output.on_event = events.append
        output.ring.append(sine(7.9))
        output.set_playing(True)
        assert until(lambda: output.ring.read > 0)
        assert not output.status().input.running
        asked = [InputSettings(device="Moon"), InputSettings(first_channel=17), None]
        for settings in asked:
            output.apply(AudioSettings(buffer_frames=PERIOD, input=settings))
            time.sleep(0.7)
        assert until(lambda: output.status().gain == 1.0)
        before = output.ring.read
        assert until(lambda: output.ring.read > before + 4800)
        assert output.status().underruns == 0
    said = [event.sentence for event in events if event.kind == "input"]
    assert any("'Moon' is not there" in sentence for sentence in said), said
    assert any("2 channel(s), not 17" in sentence for sentence in said), said
    assert all("music goes on" in sentence for sentence in said)
    # PortAudio looked for devices anew, but not the one that plays.
    assert len([event for event in events if event.kind == "device"]) == 1


@needs_jack
def test_process_of_the_input_that_dies_is_started_again(server: jack.JackServer) -> None:
    events: list[AudioEvent] = []
    with AudioOutput(AudioSettings(buffer_frames=PERIOD, input=InputSettings())) as output:
        output.on_event = events.append
        assert until(lambda: output.status().input.running)
        output.ring.append(sine(7.9))
        output.set_playing(True)
        assert until(lambda: output.ring.read > 0)
        first = output._input_link.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert until(lambda: not output.status().input.running)
        assert until(lambda: output.status().input.running, 15.0)
        assert output._input_link.pid != first
        assert output.status().restarts == 0 and output.status().underruns == 0
    assert AGAIN in [event.sentence for event in events]


@needs_jack
def test_server_that_dies_takes_the_input_and_both_come_back(server: jack.JackServer) -> None:
    events: list[AudioEvent] = []
    with AudioOutput(AudioSettings(buffer_frames=PERIOD, input=InputSettings())) as output:
        output.on_event = events.append
        assert until(lambda: output.status().input.running)
        server.kill()
        assert until(lambda: output.status().is_null, 15.0)
        assert not output.status().input.running
        server.start()
        assert until(lambda: output.status().running and not output.status().is_null, 30.0)
        assert until(lambda: output.status().input.running, 15.0)


def test_no_input_no_cost() -> None:
    with AudioOutput(AudioSettings(device="null")) as output:
        assert until(lambda: output.status().running)
        time.sleep(0.3)
        assert not output.input.running and output.input.end == 0
