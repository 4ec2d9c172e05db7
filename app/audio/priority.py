"""The audio process goes before others, where the system lets it. Audio lane.

On Linux that is granted to root, to members of the group audio on many systems, and by PipeWire's
and JACK's packages; elsewhere nothing happens, and a busy machine makes the sound late sooner.
macOS gives CoreAudio's thread its time by itself; on Windows PortAudio asks for it (MMCSS), and the
class of the process is raised here for the threads beside it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

PRIORITY: Final = 5
"""Above everything ordinary, below what a sound server gives its own threads."""
HIGH_PRIORITY_CLASS: Final = 0x80


def hurry_process() -> bool:
    """The main thread, and the threads that it starts from now on. Whether it was granted.

    The main thread as well: one that loses the processor while it holds Python's lock holds up the
    callback.
    """
    if sys.platform == "win32":
        kernel: Any = ctypes.windll.kernel32
        return bool(kernel.SetPriorityClass(kernel.GetCurrentProcess(), HIGH_PRIORITY_CLASS))
    if _round_robin():
        return True
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
        return True
    return False


@contextlib.contextmanager
def ordinary() -> Iterator[None]:
    """Take one's turn like anybody else, in work that nobody hears: looking for devices is long.

    What has a core for a tenth of a second at such a priority takes it from window and engine.
    """
    before: Any = None
    with contextlib.suppress(OSError, AttributeError):
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            before = (os.sched_getscheduler(0), os.sched_getparam(0))
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(OSError):
                os.sched_setscheduler(0, *before)


def hurry_thread() -> bool:
    """The thread that calls this, if it is an ordinary one: JACK without -R makes such for us."""
    try:
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            return True
    except (OSError, AttributeError):
        return False
    return _round_robin()


def _round_robin() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    except (OSError, AttributeError):
        return False
    return True
