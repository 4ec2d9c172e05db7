"""Playback: inference worker, audio output and capture, opened and stopped together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from PySide6.QtCore import QTimer

from app.audio.input.settings import InputSettings
from app.audio.outputs.routes import routes_of
from app.audio.settings import AudioSettings
from app.control.score.output import ScoreOut
from app.control.score.settings import ScoreSettings
from app.interfaces import (
    CaptureProtocol,
    FollowProtocol,
    MemoryProtocol,
    OutputProtocol,
    WorkerProtocol,
)
from app.session.preferences import DEFAULT_INPUT, Preferences, round_trip_key
from models.engine.interface import Engine
from models.errors import SegueError

START_DELAY_MS: Final = 60
"""From the start of the event loop to the engine's loading: the window is drawn in between."""
PART_OUTPUTS: Final = "outputs"
SPARE_SECONDS: Final = 2.0
"""Seconds of plan that there must be before stems of the past are rendered."""


@dataclass
class Playback:
    """What makes and keeps the sound. `stop` ends all of it, in the right order."""

    worker: WorkerProtocol
    output: OutputProtocol
    capture: CaptureProtocol
    follow: FollowProtocol
    memory: MemoryProtocol
    stop: Callable[[], None]
    score: ScoreOut | None = None
    """Sends the notes that are heard to MIDI ports; None where there is no score."""


def audio_settings(preferences: Preferences) -> AudioSettings:
    """Audio settings that the preferences ask for."""
    heard = None
    if preferences.input_device:
        heard = InputSettings(
            None if preferences.input_device == DEFAULT_INPUT else preferences.input_device,
            preferences.input_channel,
            preferences.input_stereo,
            low_cut=preferences.input_low_cut,
            round_trip_ms=preferences.round_trips.get(round_trip_key(preferences)),
        )
    return AudioSettings(
        preferences.device, preferences.sample_rate, preferences.buffer_frames, heard,
        routes_of(preferences.part_outputs),
    )  # fmt: skip


def apply_audio(playback: Playback, preferences: Preferences) -> None:
    """Play as the preferences ask for; the music goes on."""
    settings = audio_settings(preferences)
    playback.worker.set_stems(bool(settings.parts), PART_OUTPUTS)
    playback.output.apply(settings)


def open_playback(
    engine: str, device: str, preferences: Preferences, report: Callable[[str, str], None]
) -> Playback:
    """Start audio process and capture; the engine loads once the window has been drawn.

    Args:
        engine: name of the engine, as for `models.open_engine`. Where one elsewhere cannot be
            reached, the default one plays.
        device: torch device, as for `models.open_engine`.
        preferences: audio device, sample rate and buffer; the engine that takes over.
        report: takes level and sentence of incidents, in other threads.

    Returns:
        The running playback; its `stop` must be called.

    """
    from app.audio.output import AudioOutput
    from app.inference.worker import Worker
    from app.recording.capture_thread import CaptureThread
    from app.recording.take.recorder import TakeSources
    from app.session.ears.ears import Ears
    from app.session.ears.follow_link import FollowLink
    from app.session.ears.memory_link import MemoryLink

    def load_engine() -> Engine:
        from models.registry import DEFAULT_ENGINE, ELSEWHERE, REMOTE, open_engine

        try:
            return open_engine(engine, device)
        except SegueError as error:
            if not engine.startswith((REMOTE, *ELSEWHERE)):
                raise
            instead = preferences.takeover or DEFAULT_ENGINE
            report("warning", f"{str(error).rstrip('.')}; {instead} plays instead.")
            return open_engine(instead, device)

    def load_local(name: str) -> Engine:
        from models.registry import open_engine

        return open_engine(name, device)

    stopping = threading.Event()

    def start() -> None:
        if not stopping.is_set():
            worker.start()

    output = AudioOutput(audio_settings(preferences))
    output.start()
    stand_in = None if not preferences.takeover else partial(load_local, preferences.takeover)
    worker = Worker(load_engine, output, stand_in=stand_in)
    worker.set_stems(bool(output.settings.parts), PART_OUTPUTS)
    sources = TakeSources(
        worker.scores, worker.stems, worker.set_stems, worker.renders, output.input,
        spare=lambda: not output.playing or output.status().plan_seconds > SPARE_SECONDS,
    )  # fmt: skip
    capture = CaptureThread(
        output, performance=worker.performance, on_incident=report, sources=sources
    )
    capture.start()
    ears = Ears(output.shared, report)
    follow = FollowLink(ears, worker.accompany, output.position_now)
    memory = MemoryLink(ears, output.input, worker.hear)
    score = ScoreOut(ScoreSettings(), worker.scores, output.status, output.score)
    # Loading holds the GIL for most of a second: the window is on the screen first.
    QTimer.singleShot(0, lambda: QTimer.singleShot(START_DELAY_MS, start))

    def stop() -> None:
        stopping.set()
        capture.cancel_stems()
        ears.stop()
        score.stop()
        worker.stop()
        # An engine in the middle of loading cannot be interrupted; a block takes a fraction of it.
        worker.wait(30_000)
        capture.stop()
        output.stop()

    return Playback(worker, output, capture, follow, memory, stop, score)
