"""Protocols between the window and what plays: worker, output, capture. A test puts others in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import SignalInstance

from app.audio.input.history import InputHistory, Samples
from app.audio.input.loopback import RoundTrip
from app.audio.settings import AudioDevice, AudioEvent, AudioSettings, AudioStatus
from app.performance.moment import Moment
from app.recording.recorder import RecordingResult, RecordingStatus
from app.session.follow_send import FollowSettings
from models.engine.controls import Controls
from models.engine.prompts import Prompt


class WorkerProtocol(Protocol):
    """Inference worker as the GUI thread sees it; `app.inference.worker.Worker` documents it."""

    engine_ready: SignalInstance
    engine_failed: SignalInstance
    block_ready: SignalInstance
    plan_rewritten: SignalInstance
    status_changed: SignalInstance
    incident: SignalInstance
    style_ready: SignalInstance
    style_failed: SignalInstance
    marked: SignalInstance
    moment_ready: SignalInstance
    continued: SignalInstance
    style_terms: SignalInstance

    def submit(
        self,
        controls: Controls,
        prompts: Sequence[Prompt] = (),
        *,
        mark: str = "",
        at: int | None = None,
    ) -> None: ...
    def embed_text(self, key: str, text: str) -> None: ...
    def embed_audio(self, key: str, source: str | Callable[[], Samples]) -> None: ...
    def replan(self) -> None: ...
    def play(self) -> None: ...
    def pause(self) -> None: ...
    def hold(self, on: bool) -> None: ...
    def clear(self) -> None: ...
    def panic(self) -> None: ...
    def go_to(self, position: int) -> None: ...
    def request_moment(self, key: str) -> None: ...
    def go_to_moment(self, moment: Moment) -> None: ...
    def continue_from(self, path: str) -> None: ...
    def new_performance(self, seed: int) -> None: ...
    def set_plan_seconds(self, seconds: float) -> None: ...
    def next_bar(self) -> int | None: ...


class OutputProtocol(Protocol):
    """Audio output as the GUI thread sees it; `app.audio.output.AudioOutput` documents it."""

    on_event: Callable[[AudioEvent], None] | None
    input: InputHistory

    def status(self) -> AudioStatus: ...
    def position_now(self) -> float: ...
    def set_volume(self, volume: float) -> None: ...
    def devices(self, rescan: bool = False) -> Sequence[AudioDevice]: ...
    def inputs(self) -> Sequence[AudioDevice]: ...
    def set_input_levels(self, gain: float, gate: float, monitor: float) -> None: ...
    def measure_round_trip(self) -> RoundTrip: ...
    def apply(self, settings: AudioSettings) -> None: ...


class FollowProtocol(Protocol):
    """Ears beside the stream; `app.session.follow_thread.FollowThread` documents it."""

    def configure(
        self, settings: FollowSettings, block_frames: int, frozen: bool = False
    ) -> None: ...
    def words(self) -> str: ...


class MemoryProtocol(Protocol):
    """What comes in, written down; `app.session.memory_thread.MemoryThread` documents it."""

    def configure(self, amount: float, frozen: bool, echo: float = 0.0) -> None: ...
    def notes_since(self, clock: int) -> list[tuple[int, float]]: ...


class PastStemsProtocol(Protocol):
    """Stems of a saved take as they are rendered; `app.recording.take.past_stems` documents it."""

    folder: Path
    done: float


class CaptureProtocol(Protocol):
    """Recorder and capture; `app.recording.capture_thread.CaptureThread` documents it."""

    def record(self, path: Path | str, *, subtype: str | None = None) -> None: ...
    def record_take(
        self, folder: Path | str, *, suffix: str = "wav", stems: bool = True
    ) -> None: ...
    def stop_recording(self) -> RecordingResult | None: ...
    @property
    def recording(self) -> RecordingStatus | None: ...
    def capture_range(self) -> tuple[int, int]: ...
    def save_capture(
        self, path: Path | str, start: int | None = None, stop: int | None = None
    ) -> RecordingResult: ...
    def save_take(
        self, folder: Path | str, start: int | None = None, stop: int | None = None, *,
        suffix: str = "wav", stems: bool = False,
    ) -> RecordingResult: ...  # fmt: skip
    @property
    def past_stems(self) -> PastStemsProtocol | None: ...
    def cancel_stems(self) -> None: ...
