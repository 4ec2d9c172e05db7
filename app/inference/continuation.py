"""An audio file's end made into a moment that the music can go on from. A thread of its own.

The engine needs seconds for it, in which the inference lane must go on planning: so it is done
beside it, at a lower priority where the system has one for threads. No Qt, no torch.
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
    """done is told the path and the moment, failed a sentence, both from that thread."""

    def __init__(
        self, done: Callable[[str, Snapshot], object], failed: Callable[[str], object]
    ) -> None:
        self._done, self._failed = done, failed
        self._newest = 0
        self._thread: threading.Thread | None = None

    def start(self, engine: Engine, path: str, seed: int) -> None:
        """Returns at once. What was started before and is not done yet is never told."""
        self._newest += 1
        number, earlier = self._newest, self._thread

        def work() -> None:
            if earlier is not None:
                earlier.join()
            if number == self._newest:
                self._work(engine, path, seed, number)

        self._thread = threading.Thread(target=work, name="continuing", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait for what is under way; it is not told any more."""
        self._newest += 1
        if self._thread is not None:
            self._thread.join()

    def _work(self, engine: Engine, path: str, seed: int, number: int) -> None:
        with contextlib.suppress(OSError, AttributeError):  # Linux has it for a single thread
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        sentence = ""
        try:
            moment = engine.snapshot_after(*load_ending(Path(path)), seed)
        except SegueError as error:
            sentence = str(error)
        except Exception as error:  # an engine may fail in any way
            sentence = f"{Path(path).name} could not be continued ({error}): choose another file."
        if number != self._newest:
            return
        if sentence:
            self._failed(sentence)
        else:
            self._done(path, moment)
