"""Take recorder: mix, stems, notes and steering of what is heard, into a folder.

Sound files are written as a recording is (`app.recording.recorder`), so they are whole at any
instant. Stems and notes follow the mix half a second later, since stems of what was planned before
the recording are still being rendered. MIDI and project file are written anew once in a while,
whole or not at all.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio.input.history import InputHistory
from app.audio.past.render_log import RenderLog
from app.audio.stem_ring import StemFeed
from app.performance.log import PerformanceLog
from app.performance.score_log import ScoreLog
from app.recording.recorder import Recorder, RecordingResult, RecordingStatus, Report
from app.recording.take.input_track import NAME as INPUT_NAME
from app.recording.take.input_track import InputTrack
from app.recording.take.midi_file import write_midi
from app.recording.take.project_file import write_project
from app.recording.take.score import ScoreGatherer
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

Samples = NDArray[np.float32]

LAG: Final = SAMPLE_RATE // 2
"""Frames by which stems and notes follow the mix."""
WRITE_SECONDS: Final = 5.0
WRITE_SHARE: Final = 0.02
"""MIDI and project are written after this share of the take, and WRITE_SECONDS at the least."""
REST_SECONDS: Final = 0.004
"""Pause between small parts of that writing, in which the interpreter is free for the music."""
HOP: Final = 32
NOTES_FAILED: Final = "the take's notes cannot be written ({}): its sound is there."


@dataclass(frozen=True)
class TakeSources:
    """What a take is made of besides its mix.

    switch_stems: has stems rendered, or not. renders: how the past was rendered. input: what comes
    in. spare: whether the music can do without the machine for a while.
    """

    scores: ScoreLog
    stems: StemFeed
    switch_stems: Callable[[bool], None]
    renders: RenderLog = field(default_factory=RenderLog)
    input: InputHistory | None = None
    spare: Callable[[], bool] = lambda: True


class TakeRecorder:
    """Recording into a new folder from `start`, a plan position, on."""

    def __init__(
        self,
        folder: Path,
        start: int,
        sources: TakeSources,
        log: PerformanceLog | None = None,
        *,
        suffix: str = "wav",
        with_stems: bool = True,
        with_input: bool = False,
        report: Report | None = None,
    ) -> None:
        """SegueError where the folder or the mix cannot be made."""
        try:
            folder.mkdir()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SegueError(
                f"{reason}: {folder.name} cannot be made; choose another folder than "
                f"{folder.parent}."
            ) from None
        self.folder, self.start = folder, start
        self._sources, self._suffix = sources, suffix
        self._report = report or (lambda level, sentence: None)
        self._input: InputTrack | None = None
        named: tuple[str, int] | None = None
        try:
            if with_input and sources.input is not None and sources.input.running:
                self._input = InputTrack(sources.input, folder, start, self._report)
                named = INPUT_NAME, self._input.first
            self._mix = Recorder(
                folder / f"mix.{suffix}", start, log, None, report, folder / "performance.jsonl",
                named,
            )  # fmt: skip
        except SegueError:
            if self._input is not None:
                self._input.finish()
                (folder / INPUT_NAME).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                folder.rmdir()
            raise
        self._stems: dict[str, Recorder] = {}
        if with_stems:
            sources.switch_stems(True)
            with contextlib.suppress(SegueError):  # the mix goes on without
                for part in sources.stems.parts:
                    # Of a full disk the mix speaks.
                    self._stems[part] = Recorder(folder / f"{part}.{suffix}", start)
        self._later: deque[tuple[int, Samples]] = deque()
        self._next = start
        self._gatherer = ScoreGatherer(start)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._failed = False
        self._writer = threading.Thread(target=self._write_on, name="take", daemon=True)
        self._writer.start()

    # Called by the capture thread.

    def feed(self, position: int, frames: Samples) -> None:
        """Record frames from a position on. A gap before them becomes silence."""
        self._mix.feed(position, frames)
        self._later.append((position, frames))
        self._follow(position + len(frames) - LAG)

    def listen(self) -> None:
        """Record what has come in, where that was asked for; a pause of the music is no matter."""
        if self._input is not None:
            self._input.follow()

    def finish(self) -> RecordingResult:
        """Write what is left and close all files. Waits for the disk."""
        if self._later:
            self._follow(self._later[-1][0] + len(self._later[-1][1]))
        if self._stems:
            self._sources.switch_stems(False)
        self._ending.set()
        result = self._mix.finish()
        for recorder in self._stems.values():
            recorder.finish()
        if self._input is not None:
            self._input.finish()
        self._writer.join()
        if result.stopped_because and not result.seconds:
            self._discard()
        else:
            self._write()
        return RecordingResult(
            self.folder, result.seconds, result.performance, result.stopped_because
        )

    def _discard(self) -> None:
        """Remove the folder of a take that holds nothing; what is not ours stays, and keeps it."""
        names = [f"{part}.{self._suffix}" for part in ("mix", *self._stems)]
        with contextlib.suppress(OSError):
            names += [INPUT_NAME, "performance.jsonl", "take.mid", f"{self.folder.name}.dawproject"]
            for name in names:
                (self.folder / name).unlink(missing_ok=True)
            self.folder.rmdir()

    @property
    def status(self) -> RecordingStatus:
        mix = self._mix.status
        size = mix.bytes + sum(recorder.status.bytes for recorder in self._stems.values())
        return RecordingStatus(self.folder, mix.seconds, size, mix.stopped_because)

    @property
    def steps_from(self) -> int | None:
        """Position before which neither steering nor score are needed any more."""
        steps = self._mix.steps_from
        return self._next if steps is None else min(steps, self._next)

    def _follow(self, stop: int) -> None:
        """Take stems and notes of the frames before `stop`."""
        while self._later and self._later[0][0] < stop:
            position, frames = self._later.popleft()
            if position + len(frames) > stop:
                self._later.appendleft((stop, frames[stop - position :]))
                frames = frames[: stop - position]
            self._take_stems(position, frames)
            with self._lock:
                upto = position + len(frames)
                self._gatherer.add(self._sources.scores.between(self._next, upto))
                for at, text in self._sources.scores.marks(self._next, upto):
                    self._gatherer.mark(at, text)
                self._next = upto

    def _take_stems(self, position: int, frames: Samples) -> None:
        if not self._stems:
            return
        found = self._sources.stems.copy(position, position + len(frames))
        if found is None:
            stems = np.zeros((len(frames), 2 * len(self._stems)), np.float32)
        else:
            planned, stems = found
            stems = as_heard(stems, planned, frames)
        for index, recorder in enumerate(self._stems.values()):
            recorder.feed(position, np.ascontiguousarray(stems[:, 2 * index : 2 * index + 2]))

    # Writer thread.

    def _write_on(self) -> None:
        pause = WRITE_SECONDS
        while not self._ending.wait(pause):
            self._write()
            pause = max(WRITE_SECONDS, WRITE_SHARE * self._mix.status.seconds)

    def _write(self) -> None:
        with self._lock:
            gatherer, stop = self._gatherer.copy(), self._next
        sounds = {"mix": f"mix.{self._suffix}"}
        sounds |= {part: f"{part}.{self._suffix}" for part in self._stems}
        try:
            write_take(self.folder, gatherer, stop, sounds, self._ending.wait)
        except Exception as error:  # the sound is there, whatever becomes of its notes
            known = isinstance(error, SegueError)
            if not self._failed:
                self._report("warning", str(error) if known else NOTES_FAILED.format(error))
            self._failed = True


def write_take(
    folder: Path,
    gatherer: ScoreGatherer,
    stop: int,
    sounds: dict[str, str],
    rest: Callable[[float], object] = time.sleep,
) -> None:
    """Write MIDI and project file of a take up to a plan position.

    rest: waits so many seconds, between small parts of the work, so that other threads come first.

    Raises:
        SegueError: where they cannot be written.

    """
    score = gatherer.score(stop)
    rest(REST_SECONDS)
    write_midi(folder / "take.mid", score)
    project = folder / f"{folder.name}.dawproject"
    write_project(project, score, sounds, folder.name, lambda: rest(REST_SECONDS))


def as_heard(stems: Samples, planned: Samples, heard: Samples) -> Samples:
    """Stems under the gain with which the planned mix was heard: pauses fade it out and in.

    stems (n, channels); planned, heard: the mix (n, 2) in the plan and at the output.
    """
    if np.array_equal(planned, heard):
        return stems
    hops = -(-len(planned) // HOP)
    padded = [np.zeros((hops * HOP, 2), np.float64) for _ in range(2)]
    for out, sound in zip(padded, (planned, heard), strict=True):
        out[: len(sound)] = sound
    before, after = (sound.reshape(hops, -1) for sound in padded)
    power = (before * before).sum(axis=1)
    known = power > 1e-9
    if not known.any():
        return stems
    gains = np.clip((before * after).sum(axis=1)[known] / power[known], 0.0, 1.0)
    centres = (np.arange(hops)[known] + 0.5) * HOP
    line = np.interp(np.arange(len(stems)), centres, gains)
    heard_stems: Samples = stems * line.astype(np.float32)[:, None]
    return heard_stems
