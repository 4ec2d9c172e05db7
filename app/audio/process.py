"""Audio process: runs PortAudio's callback away from Qt, torch and the GIL of the instrument.

Started by `output.AudioOutput` with the spawn method. It attaches to the shared memory and opens
the device; the callback does the work while the main thread watches for messages, for a device
whose callbacks stop, and for the end of the parent.

A device that fails is opened again while the ring keeps its position, then the system's default,
and at last a null device that runs in real time, so that the performance and its recording go on.
Where closing a broken device hangs, the process ends with EXIT_HUNG and the parent starts another.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.audio import devices
from app.audio import shared_memory as s
from app.audio.callback import MAX_FRAMES, CallbackRenderer
from app.audio.input.clock_filter import ClockFilter
from app.audio.input.history import InputHistory
from app.audio.input.shared_clock import SharedClock
from app.audio.outputs.jack_names import named_ports
from app.audio.outputs.routes import channels_of, fitting, lacking_sentence, port_names
from app.audio.processes import priority
from app.audio.processes.body import EXIT_ORPHAN, LOOP_SECONDS, exit_if_hung, hurry
from app.audio.resample import DeviceRate
from app.audio.score_port import ScorePort
from app.audio.settings import NULL_DEVICE, AudioDevice, AudioSettings
from models.errors import SegueError
from models.runtime.quiet import quiet_stderr

RETRY_SECONDS: Final = 1.0
DEAD_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 3.0
CLOSE_LOST_SECONDS: Final = 0.5
NULL_FRAMES: Final = 480


class NullDevice:
    """Device that discards the sound in real time, on a thread."""

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
            due = max(due + period, time.monotonic() - 0.2)  # after a long sleep, do not catch up
            self._stop.wait(max(0.0, due - time.monotonic()))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


class AudioHost:
    """Owner of the device: opens it, watches it and opens it again."""

    def __init__(self, pipe: Connection, memory: s.SharedAudio, settings: AudioSettings) -> None:
        self.pipe = pipe
        self.settings = settings
        self.words, self.floats, self.stems = memory.words, memory.floats, memory.stems
        self.clock = ClockFilter(s.SAMPLE_RATE)
        self.shared_clock = SharedClock(memory.words, memory.floats)
        self.renderer = CallbackRenderer(
            memory.words, memory.floats, memory.plan, memory.tap,
            history=InputHistory(memory.words, memory.input), rewrites=memory.rewrites,
        )  # fmt: skip
        self.score = ScorePort(
            self.clock, self.renderer.clock_map, lambda: float(self.floats[s.LATENCY])
        )
        self.stream: Any = None
        self.null: NullDevice | None = None
        self.device: AudioDevice | None = None
        self._worst_reset = int(self.words[s.RESET_WORST])
        self._last_callbacks = 0
        self._last_change = time.monotonic()
        self._next_retry = 0.0
        self._fallen_back = False

    # The callback.

    def _measured(self, fill: Callable[[NDArray[np.float32]], None]) -> Callable[..., None]:
        words, floats = self.words, self.floats
        clock = time.perf_counter
        raised: list[bool] = []

        def callback(
            out: NDArray[np.float32], frames: int = 0, when: object = None, status: Any = None
        ) -> None:
            start = clock()
            if not raised:
                raised.append(priority.raise_thread_priority())
            if status and status.output_underflow:
                words[s.XRUNS] += 1
            self.clock.update(int(words[s.CLOCK]), time.monotonic())
            self.shared_clock.publish(self.clock)
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
        """Open the chosen device, else the default, else the null device."""
        with priority.normal_priority():
            self._open()

    def apply(self, settings: AudioSettings) -> None:
        """Take other settings; what they do not change plays on."""
        before, self.settings = self.settings, settings
        if replace(before, input=settings.input) == settings and self.stream is not None:
            return  # the input is another process's
        if self.null is not None or self.stream is None:
            self.close()
        self.open()

    def _open(self) -> None:
        self.close()
        chosen = self.settings.device
        if chosen == NULL_DEVICE:
            self._open_null(chosen=True, why="")
            return
        why = ""
        for choice in dict.fromkeys((chosen, None)):
            try:
                self._open_device(choice)
            except Exception as error:  # PortAudio's errors differ by host
                why = why or _sentence(error)
                continue
            self._fallen_back = choice != chosen
            self._send_opened(why)
            return
        self._open_null(chosen=False, why=why)

    def _open_device(self, choice: str | None) -> None:
        found = devices.query()
        device = devices.find_device(found, choice)
        if device is None:
            raise SegueError(
                "there is no audio device"
                if choice is None
                else f"the audio device '{choice}' is not there"
            )
        sounddevice = devices.portaudio()
        first = self.settings.sample_rate or s.SAMPLE_RATE
        failure: Exception | None = None
        routes = fitting(self.settings.parts, device.channels)
        channels = min(channels_of(routes), device.channels)
        self.renderer.route(self.stems, routes)
        for rate in dict.fromkeys((first, s.SAMPLE_RATE, device.sample_rate)):
            fill: Callable[[NDArray[np.float32]], None] = self.renderer.process
            if rate != s.SAMPLE_RATE or channels < s.CHANNELS:
                fill = DeviceRate(self.renderer.process, rate, channels).process
            stream = None
            try:
                names = port_names(routes, channels) if routes and "JACK" in device.host else []
                with quiet_stderr(), named_ports(names):
                    stream = sounddevice.OutputStream(
                        samplerate=rate,
                        blocksize=self.settings.buffer_frames,
                        device=device.index,
                        channels=channels,
                        dtype="float32",
                        latency=2 * self.settings.buffer_frames / rate,
                        callback=self._measured(fill),
                    )
                with quiet_stderr():
                    stream.start()
            except Exception as error:
                failure = failure or error
                if stream is not None:
                    with contextlib.suppress(Exception):
                        stream.close()
                continue
            self.stream, self.device = stream, device
            latency = float(stream.latency) + self.renderer.limiter.lookahead / s.SAMPLE_RATE
            self._running(rate, self.settings.buffer_frames, latency, is_null=False)
            return
        assert failure is not None
        raise failure

    def _open_null(self, *, chosen: bool, why: str) -> None:
        self.renderer.route(self.stems, ())
        self.null = NullDevice(self._measured(self.renderer.process))
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
        self._next_retry = time.monotonic() + RETRY_SECONDS

    def _send_opened(self, why: str) -> None:
        assert self.device is not None
        device = self.device
        self.pipe.send(("opened", device.label, self._fallen_back, why))
        lacking = lacking_sentence(self.settings.parts, device.label, device.channels)
        if lacking:
            self.pipe.send(("parts", "warning", lacking))

    def close(self, patience: float = CLOSE_SECONDS) -> None:
        """Close the device; ends the process if that hangs."""
        self.words[s.RUNNING] = 0
        if self.null is not None:
            self.null.close()
            self.null = None
        if self.stream is not None:
            stream, self.stream = self.stream, None

            def shut() -> None:
                with contextlib.suppress(Exception), quiet_stderr():
                    stream.close()

            exit_if_hung(patience, shut)

    # Watching.

    def watch(self) -> None:
        """Check whether callbacks still come and whether a better device is there; 20 Hz."""
        self.words[s.HEARTBEAT] += 1
        now = time.monotonic()
        callbacks = int(self.words[s.CALLBACKS])
        if callbacks != self._last_callbacks:
            self._last_callbacks, self._last_change = callbacks, now
        if self.stream is not None:
            if not self.stream.active or now - self._last_change > DEAD_SECONDS:
                label = self.device.label if self.device else ""
                self.pipe.send(("lost", label))
                with priority.normal_priority():
                    self.close(CLOSE_LOST_SECONDS)
                    self._reinitialize()
                self.open()
        elif self.null is not None and self._fallen_back and now >= self._next_retry:
            with priority.normal_priority():
                self._retry_device()

    def _retry_device(self) -> None:
        """Look for a device while the null device runs."""
        self._next_retry = time.monotonic() + RETRY_SECONDS
        self._reinitialize()
        try:
            found = devices.query()
        except SegueError:
            return
        if devices.find_device(found, self.settings.device) or devices.find_device(found, None):
            self.open()

    def _reinitialize(self) -> None:
        def reinitialize() -> None:
            with contextlib.suppress(Exception):
                devices.reinitialize()

        exit_if_hung(10.0, reinitialize)


def _sentence(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def _warm_up() -> None:
    """Run the callback once, and let it go before others."""
    with contextlib.suppress(SegueError):
        devices.portaudio()
    plan, tap = (np.zeros((4 * MAX_FRAMES, s.CHANNELS), np.float32) for _ in range(2))
    words, floats = np.zeros(s.WORDS, np.int64), np.zeros(s.FLOATS)
    history = InputHistory(words, np.zeros((4 * MAX_FRAMES, s.CHANNELS), np.float32))
    renderer = CallbackRenderer(words, floats, plan, tap, history=history)
    words[s.INPUT_RUNNING], floats[s.INPUT_MONITOR] = 1, 1.0
    renderer.ring.append(np.full((3 * MAX_FRAMES, s.CHANNELS), 1.5, np.float32))
    renderer.words[s.PLAYING] = 1
    for frames in (256, MAX_FRAMES):
        renderer.process(np.zeros((frames, s.CHANNELS), np.float32))
    hurry()


def run(pipe: Connection, name: str, layout: s.Layout, settings: AudioSettings) -> None:
    """Body of the process. A closed pipe means that the parent has ended."""
    parent = os.getppid()
    memory = s.SharedAudio(layout, name)
    host = AudioHost(pipe, memory, settings)
    _warm_up()
    host.open()
    while True:
        try:
            if pipe.poll(LOOP_SECONDS):
                message = pipe.recv()
                if message[0] == "stop":
                    host.score.stop()
                    host.close()
                    os._exit(0)
                elif message[0] == "score":
                    host.score.choose(message[1])
                elif message[0] == "notes":
                    host.score.put(message[1])
                elif message[0] == "cancel":
                    host.score.cancel(message[1])
                elif message[0] == "open":
                    host.apply(message[1])
                elif message[0] == "modules":
                    pipe.send(("modules", sorted(sys.modules)))
            if os.getppid() != parent:
                raise EOFError
            while host.score.reports:
                pipe.send(("score", *host.score.reports.popleft()))
            host.watch()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            host.score.stop()
            os._exit(EXIT_ORPHAN)
