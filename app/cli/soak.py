"""`python main.py soak`: plays through the audio device without a window and counts dropouts."""

from __future__ import annotations

import json
import math
import sys
import time
from argparse import Namespace
from typing import Final

import numpy as np

from app.audio.output import AudioOutput, AudioSettings
from app.cli.plan_check import PlanCheck
from app.inference.worker import Worker
from models.engine.controls import Controls
from models.engine.interface import EngineInfo
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

START_SECONDS: Final = 120.0
TURN_SECONDS: Final = 2.0
"""Seconds between two turns of a knob."""


def soak(chosen: Namespace) -> int:
    """Play for some minutes and print what was counted; 1 after any dropout.

    A test names another audio device than the default by `chosen.audio_device`.
    """
    from PySide6.QtCore import QCoreApplication, Qt

    from models.registry import open_engine

    if not math.isfinite(chosen.minutes) or not 0 < chosen.minutes <= 24 * 60:
        raise SegueError(f"--minutes is {chosen.minutes:g}: give a length from 0 to 1440.")
    engine = getattr(chosen, "engine", "segue")
    app = QCoreApplication.instance() or QCoreApplication(sys.argv[:1])
    failed: list[str] = []
    ready: list[EngineInfo] = []
    incidents: list[str] = []
    output = AudioOutput(AudioSettings(getattr(chosen, "audio_device", None)))
    output.on_event = lambda event: incidents.append(event.sentence)
    worker = Worker(lambda: open_engine(engine, getattr(chosen, "device", "auto")), output)
    direct = Qt.ConnectionType.DirectConnection
    worker.engine_failed.connect(failed.append, direct)
    worker.engine_ready.connect(ready.append, direct)
    worker.incident.connect(lambda incident: incidents.append(incident.sentence), direct)
    began = time.monotonic()
    try:
        output.start()
        worker.start()
        while not ready and not failed and time.monotonic() - began < START_SECONDS:
            app.processEvents()
            time.sleep(0.05)
        if failed or not ready:
            raise SegueError(failed[0] if failed else "the engine did not start in two minutes.")
        worker.submit(_turned(ready[0].controls, 0))
        while worker.status().plan_seconds < 2.0 and time.monotonic() - began < START_SECONDS:
            time.sleep(0.05)
        worker.play()
        report = _play(worker, output, ready[0], chosen.minutes * 60.0)
    finally:
        worker.stop()
        worker.wait()
        output.stop()
    report = {"engine": engine, **report, "incidents": incidents}
    if chosen.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            print(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    return 1 if report["underruns"] or report["xruns"] or report["discontinuities"] else 0


def _turned(acting: frozenset[str], turn: int) -> Controls:
    """Controls after some turns of knobs, of those that the engine has."""
    changes: dict[str, float] = {}
    if "density" in acting:
        changes["density"] = (0.3, 0.8)[turn % 2]
    elif "brightness" in acting:
        changes["brightness"] = (0.3, 0.8)[turn % 2]
    if "bpm" in acting:
        changes["bpm"] = (120.0, 120.0, 126.0, 126.0)[turn % 4]
    return Controls().with_(**changes)


def _play(
    worker: Worker, output: AudioOutput, info: EngineInfo, seconds: float
) -> dict[str, object]:
    deadline = time.monotonic() + 10.0
    while output.status().gain < 1.0 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(1.0)  # skips the first callbacks, which are often late
    first = output.status()
    check = PlanCheck(output, first.read)
    output.reset_worst()
    began, turn, next_turn, lowest = time.monotonic(), 0, 0.0, np.inf
    while (passed := time.monotonic() - began) < seconds:
        if passed >= next_turn:
            next_turn, turn = next_turn + TURN_SECONDS, turn + 1
            worker.submit(_turned(info.controls, turn))
        check.update()
        lowest = min(lowest, output.status().plan_seconds)
        time.sleep(0.05)
    check.update()
    status, last = worker.status(), output.status()
    return {
        "device": last.device,
        "buffer_frames": last.buffer_frames,
        "seconds": round(seconds, 3),
        "heard_seconds": round((last.read - first.read) / SAMPLE_RATE, 3),
        "underruns": last.underruns - first.underruns,
        "xruns": last.xruns - first.xruns,
        "discontinuities": check.torn + status.discontinuities,
        "torn": check.torn,
        "edges": status.discontinuities,
        "restarts": last.restarts,
        "worst_callback_ms": round(last.worst_callback_ms, 3),
        "plan_seconds_min": round(float(lowest), 3),
        "knob_turns": turn,
        "knob_to_sound_worst_ms": round(status.knob_to_sound_worst_ms, 1),
        "real_time_factor": round(status.real_time_factor, 2),
        "recoveries": status.recoveries,
        "limited_frames": check.limited,
    }
