"""Instrument played by a script that turns a knob every two seconds.

Started by `tests.benchmarks.stage` as a process: `app.window.application.run` unchanged, with a
measuring `Performer` in its GUI thread. Prints JSON lines: when it sounds, and at the end the
report.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

TURNS: Final = (
    ("density", (0.25, 0.8)),
    ("prompt.1.weight", (0.3, 1.6)),
    ("brightness", (0.3, 0.8)),
    ("prompt.2.weight", (1.4, 0.2)),
    ("tempo", (124.0, 118.0)),
)
START_SECONDS: Final = 60.0


def process_age() -> float:
    """Seconds since this process was started."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    started = ticks / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def thread_seconds() -> dict[str, float]:
    """Processor seconds of each thread of this process, by its name and number."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found = {}
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            head, _, rest = (task / "stat").read_text().rpartition(")")
            fields = rest.split()
            name = names.get(int(task.name)) or head.partition("(")[2]
            ticks = int(fields[11]) + int(fields[12])
            found[f"{name} {task.name}"] = ticks / os.sysconf("SC_CLK_TCK")
    return found


def emit(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


class Performer:
    """Presses play, turns knobs and reads meters, in the GUI thread beside the window."""

    def __init__(self, window: Any, heartbeat: Any, painted: Any, options: Any) -> None:
        from PySide6.QtCore import Qt, QTimer

        from tests.benchmarks.stage.knobs import KnobDelays

        self.window, self.heartbeat, self.painted = window, heartbeat, painted
        self.options = options
        self.delays = KnobDelays()
        self.report: dict[str, Any] = {}
        self.rss: list[tuple[float, float]] = []
        self.clock: list[tuple[float, float]] = []
        self.lowest = float("inf")
        self.turns = self.xruns = self.underruns = 0
        self.xrun_times: list[tuple[float, int]] = []
        self.underrun_times: list[float] = []
        self.began = 0.0
        self.sounded = False
        self.follower: Any = None
        self.profile = cProfile.Profile(time.thread_time)  # this thread's processor time
        self.incidents: list[str] = []
        self.output, self.worker = window.playback.output, window.playback.worker
        direct = Qt.ConnectionType.DirectConnection
        self.worker.plan_rewritten.connect(self.delays.rewritten, direct)
        self.worker.block_ready.connect(self._in_inference, direct)
        self.worker.incident.connect(lambda i: self.incidents.append(i.sentence))
        self.worker.engine_failed.connect(self.end)
        window.reported.connect(lambda level, sentence: self.incidents.append(sentence))
        self.timer = QTimer()
        self.timer.setInterval(20)
        self.timer.timeout.connect(self._poll)
        self.timer.start()
        self.age = process_age()
        window.registry.set("mixer.master", 0.0)  # 0 dB, so that output and recording are equal
        window.registry.set("transport.play", True)

    def _in_inference(self, report: Any) -> None:
        self.heartbeat.inference = threading.get_native_id()

    def _poll(self) -> None:
        try:
            self.poll()
        except Exception as error:
            self.end(f"{type(error).__name__}: {error}")

    def poll(self) -> None:
        status = self.output.status()
        if not self.sounded:
            if status.read > 0 and status.gain > 0.0:
                self.sounded = True
                self.sounding(status)
            elif process_age() > START_SECONDS:
                self.end(f"nothing was heard in a minute ({self.worker.status()})")
            return
        now = time.monotonic()
        passed = now - self.began
        if passed < 0.0:
            return
        if not self.report:
            self.start_measuring(status)
        self.delays.heard(status.read, status.read_at, status.latency_seconds)
        if status.xruns > self.xruns:
            self.xrun_times.append((round(passed, 2), status.xruns - self.xruns))
        self.xruns = status.xruns
        if status.underruns > self.underruns:
            self.underrun_times.append(round(passed, 2))
        self.underruns = status.underruns
        self.lowest = min(self.lowest, status.plan_seconds)
        if not self.rss or passed - self.rss[-1][0] >= 5.0:
            self.rss.append((round(passed, 1), resident_mb()))
            self._read_clock(status)
        if passed >= (self.turns + 1) * self.options.every and passed < self.options.seconds - 1.5:
            self.turn()
        if passed >= self.options.seconds:
            self.finish(status)

    def sounding(self, status: Any) -> None:
        from app.audio import shared_memory as shared

        late = (status.read / 48_000) - (time.monotonic() - status.read_at)
        self.first_sound = process_age() - max(0.0, late)
        emit("sounding", device=status.device, memory=self.output._memory.name, pid=os.getpid())
        assert shared.SAMPLE_RATE == 48_000
        self.record_from = self.output.tap.end
        capture, folder = self.window.playback.capture, Path(self.options.folder)
        if self.options.stems:
            capture.record_take(folder / "take", suffix="wav", stems=True)
        else:
            capture.record(folder / "heard.wav", subtype="FLOAT")
        self._follow()
        self.began = time.monotonic() + 3.0  # skips the first callbacks, which are often late
        self._read_clock(status)

    def _read_clock(self, status: Any) -> None:
        """Note the recording's position and the time at which it sounds."""
        recorded = (status.read - self.record_from) / 48_000
        self.clock.append((round(recorded, 4), round(status.read_at - self.began, 4)))

    def _follow(self) -> None:
        import multiprocessing

        from tests.benchmarks.stage.follow import follow

        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=follow, args=(there, self.output._memory.name))
        process.start()
        there.close()
        self.follower = (process, here)

    def start_measuring(self, status: Any) -> None:
        self.report = {
            "window_seconds": round(self.options.window_at, 2),
            "first_sound_seconds": round(self.first_sound, 2),
            "first_sound_after_window": round(self.first_sound - self.options.window_at, 2),
        }
        self.first = status
        self.xruns = status.xruns
        self.underruns = status.underruns
        self.heartbeat.reset()
        self.painted.reset()
        self.output.reset_worst()
        self.thread_time = time.thread_time()
        self.process_time = time.process_time()
        self.threads = thread_seconds()
        if self.options.profile:
            self.profile.enable()

    def turn(self) -> None:
        name, values = TURNS[self.turns % len(TURNS)]
        value = values[(self.turns // len(TURNS)) % 2]
        self.turns += 1
        self.delays.turned(time.monotonic())
        self.window.registry.set(name, value)

    def finish(self, status: Any) -> None:
        from tests.benchmarks.stage.figures import summary

        self.timer.stop()
        if self.options.profile:
            self.profile.disable()
            self.profile.dump_stats(self.options.profile)
        passed = time.monotonic() - self.began
        main = (time.thread_time() - self.thread_time) / passed
        whole = (time.process_time() - self.process_time) / passed
        self.heartbeat.stop()
        process, pipe = self.follower
        pipe.send("stop")
        torn = pipe.recv() if pipe.poll(5.0) else (-1, 0, 0)
        process.join(5.0)
        self.report |= summary(self, status, passed, torn)
        self.report["began"] = self.began
        # Pairs of recording and run time: they drift apart where the device loses cycles.
        self.report["heard_clock"] = self.clock
        self.report["gui_thread_core_share"] = round(main, 3)
        self.report["process_core_share"] = round(whole, 3)
        shares = {
            name: round((seconds - self.threads.get(name, 0.0)) / passed, 3)
            for name, seconds in thread_seconds().items()
        }
        self.report["core_share_of_threads"] = {n: s for n, s in shares.items() if s >= 0.005}
        self.window.registry.set("transport.play", False)
        from PySide6.QtCore import QTimer

        QTimer.singleShot(600, self.leave)

    def leave(self) -> None:
        result = self.window.playback.capture.stop_recording()
        self.report["recorded_seconds"] = round(result.seconds, 2) if result else 0.0
        self.report["peak_rss_mb"] = round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1
        )
        self.end("")

    def end(self, reason: str) -> None:
        from PySide6.QtWidgets import QApplication

        self.timer.stop()
        if reason:
            self.report["failed"] = f"{reason}; {self.incidents}"
        emit("done", report=self.report)
        self.window.shut()
        QApplication.exit(0)


def main(arguments: list[str], kind: type[Performer] = Performer) -> int:
    """Play until the time is over. kind: of performer."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.stage.play")
    parser.add_argument("--engine", default="segue")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=2.0)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--capture", type=float, default=1800.0)
    parser.add_argument("--stems", action="store_true")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--profile")
    options = parser.parse_args(arguments)

    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    import app.window.application
    from app.recording.capture_thread import CaptureThread
    from app.window.spectrogram.view import SpectrogramView
    from tests.benchmarks.stage.loop import Heartbeat, PaintCounter

    keywords: Any = CaptureThread.__init__.__kwdefaults__
    keywords["capture_seconds"] = options.capture
    application = QApplication(["segue"])
    painted = PaintCounter(SpectrogramView)
    heartbeat = Heartbeat(0.05 if options.trace else None)
    held: list[Performer] = []

    def wait_for_window() -> None:
        from app.window.main_window import MainWindow

        found = [w for w in application.topLevelWidgets() if isinstance(w, MainWindow)]
        if not found or not painted.painted:
            QTimer.singleShot(5, wait_for_window)
            return
        options.window_at = process_age()
        heartbeat.start()
        held.append(kind(found[0], heartbeat, painted, options))

    QTimer.singleShot(0, wait_for_window)
    return app.window.application.run(engine=options.engine)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
