"""Large pages for a process's large blocks of memory, on Linux.

A frame of a large network reads hundreds of megabytes of weights once. In pages of 4 KB every read
of a new page needs a walk through the page tables, and in a virtual machine a walk through the
host's too; in pages of 2 MB it is one walk for 512 times as much.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PAGE_BYTES: Final = 2 << 20
DENSE: Final = 0.9
"""Share of a block that must be in use: the rest of it becomes real memory as well."""
_MADV_COLLAPSE: Final = 25  # since Linux 6.1; older kernels refuse it
_HEADER: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)\s*(.*)")


def use_huge_pages() -> int:
    """Move the process's large blocks of private memory to huge pages, as far as there are any.

    Contents and addresses stay. Call it when weights are loaded, not while audio is generated: for
    each gigabyte it takes seconds.

    Returns:
        Bytes that were moved, or were in huge pages; 0 where the system knows no such call.

    """
    if sys.platform != "linux":
        return 0
    try:
        text = Path("/proc/self/smaps").read_text(encoding="utf-8")
        madvise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return 0
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    moved = 0
    for begin, end in dense_blocks(text):
        for place in range(begin, end, PAGE_BYTES):
            if madvise(place, PAGE_BYTES, _MADV_COLLAPSE) == 0:
                moved += PAGE_BYTES
    return moved


def dense_blocks(smaps: str) -> Iterator[tuple[int, int]]:
    """Begin and end, on limits of huge pages, of the blocks that are in use nearly throughout.

    smaps: text of /proc/PID/smaps. Only private writable memory that no file stands behind counts.
    """
    begin = end = 0
    suitable = False
    for line in smaps.splitlines():
        header = _HEADER.match(line)
        if header:
            begin, end = int(header[1], 16), int(header[2], 16)
            suitable = header[3] == "rw-p" and header[4] == "0" and header[5] in ("", "[heap]")
        elif suitable and line.startswith("Rss:"):
            first, last = -(-begin // PAGE_BYTES) * PAGE_BYTES, end // PAGE_BYTES * PAGE_BYTES
            if first < last and int(line.split()[1]) * 1024 >= DENSE * (end - begin):
                yield first, last
