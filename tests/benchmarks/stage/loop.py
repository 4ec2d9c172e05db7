"""Delays of the event loop and cost of the spectrogram, measured inside the GUI thread."""

from __future__ import annotations

import faulthandler
import gc
import os
import sys
import threading
import time
from array import array
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, QTimer

BEAT_MS: Final = 5
LONG_MS: Final = 10.0
"""A garbage collection that a player could feel."""


class Heartbeat(QObject):
    """Timer of 5 ms that measures gaps in the event loop.

    own: processor milliseconds of the GUI thread between two beats. gaps: see below; `queued` is
    time in the scheduler's queue, also of the inference thread (`inference`: its id), which may
    hold the GIL there. watch: write the stacks of all threads to standard error when a beat is this
    many seconds late.
    """

    def __init__(self, watch: float | None = None) -> None:
        super().__init__()
        self.gaps: list[tuple[float, float, float, float, float]] = []
        # (time, milliseconds, own, queued, inference queued) of those over 20 ms
        self.inference = 0
        self.own = array("f")  # compact: 200 a second, for an hour
        self.worst = 0.0
        self.beats = 0
        self._last = 0.0
        self._own, self._queued, self._other = 0.0, 0.0, 0.0
        self._began = time.monotonic()
        self._watch = watch
        self.collections = Collections()
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
        """Restart the measurement."""
        self.gaps.clear()
        del self.own[:]
        self.collections.reset()
        self._own, self._queued = time.thread_time(), queued_seconds()
        self._other = queued_seconds(self.inference)
        self.worst, self.beats, self._last = 0.0, 0, time.monotonic()
        self._began = self._last

    def _beat(self) -> None:
        now = time.monotonic()
        gap = 1e3 * (now - self._last) - BEAT_MS
        self._last = now
        self.beats += 1
        self.worst = max(self.worst, gap)
        own, queued, other = time.thread_time(), queued_seconds(), queued_seconds(self.inference)
        worked = 1e3 * (own - self._own)
        self.own.append(worked)
        if gap > 20.0:
            stood, others = 1e3 * (queued - self._queued), 1e3 * (other - self._other)
            what = (now - self._began, gap, worked, stood, others)
            self.gaps.append(tuple(round(figure, 2) for figure in what))  # type: ignore[arg-type]
            if self._watch is not None and gap > 1e3 * self._watch:
                words = f"late by {gap:.0f} ms: {worked:.0f} own, {stood:.0f} in the queue"
                print(words, file=self._file, flush=True)
        self._own, self._queued, self._other = own, queued, other
        if self._watch is not None and self.inference:
            # A Python thread that inspects the main thread's frames would keep painters alive.
            faulthandler.dump_traceback_later(self._watch, file=self._file)


class Collections:
    """Pauses of the garbage collector, which stop every Python thread."""

    def __init__(self) -> None:
        self.pauses: list[tuple[int, float, int]] = []  # (generation, milliseconds, collected)
        self.longest: list[tuple[float, float, int, str, str]] = []
        # (time, milliseconds by the clock, generation, thread, place) of those over LONG_MS
        self._began, self._clock = 0.0, 0.0
        gc.callbacks.append(self._callback)

    def _callback(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began, self._clock = time.thread_time(), time.monotonic()
        else:
            pause = 1e3 * (time.thread_time() - self._began)
            self.pauses.append((info["generation"], round(pause, 2), info["collected"]))
            if pause > LONG_MS:
                thread = threading.current_thread().name
                where = place()
                self.longest.append(
                    (self._clock, round(pause, 1), info["generation"], thread, where)
                )

    def reset(self) -> None:
        self.pauses.clear()
        self.longest.clear()

    def summary(self, began: float) -> dict[str, Any]:
        """By generation: pauses, the longest in milliseconds, objects collected; the longest."""
        found: dict[str, Any] = {}
        for generation in range(3):
            pauses = [p for p in self.pauses if p[0] == generation]
            worst = max((p[1] for p in pauses), default=0.0)
            found[f"generation_{generation}"] = [len(pauses), worst, sum(p[2] for p in pauses)]
        found["longest"] = [
            (round(at - began, 2), *rest)
            for at, *rest in sorted(self.longest, key=lambda pause: -pause[1])[:12]
        ]
        return found


def place() -> str:
    """Lines that this thread is at, from the innermost, as names and numbers."""
    frame: FrameType | None = sys._getframe()
    found: list[str] = []
    while frame is not None and len(found) < 7:
        code = frame.f_code
        found.append(f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return " < ".join(found[2:])


def queued_seconds(thread: int = 0) -> float:
    """Seconds that a thread (0: this one) has waited in the scheduler's queue; nan if unknown."""
    try:
        return int(os.pread(_counter(thread or threading.get_native_id()), 64, 0).split()[1]) * 1e-9
    except (OSError, ValueError, IndexError):
        return float("nan")


@cache
def _counter(thread: int) -> int:
    """Open schedstat file, held for the life of the process, as opening it takes long."""
    return os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY)


class PaintCounter:
    """Paint events of the spectrogram and processor time of drawing it."""

    def __init__(self, kind: type[Any]) -> None:
        """kind: the view's class, before an instance exists: Qt looks paintEvent up only once."""
        self.painted = 0
        self.seconds = 0.0
        self.when = array("d")
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
        del self.when[:]
