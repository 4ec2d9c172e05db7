"""How the engine shares Python and memory with the window. Inference lane."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Final

SWITCH_SECONDS: Final = 0.001
"""After which a thread that wants Python's lock gets it: the default of 5 ms is a third of a frame
of the window, and is lost up to twice for each."""


def settle() -> None:
    """Once the engine is loaded, in the thread that will run it."""
    sys.setswitchinterval(SWITCH_SECONDS)
    # What is loaded by now stays: a full collection that looks through it all takes over 50 ms,
    # in whatever thread it happens to start.
    gc.collect()
    gc.freeze()


def give_back() -> bool:
    """Return memory to the system that lies free between what is in use; False where there is no
    way to. For a moment when nothing is urgent: it takes some milliseconds.

    Moments that are thinned out leave holes of a few pages. Measured with 80 MB of moments, nine
    minutes into playing: 586 MB resident before and 575 after.
    """
    if sys.platform != "linux":
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is None:
        return False
    trim(0)
    return True
