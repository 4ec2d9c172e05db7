"""Fake player without threads, processes or devices, for tests of the window.

It has the signals and calls of the real parts, remembers what it was told, and plays what a test
feeds it: `FakeWorker.plan(...)` puts blocks into the plan, `FakeOutput.read` is the playhead.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.audio.input.history import InputHistory
from app.audio.input.loopback import RoundTrip
from app.audio.settings import AudioDevice, AudioSettings, AudioStatus
from app.audio.shared_memory import WORDS
from app.inference.messages import BlockReport, TimelineMark
from app.inference.worker import Incident, WorkerStatus
from app.interfaces import PastStemsProtocol
from app.performance.moment import Moment
from app.playback import Playback
from app.recording.recorder import RecordingResult, RecordingStatus
from app.session.follow_send import FollowSettings
from models.engine.controls import CONTROL_NAMES, Controls
from models.engine.interface import SENDS, EngineInfo, ScoreInfo
from models.engine.parts import PART_CONTROLS
from models.engine.prompts import load_audio
from models.errors import SegueError

RATE = 48_000
HOLD = frozenset({"hold", "variation"})
"""Controls of engines that hold a loop of the score; those with parts do."""
OF_MAGENTA = frozenset(
    {
        "drums", "guidance_notes", "guidance_drums", "note_width", "note_onsets", "strikes",
        "temperature", "top_k", "next_beat",
    }
)  # fmt: skip
"""Controls of an engine that has no tempo, key and stems; their widgets take each other's room."""
INFO = EngineInfo(
    name="segue",
    sample_rate=RATE,
    channels=2,
    block_frames=11_520,
    context_seconds=10.0,
    style_dim=128,
    controls=frozenset({*CONTROL_NAMES, "strength"}) - HOLD - OF_MAGENTA,
    sends=SENDS,
)


class FakeWorker(QObject):
    engine_ready = Signal(object)
    engine_failed = Signal(str)
    block_ready = Signal(object)
    plan_rewritten = Signal(object)
    status_changed = Signal(object)
    incident = Signal(object)
    style_ready = Signal(str, object)
    style_failed = Signal(str, str)
    marked = Signal(object)
    moment_ready = Signal(str, object)
    continued = Signal(str)
    style_terms = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []
        self.submitted: list[tuple[Controls, Any, str, int | None]] = []
        self.wanted: list[str] = []
        self.bar: int | None = None
        self.answer_styles = True

    # What the window calls.
    def submit(
        self, controls: Controls, prompts: Any = (), *, mark: str = "", at: int | None = None
    ) -> None:
        self.submitted.append((controls, prompts, mark, at))

    def embed_text(self, key: str, text: str) -> None:
        self._embed(key)

    def embed_audio(self, key: str, source: Any, sample_rate: int | None = None) -> None:
        if callable(source):
            self._embed(key)
            return
        try:
            load_audio(Path(source))
        except SegueError as error:
            self.wanted.append(key)
            self.style_failed.emit(key, str(error))
        else:
            self._embed(key)

    def _embed(self, key: str) -> None:
        self.wanted.append(key)
        if self.answer_styles:
            self.style_ready.emit(key, style_of(key))

    def set_stems(self, on: bool, user: str = "take") -> None:
        self.stem_users = {user} if on else set[str]()

    def next_bar(self) -> int | None:
        return self.bar

    def request_moment(self, key: str) -> None:
        self.moment_ready.emit(key, Moment(0, None, engine=f"moment of {key}"))

    def __getattr__(self, name: str) -> Any:
        if name in ("play", "pause", "hold", "clear", "panic", "go_to", "go_to_moment",
                    "new_performance", "continue_from", "replan", "set_plan_seconds"):  # fmt: skip
            return lambda *arguments: self.calls.append((name, *arguments))
        raise AttributeError(name)

    # What a test lets it tell.
    def ready(
        self,
        controls: frozenset[str] = INFO.controls,
        continues_audio: bool = False,
        parts: tuple[str, ...] = (),
        rewinds: bool = True,
        **more: Any,
    ) -> None:
        part_controls = frozenset(PART_CONTROLS) if parts else frozenset()
        controls = controls | HOLD if parts else controls
        self.engine_ready.emit(
            replace(
                INFO,
                controls=controls,
                continues_audio=continues_audio,
                parts=parts,
                part_controls=part_controls,
                rewinds=rewinds,
                **more,
            )
        )

    def plan(
        self, position: int, samples: np.ndarray[Any, Any], score: ScoreInfo | None = None
    ) -> None:
        """Blocks of 240 ms from a position on."""
        size = INFO.block_frames
        for start in range(0, len(samples) - size + 1, size):
            block = samples[start : start + size]
            if score is not None:
                beat = (position + start) / RATE / 60.0 * (score.tempo or 120.0)
                score = replace(score, beat=beat, bars=beat / 4, bars_at=0)
            at = position + start
            self.block_ready.emit(BlockReport(at, block, score, False, Controls(), at, at))

    def mark(self, position: int, kind: str, text: str) -> None:
        self.marked.emit(TimelineMark(position, kind, text))

    def trouble(self, level: str, sentence: str) -> None:
        self.incident.emit(Incident(0.0, level, sentence))


