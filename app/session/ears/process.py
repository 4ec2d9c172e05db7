"""Process of the ears: hears what comes in, away from the interpreter that makes the music.

Started by `ears.Ears` with the spawn method. It attaches to the shared memory of the audio process,
reads the input's ring itself, and sends what it found through a pipe. It imports neither Qt nor
torch, and gives way to what plays.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Final

from threadpoolctl import threadpool_limits

from app.audio.input.history import InputHistory
from app.audio.processes.priority import lower_process_priority
from app.audio.ring import TapRing
from app.audio.shared_memory import Layout, SharedAudio
from app.session.ears.ear import Ear
from app.session.ears.follow_ear import FollowEar
from app.session.ears.memory_ear import MemoryEar
from app.session.ears.messages import ALIVE, MODULES, STOP, EarWarning, ModuleNames

WAITING: Final = 0.2
"""Seconds between two looks whether an input is open."""
IDLE: Final = 2.0
"""Seconds between two looks whether the instrument is still there."""
BEAT_SECONDS: Final = 1.0
"""Seconds between two heartbeats at least."""


class EarSchedule:
    """Lets each ear listen when it is due.

    Args:
        ears: all of them.
        running: whether an input is open.
        say: takes warnings.

    """

    def __init__(
        self, ears: Sequence[Ear], running: Callable[[], bool], say: Callable[[object], object]
    ) -> None:
        self._ears, self._running, self._say = ears, running, say
        self._due = dict.fromkeys(ears, 0.0)

    def wait(self, now: float) -> float:
        """Seconds until the next ear is due."""
        wanted = [ear for ear in self._ears if ear.wanted()]
        if not wanted:
            return IDLE
        if not self._running():
            return WAITING
        return max(0.0, min(self._due[ear] for ear in wanted) - now)

    def step(self, now: float) -> None:
        """Listen with the ears that are due, and let the others rest."""
        running = self._running()
        for ear in self._ears:
            try:
                if not running or not ear.wanted():
                    ear.rest()
                elif now >= self._due[ear]:
                    self._due[ear] = now + ear.EVERY
                    ear.listen()
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:  # whatever comes in, the music goes on
                ear.rest()
                name = ear.NAME.capitalize()
                self._say(EarWarning(f"{name} lost the thread ({error}): it listens afresh."))


def run(pipe: Connection, name: str, layout: Layout) -> None:
    """Body of the process. A closed pipe means that the parent has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the instrument says when to stop
    parent = os.getppid()
    lower_process_priority()
    threadpool_limits(1, user_api="blas")
    memory = SharedAudio(layout, name)
    input = InputHistory(memory.words, memory.input)
    tap = TapRing(memory.words, memory.tap)
    ears = (FollowEar(input, tap, pipe.send), MemoryEar(input, pipe.send))
    schedule = EarSchedule(ears, lambda: input.running, pipe.send)
    beat_at = -BEAT_SECONDS
    try:
        while os.getppid() == parent:
            now = time.monotonic()
            if now - beat_at >= BEAT_SECONDS:
                beat_at = now
                pipe.send(ALIVE)
            if pipe.poll(schedule.wait(time.monotonic())):
                message = pipe.recv()
                if message == STOP:
                    break
                if message == MODULES:
                    pipe.send(ModuleNames(tuple(sorted(sys.modules))))
                for ear in ears:
                    ear.configure(message)
            schedule.step(time.monotonic())
    except (EOFError, OSError):
        pass
    os._exit(0)  # arrays of the shared memory are still referred to
