"""The audio process: PortAudio's callback beside nothing that could disturb it. Audio lane.

Started by `output.AudioOutput` with the spawn method (which a frozen program can do as well, as
main.py calls `multiprocessing.freeze_support` first). It imports neither Qt nor torch. It attaches
to the shared memory, opens the device, and from then on the callback does the work while the main
thread watches: for messages, for a device that stops asking, for a parent that is no more.

A device that fails is opened again while the ring keeps its place; if that does not help soon, the
system's default is tried, and at last a thread that plays into nothing in real time, so that the
performance, and its recording, go on. Where closing a broken device hangs, as some do, the process
ends with EXIT_HUNG and the parent starts another.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.audio import devices, priority
from app.audio import shared_memory as s
from app.audio.callback import MOST, CallbackRenderer
from app.audio.resample import DeviceRate
from app.audio.settings import NULL_DEVICE, AudioDevice, AudioSettings
from models.errors import SegueError

EXIT_HUNG: Final = 75
EXIT_ORPHAN: Final = 76

LOOP_SECONDS: Final = 0.05
RETRY_SECONDS: Final = 1.0
DEAD_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 3.0
CLOSE_LOST_SECONDS: Final = 0.5
NULL_FRAMES: Final = 480


class NullDevice:
    """Plays into nothing, in real time, on a thread."""

    label = "no device"

    def __init__(self, fill: Callable[[NDArray[np.float32]], None]) -> None:
        self._fill = fill
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="null device", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        block = np.zeros((NULL_FRAMES, s.CHANNELS), np.float32)
        period = NULL_FRAMES / s.SAMPLE_RATE
        due = time.monotonic()
        while not self._stop.is_set():
            self._fill(block)
            due = max(due + period, time.monotonic() - 0.2)  # after a long sleep, do not rush
            self._stop.wait(max(0.0, due - time.monotonic()))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


class AudioHost:
    """Owns the device: opens, watches, opens again."""

    def __init__(self, pipe: Connection, memory: s.SharedAudio, settings: AudioSettings) -> None:
        self.pipe = pipe
        self.settings = settings
        self.words, self.floats = memory.words, memory.floats
        self.player = CallbackRenderer(memory.words, memory.floats, memory.plan, memory.tap)
        self.stream: Any = None
        self.null: NullDevice | None = None
        self.device: AudioDevice | None = None
        self._worst_reset = int(self.words[s.RESET_WORST])
        self._last_callbacks = 0
        self._last_change = time.monotonic()
        self._next_try = 0.0
        self._fallen_back = False

    # The callback.

    def _measured(self, fill: Callable[[NDArray[np.float32]], None]) -> Callable[..., None]:
        words, floats = self.words, self.floats
        clock = time.perf_counter
        hurried: list[bool] = []

        def callback(
            out: NDArray[np.float32], frames: int = 0, when: object = None, status: Any = None
        ) -> None:
            start = clock()
            if not hurried:
                hurried.append(priority.hurry_thread())
            if status and status.output_underflow:
                words[s.XRUNS] += 1
            fill(out)
            spent = (clock() - start) * 1e3
            reset = int(words[s.RESET_WORST])
            if reset != self._worst_reset:
                self._worst_reset = reset
                floats[s.WORST_MS] = 0.0
            if spent > floats[s.WORST_MS]:
                floats[s.WORST_MS] = spent

        return callback

    # Opening and closing.

    def open(self) -> None:
        """Open what is wanted, or what comes nearest to it."""
        with priority.ordinary():
            self._open()

    def _open(self) -> None:
        self.close()
        wanted = self.settings.device
        if wanted == NULL_DEVICE:
            self._open_null(chosen=True, why="")
            return
        why = ""
        for choice in dict.fromkeys((wanted, None)):
            try:
                self._open_device(choice)
            except Exception as error:  # PortAudio's errors differ by host
                why = why or _sentence(error)
                continue
            self._fallen_back = choice != wanted
            self._tell_opened(why)
            return
        self._open_null(chosen=False, why=why)

    def _open_device(self, choice: str | None) -> None:
        found = devices.query()
        device = devices.pick(found, choice)
        if device is None:
            raise SegueError(
                "there is no audio device"
                if choice is None
                else f"the audio device '{choice}' is not there"
            )
        sounddevice = devices.portaudio()
        first = self.settings.sample_rate or s.SAMPLE_RATE
        failure: Exception | None = None
        for rate in dict.fromkeys((first, s.SAMPLE_RATE, device.sample_rate)):
            channels = min(s.CHANNELS, device.channels)
            fill: Callable[[NDArray[np.float32]], None] = self.player.process
            if rate != s.SAMPLE_RATE or channels != s.CHANNELS:
                fill = DeviceRate(self.player.process, rate, channels).process
            stream = None
            try:
                with devices.quiet_stderr():
                    stream = sounddevice.OutputStream(
                        samplerate=rate,
                        blocksize=self.settings.buffer_frames,
                        device=device.index,
                        channels=channels,
                        dtype="float32",
                        latency=2 * self.settings.buffer_frames / rate,
                        callback=self._measured(fill),
                    )
                    stream.start()
            except Exception as error:
                failure = failure or error
                if stream is not None:
                    with contextlib.suppress(Exception):
                        stream.close()
                continue
            self.stream, self.device = stream, device
            latency = float(stream.latency) + self.player.limiter.lookahead / s.SAMPLE_RATE
            self._running(rate, self.settings.buffer_frames, latency, is_null=False)
            return
        assert failure is not None
        raise failure

    def _open_null(self, *, chosen: bool, why: str) -> None:
        self.null = NullDevice(self._measured(self.player.process))
        self.device = None
        self._fallen_back = not chosen
        self._running(s.SAMPLE_RATE, NULL_FRAMES, 0.0, is_null=True)
        self.pipe.send(("null", chosen, why))

    def _running(self, rate: int, frames: int, latency: float, *, is_null: bool) -> None:
        words = self.words
        words[s.DEVICE_RATE], words[s.BUFFER], words[s.IS_NULL] = rate, frames, int(is_null)
        self.floats[s.LATENCY] = latency
        words[s.RUNNING] = 1
        self._last_callbacks = int(words[s.CALLBACKS])
        self._last_change = time.monotonic()
        self._next_try = time.monotonic() + RETRY_SECONDS

    def _tell_opened(self, why: str) -> None:
        assert self.device is not None
        self.pipe.send(("opened", self.device.label, self._fallen_back, why))

    def close(self, patience: float = CLOSE_SECONDS) -> None:
        """Close what is open; if that hangs, end the process, for the parent to start another."""
        self.words[s.RUNNING] = 0
        if self.null is not None:
            self.null.close()
            self.null = None
        if self.stream is not None:
            stream, self.stream = self.stream, None

            def shut() -> None:
                with contextlib.suppress(Exception), devices.quiet_stderr():
                    stream.close()

            _within(patience, shut)

    # Watching.

    def watch(self) -> None:
        """Called 20 times a second: is the device still asking? Could a better one be had?"""
        self.words[s.HEARTBEAT] += 1
        now = time.monotonic()
        callbacks = int(self.words[s.CALLBACKS])
        if callbacks != self._last_callbacks:
            self._last_callbacks, self._last_change = callbacks, now
        if self.stream is not None:
            if not self.stream.active or now - self._last_change > DEAD_SECONDS:
                label = self.device.label if self.device else ""
                self.pipe.send(("lost", label))
                with priority.ordinary():
                    self.close(CLOSE_LOST_SECONDS)
                    self._look_again()
                self.open()
        elif self.null is not None and self._fallen_back and now >= self._next_try:
            with priority.ordinary():
                self._try_better()

    def _try_better(self) -> None:
        """While nothing is heard anyway, look for a device; what plays into nothing plays on."""
        self._next_try = time.monotonic() + RETRY_SECONDS
        self._look_again()
        try:
            found = devices.query()
        except SegueError:
            return
        if devices.pick(found, self.settings.device) or devices.pick(found, None):
            self.open()

    def _look_again(self) -> None:
        def look() -> None:
            with contextlib.suppress(Exception):
                devices.look_again()

        _within(10.0, look)


def _within(seconds: float, work: Callable[[], None]) -> None:
    """Do work that may hang; if it does, end the process."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        os._exit(EXIT_HUNG)


