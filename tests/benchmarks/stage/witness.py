"""Detector of standstills of the machine, one process for each core.

A virtual machine that loses a core to another, and a kernel that cannot be preempted, stop any
program whatever its priority. This one runs at the highest, sleeps 2 ms at a time and notes late
wake-ups: dropouts at those times are not the instrument's.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Final

SLEEP: Final = 0.002
LATE: Final = 0.003


def main(core: int) -> int:
    """Run until SIGTERM, then print [[time.monotonic(), milliseconds late], ...]."""
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    os.sched_setaffinity(0, {core})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(90))
    except OSError:
        print("[]")
        return 1
    late: list[tuple[float, float]] = []
    before = time.monotonic()
    while going:
        time.sleep(SLEEP)
        now = time.monotonic()
        if now - before - SLEEP > LATE:
            late.append((round(now, 3), round(1e3 * (now - before - SLEEP), 1)))
        before = now
    print(json.dumps(late))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
