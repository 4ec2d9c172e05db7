"""Comparison of output and plan while it plays.

Runs in a process of its own, so that it takes no time from the instrument's interpreter.
"""

from __future__ import annotations

from multiprocessing.connection import Connection

from app.audio import shared_memory as s
from app.audio.ring import PlanRing, TapRing
from app.cli.plan_check import PlanCheck


class Output:
    """The rings and the limiter's lowest gain in an instrument's shared memory."""

    def __init__(self, memory: s.SharedAudio) -> None:
        self.ring = PlanRing(memory.words, memory.plan, halves=memory.rewrites)
        self.tap = TapRing(memory.words, memory.tap)
        self._floats = memory.floats

    @property
    def limiting_lowest(self) -> float:
        return float(self._floats[s.LOWEST_LIMITING])


def follow(pipe: Connection, name: str) -> None:
    """Compare until a message comes, then send back (torn, frames, limited)."""
    memory = s.SharedAudio(s.Layout(), name)
    output = Output(memory)
    check = PlanCheck(output, output.ring.read)
    while not pipe.poll(0.25):
        check.update()
    check.update()
    pipe.send((check.torn, check.frames, check.limited))
    pipe.close()
    # Skips the memory's destructor, which would unlink the instrument's segment.
    import os

    os._exit(0)
