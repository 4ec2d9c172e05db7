"""Learn mode: choose a target, move a control, and on to the next. GUI lane; pure.

While it is on nothing that is moved reaches the music, so that learning can be done on stage. With
a list of targets the next one waits as soon as one has been learned; the control that has just
been learned may go on moving for a while without being taken for the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.control.midi.detection import ControlDetector, DetectedControl, Key, key_of
from app.control.midi.message import Message

SETTLE_SECONDS: Final = 0.8
"""Seconds without a message after which the control learned last may be learned again."""


@dataclass(frozen=True)
class LearnResult:
    """What was learned: a target, and the port and control that is to move it."""

    target: str
    port: str
    control: DetectedControl


class LearnMode:
    """Off until `begin`. `target` is what waits for a control."""

    def __init__(self) -> None:
        self.on = False
        self.target: str | None = None
        self._queue: list[str] = []
        self._detectors: dict[str, ControlDetector] = {}
        self._learned_at: dict[tuple[str, Key], float] = {}

    def begin(self, targets: Sequence[str] = ()) -> None:
        """Switch on; `targets` are learned one after the other."""
        self.on = True
        self._queue = list(targets)
        self._learned_at.clear()
        self._next()

    def end(self) -> None:
        self.on = False
        self.target = None
        self._queue = []
        self._detectors.clear()

    def choose(self, target: str | None) -> None:
        """This one next; the rest of a list is forgotten."""
        self._queue = []
        self.target = target
        self._detectors.clear()

    def skip(self) -> None:
        """On to the next of the list."""
        self._next()

    @property
    def left(self) -> int:
        """Targets that still wait after the present one."""
        return len(self._queue)

    def _next(self) -> None:
        self.target = self._queue.pop(0) if self._queue else None
        self._detectors.clear()

    def receive(self, port: str, message: Message, now: float) -> None:
        """Something moved."""
        key = key_of(message)
        if not self.on or key is None:
            return
        last = self._learned_at.get((port, key))
        if last is not None:
            if now - last < SETTLE_SECONDS:
                self._learned_at[port, key] = now
                return
            del self._learned_at[port, key]
        if self.target is not None:
            self._detectors.setdefault(port, ControlDetector()).add(message, now)

    def poll(self, now: float) -> LearnResult | None:
        """A lesson once a control is known; to be asked a few times a second."""
        if self.target is None:
            return None
        for port, detector in self._detectors.items():
            control = detector.detect(now)
            if control is None:
                continue
            lesson = LearnResult(self.target, port, control)
            for key in detector.arrived:
                self._learned_at[port, key] = now
            self._next()
            return lesson
        return None
