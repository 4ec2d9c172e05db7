"""Comparison of output and plan while it plays.

Runs in a process of its own, so that it takes no time from the instrument's interpreter.
"""

from __future__ import annotations

from multiprocessing.connection import Connection
from types import SimpleNamespace

from app.audio import shared_memory as s
from app.audio.plan_check import PlanCheck
from app.audio.ring import PlanRing, TapRing


def follow(pipe: Connection, name: str) -> None:
    """Compare until a message comes, then send back (torn, frames, limited)."""
    memory = s.SharedAudio(s.Layout(), name)
    output = SimpleNamespace(
        ring=PlanRing(memory.words, memory.plan),
        tap=TapRing(memory.words, memory.tap),
        status=lambda: SimpleNamespace(limiting_lowest=float(memory.floats[s.LOWEST_LIMITING])),
    )
    check = PlanCheck(output, output.ring.read)
    while not pipe.poll(0.25):
        check.look()
    check.look()
    pipe.send((check.torn, check.frames, check.limited))
    pipe.close()
    # Skips the memory's destructor, which would unlink the instrument's segment.
    import os

    os._exit(0)
