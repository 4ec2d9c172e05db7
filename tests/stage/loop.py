"""The event loop and the pictures, measured from inside the GUI thread. Test lane."""

from __future__ import annotations

import faulthandler
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, QTimer

BEAT_MS: Final = 5


class Heartbeat(QObject):
    """A timer that beats every 5 ms: what lies between two beats is a gap in the event loop.

    `gaps` in milliseconds beyond the beat. With `watch`, the stacks of all threads are written to
    standard error when a beat is so many seconds late, to say what they were at.
    """

    def __init__(self, watch: float | None = None) -> None:
        super().__init__()
        self.gaps: list[tuple[float, float]] = []  # (when, milliseconds) of those over 20 ms
        self.worst = 0.0
        self.beats = 0
        self._last = 0.0
        self._began = time.monotonic()
        self._watch = watch
        self._file = sys.stderr
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self._last = time.monotonic()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()
        faulthandler.cancel_dump_traceback_later()

    def reset(self) -> None:
        """Forget what was so far."""
        self.gaps.clear()
        self.worst, self.beats, self._last = 0.0, 0, time.monotonic()
        self._began = self._last

    def _beat(self) -> None:
        now = time.monotonic()
        gap = 1e3 * (now - self._last) - BEAT_MS
        self._last = now
        self.beats += 1
        self.worst = max(self.worst, gap)
        if gap > 20.0:
            self.gaps.append((round(now - self._began, 2), round(gap, 1)))
        if self._watch is not None:
            # A thread that looks at the main thread's frames would keep painters alive in them.
            faulthandler.dump_traceback_later(self._watch, file=self._file)


class Pictures:
    """Counts the spectrogram's paint events and the processor time of drawing it."""

    def __init__(self, kind: type[Any]) -> None:
        """kind: the Spectrogram class, before any is made: Qt looks for paintEvent only once."""
        self.painted = 0
        self.seconds = 0.0
        self.when: list[float] = []
        for name in ("frame", "paintEvent"):
            setattr(kind, name, self._timed(getattr(kind, name), name == "paintEvent"))

    def _timed(self, method: Callable[..., Any], counts: bool) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            before = time.thread_time()
            try:
                return method(*arguments)
            finally:
                self.seconds += time.thread_time() - before
                if counts:
                    self.painted += 1
                    self.when.append(time.monotonic())

        return timed

    def reset(self) -> None:
        self.painted, self.seconds = 0, 0.0
        self.when.clear()
