"""Work that must not hold up the GUI lane: files read or written in a thread pool. GUI lane."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

DEFAULT_PEAKS = 160


class _Signals(QObject):
    done = Signal(object)
    failed = Signal(str)


class _Job(QRunnable):
    def __init__(self, work: Callable[[], Any], signals: _Signals) -> None:
        super().__init__()
        self._work, self._signals = work, signals

    def run(self) -> None:
        try:
            result = self._work()
        except Exception as error:
            # Whatever it was, the performer is told in a sentence and the music goes on.
            self._signals.failed.emit(str(error) or type(error).__name__)
        else:
            self._signals.done.emit(result)


class Jobs(QObject):
    """A pool of one thread; answers come back in the GUI lane."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._alive: set[_Signals] = set()

    def start(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
    ) -> None:
        signals = _Signals()
        self._alive.add(signals)

        def deliver(callback: Callable[[Any], None], value: Any) -> None:
            self._alive.discard(signals)
            callback(value)

        signals.done.connect(lambda value: deliver(done, value))
        signals.failed.connect(lambda sentence: deliver(failed, sentence))
        self._pool.start(_Job(work, signals))

    def wait(self, milliseconds: int = 10_000) -> bool:
        """Until all work is done (the window closes: a capture must be written out)."""
        return self._pool.waitForDone(milliseconds)


def sound_outline(path: str, count: int = DEFAULT_PEAKS) -> list[float]:
    """The outline of what a sound prompt hears, `count` peaks 0..1, for a little waveform.

    Raises SegueError where the file is no such sound. Read in one piece: libsndfile's MP3 decoder
    gives zeros where it is asked for a few thousand frames at a time.
    """
    from models.engine.prompts import load_audio

    samples, _ = load_audio(Path(path))
    envelope = np.abs(samples).max(axis=1)
    peaks = [float(part.max(initial=0.0)) for part in np.array_split(envelope, count)]
    maximum = max(peaks)
    return [peak / maximum for peak in peaks] if maximum > 0.0 else peaks
