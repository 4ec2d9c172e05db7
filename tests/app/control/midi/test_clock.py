"""MIDI clock followed and sent: start, stop, continue, song position, jitter; tap tempo."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from app.control.hub import ControlHub
from app.control.midi.clock.follower import CLOCKS_PER_BEAT, ClockFollower
from app.control.midi.clock.sender import ClockSender
from app.control.midi.message import Message
from app.control.settings import ControlSettings
from app.session.session import Session
from app.session.tap_tempo import TapTempo
from tests.support.midi_device import MemoryBackend

CLOCK = Message("clock")
DRUMS = "Drums:Drums MIDI 1 20:0"
OTHER = "Other:Other MIDI 1 24:0"


@pytest.mark.parametrize("bpm", [60.0, 97.3, 174.0, 190.0])
def test_tempo_is_steady_under_jitter(bpm: float) -> None:
    """From the third beat on, at every clock, under 2 ms of jitter."""
    follower, rng, tempo = ClockFollower(), random.Random(int(bpm)), 0.0
    for n in range(12 * CLOCKS_PER_BEAT):
        when = 10.0 + n * 60 / bpm / CLOCKS_PER_BEAT + rng.uniform(-0.002, 0.002)
        tempo = follower.receive(CLOCK, when) or tempo
        if n > 3 * CLOCKS_PER_BEAT:
            assert tempo == pytest.approx(bpm, abs=0.3)


def test_a_perfect_clock_is_told_once() -> None:
    follower = ClockFollower()
    received = [
        follower.receive(CLOCK, n * 0.5 / CLOCKS_PER_BEAT) for n in range(8 * CLOCKS_PER_BEAT)
    ]
    assert [tempo for tempo in received if tempo is not None] == [pytest.approx(120.0, abs=0.01)]


@pytest.mark.parametrize(("before", "after"), [(120.0, 126.0), (90.0, 140.0), (128.0, 127.0)])
def test_a_new_tempo_is_followed(before: float, after: float) -> None:
    follower, rng, when, last = ClockFollower(), random.Random(3), 5.0, None
    for bpm in (before, after):
        for _ in range(12 * CLOCKS_PER_BEAT):
            when += 60 / bpm / CLOCKS_PER_BEAT
            last = follower.receive(CLOCK, when + rng.uniform(-0.001, 0.001)) or last
        assert last == pytest.approx(bpm, abs=0.3)


def test_lost_clocks_are_no_slower_tempo() -> None:
    follower, rng = ClockFollower(), random.Random(1)
    received = [
        follower.receive(CLOCK, n * 0.5 / CLOCKS_PER_BEAT)
        for n in range(16 * CLOCKS_PER_BEAT)
        if rng.random() > 0.02
    ]
    assert all(tempo is None or abs(tempo - 120.0) < 0.3 for tempo in received)


class LaterExecutor(Executor):
    """Runs what was submitted when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        future: Future[object] = Future()
        self.waiting.append(lambda: future.set_result(fn(*args, **kwargs)))
        return future

    def run(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


def test_a_clock_is_measured_elsewhere_and_told_later() -> None:
    executor = LaterExecutor()
    follower, step = ClockFollower(executor), 0.5 / CLOCKS_PER_BEAT
    told = [follower.receive(CLOCK, n * step) for n in range(200)]
    assert told == [None] * 200 and len(executor.waiting) == 1  # one at a time
    executor.run()
    assert follower.tempo is None
    assert follower.poll() == pytest.approx(120.0, abs=0.01)
    assert len(executor.waiting) == 1  # of the clocks that came meanwhile
    executor.run()
    assert follower.poll() is None and not executor.waiting
    for n in range(200, 400):
        follower.receive(CLOCK, n * step)
    assert executor.waiting
    follower.reset()
    executor.run()
    assert follower.receive(CLOCK, 400 * step) is None  # of a clock that is no more
    assert follower.tempo is None


def test_start_stop_continue_and_song_position() -> None:
    follower, when = ClockFollower(), 0.0

    def ticks(count: int) -> None:
        nonlocal when
        for _ in range(count):
            when += 0.5 / CLOCKS_PER_BEAT
            follower.receive(CLOCK, when)

    def running() -> bool:
        return follower.running

    ticks(5)
    assert not running() and follower.position == 0.0
    follower.receive(Message("start"), when)
    ticks(1)
    assert running() and follower.position == 0.0  # the first clock is the downbeat
    ticks(CLOCKS_PER_BEAT)
    assert follower.position == pytest.approx(1.0)
    follower.receive(Message("stop"), when)
    ticks(CLOCKS_PER_BEAT)
    assert not running() and follower.position == pytest.approx(1.0)
    follower.receive(Message("continue"), when)
    ticks(1 + CLOCKS_PER_BEAT)
    assert running() and follower.position == pytest.approx(2.0)
    follower.receive(Message("stop"), when)
    follower.receive(Message("position", value=64), when)
    assert follower.position == 16.0
    follower.receive(Message("continue"), when)
    ticks(1)
    assert follower.position == 16.0
    assert not follower.lost(when + 0.5) and follower.lost(when + 1.5)


# -- the hub as a follower and as a sender ----------------------------------------------------


class ClockRig:
    def __init__(self, folder: Path, settings: ControlSettings) -> None:
        self.session = Session()
        self.registry = self.session.registry
        self.registry.set_available("tempo", True)
        self.messages: list[str] = []
        self.backend = MemoryBackend()
        self.backend.names = [DRUMS, OTHER]
        self.hub = ControlHub(
            self.registry,
            folder,
            settings=settings,
            open_backend=lambda api: self.backend,
            list_apis=lambda: ["MEMORY"],
            incident=lambda level, sentence: self.messages.append(sentence),
        )
        self.hub.start()
        deadline = time.monotonic() + 5.0
        while len(self.hub.connected) < 2 and time.monotonic() < deadline:
            self.hub.drain()
            time.sleep(0.005)

    def play(self, port: str, *statuses: int, when: float) -> None:
        for status in statuses:
            self.backend.receivers[port]((status,), when)
        self.hub.drain()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ClockRig]:
    one = ClockRig(tmp_path, ControlSettings(clock="follow"))
    yield one
    one.hub.stop()


