"""What makes the sound, as the window holds it: worker, output, keeper. GUI lane.

The parts are those of `app.inference.worker`, `app.audio` and `app.recording`; a test puts others
in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from PySide6.QtCore import QTimer

from app.audio.settings import AudioSettings
from app.live_controller import WorkerProtocol
from app.session.preferences import Preferences
from app.window.recordings import CaptureProtocol

AFTER_WINDOW_MS: Final = 60


class OutputProtocol(Protocol):
    """What the window needs of `app.audio.output.AudioOutput`."""

    on_event: Callable[[Any], None] | None

    def status(self) -> Any: ...
    def position_now(self) -> float: ...
    def set_volume(self, volume: float) -> None: ...
    def devices(self, rescan: bool = False) -> Sequence[Any]: ...
    def apply(self, settings: AudioSettings) -> None: ...


@dataclass
class Playback:
    """`stop` ends all of it, in the right order."""

    worker: WorkerProtocol
    output: OutputProtocol
    capture_thread: CaptureProtocol
    stop: Callable[[], None]


def audio_settings(preferences: Preferences) -> AudioSettings:
    return AudioSettings(preferences.device, preferences.sample_rate, preferences.buffer_frames)


def open_playback(
    engine: str, device: str, preferences: Preferences, say: Callable[[str, str], None]
) -> Playback:
    """The real one: audio process, inference thread, sound keeper.

    The engine loads in its lane, once the event loop runs and the window has been drawn.
    `say` is told of incidents of the keeper, from its thread.
    """
    from app.audio.output import AudioOutput
    from app.inference.worker import Worker
    from app.recording.capture_thread import CaptureThread

    def open_it() -> Any:
        from models.registry import open_engine

        return open_engine(engine, device)

    stopping = threading.Event()

    def start() -> None:
        if not stopping.is_set():
            worker.start()

    output = AudioOutput(audio_settings(preferences))
    output.start()
    worker = Worker(open_it, output)
    capture_thread = CaptureThread(output, performance=worker.performance, on_incident=say)
    capture_thread.start()
    # Loading holds Python's lock for most of a second: the window is on the screen first.
    QTimer.singleShot(0, lambda: QTimer.singleShot(AFTER_WINDOW_MS, start))

    def stop() -> None:
        stopping.set()
        worker.stop()
        # An engine in the middle of loading cannot be interrupted; a block takes a fraction of it.
        worker.wait(30_000)
        capture_thread.stop()
        output.stop()

    return Playback(worker, output, capture_thread, stop)
