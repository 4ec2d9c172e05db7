"""Thread pool for blocking work such as reading and writing files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

DEFAULT_PEAKS: Final = 160
Result = TypeVar("Result")
Value = TypeVar("Value")


class _Signals(QObject):
    done = Signal(object)
    failed = Signal(str)


class _Job(QRunnable):
    def __init__(self, work: Callable[[], object], signals: _Signals) -> None:
        super().__init__()
        self._work, self._signals = work, signals

    def run(self) -> None:
        try:
            result = self._work()
        except Exception as error:
            # Whatever it is, it becomes a message and the music goes on.
            self._signals.failed.emit(str(error) or type(error).__name__)
        else:
            self._signals.done.emit(result)


class Jobs(QObject):
    """Pool of one thread; the callbacks run in the GUI thread, in the order of the jobs."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._alive: set[_Signals] = set()

    def start(
        self,
        work: Callable[[], Result],
        done: Callable[[Result], object],
        failed: Callable[[str], object],
    ) -> None:
        """Queue `work`; then `done` gets its result, or `failed` the text of its exception."""
        signals = _Signals()
        self._alive.add(signals)

        def finish(callback: Callable[[Value], object], value: Value) -> None:
            self._alive.discard(signals)
            callback(value)

        signals.done.connect(lambda value: finish(done, value))
        signals.failed.connect(lambda sentence: finish(failed, sentence))
        self._pool.start(_Job(work, signals))

    def wait(self, milliseconds: int = 10_000) -> bool:
        """Wait until all jobs have run; False after the timeout."""
        return self._pool.waitForDone(milliseconds)


def sound_outline(path: str, count: int = DEFAULT_PEAKS) -> list[float]:
    """Waveform outline of a sound prompt: `count` peaks 0..1, scaled to their maximum.

    Raises SegueError where the file cannot be read. It is read in one piece, because libsndfile's
    MP3 decoder returns zeros for reads of a few thousand frames.
    """
    from models.engine.prompts import load_audio

    samples, _ = load_audio(Path(path))
    envelope = np.abs(samples).max(axis=1)
    peaks = [float(part.max(initial=0.0)) for part in np.array_split(envelope, count)]
    maximum = max(peaks)
    return [peak / maximum for peak in peaks] if maximum > 0.0 else peaks
