"""Alignment of the MIDI clock that is sent with the beats that are audible."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, QTimer

from app.control.hub import ControlHub
from app.inference.messages import BlockReport
from models.music.score import SAMPLE_RATE

INTERVAL_MS: Final = 400


class ClockAlignment(QObject):
    """Moves the clock onto the next bar line, a few times a second.

    beat: is told, too, when a bar is heard (time.monotonic), and the tempo. next_bar: frame of
    the next bar line in the plan, None where it is not known. playhead: frame that is audible now.
    """

    def __init__(
        self,
        hub: ControlHub,
        beat: Callable[[float, float], object],
        next_bar: Callable[[], int | None],
        playhead: Callable[[], float],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._hub, self._beat, self._next_bar, self._playhead = hub, beat, next_bar, playhead
        self._bpm: float | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._align)
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def receive(self, report: BlockReport) -> None:
        """Take the model's tempo from the score of a generated block."""
        if report.score is not None and report.score.tempo is not None:
            self._bpm = report.score.tempo

    def _align(self) -> None:
        if not self._hub.registry.get("transport.play"):
            return
        bar = self._next_bar()
        if bar is not None and self._bpm is not None:
            ahead = (bar - self._playhead()) / SAMPLE_RATE
            when = time.monotonic() + ahead
            if self._hub.settings.clock == "send":
                self._hub.beat(when, self._bpm)
            self._beat(when, self._bpm)
