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

INTERVAL_MS: Final = 6
WIDGETS_PER_TICK: Final = 1
"""Widgets that are painted in one turn."""
MIN_REPAINT_SECONDS: Final = 1.0 / 30.0 - INTERVAL_MS / 2000.0
"""Seconds between two paintings of the same widget, less half a turn: turns are no finer."""


class ThrottledWidget(Protocol):
    """What can be asked to paint itself again."""

    def refresh(self) -> None: ...


class RepaintThrottle(QObject):
    """Call `request` for whatever should be painted soon. clock: seconds, for tests."""

    def __init__(
        self, parent: QObject | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(parent)
        self._clock = clock
        self._pending: dict[ThrottledWidget, None] = {}  # in the order of their asking
        self._painted_at: dict[ThrottledWidget, float] = {}
        self._closed = False
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.tick)

    def request(self, widget: ThrottledWidget) -> None:
        """Paint it in one of the next turns; asking again before that changes nothing."""
        if self._closed:
            return
        self._pending.setdefault(widget)
        if not self._timer.isActive():
            self._timer.start()

    def tick(self) -> None:
        """Paint those that have waited longest, of those that had their rest."""
        now = self._clock()
        due = [
            w for w in self._pending if now - self._painted_at.get(w, -1.0) >= MIN_REPAINT_SECONDS
        ][:WIDGETS_PER_TICK]
        for widget in due:
            del self._pending[widget]
            self._painted_at[widget] = now
            widget.refresh()
        if not self._pending:
            self._timer.stop()

    def stop(self) -> None:
        """The window closes: no more turns."""
        self._closed = True
        self._pending.clear()
        self._timer.stop()
