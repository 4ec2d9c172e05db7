"""Virtual X display (Xvfb) on a free number."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def missing() -> str:
    """Why no display can be started; '' if one can."""
    if shutil.which("Xvfb") is None:
        return "Xvfb not installed (Debian: apt install xvfb)"
    return ""


@contextmanager
def display(size: str = "1920x1080x24") -> Iterator[str]:
    """Start Xvfb and yield its name, such as ':3'."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", size, "-nolisten", "tcp"]
    server = subprocess.Popen(
        command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise RuntimeError("Xvfb did not start")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()
