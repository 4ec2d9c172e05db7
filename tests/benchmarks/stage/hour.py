"""Memory over an hour of playing, simulated in a minute or two without a device or Qt.

`python -m tests.benchmarks.stage.hour --minutes 60` runs planner, ring, audio callback, capture,
performance log and spectra in one thread as fast as they go, with an engine that takes no time and
whose snapshots are as large as those of a real one. A knob is turned every 2 s.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.audio import shared_memory as s
from app.audio.callback import CallbackRenderer
from app.audio.ring import PlanRing, TapRing
from app.inference.messages import BlockReport, PlannerListener, WorkerSettings
from app.inference.planner import Planner
from app.recording.capture import Capture
from app.window.spectrogram.spectra import Spectra
from models.engine.controls import Controls
from models.engine.interface import Audio, Snapshot, Stream
from tests.support.tone_engine import ToneEngine

RATE = 48_000
FRAMES = 1920


OWN: Final = (
    16_400, 16_400, 12_544, 6272, 4608, 4100, 4100, 4096, 4096, 4096, 4096, 3072, 2560, 2560, 1280,
    832, 352, 320, 160,
)  # fmt: skip
"""Bytes of the arrays that one snapshot of the embedded engine does not share."""
SHARED: Final = 24_576
"""Bytes of the array that it shares with the next WINDOW snapshots."""
WINDOW: Final = 35


class HeavyStream(Stream):
    """Tone stream with snapshots like the embedded engine's, and heap traffic of all sizes."""

    def __init__(self, inner: Stream) -> None:
        self._inner = inner
        self._own: tuple[Any, ...] = ()
        self._shared: tuple[Any, ...] = ()
        self._random = np.random.default_rng(0)
        self._work: list[Any] = [None] * 40

    def render(self, controls: Controls) -> Audio:
        own = []
        for size in (*OWN, SHARED):
            passing = int(2.0 ** self._random.uniform(9, 19))
            self._work[self._random.integers(len(self._work))] = np.ones(passing, np.uint8)
            own.append(np.ones(size, np.uint8))
        self._shared = (*self._shared, own.pop())[-WINDOW:]
        self._own = tuple(own)
        return self._inner.render(controls)

    def snapshot(self) -> Snapshot:
        return self._inner.snapshot(), self._own, self._shared

    def restore(self, snapshot: Snapshot) -> None:
        assert isinstance(snapshot, tuple)
        inner, self._own, self._shared = snapshot
        self._inner.restore(inner)

    def clear(self) -> None:
        self._inner.clear()


class HeavyEngine(ToneEngine):
    """Engine of heavy streams."""

    def start(self, seed: int = 0) -> Any:
        return HeavyStream(super().start(seed))


def resident_mb() -> float:
    import os

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def play(minutes: float, capture_seconds: float, moments_mb: float, count: int = 12) -> list[float]:
    """Play some minutes of music; resident megabytes at `count` evenly spaced times."""
    words, floats = np.zeros(s.WORDS, np.int64), np.zeros(s.FLOATS)
    floats[s.VOLUME] = 1.0
    plan = np.zeros((8 * RATE, 2), np.float32)
    tap = np.zeros((8 * RATE, 2), np.float32)
    player, ring, tapped = (
        CallbackRenderer(words, floats, plan, tap),
        PlanRing(words, plan),
        TapRing(words, tap),
    )
    capture, spectra = Capture(capture_seconds), Spectra(capture_seconds)

    def block(report: BlockReport) -> None:
        spectra.write(report.position, report.samples)

    clock = [0.0]
    planner = Planner(
        HeavyEngine(),
        ring,
        WorkerSettings(moments_mb=moments_mb),
        listener=PlannerListener(block=block),
        clock=lambda: clock[0],
    )
    planner.reader_stopped = False
    controls, out = Controls(density=0.5), np.zeros((FRAMES, 2), np.float32)
    planner.submit(controls, turned_at=0.0)
    while planner.step():
        pass
    words[s.PLAYING] = 1
    steps, seen, turns = round(minutes * 60 * RATE / FRAMES), 0, 0
    found = []
    for step in range(1, steps + 1):
        player.process(out)
        clock[0] += FRAMES / RATE
        if clock[0] >= 2.0 * (turns + 1):
            turns += 1
            planner.submit(controls.with_(density=(0.3, 0.8)[turns % 2]), turned_at=clock[0])
        while planner.step():
            pass
        if step % 10 == 0:
            start, heard = tapped.follow(seen)
            capture.add(start, heard)
            seen = start + len(heard)
        if step % (steps // count) == 0:
            gc.collect()
            found.append(resident_mb())
    assert words[s.UNDERRUNS] == 0 and seen > 0.99 * minutes * 60 * RATE - RATE
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.stage.hour", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--capture", type=float, default=300.0, help="rolling capture")
    parser.add_argument("--moments-mb", type=float, default=100.0)
    options = parser.parse_args(arguments)
    found = play(options.minutes, options.capture, options.moments_mb)
    print(json.dumps({"minutes": options.minutes, "rss_mb": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
