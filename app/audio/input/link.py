"""Link to the input's process: the instrument's side of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio.input import process
from app.audio.input.settings import InputSettings
from app.audio.processes.body import EXIT_HUNG
from app.audio.processes.child import ChildProcess
from app.audio.shared_memory import INPUT_RUNNING, Layout

RETRY_SECONDS: Final = 2.0
"""Seconds between the process's end and its next start."""
AGAIN: Final = "the process of the input ended: it is started again. The music goes on."
FAILED: Final = "nothing comes in ({}): end other programs. The music goes on."


class InputLink:
    """Starts the process where there is an input, and again where it dies.

    `choose` may be called from any thread; `watch` and `end` are for the watching thread.

    Args:
        shared: name and layout of the shared memory.
        words: its words.
        say: takes level and sentence, in the watching thread.

    """

    def __init__(
        self,
        shared: tuple[str, Layout],
        words: NDArray[np.int64],
        say: Callable[[str, str], object],
    ) -> None:
        self._shared, self._words, self._say = shared, words, say
        self._process = ChildProcess("segue input", process.run)
        self._wanted: tuple[InputSettings | None, int] = (None, 0)
        self._changed = False
        self._retry_at = 0.0

    @property
    def pid(self) -> int | None:
        """Process id, for diagnosis; None where there is no input."""
        return self._process.pid

    def choose(self, settings: InputSettings | None, buffer_frames: int) -> None:
        """Listen to an input, or to none. It is opened again even where nothing has changed."""
        self._wanted, self._changed = (settings, buffer_frames), True

    def watch(self) -> None:
        """Do what was chosen, take the process's sentences, start it again where it has died."""
        changed, self._changed = self._changed, False
        settings, buffer_frames = self._wanted
        if settings is None:
            self.end()
            return
        self._take_sentences()
        if self._process.alive:
            if changed:
                self._process.send(("open", settings, buffer_frames))
            return
        if self._process.pid is not None:
            hung = self._process.exit_code == EXIT_HUNG
            self._release()
            self._retry_at = time.monotonic() + (0.0 if hung else RETRY_SECONDS)
            self._say("warning", AGAIN)
        if changed or time.monotonic() >= self._retry_at:
            self._start(settings, buffer_frames)

    def end(self) -> None:
        """End the process, where there is one."""
        if self._process.pid is not None:
            self._process.end(("stop",))
            self._release()

    def _take_sentences(self) -> None:
        try:
            while self._process.poll():
                message = self._process.receive()
                assert isinstance(message, tuple)
                self._say(*message)
        except (EOFError, OSError):
            pass  # it has died

    def _start(self, settings: InputSettings, buffer_frames: int) -> None:
        try:
            self._process.start(*self._shared, settings, buffer_frames)
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._say("warning", FAILED.format(error.strerror or error))

    def _release(self) -> None:
        self._process.release()
        self._words[INPUT_RUNNING] = 0
