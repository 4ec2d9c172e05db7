"""A worker that plays into nothing in real time, with a knob that is turned; and what was heard."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QCoreApplication, Qt

from app.audio.output import NULL_DEVICE, AudioOutput, AudioSettings
from app.inference.worker import Worker
from models.engine.controls import Controls
from models.engine.interface import EngineInfo
from models.registry import open_engine
from models.storage.json_types import JsonObject

TURN_SECONDS = 2.0


@dataclass
class Report:
    """What was heard. plan: (seconds, plan in seconds). told: (seconds, sentence)."""

    plan: list[tuple[float, float]] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)
    underruns: list[tuple[float, int]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    clicks: int = 0
    recoveries: int = 0
    blocks: int = 0

    def figures(self) -> JsonObject:
        """Figures as JSON."""
        times = np.array(self.delays or [0.0])
        dry = sum(1 for _, depth in self.plan if depth <= 0.0) / max(1, len(self.plan))
        return {
            "seconds": round(self.plan[-1][0], 1) if self.plan else 0.0,
            "underruns": self.underruns[-1][1] if self.underruns else 0,
            "underruns_at": [round(at, 1) for at, _ in self.underruns],
            "silent_share": round(dry, 4),
            "plan_seconds_min": round(min((d for _, d in self.plan), default=0.0), 2),
            "knob_to_sound_ms": {
                "count": len(self.delays),
                **{f"p{p}": round(float(np.percentile(times, p)), 1) for p in (50, 95, 100)},
            },
            "clicks": self.clicks,
            "recoveries": self.recoveries,
            "told": [f"{at:.1f} {sentence}" for at, sentence in self.told],
        }


def play(
    engine: str,
    seconds: float,
    events: Sequence[tuple[float, Callable[[], object]]] = (),
    turn_seconds: float = TURN_SECONDS,
    stand_in: str = "",
) -> Report:
    """Play an engine for so long, with events at seconds after the start. stand_in: the engine of
    this machine that takes over.
    """
    app = QCoreApplication.instance() or QCoreApplication(sys.argv[:1])
    output = AudioOutput(AudioSettings(NULL_DEVICE))
    local = (lambda: open_engine(stand_in)) if stand_in else None
    worker = Worker(lambda: open_engine(engine), output, stand_in=local)
    report, failed, ready = Report(), [], []  # type: ignore[var-annotated]
    began = time.monotonic()
    direct = Qt.ConnectionType.DirectConnection
    worker.engine_failed.connect(failed.append, direct)
    worker.engine_ready.connect(ready.append, direct)
    worker.incident.connect(
        lambda incident: report.told.append((time.monotonic() - began, incident.sentence)), direct
    )
    waiting = sorted(events, key=lambda event: event[0])
    try:
        output.start()
        worker.start()
        while not ready and not failed:
            app.processEvents()
            time.sleep(0.02)
        if failed:
            raise SystemExit(failed[0])
        worker.submit(turned(ready[0], 0))
        while worker.status().plan_seconds < 2.0:
            time.sleep(0.02)
        worker.play()
        while output.status().gain < 1.0:
            time.sleep(0.02)
        time.sleep(1.0)
        began, turn, next_turn, known = time.monotonic(), 0, 0.0, 0
        first = output.status().underruns
        while (passed := time.monotonic() - began) < seconds:
            while waiting and passed >= waiting[0][0]:
                waiting.pop(0)[1]()
            if passed >= next_turn:
                next_turn, turn = passed + turn_seconds + 0.0137 * turn % 0.1, turn + 1
                worker.submit(turned(ready[0], turn))
            audio, status = output.status(), worker.status()
            report.plan.append((passed, audio.plan_seconds))
            count = audio.underruns - first
            if count > (report.underruns[-1][1] if report.underruns else 0):
                report.underruns.append((passed, count))
            if status.knob_to_sound_count > known and status.knob_to_sound_ms is not None:
                known = status.knob_to_sound_count
                report.delays.append(status.knob_to_sound_ms)
            time.sleep(0.02)
        status = worker.status()
        report.clicks, report.recoveries = status.discontinuities, status.recoveries
        report.blocks = status.blocks
    finally:
        worker.stop()
        worker.wait()
        output.stop()
    return report


def turned(info: EngineInfo, turn: int) -> Controls:
    """Controls after some turns of a knob."""
    changes = {"density": (0.3, 0.8)[turn % 2], "brightness": (0.4, 0.7)[turn % 2]}
    return Controls().with_(**{k: v for k, v in changes.items() if k in info.controls})
