"""Parts on channels of their own: the table, the callback, and JACK's ports."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.audio import shared_memory as s
from app.audio.callback import CallbackRenderer
from app.audio.output import AudioEvent, AudioOutput, AudioSettings
from app.audio.outputs.routes import (
    Routes,
    channels_of,
    fitting,
    lacking_sentence,
    port_names,
    routes_of,
)
from app.audio.resample import DeviceRate
from app.audio.ring import PlanRing
from app.audio.stem_ring import StemRing
from models.errors import SegueError
from models.music.score import PARTS
from tests.app.audio.test_jack import RATE, needs_jack, until
from tests.support import jack

ALL: Routes = tuple((part, 3 + 2 * index) for index, part in enumerate(PARTS))


@pytest.mark.parametrize(
    ("table", "routes", "channels"),
    [
        ({}, (), 2),
        ({"bass": 3}, (("bass", 3),), 4),
        ({"lead": 9, "drums": 3, "bass": 0}, (("drums", 3), ("lead", 9)), 10),
        ({"drums": 5, "bass": 5}, (("drums", 5), ("bass", 5)), 6),
    ],
)
def test_a_table_becomes_routes(table: dict[str, int], routes: Routes, channels: int) -> None:
    assert routes_of(table) == routes
    assert channels_of(routes) == channels


@pytest.mark.parametrize("table", [{"flute": 3}, {"bass": 1}, {"bass": 64}, {"bass": -3}])
def test_a_wrong_table_is_one_sentence(table: dict[str, int]) -> None:
    with pytest.raises(SegueError, match="choose"):
        routes_of(table)


def test_parts_for_which_a_device_has_no_channels_stay_in_the_mix() -> None:
    assert fitting(ALL, 6) == (("drums", 3), ("bass", 5))
    assert fitting(ALL, 2) == ()
    assert lacking_sentence(ALL, "Cube", 12) == ""
    assert lacking_sentence(ALL, "Cube", 8) == (
        "Cube has 8 channels: lead, extra can be heard in the mix only; choose other outputs for "
        "the parts in the settings."
    )


@pytest.mark.parametrize(
    ("routes", "names"),
    [
        ((), ["mix L", "mix R"]),
        ((("drums", 5),), ["mix L", "mix R", "", "", "drums L", "drums R"]),
        ((("drums", 3), ("lead", 3)), ["mix L", "mix R", "drums+lead L", "drums+lead R"]),
        ((("drums", 3), ("lead", 4)), ["mix L", "mix R", "drums L", "drums+lead 4", "lead R"]),
    ],
)
def test_ports_say_the_parts_names(routes: Routes, names: list[str]) -> None:
    assert port_names(routes, channels_of(routes)) == names


class Console:
    """A callback with parts, and a plan whose mix is the sum of its parts."""

    def __init__(self, routes: Routes, frames: int = 60_000) -> None:
        words, floats = np.zeros(s.WORDS, np.int64), np.zeros(s.FLOATS)
        floats[s.VOLUME] = 0.5
        stems = np.zeros((96_000, s.STEMS), np.float32)
        plan, tap = (np.zeros((96_000, 2), np.float32) for _ in range(2))
        self.words = words
        self.player = CallbackRenderer(words, floats, plan, tap)
        self.player.route(stems, routes)
        self.ring = StemRing(PlanRing(words, plan, stems))
        self.ring.enable(s.STEMS)
        rng = np.random.default_rng(4)
        self.parts = (0.05 * rng.standard_normal((frames, s.STEMS))).astype(np.float32)
        self.mix = self.parts.reshape(frames, len(PARTS), 2).sum(axis=1)
        self.ring.append(np.concatenate([self.mix, self.parts], axis=1))
        words[s.PLAYING] = 1

    def play(self, frames: int, channels: int) -> np.ndarray:
        out = np.full((frames, channels), 9.0, np.float32)
        for at in range(0, frames, 256):
            self.player.process(out[at : at + 256])
        return out


def test_every_part_is_as_late_as_the_mix_and_fades_with_it() -> None:
    console = Console(ALL)
    heard = console.play(20_480, 12)
    total = heard[:, 2:].reshape(len(heard), len(PARTS), 2).sum(axis=1)
    # The volume, 0.5, is the mix's alone.
    assert np.abs(0.5 * total - heard[:, :2]).max() < 1e-6
    start = 4000
    lag = console.player.limiter.lookahead
    assert np.array_equal(heard[start:, 2:], console.parts[start - lag : 20_480 - lag])
    console.words[s.PLAYING] = 0
    heard = console.play(4096, 12)
    assert np.abs(heard[0, 2:]).max() > 0.0 and not heard[-256:].any()


def test_no_stems_no_sound_and_channels_between_are_silent() -> None:
    console = Console((("bass", 5), ("lead", 5)))
    heard = console.play(10_240, 6)
    assert not heard[:, 2:4].any()
    lag = console.player.limiter.lookahead
    both = console.parts[:, 2:4] + console.parts[:, 6:8]
    assert np.abs(heard[4000:, 4:] - both[4000 - lag : 10_240 - lag]).max() < 1e-6
    console.ring.enable(0)
    console.play(256, 6)
    heard = console.play(2560, 6)
    assert not heard[:, 2:].any() and heard[:, :2].any()


def test_stems_of_a_writer_that_is_gone_are_not_heard() -> None:
    console = Console((("bass", 3),))
    assert console.play(5120, 4)[-256:, 2:].any()
    StemRing(PlanRing(console.words, console.ring.data, console.ring.beside))  # another engine's
    console.play(256, 4)
    assert not console.play(2560, 4)[:, 2:].any()


def test_other_rates_have_the_parts_too() -> None:
    console = Console((("drums", 3),))
    device = DeviceRate(console.player.process, 96_000, 4)
    out = np.zeros((20_000, 4), np.float32)
    for at in range(0, len(out), 500):
        device.process(out[at : at + 500])
    assert np.abs(out[8000:, 2:]).max() > 0.05
    spectrum = np.abs(np.fft.rfft(out[8000:, 2]))
    assert spectrum[len(spectrum) // 2 + 100 :].max() < 0.01 * spectrum.max()


@pytest.fixture
def server() -> Iterator[jack.JackServer]:
    with jack.JackServer(1024, channels=(2, 10)) as running:
        yield running


@needs_jack
def test_jack_has_a_port_for_each_part_and_all_are_equally_late(
    server: jack.JackServer, tmp_path: Path
) -> None:
    events: list[AudioEvent] = []
    settings = AudioSettings(buffer_frames=1024, parts=routes_of(dict(ALL)))
    with AudioOutput(settings) as output:
        output.on_event = events.append
        assert until(lambda: output.status().running)
        four = ("mix", *PARTS[:4])  # ten channels
        expected = {f"PortAudio:{part} {side}" for part in four for side in "LR"}
        assert until(lambda: set(ports_of()) == expected), ports_of()
        ring = StemRing(output.ring)
        ring.enable(s.STEMS)
        clicks = np.zeros((7 * RATE, 2 + s.STEMS), np.float32)
        clicks[RATE // 2 :: RATE // 8] = 0.5
        ring.append(clicks)
        ports = [f"PortAudio:{part} L" for part in four]
        command = ["jack_rec", "-f", str(tmp_path / "heard.wav"), "-d", "2", "-b", "24"]
        recording = subprocess.Popen([*command, "-B", "96000", *ports], stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        output.set_playing(True)
        assert recording.wait(20) == 0
        assert output.status().underruns == 0
        assert output.status().sample_rate == RATE
    heard, _ = soundfile.read(tmp_path / "heard.wav", dtype="float32", always_2d=True)
    assert heard.shape[1] == 5
    found = [np.flatnonzero(heard[:, channel] > 0.4) for channel in range(5)]
    assert len(found[0]) >= 2
    assert all(np.array_equal(found[0], each) for each in found[1:])
    said = [event.sentence for event in events if event.kind == "parts"]
    assert len(said) == 1 and "10 channels: extra can be heard in the mix only" in said[0]


def ports_of() -> list[str]:
    """Our ports; their names have a space."""
    done = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.startswith("PortAudio")]
