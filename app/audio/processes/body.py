"""What the bodies of processes with an audio device share: how they start, and how they end."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import Final

from app.audio.processes import priority

EXIT_HUNG: Final = 75
EXIT_ORPHAN: Final = 76
LOOP_SECONDS: Final = 0.05
"""Seconds between two looks at messages and devices."""


def hurry() -> None:
    """Stop garbage collection, shorten GIL switching, raise the priority: callbacks follow."""
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(0.0005)
    priority.raise_process_priority()


def exit_if_hung(seconds: float, work: Callable[[], None]) -> None:
    """Run work that may hang; if it does, end the process."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        os._exit(EXIT_HUNG)
