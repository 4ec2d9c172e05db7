"""How the engine shares Python and memory with the window. Inference lane."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator
from typing import Final

SWITCH_SECONDS: Final = 0.001
"""After which a thread that wants Python's lock gets it: the default of 5 ms is a third of a frame
of the window, and is lost up to twice for each."""
_owed = False
"""A thorough look is due, as soon as nothing plays."""


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """While the engine is loaded, in the thread that will run it.

    The collector is off: a library as large as torch makes a great many objects, all of which stay,
    and the looks through them and through the window's took 0.2 to 0.5 of the 2.5 seconds that
    loading takes. What was loaded is then put by unseen; the next thorough look goes through it.
    """
    global _owed
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
        _owed = True
        sys.setswitchinterval(SWITCH_SECONDS)


def _put_by() -> None:
    """What is in use now stays, probably: a full collection that looks through it all takes over
    50 ms, in whatever thread it happens to start. So the collector is told not to look at it."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def collect_garbage(playing: bool, thorough: bool = False) -> None:
    """Once a minute, when the inference lane has nothing else to do.

    While music plays, the collector is told to pass over what has been made since, moments above
    all, which takes no time: measured over ten minutes without it, three full collections stopped
    the window for 67 to 102 ms and found nothing. thorough: look through everything (a fifth of a
    second), which is put off until nothing plays.
    """
    global _owed
    _owed = _owed or thorough
    if _owed and not playing:
        _owed = False
        _put_by()
    else:
        gc.freeze()
    trim_heap()


def trim_heap() -> bool:
    """Return memory to the system that lies free between what is in use; False where there is no
    way to. For a moment when nothing is urgent: it takes some milliseconds.

    What the engine and the window work with leaves holes of a few pages. Measured in the ninth
    minute of playing: 925 MB resident before and 915 after.
    """
    if sys.platform != "linux":
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is None:
        return False
    trim(0)
    return True
