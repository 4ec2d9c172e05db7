"""The process of the ears: begins with the first send, reads the ring, is started again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from app.audio.input.history import InputHistory
from app.audio.ring import TapRing
from app.audio.shared_memory import INPUT_RUNNING, WORDS, Layout, SharedAudio
from app.session.ears.ear import Ear
from app.session.ears.ears import AGAIN, HUNG, Ears
from app.session.ears.follow_ear import FollowEar
from app.session.ears.follow_link import FollowLink
from app.session.ears.memory_ear import MemoryEar
from app.session.ears.memory_link import MemoryLink
from app.session.ears.messages import ALIVE, MODULES, FollowRequest, MemoryRequest, ModuleNames
from app.session.ears.pacing import BURST, ChangePacing
from app.session.ears.process import IDLE, WAITING, EarSchedule
from app.session.follow_send import FollowSettings
from models.engine.hearing import HearingSource

RATE = 48_000
LAYOUT = Layout(RATE, RATE, 8 * RATE)


def until(done: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait until it is so; False where it never is."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
    return done()


class Instrument:
    """Shared memory with an input, the ears, and both links."""

    def __init__(self) -> None:
        self.memory = SharedAudio(LAYOUT)
        self.memory.words[INPUT_RUNNING] = 1
        self.input = InputHistory(self.memory.words, self.memory.input)
        self.said: list[str] = []
        self.told: list[HearingSource] = []
        self.modules: tuple[str, ...] = ()
        self.ears = Ears((self.memory.name, LAYOUT), lambda level, text: self.said.append(text))
        self.follow = FollowLink(self.ears, lambda steer, age: None, lambda: 0.0)
        self.memories = MemoryLink(
            self.ears, self.input, lambda source, written: self.told.append(source)
        )
        self.ears.add(self)

    def take(self, news: object) -> None:
        if isinstance(news, ModuleNames):
            self.modules = news.names

    def forget(self) -> None:
        pass

    def heard(self) -> int:
        """Frame up to which it was heard; plays a note until then."""
        at = np.arange(4800) / RATE
        note = (0.3 * np.sin(2 * np.pi * 330 * at) * np.exp(-8 * at)).astype(np.float32)
        self.input.write(self.input.end, np.repeat(note[:, None], 2, axis=1))
        known = self.memories.at(0)
        return 0 if known is None else known.origin + known.written


@pytest.fixture
def instrument() -> Iterator[Instrument]:
    made = Instrument()
    yield made
    made.ears.stop()
    name = made.memory.name
    made.input = InputHistory(np.zeros(WORDS, np.int64), np.zeros((1, 2), np.float32))
    made.memories.input = made.input
    made.memories.forget()
    made.memory.close()
    assert not (Path("/dev/shm") / name).exists()


def test_it_hears_is_started_again_and_ends(instrument: Instrument) -> None:
    ears, threads = instrument.ears, threading.active_count()
    instrument.memories.configure(0.0, frozen=False)
    instrument.follow.configure(FollowSettings(), 3840)
    assert ears.pid is None and threading.active_count() == threads  # no send, no cost
    instrument.memories.configure(0.6, frozen=False)
    instrument.follow.configure(FollowSettings(0.5), 3840)
    assert until(lambda: instrument.heard() > 0 and bool(instrument.follow.words()))
    assert until(lambda: bool(instrument.told))
    ears.ask(MODULES, wanted=True)
    assert until(lambda: bool(instrument.modules))
    roots = {name.split(".")[0] for name in instrument.modules}
    assert "numpy" in roots and not roots & {"torch", "PySide6", "shiboken6"}
    assert "app.cli" not in instrument.modules and not instrument.said
    first = ears.pid
    assert first is not None
    os.kill(first, getattr(signal, "SIGKILL", signal.SIGTERM))
    assert until(lambda: ears.pid not in (None, first))
    assert instrument.said == [AGAIN]
    assert until(lambda: instrument.heard() > 0 and bool(instrument.follow.words()))
    last = ears.pid
    assert last is not None
    ears.stop()
    assert ears.pid is None and instrument.follow.words() == ""
    assert instrument.memories.transcript is None and len(instrument.said) == 1


def hanging_body(pipe: Connection, name: str, layout: Layout) -> None:
    """A process of ears that says whatever it is asked, and hangs where it is told to."""
    pipe.send(ALIVE)
    while (asked := pipe.recv()) != "stop":
        if asked == "hang":
            time.sleep(600)
        pipe.send(asked)


class News:
    """Takes what ears say."""

    def __init__(self) -> None:
        self.news: list[object] = []
        self.forgotten = 0

    def take(self, news: object) -> None:
        self.news.append(news)

    def forget(self) -> None:
        self.forgotten += 1


def test_a_process_that_hangs_is_started_again() -> None:
    said: list[str] = []
    ears = Ears(("", LAYOUT), lambda level, text: said.append(text), hanging_body, patience=0.2)
    link = News()
    ears.add(link)
    ears.ask("hang", wanted=True)
    assert until(lambda: HUNG in said)
    assert link.forgotten and not link.news  # nothing of it steers the music any more
    ears.ask("go on", wanted=True)
    assert until(lambda: "go on" in link.news)
    ears.stop()
    assert ears.pid is None


class DeafEar(Ear):
    """An ear that fails whenever it listens."""

    NAME, EVERY = "deaf", 0.05

    def __init__(self) -> None:
        words = np.zeros(WORDS, np.int64)
        super().__init__(InputHistory(words, np.zeros((1, 2), np.float32)), print)
        self.heard = self.rested = 0

    def configure(self, request: object) -> None:
        pass

    def wanted(self) -> bool:
        return True

    def listen(self) -> None:
        self.heard += 1
        raise ValueError("a spanner")

    def rest(self) -> None:
        self.rested += 1


def test_the_schedule_waits_for_what_is_wanted_and_lives_through_faults() -> None:
    words = np.zeros(WORDS, np.int64)
    history = InputHistory(words, np.zeros((RATE, 2), np.float32))
    said: list[object] = []
    follow = FollowEar(history, TapRing.local(RATE), said.append)
    memory, deaf = MemoryEar(history, said.append), DeafEar()
    running = [False]
    schedule = EarSchedule((follow, memory), lambda: running[0], said.append)
    assert schedule.wait(5.0) == IDLE
    memory.configure(MemoryRequest(True))
    follow.configure(FollowRequest())
    assert schedule.wait(5.0) == WAITING
    running[0] = True
    schedule.step(5.0)
    assert schedule.wait(5.01) == pytest.approx(memory.EVERY - 0.01)
    follow.configure(FollowRequest(FollowSettings(0.3), 3840))
    assert schedule.wait(5.01) == 0.0
    schedule.step(5.02)
    assert schedule.wait(5.02) == pytest.approx(follow.EVERY)
    said.clear()
    schedule = EarSchedule((deaf,), lambda: running[0], said.append)
    schedule.step(1.0)
    schedule.step(1.01)
    assert (deaf.heard, deaf.rested) == (1, 1) and len(said) == 1
    assert "Deaf lost the thread (a spanner): it listens afresh." in repr(said[0])


def test_changes_after_a_rest_do_not_wait_and_many_come_no_oftener_than_before() -> None:
    pacing = ChangePacing(0.3)
    times = [n * 0.02 for n in range(500)]
    made = [now for now in times if pacing.may(now)]
    assert made[:BURST] == times[:BURST]  # at once
    assert len(made) <= 10.0 / 0.3 + BURST
    assert pacing.may(made[-1] + 0.3 * BURST) and pacing.may(made[-1] + 0.3 * BURST)
    assert ChangePacing(0.3).may(0.0)
    assert pacing.may(0.0)  # a clock that begins anew does not hold it up
