"""How the engine shares Python with the window. Inference lane."""

from __future__ import annotations

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