def style_of(key: str) -> np.ndarray[Any, Any]:
    """Some unit vector that depends on the key only."""
    vector = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(128)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class FakeOutput:
    def __init__(self) -> None:
        self.on_event: Any = None
        self.read = 0.0
        self.volume = 1.0
        self.applied: list[AudioSettings] = []
        self.input = InputHistory(np.zeros(WORDS, np.int64), np.zeros((RATE, 2), np.float32))
        self.levels = (1.0, 0.0, 0.0)
        self.audio = AudioStatus(running=True, device="Scarlett 2i2", buffer_frames=256)

    def status(self) -> AudioStatus:
        return self.audio

    def position_now(self) -> float:
        return self.read

    def set_volume(self, volume: float) -> None:
        self.volume = volume

    def devices(self, rescan: bool = False) -> list[AudioDevice]:
        names = ["Built-in", "Scarlett 2i2"] + (["New"] if rescan else [])
        return [AudioDevice(name, "JACK", 2, RATE) for name in names]

    def inputs(self) -> list[AudioDevice]:
        return [AudioDevice("Microphone", "JACK", 1, RATE)]

    def set_input_levels(self, gain: float, gate: float, monitor: float) -> None:
        self.levels = (gain, gate, monitor)

    def measure_round_trip(self) -> RoundTrip:
        return RoundTrip(7.4, 0.01)

    def apply(self, settings: AudioSettings) -> None:
        self.applied.append(settings)


@dataclass
class FakeCapture:
    recording: RecordingStatus | None = None
    range: tuple[int, int] = (0, 0)
    saved: list[tuple[Path, int | None, int | None]] | None = None
    problem: Exception | None = None
    take: tuple[str, bool] | None = None

    def record(self, path: Path | str, *, subtype: str | None = None) -> None:
        if self.problem is not None:
            raise self.problem
        self.recording = RecordingStatus(Path(path), 0.0, 0)

    def record_take(
        self, folder: Path | str, *, suffix: str = "wav", stems: bool = True, input: bool = False
    ) -> None:
        self.record(folder)
        self.take = (suffix, stems)
        self.with_input = input

    def stop_recording(self) -> RecordingResult | None:
        status, self.recording = self.recording, None
        return None if status is None else RecordingResult(status.path, status.seconds, None)

    def capture_range(self) -> tuple[int, int]:
        return self.range

    def save_capture(
        self, path: Path | str, start: int | None = None, stop: int | None = None
    ) -> RecordingResult:
        if self.problem is not None:
            raise self.problem
        self.saved = [*(self.saved or []), (Path(path), start, stop)]
        return RecordingResult(Path(path), 1.0, None)

    def save_take(
        self, folder: Path | str, start: int | None = None, stop: int | None = None, *,
        suffix: str = "wav", stems: bool = False,
    ) -> RecordingResult:  # fmt: skip
        return self.save_capture(folder, start, stop)

    past_stems: PastStemsProtocol | None = None

    def cancel_stems(self) -> None:
        self.past_stems = None


class FakeFollow:
    def __init__(self) -> None:
        self.settings = FollowSettings()
        self.block_frames, self.frozen, self.text = 0, False, ""

    def configure(self, settings: FollowSettings, block_frames: int, frozen: bool = False) -> None:
        self.settings, self.block_frames, self.frozen = settings, block_frames, frozen

    def words(self) -> str:
        return self.text


class FakeMemory:
    def __init__(self) -> None:
        self.amount, self.frozen, self.echo = 0.0, False, 0.0
        self.notes: list[tuple[int, float]] = []

    def configure(self, amount: float, frozen: bool, echo: float = 0.0) -> None:
        self.amount, self.frozen, self.echo = amount, frozen, echo

    def notes_since(self, clock: int) -> list[tuple[int, float]]:
        return [note for note in self.notes if note[0] > clock]


def status(state: str = "playing", **changes: Any) -> WorkerStatus:
    base = WorkerStatus(
        state=state,
        engine="segue",
        device="cpu",
        real_time_factor=4.2,
        knob_to_sound_ms=212.0,
        plan_seconds=2.4,
        audio=AudioStatus(running=True, device="Scarlett 2i2", buffer_frames=256),
    )
    return replace(base, **changes)


def fake_player() -> tuple[Playback, FakeWorker, FakeOutput, FakeCapture, list[str]]:
    """The player and its parts; the list says when it was stopped."""
    worker, output, capture_thread = FakeWorker(), FakeOutput(), FakeCapture()
    ended: list[str] = []
    ears = FakeFollow(), FakeMemory()
    player = Playback(worker, output, capture_thread, *ears, lambda: ended.append("stopped"))
    return player, worker, output, capture_thread, ended