def _sentence(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def _be_quick() -> None:
    """Everything touched once, no garbage collection, quick hand-over of the GIL, some priority."""
    with contextlib.suppress(SegueError):
        devices.portaudio()
    plan, tap = (np.zeros((4 * MOST, s.CHANNELS), np.float32) for _ in range(2))
    rehearsal = CallbackRenderer(np.zeros(s.WORDS, np.int64), np.zeros(s.FLOATS), plan, tap)
    rehearsal.ring.append(np.full((3 * MOST, s.CHANNELS), 1.5, np.float32))
    rehearsal.words[s.PLAYING] = 1
    for frames in (256, MOST):
        rehearsal.process(np.zeros((frames, s.CHANNELS), np.float32))
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(0.0005)
    priority.hurry_process()


def run(pipe: Connection, name: str, layout: s.Layout, settings: AudioSettings) -> None:
    """The whole process. Messages come and go on the pipe; its end is the end of the parent."""
    parent = os.getppid()
    memory = s.SharedAudio(layout, name)
    host = AudioHost(pipe, memory, settings)
    _be_quick()
    host.open()
    while True:
        try:
            if pipe.poll(LOOP_SECONDS):
                message = pipe.recv()
                if message[0] == "stop":
                    host.close()
                    os._exit(0)
                elif message[0] == "open":
                    host.settings = message[1]
                    if host.null is not None or host.stream is None:
                        host.close()
                    host.open()
                elif message[0] == "modules":
                    pipe.send(("modules", sorted(sys.modules)))
            if os.getppid() != parent:
                os._exit(EXIT_ORPHAN)
            host.watch()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            os._exit(EXIT_ORPHAN)
