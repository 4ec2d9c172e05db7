"""The inference lane: a QThread that owns the engine and keeps the plan filled.

The thread opens the engine, then turns over `planner.Planner.step`, and between two steps does what
the other lanes asked for. Every method here that is not private may be called from any thread and
returns at once; the answers come as signals, which Qt delivers in the receiver's thread. The
audio lane plays what is planned and never waits for this one.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QThread, Signal

from app.audio.output import AudioOutput
from app.audio.shared_memory import SAMPLE_RATE
from app.inference.continuation import AudioContinuation
from app.inference.messages import BlockReport, PlannerListener, TimelineMark, WorkerSettings
from app.inference.planner import IDLE, Planner
from app.inference.runtime import collect_garbage, gc_paused
from app.inference.status import Incident, WorkerStatus, status_of
from app.inference.style_queue import EmbedRequest, StyleQueue
from app.performance.log import PerformanceLog
from app.performance.moment import Moment
from models.engine.controls import Controls
from models.engine.interface import Engine, Snapshot
from models.engine.prompts import Prompt
from models.errors import SegueError

__all__ = [
    "BlockReport",
    "Incident",
    "TimelineMark",
    "Worker",
    "WorkerSettings",
    "WorkerStatus",
]

IDLE_SECONDS: Final = 0.01
STATUS_SECONDS: Final = 0.1
TIDY_SECONDS: Final = 60.0
PLAY_PATIENCE: Final = 1.0
EMBED_DEPTH: Final = 1.0
"""Seconds of plan in hand before a prompt is embedded between two blocks."""
MARGIN: Final = 1536
"""Frames ahead of the reader, besides two of its buffers, that are not rewritten: what this thread
may lose the processor for in the middle of a copy (32 ms) without the reader meeting it."""


class Worker(QThread):
    """Runs the engine. Start it, submit the first controls, then `play`; end it with `stop`."""

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

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        output: AudioOutput,
        *,
        seed: int = 0,
        settings: WorkerSettings | None = None,
        parent: QObject | None = None,
    ) -> None:
        """open_engine is called in the thread. output is started and stopped by its owner."""
        super().__init__(parent)
        self.setObjectName("inference")
        self.output = output
        self.performance = PerformanceLog()
        self._open_engine = open_engine
        self._seed = seed
        self._settings = settings or WorkerSettings()
        self._wake = threading.Condition()
        self._commands: deque[Callable[[Planner], None]] = deque()
        self._styles = StyleQueue(self.style_ready.emit, self.style_failed.emit)
        self._continuing = AudioContinuation(self._heard, lambda words: self._say("warning", words))
        self._leaving = False
        self._state = "gc_paused"
        self._planner: Planner | None = None
        self._next_status = 0.0
        self._next_tidy = time.monotonic() + TIDY_SECONDS
        self._tidied = 0
        self._plan_min = math.inf
        self._sounded = False
        self._play_by: float | None = None

    # Asked for by other lanes.

    def submit(
        self,
        controls: Controls,
        prompts: Sequence[Prompt] = (),
        *,
        mark: str = "",
        at: int | None = None,
    ) -> None:
        """Play under these controls, as soon as possible or from a plan position on; newest wins.

        prompts: what the style was mixed from; they are recorded. mark: a text for the spectrogram.
        """
        now, kept = time.monotonic(), tuple(prompts)
        self._ask(lambda planner: planner.want(controls, kept, mark, at, now))

    def play(self) -> None:
        """Let the music be heard."""
        self._ask(lambda planner: self._wish_to_play())

    def pause(self) -> None:
        """Fade out and hold the place."""
        self._ask(lambda planner: self._play(False))

    def hold(self, on: bool) -> None:
        """Stay with what is sounding: the last bars go round until it is let go."""
        self._ask(lambda planner: planner.hold(on))

    def clear(self) -> None:
        """Fade, forget, start afresh, without a click."""
        self._ask(lambda planner: planner.clear())

    def panic(self) -> None:
        """Silence at once; then a fresh stream, paused. `submit` and `play` go on."""
        self.output.set_playing(False)
        self._ask(self._panic)

    def new_performance(self, seed: int) -> None:
        """Silence, and a fresh stream with another seed, paused."""
        self._ask(lambda planner: self._panic(planner, seed))

    def go_to(self, position: int) -> None:
        """Go on from what was heard at a plan position."""

        def go(planner: Planner) -> None:
            if not planner.go_to(position):
                self._say("warning", "nothing is known of that moment: choose a later one.")

        self._ask(go)

    def request_moment(self, key: str) -> None:
        """Answered by `moment_ready`: what is now heard, to go back to whenever it is wanted.

        Packed where the engine can: then it needs no memory of the engine, and fits a file.
        """

        def keep(planner: Planner) -> None:
            moment = planner.moment_at(int(self.output.position_now()))
            if moment is None:
                return
            packed = planner.source.engine.pack(moment.snapshot)
            if packed is not None:
                moment = replace(moment, snapshot=None, packed=packed)
            self.moment_ready.emit(key, moment)

        self._ask(keep)

    def go_to_moment(self, moment: Moment) -> None:
        """Go on from a moment that was kept."""

        def go(planner: Planner) -> None:
            if moment.engine not in ("", planner.info.name):
                self._say(
                    "warning", f"that moment belongs to {moment.engine}: it needs that engine."
                )
                return
            snapshot = moment.snapshot
            if moment.packed is not None:
                snapshot = planner.source.engine.unpack(moment.packed)
            planner.go_to_moment(replace(moment, snapshot=snapshot))

        self._ask(go)

    def continue_from(self, path: str) -> None:
        """Go on from the end of an audio file. Answered by `continued` with the path, seconds
        later, or by an incident. The newest wins."""

        def listen(planner: Planner) -> None:
            if not planner.info.continues_audio:
                self._say("warning", f"{planner.info.name} cannot go on from audio.")
            else:
                self._continuing.start(planner.source.engine, path, planner.source.seed)

        self._ask(listen)

    def _heard(self, path: str, moment: Snapshot) -> None:
        def go(planner: Planner) -> None:
            planner.continue_from(path, moment)
            self.continued.emit(path)

        self._ask(go)

    def embed_text(self, key: str, text: str) -> None:
        """Answered by `style_ready` or `style_failed` with the key. Newest of a key wins."""
        self._ask_style(EmbedRequest(key, text=text))

    def embed_audio(
        self, key: str, source: NDArray[np.floating[Any]] | str, sample_rate: int | None = None
    ) -> None:
        """As `embed_text`, for samples (n,) or (n, channels), or the path of an audio file."""
        self._ask_style(EmbedRequest(key, source=source, sample_rate=sample_rate))

    def forget_style(self, key: str) -> None:
        """Drop what is waiting to be embedded under a key."""
        self._styles.forget(key)

    def moments(self) -> list[int]:
        """Plan positions of the past that one can go back to."""
        planner = self._planner
        return [] if planner is None else planner.moments.positions()

    def next_bar(self) -> int | None:
        """The plan position of the next bar that can still be changed, if the engine tells bars."""
        planner = self._planner
        return None if planner is None else planner.next_bar()

    def stop(self) -> None:
        """End the thread after the block that it is at; then call wait()."""
        with self._wake:
            self._leaving = True
            self._wake.notify()

    def _ask(self, command: Callable[[Planner], None]) -> None:
        with self._wake:
            self._commands.append(command)
            self._wake.notify()

    def _ask_style(self, asked: EmbedRequest) -> None:
        self._styles.ask(asked)
        with self._wake:
            self._wake.notify()

    # In the thread.

    def run(self) -> None:
        """The thread. Called by QThread.start."""
        engine: Engine | None = None
        try:
            engine = self._open()
            if engine is not None:
                self._turn(engine)
        finally:
            self._continuing.end()
            self._planner = None
            self._set_state("stopped" if engine is not None else "failed")
            if engine is not None:
                engine.close()

    def _open(self) -> Engine | None:
        try:
            with gc_paused():
                engine = self._open_engine()
            if engine.info.sample_rate != SAMPLE_RATE or engine.info.channels != 2:
                engine.close()
                raise SegueError(
                    f"{engine.info.name} does not play 48 kHz stereo: choose another engine."
                )
            listener = PlannerListener(
                self.block_ready.emit, self.plan_rewritten.emit, self.marked.emit, self._say
            )
            self._planner = Planner(
                engine,
                self.output.ring,
                self._settings,
                seed=self._seed,
                listener=listener,
                performance=self.performance,
            )
        except SegueError as error:
            self.engine_failed.emit(str(error))
            return None
        except Exception as error:  # an engine may fail in any way while it loads
            self.engine_failed.emit(
                f"the engine could not be started ({type(error).__name__}: {error})."
            )
            return None
        self.engine_ready.emit(engine.info)
        return engine

    def _turn(self, engine: Engine) -> None:
        planner = self._planner
        assert planner is not None
        self._set_state("paused")
        while True:
            with self._wake:
                if self._leaving:
                    return
                commands, self._commands = self._commands, deque()
            for command in commands:
                self._do(command, planner)
            self._play_if_ready(planner)
            self._look(planner)
            spare = planner.depth > EMBED_DEPTH * SAMPLE_RATE or not self.output.playing
            if self._styles.embed_one(engine, spare):
                continue
            try:
                worked = planner.step()
            except Exception as error:  # a fault of ours must not stop the music
                self._say("error", f"the plan could not be filled ({error!r}): starting afresh.")
                self._do(lambda p: self._panic(p, resume=True), planner)
                worked = IDLE
            if worked == IDLE:
                self._tidy()
                with self._wake:
                    if not self._commands and not self._leaving:
                        self._wake.wait(IDLE_SECONDS)

    def _tidy(self) -> None:
        """Once in a while, as there is nothing else to do."""
        now = time.monotonic()
        if now >= self._next_tidy:
            self._next_tidy = now + TIDY_SECONDS
            self._tidied += 1
            collect_garbage(self.output.playing, thorough=self._tidied % 10 == 0)

    def _do(self, command: Callable[[Planner], None], planner: Planner) -> None:
        try:
            command(planner)
        except SegueError as error:
            self._say("warning", str(error))
        except Exception as error:
            self._say("error", f"that could not be done ({error!r}).")

    def _look(self, planner: Planner) -> None:
        """Take the audio lane's news: where the reader is, and how near it the plan is fixed."""
        status = self.output.status()
        rate = status.sample_rate or SAMPLE_RATE
        buffer = math.ceil(max(status.buffer_frames, 64) * SAMPLE_RATE / rate)
        planner.margin = MARGIN + 2 * buffer
        planner.latency = status.latency_seconds + buffer / SAMPLE_RATE
        silent = status.gain <= 0.0 or not status.running
        planner.still = not status.playing and silent
        if status.running and status.playing:
            planner.delays.heard(status.read, status.read_at, planner.latency, SAMPLE_RATE)
            if status.gain >= 1.0 or self._sounded:
                self._sounded = True
                self._plan_min = min(self._plan_min, status.plan_seconds)
        now = time.monotonic()
        if now >= self._next_status:
            self._next_status = now + STATUS_SECONDS
            self.status_changed.emit(status_of(planner, status, self._plan_min))

    def status(self) -> WorkerStatus:
        """The newest figures; also sent ten times a second as `status_changed`."""
        planner, audio = self._planner, self.output.status()
        if planner is None:
            return WorkerStatus(state=self._state, audio=audio)
        return status_of(planner, audio, self._plan_min)

    def _set_state(self, state: str) -> None:
        self._state = state
        self.status_changed.emit(self.status())

    def _say(self, level: str, sentence: str) -> None:
        self.incident.emit(Incident(time.time(), level, sentence))

    def _wish_to_play(self) -> None:
        """Once what was asked for before is planned, so that it is what is heard first."""
        self._play_by = time.monotonic() + PLAY_PATIENCE

    def _play_if_ready(self, planner: Planner) -> None:
        if self._play_by is not None:
            ready = not planner.changing and planner.depth > 0
            if ready or time.monotonic() > self._play_by:
                self._play(True)

    def _play(self, playing: bool) -> None:
        self._play_by = None
        self.output.set_playing(playing)
        if not playing and self._planner is not None:
            self._planner.delays.forget()
            self._sounded = False

    def _panic(self, planner: Planner, seed: int | None = None, resume: bool = False) -> None:
        self.output.silence()
        self._sounded = False
        planner.restart(planner.source.seed if seed is None else seed)
        if resume:
            self.output.set_playing(True)
        else:
            self.marked.emit(TimelineMark(self.output.ring.read, "panic"))