def test_a_followed_clock_moves_tempo_and_play_but_is_no_edit(rig: ClockRig) -> None:
    assert not rig.session.can_undo
    when = 100.0
    rig.play(DRUMS, 0xFA, when=when)
    assert rig.registry.get("transport.play") is True
    for n in range(8 * CLOCKS_PER_BEAT):
        rig.play(DRUMS, 0xF8, when=when + n * 60 / 133 / CLOCKS_PER_BEAT)
        # Another's clock at the same time is nobody's tempo.
        rig.play(OTHER, 0xF8, when=when + n * 60 / 99 / CLOCKS_PER_BEAT)
    assert rig.registry.get("tempo") == pytest.approx(133.0, abs=0.1)
    rig.play(DRUMS, 0xFC, when=when + 5)
    assert rig.registry.get("transport.play") is False
    assert not rig.session.can_undo and not rig.session.unsaved
    rig.registry.set("tempo", 90.0, "window")
    assert rig.session.can_undo


def test_a_clock_that_ceases_is_told_and_the_next_one_followed(rig: ClockRig) -> None:
    now = time.monotonic() - 3.0
    rig.play(DRUMS, 0xF8, 0xF8, when=now)
    rig.hub.tick()
    assert any("has stopped coming" in sentence for sentence in rig.messages)
    for n in range(4 * CLOCKS_PER_BEAT):
        rig.play(OTHER, 0xF8, when=now + n * 0.5 / CLOCKS_PER_BEAT)
    assert rig.hub.clock.followed == "Other MIDI 1"
    assert rig.registry.get("tempo") == pytest.approx(120.0, abs=0.1)


def test_a_clock_is_sent_with_start_and_stop(tmp_path: Path) -> None:
    one = ClockRig(tmp_path, ControlSettings(clock="send", clock_port="Drums MIDI 1"))
    try:
        one.registry.set("tempo", 180.0)
        deadline = time.monotonic() + 5.0
        while not one.backend.sent and time.monotonic() < deadline:
            one.hub.apply(one.hub.settings)
            one.hub.drain()
            time.sleep(0.02)
        one.registry.set("transport.play", True)
        time.sleep(0.2)
        one.registry.set("transport.play", False)
    finally:
        one.hub.stop()
    assert {name for name, _ in one.backend.sent} == {DRUMS}
    statuses = [data[0] for _, data in one.backend.sent]
    began, ended = statuses.index(0xFA), statuses.index(0xFC)
    assert 5 <= statuses[began:ended].count(0xF8) <= 40  # 14 on a machine with nothing else to do
    assert statuses.count(0xFA) == statuses.count(0xFC) == 1


def test_what_is_sent_does_not_drift() -> None:
    """The mean tempo is exact however late the thread is woken."""
    times: list[float] = []
    done = threading.Event()

    def send(message: Message) -> None:
        if message.kind == "clock":
            times.append(time.monotonic())
            if len(times) == 97:
                done.set()

    sender = ClockSender(send, 240.0)
    sender.open()
    try:
        assert done.wait(10.0)
    finally:
        sender.close()
    ideal = 60 / 240 / CLOCKS_PER_BEAT
    late = [t - times[0] - n * ideal for n, t in enumerate(times[:97])]
    assert abs(statistics.median(late[-24:]) - statistics.median(late[:24])) < 0.02


def test_the_sent_clock_slides_onto_the_beat() -> None:
    times: list[float] = []
    sender = ClockSender(lambda message: times.append(time.monotonic()), 120.0)
    sender.open()
    period = 0.5 / CLOCKS_PER_BEAT
    try:
        time.sleep(0.1)
        beat = time.monotonic() + 0.3 * period
        sender.align(beat)
        time.sleep(0.4)
    finally:
        sender.close()
    off = [(t - beat) / period % 1.0 for t in times if t > beat]
    # Early is impossible, and the median of what a busy machine delays is small.
    assert statistics.median(off) < 0.5


@pytest.mark.parametrize("bpm", [70.0, 120.0, 173.0])
def test_tapping(bpm: float) -> None:
    taps, rng = TapTempo(), random.Random(1)
    found = [taps.tap(50 + n * 60 / bpm + rng.uniform(-0.008, 0.008)) for n in range(8)]
    assert found[-1] == pytest.approx(bpm, rel=0.02)
