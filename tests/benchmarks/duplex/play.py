"""Instrument of the duplex benchmark: the stage's performer with an input and all sends open.

Started by `tests.benchmarks.duplex` as a process. Notes what each block of the plan knows of the
input, and when which position is heard.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.duplex.delays import Write
from tests.benchmarks.duplex.memory import sizes
from tests.benchmarks.stage import play

SENDS: Final = {
    "send.style": 0.5,
    "send.follow": 0.8,
    "send.memory": 0.6,
    "send.echo": 0.5,
    "send.echo.dream": 0.5,
}


class BlockNotes:
    """What every written block knows of the input, as `Write`; begins with `watch`."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self._steer = -1

    def watch(self, ring: Any, plan_at: Any) -> None:
        """Note each block from now on. plan_at: plan position of a frame of the input's clock."""
        from app.inference.plan_log import PlanLog
        from app.session.ears.followed_plan import FollowedPlan

        report, steer = PlanLog.report, FollowedPlan.steer

        def steered(plan: FollowedPlan, *arguments: Any) -> Any:
            self._steer = plan.plan
            return steer(plan, *arguments)

        def reported(log: PlanLog, rendered: Any, join: int, rewritten: bool) -> None:
            self.writes.append(self._write(rendered, join, ring.read, plan_at))
            report(log, rendered, join, rewritten)

        # The classes themselves: plans come through a pipe, and the log belongs to the planner.
        vars_of = ((FollowedPlan, "steer", steered), (PlanLog, "report", reported))
        for kind, name, method in vars_of:
            setattr(kind, name, method)

    def _write(self, rendered: Any, join: int, read: int, plan_at: Any) -> Write:
        block, hearing = rendered.block, rendered.block.hearing
        write = Write(join, block.stop, read, followed=self._steer)
        self._steer = -1
        if hearing is None:
            return write
        known = hearing.transcript
        newest = max(
            known.hits[-1].time if known.hits else -1.0,
            known.notes[-1].start if known.notes else -1.0,
        )
        noted = plan_at(hearing.origin + round(newest * 48_000)) if newest >= 0.0 else -1
        return replace(write, noted=noted, known=plan_at(hearing.origin + hearing.known))


class DuplexPerformer(play.Performer):
    """Performer that turns no knob, but opens the sends and lets somebody play in."""

    def __init__(self, window: Any, *arguments: Any) -> None:
        self.notes = BlockNotes()
        self.reader: list[tuple[float, int, float]] = []
        self.received: list[tuple[float, int]] = []
        self.dry = self.polls = 0
        super().__init__(window, *arguments)

    def sounding(self, status: Any) -> None:
        super().sounding(status)
        self.memory_first = sizes(self.window, self.worker)
        for name, value in SENDS.items():
            self.window.registry.set(name, value)
        self.notes.watch(self.output.ring, self.output.input.clock_map.plan_at)

    def poll(self) -> None:
        status = self.output.status()
        if self.sounded:
            self.reader.append((status.read_at, int(status.read), status.latency_seconds))
            self.received.append((time.monotonic(), int(self.output.status().input.frames)))
            self.polls += 1
            self.dry += self.worker.status().echo_dry
        super().poll()

    def start_measuring(self, status: Any) -> None:
        super().start_measuring(status)
        self.input_first = self.output.status().input

    def finish(self, status: Any) -> None:
        first, last = self.input_first, self.output.status().input
        self.report["input"] = {
            "lost": last.lost - first.lost,
            "frames": last.frames - first.frames,
            "skipped": last.skipped - first.skipped,
            "jumps": last.jumps - first.jumps,
            "running": last.running,
        }
        self.report["echo_dry_share"] = round(self.dry / max(1, self.polls), 3)
        self.report["memory_mb"] = {
            "at_the_start": self.memory_first,
            "at_the_end": sizes(self.window, self.worker),
        }
        found = {
            "writes": [asdict(write) for write in self.notes.writes],
            "reader": self.reader,
            "received": self.received,
        }
        Path(self.options.folder, "duplex.json").write_text(json.dumps(found))
        super().finish(status)


if __name__ == "__main__":
    sys.exit(play.main(sys.argv[1:], DuplexPerformer))
