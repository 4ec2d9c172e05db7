"""Priority of the instrument's processes: the audio process's is real-time where that is granted.

Linux grants it to root, on many systems to the group audio, and through the packages of PipeWire
and JACK. macOS schedules CoreAudio's thread itself; on Windows PortAudio asks for it (MMCSS), and
the priority class of the process is raised here for its other threads.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from typing import Final

PRIORITY: Final = 5
"""Above ordinary threads, below those of a sound server."""
HIGH_PRIORITY_CLASS: Final = 0x80
BELOW_NORMAL_PRIORITY_CLASS: Final = 0x4000
NICE: Final = 3
"""Of a process that gives way to what plays, and yet answers within a beat."""


def raise_process_priority() -> bool:
    """Raise the main thread and the threads that it starts; whether it was granted.

    The main thread as well: losing the processor while it holds the GIL would delay the callback.
    """
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        return bool(kernel.SetPriorityClass(kernel.GetCurrentProcess(), HIGH_PRIORITY_CLASS))
    if _round_robin():
        return True
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
        return True
    return False


def lower_process_priority() -> None:
    """Let the process give way to what plays."""
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), BELOW_NORMAL_PRIORITY_CLASS)
        return
    with contextlib.suppress(OSError):
        os.nice(NICE)


@contextlib.contextmanager
def normal_priority() -> Iterator[None]:
    """Normal priority for long work that is not urgent, such as listing devices."""
    before: tuple[int, os.sched_param] | None = None
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


def raise_thread_priority() -> bool:
    """Raise the calling thread if it is an ordinary one, as JACK's without -R are."""
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
