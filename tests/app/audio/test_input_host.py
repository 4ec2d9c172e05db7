"""An input that is pulled and comes back, at any rate and width: the music is left alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.audio import devices
from app.audio import shared_memory as s
from app.audio.input import host
from app.audio.input.clock_filter import ClockFilter
from app.audio.input.settings import InputSettings
from app.audio.settings import AudioDevice

RATE, BLOCK = 48_000, 480


class FakeInput:
    """PortAudio with one input, which can be pulled; a stream is given blocks by `Cable.play`."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate, self.channels, self.there = rate, channels, True
        self.streams: list[Any] = []

    def query(self) -> list[AudioDevice]:
        device = AudioDevice("Mic", "ALSA", self.channels, self.rate, is_default=True)
        return [device] if self.there else []

    def InputStream(self, *, samplerate: int, channels: int, callback: Any, **_: object) -> Any:  # noqa: N802 - PortAudio's
        if samplerate != self.rate or channels > self.channels:
            raise OSError("Invalid sample rate")
        stream = SimpleNamespace(
            latency=0.01, active=True, callback=callback, channels=channels,
            start=lambda: None, close=lambda: None,
        )  # fmt: skip
        self.streams.append(stream)
        return stream


class Cable:
    """A host on shared memory, an output whose clock goes on, and the input's player."""

    def __init__(
        self,
        device: FakeInput,
        settings: InputSettings,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self.memory = s.SharedAudio(s.Layout(RATE, RATE, 4 * RATE))
        self.device, self.said = device, list[str]()
        self.output = ClockFilter(RATE)
        self.host = host.InputHost(
            self.memory, self.output, lambda level, sentence: self.said.append(sentence), refresh
        )
        self.host.choose(settings)
        self.host.open(256)
        self.began, self.frames, self.raw = time.monotonic(), 0, 0.0

    def play(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass; the device gives its blocks where it is there."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self.frames += BLOCK
            time.sleep(max(0.0, self.began + self.frames / RATE - time.monotonic()))
            self.output.update(self.frames, self.began + self.frames / RATE)
            if self.device.there and self.device.streams:
                stream = self.device.streams[-1]
                count = self.device.rate // 100
                block = np.zeros((count, stream.channels), np.float32)
                block[:, -1] = 0.25  # on the last channel that was asked for
                block[:, :-1] = 0.125
                stream.callback(block, count, None, None)
            self.host.watch()

    def close(self) -> None:
        self.host.close()
        history = self.host.history
        del history.words, history.data, history.clock_map, self.host.words, self.host.floats
        self.memory.close()


@pytest.mark.parametrize(
    ("rate", "channels", "first", "stereo", "words"),
    [
        (44_100, 1, 1, False, "44.1 kHz mono"),
        (96_000, 2, 1, True, "96 kHz stereo"),
        (48_000, 18, 17, True, "48 kHz stereo"),
        (48_000, 1, 1, True, "48 kHz mono, for want of a second channel"),
    ],
)
def test_an_input_that_goes_comes_back_and_the_output_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, rate: int, channels: int, first: int, stereo: bool, words: str
) -> None:
    device = FakeInput(rate, channels)
    monkeypatch.setattr(devices, "portaudio", lambda: device)
    monkeypatch.setattr(devices, "query_inputs", device.query)
    monkeypatch.setattr(devices, "reinitialize", lambda: pytest.fail("the music was cut off"))
    monkeypatch.setattr(host, "RETRY_SECONDS", 0.1)
    cable = Cable(device, InputSettings(first_channel=first, stereo=stereo))
    try:
        history = cable.host.history
        cable.play(5.0, lambda: history.end > RATE // 4)
        heard = history.copy(history.end - 2400, history.end)
        expected = (0.125, 0.25) if "stereo" in words else (0.25, 0.25)
        assert np.abs(np.median(heard, axis=0) - expected).max() < 0.02
        assert cable.said == [f"listening to Mic (ALSA), {words}."]
        device.there = False
        device.streams[-1].active = False
        cable.play(0.4)
        assert not history.running
        assert cable.said[1:] == [
            "Mic stopped: looking for it again. The music goes on.",
            "nothing comes in: there is no audio input. The music goes on.",
        ]
        before, device.there = history.end, True
        cable.play(5.0, lambda: history.running and history.end > before + RATE // 2)
        cable.play(0.3)
        assert history.running and cable.said[-1] == cable.said[0]
        heard = history.copy(history.end - 2400, history.end)
        assert np.abs(np.median(heard, axis=0) - expected).max() < 0.02
        # It lies where it was heard, behind a silence for as long as it was away.
        assert abs(history.end - cable.frames) < RATE // 4
        assert not history.copy(before + 4800, before + 9600).any()
    finally:
        cable.close()


def test_an_input_that_was_just_plugged_in_is_found_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = FakeInput(RATE, 1)
    device.there, refreshed = False, list[int]()

    def refresh() -> None:
        refreshed.append(1)
        device.there = len(refreshed) > 1

    monkeypatch.setattr(devices, "portaudio", lambda: device)
    monkeypatch.setattr(devices, "query_inputs", device.query)
    cable = Cable(device, InputSettings(), refresh)
    try:
        assert len(refreshed) == 1 and "there is no audio input" in cable.said[0]
        cable.host.open(256)
        assert len(refreshed) == 2 and cable.said[1].startswith("listening to Mic")
        cable.host.open(256)
        assert len(refreshed) == 2  # it is known
    finally:
        cable.close()
