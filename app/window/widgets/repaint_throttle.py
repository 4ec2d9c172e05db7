"""Throttle for repaints that are caused by MIDI, OSC or a morph.

One fader changes every prompt's share, and so the appearance of every strip. Repainting all strips
at once would block the GUI thread for too long; here one widget is repainted per tick, and incoming
MIDI is handled in between. A repaint always shows the newest values.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS: Final = 6
WIDGETS_PER_TICK: Final = 1
"""Widgets repainted per tick."""
MIN_REPAINT_SECONDS: Final = 1.0 / 30.0 - INTERVAL_MS / 2000.0
"""Seconds between two repaints of a widget (30 a second), less half a tick for rounding."""


class ThrottledWidget(Protocol):
    """Widget that can be repainted on request."""

    def refresh(self) -> None: ...


class RepaintThrottle(QObject):
    """Queue of widgets to repaint, each at most 30 times a second. `clock`: seconds."""

    def __init__(
        self, parent: QObject | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(parent)
        self._clock = clock
        self._pending: dict[ThrottledWidget, None] = {}  # in order of request
        self._painted_at: dict[ThrottledWidget, float] = {}
        self._closed = False
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.tick)

    def request(self, widget: ThrottledWidget) -> None:
        """Queue a repaint; a widget that is already queued keeps its place."""
        if self._closed:
            return
        self._pending.setdefault(widget)
        if not self._timer.isActive():
            self._timer.start()

    def tick(self) -> None:
        """Repaint the widget that has waited longest, of those that are due."""
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
        """Drop all requests, now and later (the window closes)."""
        self._closed = True
        self._pending.clear()
        self._timer.stop()
