"""Listener to the input: a thread that hears what comes in while somebody wants it.

Neither the window nor the audio callback waits for it, and whatever comes in, the music goes on.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Final

from app.audio.input.history import InputHistory

IDLE: Final = 0.2
"""Seconds between two looks whether somebody wants it."""


class InputListener(ABC):
    """Listener that costs nothing while nobody wants it; its thread begins at the first `wake`.

    Args:
        input: the input's ring.
        report: takes level and sentence, in the listener's thread.

    """

    NAME: ClassVar[str]
    EVERY: ClassVar[float]
    """Seconds between two looks at the input."""

    def __init__(self, input: InputHistory, report: Callable[[str, str], object]) -> None:
        self.input = input
        self._report = report
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def wake(self, wanted: bool) -> None:
        """Look at once, since something was set; any thread."""
        if wanted and self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self.NAME, daemon=True)
            self._thread.start()
        self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    @abstractmethod
    def wanted(self) -> bool:
        """Whether somebody wants what comes in."""

    @abstractmethod
    def listen(self) -> None:
        """Hear what has come in since the last time."""

    @abstractmethod
    def _rest(self) -> None:
        """Forget what was heard."""

    def _run(self) -> None:
        while not self._stopping:
            active = self.input.running and self.wanted()
            self._wake.wait(self.EVERY if active else IDLE)
            self._wake.clear()
            try:
                self.listen() if active else self._rest()
            except Exception as error:  # whatever comes in, the music goes on
                self._rest()
                sentence = f"{self.NAME.capitalize()} lost the thread ({error}): it listens afresh."
                self._report("warning", sentence)
