"""Audio output: the parent's handle on the audio process.

`AudioOutput` owns the shared memory and starts the process. A thread watches it: a process that
dies or hangs is started again and finds the ring as it was, so that the music goes on where it
stopped. Changes of devices are reported as `AudioEvent`s. All methods may be called from any
thread.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from app.audio import devices, process
from app.audio import shared_memory as s
from app.audio.device_sentences import lost_sentence, null_sentence, restart_sentence
from app.audio.input.history import InputHistory
from app.audio.input.link import InputLink
from app.audio.input.loopback import RoundTrip, measure
from app.audio.processes.body import EXIT_HUNG
from app.audio.processes.child import ChildProcess
from app.audio.ring import PlanRing, TapRing
from app.audio.score_link import ScoreLink
from app.audio.settings import (
    NULL_DEVICE,
    AudioDevice,
    AudioEvent,
    AudioSettings,
    AudioStatus,
    read_status,
)

__all__ = [
    "NULL_DEVICE",
    "AudioDevice",
    "AudioEvent",
    "AudioOutput",
    "AudioSettings",
    "AudioStatus",
]

WATCH_SECONDS: Final = 0.1
FINGERPRINT_SECONDS: Final = 2.0
RESCAN_SECONDS: Final = 5.0
HUNG_SECONDS: Final = 20.0


class AudioOutput:
    """Ring, tap, process and devices. Use as a context manager, or start and stop."""

    def __init__(
        self, settings: AudioSettings | None = None, *, layout: s.Layout | None = None
    ) -> None:
        self._settings = settings or AudioSettings()
        self._layout = layout or s.Layout()
        self._memory = s.SharedAudio(self._layout)
        self._words, self._floats = self._memory.words, self._memory.floats
        self.ring = PlanRing(
            self._words, self._memory.plan, self._memory.stems, self._memory.rewrites
        )
        self.tap = TapRing(self._words, self._memory.tap)
        self.input = InputHistory(self._words, self._memory.input)
        self.score = ScoreLink(self._send)
        self.on_event: Callable[[AudioEvent], None] | None = None
        """Called with an AudioEvent in the watching thread."""
        self._lock = threading.RLock()
        self._process = ChildProcess("segue audio", process.run)
        self._input_link = InputLink(
            self.shared, self._words, lambda level, text: self._emit("input", level, text)
        )
        self._stopping = threading.Event()
        self._rescan = threading.Event()
        self._watcher: threading.Thread | None = None
        self._label = ""
        self._fallen_back = False
        self._restarts = 0
        self._volume = 1.0
        self._devices: list[AudioDevice] = []
        self._inputs: list[AudioDevice] = []
        self._last_sentence = self._lost = ""
        self._closed_status: AudioStatus | None = None
        self._modules: list[str] | None = None

    # Start and stop.

    def start(self) -> None:
        """Start the process and watch it. Returns at once; the device opens within a second."""
        with self._lock:
            if self._watcher is not None or self._closed_status is not None:
                return
            self._spawn()
            self._input_link.choose(self._settings.input, self._settings.buffer_frames)
            self._watcher = threading.Thread(target=self._watch, name="audio watch", daemon=True)
            self._watcher.start()

    def stop(self) -> None:
        """End the process and release the memory. The output cannot be started again."""
        if self._closed_status is not None:
            return
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        with self._lock:
            self._input_link.end()
            self._end_process()
            self._closed_status = self.status()
            del self._words, self._floats, self._input_link
            empty = PlanRing.local(1)
            self.ring.words, self.ring.data, self.ring.beside = empty.words, empty.data, None
            self.tap.words, self.tap.data = empty.words, empty.data
            self.input = InputHistory(empty.words, empty.data)
            self._memory.close()

    def __enter__(self) -> AudioOutput:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Settings and transport.

    @property
    def settings(self) -> AudioSettings:
        return self._settings

    def apply(self, settings: AudioSettings) -> None:
        """Play through another device, rate or buffer; the plan keeps its position."""
        with self._lock:
            self._settings = settings
            self._last_sentence = ""
            self._send(("open", settings))
            if self._closed_status is None:
                self._input_link.choose(settings.input, settings.buffer_frames)

    @property
    def volume(self) -> float:
        return self._volume

    def set_volume(self, volume: float) -> None:
        """Set the volume, 0 to 1, linear. Recordings do not depend on it."""
        self._volume = min(1.0, max(0.0, float(volume)))
        if self._closed_status is None:
            self._floats[s.VOLUME] = self._volume

    def set_input_levels(self, gain: float, gate: float, monitor: float) -> None:
        """Set the input's gain (0: muted), gate (0: none) and monitor (0: none), linear."""
        if self._closed_status is None:
            floats = self._floats
            floats[s.INPUT_GAIN], floats[s.INPUT_GATE] = gain, gate
            floats[s.INPUT_MONITOR] = monitor

    def measure_round_trip(self) -> RoundTrip:
        """Loopback test, see `input.loopback.measure`; blocks for some seconds."""
        return measure(self._words, self._floats, self.input)

    def set_playing(self, playing: bool) -> None:
        """Play, or fade out and keep the position. For the worker; others call worker.play."""
        if self._closed_status is None:
            self._words[s.PLAYING] = int(playing)

    @property
    def playing(self) -> bool:
        return self._closed_status is None and bool(self._words[s.PLAYING])

    def silence(self, timeout: float = 0.5) -> bool:
        """Fade out at once and stop. Waits until the reader stands still.

        False where the audio process did not answer in time (it is not running).
        """
        words = self._words
        words[s.PANIC] += 1
        deadline = time.monotonic() + timeout
        while words[s.PANIC_DONE] != words[s.PANIC]:
            if time.monotonic() > deadline or not words[s.RUNNING]:
                words[s.PLAYING] = 0
                return False
            time.sleep(0.002)
        return True

    def reset_worst(self) -> None:
        """Reset the worst callback time."""
        self._words[s.RESET_WORST] += 1

    # Status.

    def status(self) -> AudioStatus:
        """Current status; cheap enough for meters at 60 Hz."""
        if self._closed_status is not None:
            return self._closed_status
        return read_status(self._words, self._floats, self._label, self._restarts)

    @property
    def limiting_lowest(self) -> float:
        """Lowest gain of the limiter so far."""
        return self.status().limiting_lowest

    def position_now(self) -> float:
        """Plan position that sounds now, in frames, smooth enough for a playhead."""
        status = self.status()
        position = status.read - (status.buffer_frames / status.sample_rate) * s.SAMPLE_RATE
        if status.running and status.playing and status.gain > 0.0:
            passed = min(0.1, max(0.0, time.monotonic() - status.read_at))
            position += passed * s.SAMPLE_RATE
        position -= status.latency_seconds * s.SAMPLE_RATE
        return max(0.0, min(position, float(status.read)))

    def devices(self, rescan: bool = False) -> list[AudioDevice]:
        """Outputs as last listed; rescan: list them now, which blocks."""
        if rescan or not self._devices:
            with contextlib.suppress(devices.SegueError):
                self._devices, self._inputs = devices.list_devices()
        return list(self._devices)

    def inputs(self) -> list[AudioDevice]:
        """Inputs as last listed by `devices`."""
        return list(self._inputs)

    def request_rescan(self) -> None:
        """List the devices soon; an event of kind 'devices' reports a change."""
        self._rescan.set()

    @property
    def shared(self) -> tuple[str, s.Layout]:
        """Name and layout of the shared memory, for other processes of the instrument."""
        return self._memory.name, self._layout

    @property
    def pid(self) -> int | None:
        """Process id of the audio process, for diagnosis."""
        return self._process.pid

    def modules(self, timeout: float = 5.0) -> list[str]:
        """Modules that the audio process has imported, for diagnosis."""
        self._modules = None
        self._send(("modules",))
        deadline = time.monotonic() + timeout
        while self._modules is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return self._modules or []

    # The process.

    def _spawn(self) -> None:
        self._process.start(self._memory.name, self._layout, self._settings)
        self.score.restarted()

    def _end_process(self) -> None:
        self._process.end(("stop",))
        self._stopped()

    def _stopped(self) -> None:
        self._words[s.RUNNING] = 0

    def _send(self, message: tuple[Any, ...]) -> None:
        self._process.send(message)

    # Watching.

    def _watch(self) -> None:
        fingerprint = devices.fingerprint()
        next_check = next_rescan = time.monotonic() + FINGERPRINT_SECONDS
        heartbeat, beat_at = -1, time.monotonic()
        deaths: list[float] = []
        while not self._stopping.wait(WATCH_SECONDS):
            self._read_messages()
            self._input_link.watch()
            now = time.monotonic()
            beat = int(self._words[s.HEARTBEAT])
            if beat != heartbeat:
                heartbeat, beat_at = beat, now
            if now - beat_at > HUNG_SECONDS and self._process.alive:
                self._process.kill()
                beat_at = now
            if not self._process.alive:
                deaths = [t for t in deaths if now - t < 20.0] + [now]
                self._restart(0.0 if len(deaths) <= 3 else 2.0)
                beat_at = time.monotonic()
            if now >= next_check:
                next_check = now + FINGERPRINT_SECONDS
                changed = devices.fingerprint()
                if changed != fingerprint:
                    fingerprint = changed
                    self._rescan.set()
            wait_over = self._fallen_back and now >= next_rescan
            if self._rescan.is_set() or wait_over:
                self._rescan.clear()
                self._scan_devices()
                next_rescan = time.monotonic() + RESCAN_SECONDS

    def _read_messages(self) -> None:
        try:
            while self._process.poll():
                message = self._process.receive()
                assert isinstance(message, tuple)
                self._handle(message)
        except (EOFError, OSError):
            pass  # it died; the watching thread will notice

    def _handle(self, message: tuple[Any, ...]) -> None:
        kind = message[0]
        if kind == "opened":
            _, label, fallen_back, reason = message
            self._label, self._fallen_back, self._lost = label, fallen_back, ""
            if fallen_back:
                self._emit("device", "warning", f"{reason}: playing through {label} instead.")
            else:
                self._emit("device", "info", f"playing through {label}.")
        elif kind == "null":
            _, chosen, reason = message
            self._label, self._fallen_back = "no device", False
            if not chosen:
                self._emit("device", "warning", null_sentence(reason, self._lost))
        elif kind == "lost":
            self._lost = message[1]
            self._emit("device", "warning", lost_sentence(self._lost))
        elif kind in ("score", "parts"):
            self._emit(kind, message[1], message[2])
        elif kind == "modules":
            self._modules = message[1]

    def _restart(self, wait: float) -> None:
        with self._lock:
            code = self._process.exit_code
            self._process.release()
            self._stopped()
        if self._stopping.wait(wait):
            return
        with self._lock:
            self._restarts += 1
            self._spawn()
        self._last_sentence = ""
        sentence = restart_sentence(code == EXIT_HUNG, self._lost)
        self._emit("restart", "warning", sentence)

    def _scan_devices(self) -> None:
        try:
            found, inputs = devices.list_devices()
        except devices.SegueError:
            return
        if (found, inputs) != (self._devices, self._inputs):
            self._devices, self._inputs = found, inputs
            self._emit("devices", "info", "the list of audio devices has changed.")
        label = self._settings.device
        if self._fallen_back and label and devices.find_device(found, label):
            self._send(("open", self._settings))

    def _emit(self, kind: str, level: str, sentence: str) -> None:
        if sentence == self._last_sentence and kind == "device":
            return  # a device that is retried every second is reported once
        if kind == "device":
            self._last_sentence = sentence
        if self.on_event is not None:
            self.on_event(AudioEvent(kind, level, sentence))
