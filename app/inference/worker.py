"""Worker: the inference thread, a QThread that owns the engine and keeps the plan filled.

The thread opens the engine, then calls `Planner.step` in a loop and runs the commands that other
threads queued in between. Every public method may be called from any thread and returns at once;
answers come as signals, which Qt delivers in the receiver's thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QObject, QThread, Signal

from app.audio.output import AudioOutput
from app.audio.past.render_log import RenderLog
from app.audio.shared_memory import SAMPLE_RATE
from app.audio.stem_ring import StemFeed
from app.inference.continuation import AudioContinuation
from app.inference.messages import (
    Accompany,
    BlockReport,
    PlannerListener,
    TimelineMark,
    WorkerSettings,
)
from app.inference.moments import packed_moment, unpacked_moment
from app.inference.planner import IDLE, Planner
from app.inference.runtime import GarbageSchedule, gc_paused
from app.inference.status import Incident, ReaderWatch, WorkerStatus, status_of
from app.inference.stems import StemFill, switch_stems
from app.inference.style_queue import EmbedRequest, SoundSource, StyleQueue
from app.inference.takeover import Takeover, take_over
from app.performance.log import PerformanceLog
from app.performance.moment import Moment
from app.performance.score_log import ScoreLog
from models.engine.controls import Controls
from models.engine.hearing import HearingSource
from models.engine.interface import Engine, Snapshot
from models.engine.prompts import Prompt
from models.errors import SegueError

__all__ = ["BlockReport", "Incident", "TimelineMark", "Worker", "WorkerSettings", "WorkerStatus"]

IDLE_SECONDS: Final = 0.01
STATUS_SECONDS: Final = 0.1
MAX_PLAY_DELAY: Final = 1.0
"""Seconds that `play` waits for requests before it to be planned."""
EMBED_DEPTH: Final = 1.6  # seconds of plan that there must be before a prompt is embedded
FILL_DEPTH: Final = 0.4  # seconds of plan that there must be before stems are filled in


class Worker(QThread):
    """Inference thread. Start it, submit the first controls, then `play`; end it with `stop`."""

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
    """Key, and names of the terms nearest to samples that were embedded."""

    def __init__(
        self, open_engine: Callable[[], Engine], output: AudioOutput, *, seed: int = 0,
        settings: WorkerSettings | None = None,
        stand_in: Callable[[], Engine] | None = None, parent: QObject | None = None,
    ) -> None:  # fmt: skip
        """open_engine is called in the thread. output is started and stopped by its owner.
        stand_in opens the engine that takes over where the line to one elsewhere is dead.
        """
        super().__init__(parent)
        self.setObjectName("inference")
        self.output = output
        self.performance = PerformanceLog()
        self.scores, self.stems = ScoreLog(), StemFeed()
        self.renders = RenderLog()
        self._filling: StemFill | None = None
        self._open_engine = open_engine
        self._seed = seed
        self._settings = settings or WorkerSettings()
        self._wake = threading.Condition()
        self._commands: deque[Callable[[Planner], None]] = deque()
        style_signals = self.style_ready, self.style_failed, self.style_terms
        self._styles = StyleQueue(*(signal.emit for signal in style_signals))
        self._continuing = AudioContinuation(
            self._continue_from, lambda sentence: self._report("warning", sentence)
        )
        self._takeover = Takeover(stand_in, self._report)
        self._stopping = False
        self._state = "loading"
        self._planner: Planner | None = None
        self._next_status = 0.0
        self._garbage = GarbageSchedule()
        self._reader = ReaderWatch()
        self._play_deadline: float | None = None

    # Commands of other threads.

    def submit(
        self, controls: Controls, prompts: Sequence[Prompt] = (), *,
        mark: str = "", at: int | None = None,
    ) -> None:  # fmt: skip
        """Play under these controls; the newest submission wins.

        Args:
            controls: of the blocks to come.
            prompts: those that the style was mixed from, for the recording.
            mark: text for the spectrogram.
            at: plan position in frames from which they hold; None: as soon as possible.

        """
        now, recorded = time.monotonic(), tuple(prompts)
        self._queue(lambda planner: planner.submit(controls, recorded, mark, at, now))

    def accompany(self, accompany: Accompany, age: float = 0.0) -> None:
        """Let a function steer every block that still can be, for what was played `age` s ago."""
        now = time.monotonic() - age

        def change(planner: Planner) -> None:
            planner.accompany = accompany
            planner.input_changed(now)

        self._queue(change)

    def replan(self) -> None:
        """Plan again what still can be: what plays under the same controls has changed."""
        self._queue(lambda planner: planner.rewrite(planner.clock()))

    def hear(self, hearing: HearingSource, written: bool = True) -> None:
        """Let a function tell every block that can still be changed what has been played in."""
        now = time.monotonic()
        self._queue(lambda planner: planner.input_changed(now, hearing, written))

    def play(self) -> None:
        """Play once earlier requests are planned, so that they are what sounds first."""
        self._queue(lambda planner: self._play_soon())

    def pause(self) -> None:
        """Fade out and keep the position."""
        self._queue(lambda planner: self._play(False))

    def hold(self, on: bool) -> None:
        """Repeat the last bars until it is turned off."""
        self._queue(lambda planner: planner.hold(on))

    def clear(self) -> None:
        """Fade out, forget the context, start afresh."""
        self._queue(lambda planner: planner.clear())

    def panic(self) -> None:
        """Silence at once; then a fresh stream, paused. Continue with `submit` and `play`."""
        self.output.set_playing(False)
        self._queue(self._panic)

    def new_performance(self, seed: int) -> None:
        """Silence at once; then a fresh stream with another seed, paused."""
        self._queue(lambda planner: self._panic(planner, seed))

    def go_to(self, position: int) -> None:
        """Go on from a plan position of the past, in frames."""

        def go(planner: Planner) -> None:
            if (moment := planner.moment_at(position)) is not None:
                planner.go_to_moment(moment)
            else:
                self._report("warning", "nothing is known of that moment: choose a later one.")

        self._queue(go)

    def request_moment(self, key: str) -> None:
        """Ask for the moment that is sounding; answered by `moment_ready` with the key.

        It is packed where the engine supports that, so that it can be saved.
        """

        def send(planner: Planner) -> None:
            moment = planner.moment_at(int(self.output.position_now()))
            if moment is not None:
                self.moment_ready.emit(key, packed_moment(planner.source.engine, moment))

        self._queue(send)

    def go_to_moment(self, moment: Moment) -> None:
        """Go on from a moment of `request_moment` or of a file."""

        def go(planner: Planner) -> None:
            if moment.engine not in ("", planner.info.name):
                self._report(
                    "warning", f"that moment belongs to {moment.engine}: it needs that engine."
                )
                return
            planner.go_to_moment(unpacked_moment(planner.source.engine, moment))

        self._queue(go)

    def continue_from(self, path: str) -> None:
        """Go on from the end of an audio file; the newest request wins.

        Answered seconds later by `continued` with the path, or by an incident.
        """

        def encode(planner: Planner) -> None:
            if not planner.info.continues_audio:
                self._report("warning", f"{planner.info.name} cannot go on from audio.")
            else:
                self._continuing.start(planner.source.engine, path, planner.source.seed)

        self._queue(encode)

    def _continue_from(self, path: str, snapshot: Snapshot) -> None:
        def go(planner: Planner) -> None:
            planner.continue_from(path, snapshot)
            self.continued.emit(path)

        self._queue(go)

    def embed_text(self, key: str, text: str) -> None:
        """Embed a text; answered by `style_ready` or `style_failed` with the key."""
        self._embed(EmbedRequest(key, text=text))

    def embed_audio(self, key: str, source: SoundSource, sample_rate: int | None = None) -> None:
        """As `embed_text`, for samples (n,) or (n, channels) at a rate in Hz, or an audio file.

        A function gives the samples when their turn has come; `style_terms` follows.
        """
        self._embed(EmbedRequest(key, source=source, sample_rate=sample_rate))

    def next_bar(self) -> int | None:
        """Plan position of the next bar that can still be changed; None where none is known."""
        planner = self._planner
        return None if planner is None else planner.next_bar()

    def set_plan_seconds(self, seconds: float) -> None:
        """Plan so far ahead from now on."""
        self._queue(lambda planner: planner.deepen(seconds))

    def set_stems(self, on: bool, user: str = "take") -> None:
        """Render the parts' sound beside the mix from now on, while any user wants it."""

        def switch(planner: Planner) -> None:
            stems, filling = planner.source.stems, self._filling
            self._filling = switch_stems(stems, planner.plan, planner.ring, on, user, filling)

        self._queue(switch)

    def stop(self) -> None:
        """End the thread after the current block; then call wait()."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def _queue(self, command: Callable[[Planner], None]) -> None:
        with self._wake:
            self._commands.append(command)
            self._wake.notify()

    def _embed(self, request: EmbedRequest) -> None:
        self._styles.add(request)
        with self._wake:
            self._wake.notify()

    # Inference thread.

    def run(self) -> None:
        """Body of the thread. Called by QThread.start."""
        planner: Planner | None = None
        try:
            planner = self._open()
            if planner is not None:
                self._loop(planner)
        finally:
            self._continuing.end()
            self._takeover.end()
            planner, self._planner = self._planner, None
            self._set_state("stopped" if planner is not None else "failed")
            if planner is not None:
                planner.source.engine.close()

    def _open(self) -> Planner | None:
        try:
            with gc_paused():
                engine = self._open_engine()
            if engine.info.sample_rate != SAMPLE_RATE or engine.info.channels != 2:
                engine.close()
                raise SegueError(f"{engine.info.name} does not play 48 kHz stereo: take another.")
            return self._begin(engine, self._seed)
        except SegueError as error:
            self.engine_failed.emit(str(error))
            return None
        except Exception as error:  # an engine may fail in any way while it loads
            self.engine_failed.emit(
                f"the engine could not be started ({type(error).__name__}: {error})."
            )
            return None

    def _begin(self, engine: Engine, seed: int) -> Planner:
        """Plan with an engine from the plan's end on."""
        listener = PlannerListener(
            self._block_planned, self.plan_rewritten.emit, self._marked, self._report
        )
        planner = self._planner = Planner(
            engine, self.output.ring, self._settings, seed=seed, listener=listener,
            performance=self.performance, renders=self.renders.of(engine),
        )  # fmt: skip
        self.stems.open(engine.info.parts, planner.ring)
        self.engine_ready.emit(engine.info)
        return planner

    def _loop(self, planner: Planner) -> None:
        self._set_state("paused")
        while True:
            with self._wake:
                if self._stopping:
                    return
                commands, self._commands = self._commands, deque()
            for command in commands:
                self._execute(command, planner)
            self._play_if_ready(planner)
            self._poll_output(planner)
            enough = planner.inputs.wanted(EMBED_DEPTH * SAMPLE_RATE, beyond=0.0)
            spare = planner.depth > enough or not self.output.playing
            if self._styles.embed_one(planner.source.engine, spare):
                continue
            local = self._takeover.step(planner)
            if local is not None:
                planner, self._filling = take_over(planner, self._begin, *local, self._report)
            try:
                deep = planner.depth > FILL_DEPTH * SAMPLE_RATE or spare
                if deep and self._filling is not None and not planner.changing:
                    if not self._filling.step(planner.stream):
                        self._filling = None
                    continue
                result = planner.step()
            except Exception as error:  # a bug must not stop the music
                self._report("error", f"the plan could not be filled ({error!r}): starting afresh.")
                self._execute(lambda p: self._panic(p, resume=True), planner)
                result = IDLE
            if result == IDLE:
                self._garbage.collect_if_due(self.output.playing)
                with self._wake:
                    if not self._commands and not self._stopping:
                        self._wake.wait(IDLE_SECONDS)

    def _block_planned(self, report: BlockReport) -> None:
        if report.score is not None:
            stop = report.position + len(report.samples)
            self.scores.put(report.origin, report.join, stop, report.score)
        self.block_ready.emit(report)

    def _marked(self, mark: TimelineMark) -> None:
        if mark.text or mark.kind != "controls":
            self.scores.mark(mark.position, mark.text or mark.kind)
        self.marked.emit(mark)

    def _execute(self, command: Callable[[Planner], None], planner: Planner) -> None:
        try:
            command(planner)
        except SegueError as error:
            self._report("warning", str(error))
        except Exception as error:
            self._report("error", f"that could not be done ({error!r}).")

    def _poll_output(self, planner: Planner) -> None:
        """Read the audio process's status, and send the figures where they are due."""
        status = self.output.status()
        self._reader.update(planner, status, self.output.score.settled)
        now = time.monotonic()
        if now >= self._next_status:
            self._next_status = now + STATUS_SECONDS
            self.status_changed.emit(status_of(planner, status, self._reader.plan_min))

    def status(self) -> WorkerStatus:
        """Current figures; also sent ten times a second as `status_changed`."""
        planner, audio = self._planner, self.output.status()
        if planner is None:
            return WorkerStatus(state=self._state, audio=audio)
        return status_of(planner, audio, self._reader.plan_min)

    def _set_state(self, state: str) -> None:
        self._state = state
        self.status_changed.emit(self.status())

    def _report(self, level: str, sentence: str) -> None:
        self.incident.emit(Incident(time.time(), level, sentence))

    def _play_soon(self) -> None:
        self._play_deadline = time.monotonic() + MAX_PLAY_DELAY

    def _play_if_ready(self, planner: Planner) -> None:
        if self._play_deadline is not None:
            ready = not planner.changing and planner.depth > 0
            if ready or time.monotonic() > self._play_deadline:
                self._play(True)

    def _play(self, playing: bool) -> None:
        self._play_deadline = None
        self.output.set_playing(playing)
        if not playing and self._planner is not None:
            self._planner.latency_stats.forget()
            self._reader.stopped()

    def _panic(self, planner: Planner, seed: int | None = None, resume: bool = False) -> None:
        self.output.silence()
        self._reader.stopped()
        planner.restart(planner.source.seed if seed is None else seed)
        if resume:
            self.output.set_playing(True)
        else:
            self.marked.emit(TimelineMark(self.output.ring.read, "panic"))
