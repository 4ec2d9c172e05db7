"""Python runtime of the inference thread: garbage collection, GIL switching, heap."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
import time
from collections.abc import Iterator
from typing import Final

GARBAGE_SECONDS: Final = 60.0
YOUNG_OBJECTS: Final = (700, 5)
"""Thresholds of the two younger generations. The oldest is collected on the schedule alone: that
stops every thread for longer than a turned knob may take.
"""
SWITCH_SECONDS: Final = 0.001
"""Interval after which a waiting thread gets the GIL; the default is a third of a video frame."""
_collection_due = False
"""A full collection runs as soon as nothing plays."""


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Pause garbage collection while the engine loads, in the thread that will run it.

    Importing torch makes many objects that all stay, so collections only slow it down. What was
    loaded is frozen; the next full collection goes through it.
    """
    global _collection_due
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
        _collection_due = True
        gc.set_threshold(*YOUNG_OBJECTS, 1 << 30)
        sys.setswitchinterval(SWITCH_SECONDS)


def _collect_and_freeze() -> None:
    """Collect everything and freeze what is left, so that later collections are short."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def collect_garbage(playing: bool, thorough: bool = False) -> None:
    """Keep collections short; called once a minute when the inference thread is idle.

    While music plays, new objects (moments above all) are only frozen, which takes no time: a full
    collection would stop the window. thorough: a full collection, put off until nothing plays.
    """
    global _collection_due
    _collection_due = _collection_due or thorough
    if _collection_due and not playing:
        _collection_due = False
        _collect_and_freeze()
    else:
        gc.freeze()
    trim_heap()


def trim_heap() -> bool:
    """Return free heap pages to the system (malloc_trim); False where that does not exist.

    Takes some milliseconds.
    """
    if sys.platform != "linux":
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is None:
        return False
    trim(0)
    return True


class GarbageSchedule:
    """Collects garbage once a minute, and every tenth time thoroughly."""

    def __init__(self) -> None:
        self._next = time.monotonic() + GARBAGE_SECONDS
        self._collections = 0

    def collect_if_due(self, playing: bool) -> None:
        """Collect if it is time. playing: whether music sounds."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + GARBAGE_SECONDS
            self._collections += 1
            collect_garbage(playing, thorough=self._collections % 10 == 0)
