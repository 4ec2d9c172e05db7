"""Learn mode: choose a target, move a control, and on to the next.

While it is on, nothing that is moved is played. With a list of targets, the next one waits as soon
as one was learned; the control learned last may go on moving for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.control.midi.detection import (
    LSB_OFFSET,
    ControlDetector,
    DetectedControl,
    Key,
    key_of,
)
from app.control.midi.message import Message

SETTLE_SECONDS: Final = 0.8
"""Seconds without a message after which the control learned last may be learned again, for a target
that was chosen by hand."""


@dataclass(frozen=True)
class LearnResult:
    """What was learned: a target, and the port and control that are to move it."""

    target: str
    port: str
    control: DetectedControl


class LearnMode:
    """Learn mode; off until `begin`. `target` is the one that waits for a control."""

    def __init__(self) -> None:
        self.on = False
        self.target: str | None = None
        self._queue: list[str] = []
        self._listed = False
        self._detectors: dict[str, ControlDetector] = {}
        self._learned_at: dict[tuple[str, Key], float] = {}

    def begin(self, targets: Sequence[str] = ()) -> None:
        """Switch on; `targets` are learned one after the other."""
        self.on = True
        self._queue = list(targets)
        self._listed = len(targets) > 1
        self._learned_at.clear()
        self._next()

    def end(self) -> None:
        self.on = False
        self.target = None
        self._queue = []
        self._detectors.clear()

    def choose(self, target: str | None) -> None:
        """Learn this target next, and drop the rest of a list."""
        self._queue = []
        self._listed = False
        self.target = target
        self._detectors.clear()

    def skip(self) -> None:
        """Go on to the next of the list."""
        self._next()

    @property
    def left(self) -> int:
        """Number of targets that wait after the present one."""
        return len(self._queue)

    def _next(self) -> None:
        self.target = self._queue.pop(0) if self._queue else None
        self._detectors.clear()

    def receive(self, port: str, message: Message, now: float) -> None:
        """Collect a message of a control."""
        key = key_of(message)
        if not self.on or key is None:
            return
        last = self._learned_at.get((port, key))
        if last is not None:
            # In a list, each target has its own control: to try the last one does not map it again.
            if self._listed or now - last < SETTLE_SECONDS:
                self._learned_at[port, key] = now
                return
            del self._learned_at[port, key]
        if self.target is not None:
            self._detectors.setdefault(port, ControlDetector()).add(message, now)

    def poll(self, now: float) -> LearnResult | None:
        """The result once a control is detected; call it several times a second."""
        if self.target is None:
            return None
        for port, detector in self._detectors.items():
            control = detector.detect(now)
            if control is None:
                continue
            lesson = LearnResult(self.target, port, control)
            keys = set(detector.arrived)
            if control.kind == "knob14" and control.number is not None:
                # The half that has not come yet belongs to it too.
                keys |= {("cc", control.channel, control.number + half) for half in (0, LSB_OFFSET)}
            for key in keys:
                self._learned_at[port, key] = now
            self._next()
            return lesson
        return None
