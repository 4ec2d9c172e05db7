"""Host of the input in its process: opens the device, converts, watches.

The input is a stream of its own beside the output's, whichever devices they are: an input that
fails or is pulled never touches the output, and `converter` puts the input on the output's clock.
Without an input nothing of this runs.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from app.audio import devices
from app.audio import shared_memory as s
from app.audio.input.capture import InputCapture
from app.audio.input.converter import MAX_FRAMES, InputConverter, InputLevels
from app.audio.input.faults import InputWatch
from app.audio.input.history import InputHistory
from app.audio.input.settings import InputSettings
from app.audio.input.shared_clock import OutputClock
from app.audio.processes import priority
from models.errors import SegueError
from models.runtime.quiet import quiet_stderr

POLL_SECONDS: Final = 0.002
DEAD_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 3.0

Say = Callable[[str, str], object]


class InputHost:
    """Owner of the input device.

    Args:
        memory: shared with the instrument.
        output_clock: of the output, in frames at 48 kHz.
        say: takes level and sentence.
        refresh: begins PortAudio again, which then sees what was plugged in meanwhile.

    """

    def __init__(
        self,
        memory: s.SharedAudio,
        output_clock: OutputClock,
        say: Say,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self.words, self.floats = memory.words, memory.floats
        self.history = InputHistory(memory.words, memory.input)
        self.output_clock = output_clock
        self.settings: InputSettings | None = None
        self._say = say
        self._problem = ""
        self._refresh = refresh
        self._stale = False  # what PortAudio knows of the devices may be out of date
        self._buffer = 256
        self._stream: Any = None
        self._name = ""
        self._capture: InputCapture | None = None
        self._converter: InputConverter | None = None
        self._watch: InputWatch | None = None
        self._latency = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_count, self._changed_at, self._retry_at = 0, 0.0, 0.0

    def choose(self, settings: InputSettings | None) -> None:
        """Take other settings; `open` acts on them."""
        self.settings, self._problem = settings, ""

    # Opening and closing.

    def open(self, buffer_frames: int) -> None:
        """Open the chosen input, if there is one; what goes wrong is said once."""
        self.close()
        if self.settings is None:
            return
        self._buffer = buffer_frames
        self._retry_at = time.monotonic() + RETRY_SECONDS
        try:
            if self._stale:
                self._refresh()
            self._open(self.settings, buffer_frames)
            self._stale = False
        except Exception as error:  # PortAudio's errors differ by host
            self._stale = True
            reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            self._report("warning", f"nothing comes in: {reason}. The music goes on.")

    def _open(self, settings: InputSettings, buffer_frames: int) -> None:
        device = devices.find_device(devices.query_inputs(), settings.device)
        if device is None and not self._stale:
            self._refresh()
            device = devices.find_device(devices.query_inputs(), settings.device)
        if device is None:
            raise SegueError(
                "there is no audio input"
                if settings.device is None
                else f"the input '{settings.device}' is not there"
            )
        first = settings.first_channel
        if first > device.channels:
            raise SegueError(
                f"{device.name} has {device.channels} channel(s), not {first}: choose another"
            )
        width = 2 if settings.stereo and first < device.channels else 1
        failure: Exception | None = None
        for rate in dict.fromkeys((settings.sample_rate or s.SAMPLE_RATE, device.sample_rate)):
            capture = InputCapture(rate, first - 1, width)
            stream = None
            try:
                with quiet_stderr():
                    stream = devices.portaudio().InputStream(
                        samplerate=rate,
                        blocksize=buffer_frames,
                        device=device.index,
                        channels=first - 1 + width,
                        dtype="float32",
                        latency=2 * buffer_frames / rate,
                        callback=capture.callback,
                    )
                    stream.start()
            except Exception as error:
                failure = failure or error
                if stream is not None:
                    with contextlib.suppress(Exception):
                        stream.close()
                continue
            self._stream, self._name = stream, device.name
            self._start(capture, rate, settings, float(stream.latency))
            said = "stereo" if width == 2 else "mono"
            if settings.stereo and width == 1:
                said = "mono, for want of a second channel"
            self._report("info", f"listening to {device.label}, {rate / 1000:g} kHz {said}.")
            return
        assert failure is not None
        raise failure

    def _start(
        self, capture: InputCapture, rate: int, settings: InputSettings, latency: float
    ) -> None:
        now = time.monotonic()
        self._capture, self._latency = capture, latency
        self._converter = InputConverter(rate, self.history, settings.low_cut)
        self._watch = InputWatch(self._name, now)
        self._last_count, self._changed_at = 0, now
        self.words[s.INPUT_RATE] = rate
        for word in (s.INPUT_CLIPS, s.INPUT_LOST, s.INPUT_JUMPS, s.INPUT_FRAMES, s.INPUT_SKIPPED):
            self.words[word] = 0
        self.words[s.INPUT_RUNNING] = 1
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._convert, args=(capture, self._converter), name="input", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Close the device; a device that does not let go is left to itself."""
        self.words[s.INPUT_RUNNING] = 0
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        stream, self._stream = self._stream, None
        self._capture = self._converter = self._watch = None
        self.floats[s.INPUT_PEAK : s.INPUT_HOLD + 2] = 0.0
        if stream is not None:

            def shut() -> None:
                with contextlib.suppress(Exception), quiet_stderr():
                    stream.close()

            closing = threading.Thread(target=shut, daemon=True)
            closing.start()
            closing.join(CLOSE_SECONDS)

    # Converting.

    def _convert(self, capture: InputCapture, converter: InputConverter) -> None:
        """Body of the converting thread."""
        words, floats = self.words, self.floats
        priority.raise_thread_priority()
        skipped = 0
        while not self._stop.wait(POLL_SECONDS):
            raw = capture.take(MAX_FRAMES)
            if not len(raw):
                continue
            converter.skip(capture.skipped - skipped)
            skipped = capture.skipped
            latency = self._round_trip()
            levels = InputLevels(float(floats[s.INPUT_GAIN]), float(floats[s.INPUT_GATE]))
            converter.process(raw, capture.clock, self.output_clock, latency, levels)
            meters = converter.meters
            floats[s.INPUT_PEAK : s.INPUT_PEAK + 2] = meters.peak
            floats[s.INPUT_HOLD : s.INPUT_HOLD + 2] = meters.hold
            floats[s.INPUT_LATENCY] = latency
            floats[s.INPUT_ERROR] = converter.error
            words[s.INPUT_CLIPS] = converter.clips
            words[s.INPUT_LOST], words[s.INPUT_SKIPPED] = capture.lost, capture.skipped
            words[s.INPUT_FRAMES] = capture.count
            words[s.INPUT_JUMPS] = converter.jumps

    def _round_trip(self) -> float:
        """Seconds from a frame's way into the output to its return, as measured or as reported."""
        settings = self.settings
        if settings is not None and settings.round_trip_ms is not None:
            return settings.round_trip_ms / 1000.0
        return float(self.floats[s.LATENCY]) + self._latency

    # Watching.

    def watch(self) -> None:
        """Check whether the input still comes, and what of; 20 times a second."""
        now = time.monotonic()
        capture, converter, judge = self._capture, self._converter, self._watch
        if self._stream is None or capture is None or converter is None or judge is None:
            if self.settings is not None and now >= self._retry_at:
                with priority.normal_priority():
                    self.open(self._buffer)
            return
        if capture.count != self._last_count:
            self._last_count, self._changed_at = capture.count, now
        if not self._stream.active or now - self._changed_at > DEAD_SECONDS:
            self._report(
                "warning", f"{self._name} stopped: looking for it again. The music goes on."
            )
            self._retry_at, self._stale = now + RETRY_SECONDS, True
            with priority.normal_priority():
                self.close()
            return
        peak, converter.raw_peak = converter.raw_peak, 0.0
        for level, sentence in judge.update(
            now, peak, converter.clips, converter.invalid, capture.lost + (capture.skipped > 0),
            converter.guard.howls,
        ):  # fmt: skip
            self._say(level, sentence)

    def _report(self, level: str, sentence: str) -> None:
        """Say it, unless it was the last thing said: a device is tried again every second."""
        if sentence != self._problem:
            self._problem = sentence
            self._say(level, sentence)
