"""Continuation of an audio file: its end encoded into a snapshot, in a thread of its own.

Encoding takes seconds, in which the inference thread must go on planning; so it runs beside it, at
a lower priority where the system has one for threads.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from models.engine.interface import Engine, Snapshot
from models.engine.prompts import load_ending
from models.errors import SegueError

NICENESS: Final = 5


class AudioContinuation:
    """Encoder of audio files. The newest request wins.

    done is called with the path and the snapshot, failed with a sentence, both from the thread.
    """

    def __init__(
        self, done: Callable[[str, Snapshot], object], failed: Callable[[str], object]
    ) -> None:
        self._done, self._failed = done, failed
        self._newest = 0
        self._thread: threading.Thread | None = None

    def start(self, engine: Engine, path: str, seed: int) -> None:
        """Encode a file; returns at once. Results of earlier requests are dropped."""
        self._newest += 1
        number, earlier = self._newest, self._thread

        def work() -> None:
            if earlier is not None:
                earlier.join()
            if number == self._newest:
                self._encode(engine, path, seed, number)

        self._thread = threading.Thread(target=work, name="continuation", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait for the thread and drop its result."""
        self._newest += 1
        if self._thread is not None:
            self._thread.join()

    def _encode(self, engine: Engine, path: str, seed: int, number: int) -> None:
        with contextlib.suppress(OSError, AttributeError):  # Linux has it for a single thread
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        sentence = ""
        try:
            snapshot = engine.snapshot_after(*load_ending(Path(path)), seed)
        except SegueError as error:
            sentence = str(error)
        except Exception as error:  # an engine may fail in any way
            sentence = f"{Path(path).name} could not be continued ({error}): choose another file."
        if number != self._newest:
            return
        if sentence:
            self._failed(sentence)
        else:
            self._done(path, snapshot)
