"""Input's process: runs PortAudio's callback of the input, and converts what comes in.

It has a PortAudio of its own, which is begun again to see a device that was plugged in, and which a
driver that hangs takes along; the output plays on. Started by `link.InputLink` with the spawn
method where an input is chosen.
"""

from __future__ import annotations

import contextlib
import os
from multiprocessing.connection import Connection
from typing import Final

from app.audio import devices
from app.audio.input.host import InputHost
from app.audio.input.settings import InputSettings
from app.audio.input.shared_clock import SharedClock
from app.audio.processes.body import EXIT_ORPHAN, LOOP_SECONDS, exit_if_hung, hurry
from app.audio.shared_memory import Layout, SharedAudio

REFRESH_SECONDS: Final = 10.0


def _refresh() -> None:
    """Begin PortAudio again, so that it sees what was plugged in."""

    def reinitialize() -> None:
        with contextlib.suppress(Exception):
            devices.reinitialize()

    exit_if_hung(REFRESH_SECONDS, reinitialize)


def run(
    pipe: Connection, name: str, layout: Layout, settings: InputSettings, buffer_frames: int
) -> None:
    """Body of the process. A closed pipe means that the parent has ended."""
    parent = os.getppid()
    memory = SharedAudio(layout, name)
    clock = SharedClock(memory.words, memory.floats)
    host = InputHost(
        memory, clock, lambda level, sentence: pipe.send((level, sentence)), refresh=_refresh
    )
    with contextlib.suppress(devices.SegueError):
        devices.portaudio()
    hurry()
    host.choose(settings)
    try:
        host.open(buffer_frames)
        while os.getppid() == parent:
            if pipe.poll(LOOP_SECONDS):
                message = pipe.recv()
                if message[0] == "stop":
                    host.close()
                    os._exit(0)
                host.choose(message[1])
                host.open(message[2])
            host.watch()
    except (EOFError, OSError):
        pass
    os._exit(EXIT_ORPHAN)
