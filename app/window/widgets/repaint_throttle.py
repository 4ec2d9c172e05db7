"""Painting of what others move: few widgets at a time, each at most 30 times a second. GUI lane.

One fader changes every prompt's share, and with it the look of every strip. Painted at once they
held the GUI lane for longer than a MIDI message may wait; here they take turns, and between two
turns whatever has come in is handled. What is shown is always the newest; only the painting waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from PySide6.QtCore import QObject, QTimer

TURN_MS: Final = 6
AT_ONCE: Final = 1
"""Widgets that are painted in one turn."""
REST: Final = 1.0 / 30.0 - TURN_MS / 2000.0
"""Seconds between two paintings of the same widget, less half a turn: turns are no finer."""


class ThrottledWidget(Protocol):
    """What can be asked to paint itself again."""

    def refresh(self) -> None: ...


class RepaintThrottle(QObject):
    """Call `want` for whatever should be painted soon. clock: seconds, for tests."""

    def __init__(
        self, parent: QObject | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(parent)
        self._clock = clock
        self._waiting: dict[ThrottledWidget, None] = {}  # in the order of their asking
        self._painted: dict[ThrottledWidget, float] = {}
        self._closed = False
        self._timer = QTimer(self)
        self._timer.setInterval(TURN_MS)
        self._timer.timeout.connect(self.turn)

    def want(self, widget: ThrottledWidget) -> None:
        """Paint it in one of the next turns; asking again before that changes nothing."""
        if self._closed:
            return
        self._waiting.setdefault(widget)
        if not self._timer.isActive():
            self._timer.start()

    def turn(self) -> None:
        """Paint those that have waited longest, of those that had their rest."""
        now = self._clock()
        due = [w for w in self._waiting if now - self._painted.get(w, -1.0) >= REST][:AT_ONCE]
        for widget in due:
            del self._waiting[widget]
            self._painted[widget] = now
            widget.refresh()
        if not self._waiting:
            self._timer.stop()

    def stop(self) -> None:
        """The window closes: no more turns."""
        self._closed = True
        self._waiting.clear()
        self._timer.stop()
