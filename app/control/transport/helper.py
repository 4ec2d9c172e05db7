"""Helper process: started with a script, speaks with it in lines of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from models.errors import SegueError

HERE: Final = Path(__file__).parent
END_SECONDS: Final = 2.0
LINK_PYTHON: Final = "SEGUE_LINK_PYTHON"
"""Names the Python that has LinkPython, where that is not Segue's own."""


class HelperProcess:
    """A running helper. Its methods return at once, but for `stop`.

    reports: what it has said, in the order of its coming.
    """

    def __init__(self, script: str, words: Sequence[str] = (), python: str = "") -> None:
        """Start a script of this folder.

        Raises:
            SegueError: it cannot be started.

        """
        if not python and getattr(sys, "frozen", False):
            raise SegueError(
                "JACK's transport and Ableton Link run from Segue's sources, not from a package "
                f"for download; for Link {LINK_PYTHON} may name a Python."
            )
        self.reports: deque[Mapping[str, object]] = deque(maxlen=1000)
        command = [python or sys.executable, "-u", str(HERE / script), *words]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True,
            )  # fmt: skip
        except OSError as error:
            raise SegueError(f"{command[0]} cannot be started ({error.strerror}).") from None
        self._thread = threading.Thread(target=self._read, name=script, daemon=True)
        self._thread.start()

    def send(self, words: Mapping[str, object]) -> None:
        """Send a line; lost where the helper has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(words) + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """End the helper."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join(END_SECONDS)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                words = json.loads(line)
                if isinstance(words, dict):
                    self.reports.append(words)


def start_helper(mode: str) -> HelperProcess:
    """The helper of a mode. SegueError where it cannot be started."""
    if mode == "link":
        return HelperProcess("link_helper.py", python=os.environ.get(LINK_PYTHON, ""))
    return HelperProcess("jack_helper.py", [mode.removeprefix("jack_")])
