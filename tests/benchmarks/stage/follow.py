"""Compares what is heard with what was planned, while it plays, in a process of its own. Test lane.

A process of its own, so that the comparison takes no time from the instrument's interpreter. Qt and
torch are not imported.
"""

from __future__ import annotations

from multiprocessing.connection import Connection
from types import SimpleNamespace

from app.audio import shared_memory as s
from app.audio.plan_check import PlanCheck
from app.audio.ring import PlanRing, TapRing


def follow(pipe: Connection, name: str) -> None:
    """Compare until something is sent, then send back (torn, frames, limited)."""
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
    # Ends without the memory's destructor, which would remove what is not its own.
    import os

    os._exit(0)
