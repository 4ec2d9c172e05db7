"""Stage benchmark: starts JACK and a display, plays, captures, compares, prints JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.benchmarks.stage import display
from tests.benchmarks.stage.compare import clicks_in, compare
from tests.support import jack

LEAD_SECONDS = 3.0
START_SECONDS = 120.0


def main(arguments: list[str]) -> int:
    """Exit code: 0 without dropouts, 1 with any, 2 where the machine lacks something."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.stage", description=__doc__)
    add_options(parser)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two turns")
    parser.add_argument("--trace", action="store_true", help="print late stacks of the GUI thread")
    parser.add_argument("--profile", help="a file for cProfile's figures of the GUI thread")
    parser.add_argument("--keep", help="folder to leave the audio files in")
    options = parser.parse_args(arguments)
    if lacking():
        return 2
    with (
        _folder(options.keep) as place,
        display.display() as screen,
        jack.JackServer(options.buffer) as server,
    ):
        report = run(options, Path(place), screen, server)
    print(json.dumps(report, indent=1))
    return 1 if "failed" in report or broken(report) else 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what every benchmark of the whole instrument asks."""
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--engine", default="segue")
    parser.add_argument("--buffer", type=int, default=256)
    parser.add_argument("--capture", type=float, default=1800.0, help="rolling capture")
    parser.add_argument("--stems", action="store_true", help="record a take with a file per part")


def lacking() -> bool:
    """Whether this machine lacks what the benchmark needs; it is said on standard error."""
    what = jack.missing() or display.missing()
    if what:
        print(f"the stage cannot be set up: {what}", file=sys.stderr)
    return bool(what)


def _folder(keep: str | None) -> contextlib.AbstractContextManager[str]:
    if keep is None:
        return tempfile.TemporaryDirectory(prefix="stage")
    Path(keep).mkdir(parents=True, exist_ok=True)
    return contextlib.nullcontext(keep)


def broken(report: dict[str, Any]) -> int:
    """Number of dropouts."""
    return int(
        report["underruns"]
        + report["xruns"]
        + report["torn"]
        + report["edges"]
        + len(report["captured"]["breaks"])
    )


def run(
    options: argparse.Namespace, folder: Path, screen: str, server: jack.JackServer
) -> dict[str, Any]:
    """Play in a process of its own; its report, with the comparison of the capture."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = dict(os.environ)
    environment.pop("QT_QPA_PLATFORM", None)
    environment |= {
        "DISPLAY": screen,
        "XDG_DATA_HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "QT_QPA_PLATFORM": "xcb",
    }
    seconds = 60.0 * options.minutes
    command = [sys.executable, "-m", "tests.benchmarks.stage.play", "--folder", str(folder)]
    command += ["--engine", options.engine, "--seconds", str(seconds)]
    command += ["--every", str(options.every), "--capture", str(options.capture)]
    command += ["--stems"] if options.stems else []
    command += ["--trace"] if options.trace else []
    command += ["--profile", str(Path(options.profile).absolute())] if options.profile else []
    report: dict[str, Any] = {"failed": "the instrument ended without a report"}
    captured, capture = folder / "captured.wav", None
    for name in ("captured.wav", "heard.wav", "heard.jsonl"):
        (folder / name).unlink(missing_ok=True)
    witnesses = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.stage.witness", str(core)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for core in sorted(os.sched_getaffinity(0))
    ]
    player = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert player.stdout is not None
    limit = threading.Timer(seconds + START_SECONDS, player.kill)
    limit.start()
    for line in player.stdout:
        if not line.startswith('{"event"'):
            print(line.rstrip(), file=sys.stderr)
            continue
        message = json.loads(line)
        if message["event"] == "sounding":
            capture = server.capture(captured, seconds + LEAD_SECONDS + 3.0)
        elif message["event"] == "done":
            report = message["report"]
    report["exit_code"] = player.wait()
    late = []
    for witness in witnesses:
        witness.terminate()
        late += json.loads(witness.communicate()[0] or "[]")
    limit.cancel()
    clock = report.pop("heard_clock", [])
    if capture is not None and "failed" not in report:
        try:
            # JACK counts its own time, which stops where it loses cycles.
            capture.wait(30.0 + 0.03 * seconds)
        except subprocess.TimeoutExpired:
            capture.kill()
            report["failed"] = "JACK's own recording did not end, so it was not compared"
        else:
            heard = folder / ("take/mix.wav" if options.stems else "heard.wav")
            report["captured"] = judge(captured, heard, clock)
    report["machine"] = stood_still(report, late)
    return report


def stood_still(report: dict[str, Any], late: list[list[float]]) -> dict[str, Any]:
    """Standstills of the whole machine, in seconds of the run, and dropouts outside them."""
    began, seconds = report.pop("began", 0.0), report.get("seconds", 0.0)
    found = sorted((round(at - began, 2), ms) for at, ms in late if 0.0 <= at - began <= seconds)

    def ours(times: list[Any], reach: float) -> list[Any]:
        return [t for t in times if not any(abs(t[0] - at) <= reach for at, _ in found)]

    return {
        "stood_still": len(found),
        "worst_ms": max((ms for _, ms in found), default=0.0),
        "at": found[:40],
        "xruns_while_it_ran": ours(report.get("xruns_at", []), 0.06),
        "breaks_while_it_ran": ours([[t] for t in report["captured"]["breaks_at"]], 0.15)
        if "captured" in report
        else None,
        "gaps_while_it_ran": ours(report.get("event_loop", {}).get("largest", []), 0.06),
    }


def judge(captured: Path, heard: Path, clock: list[list[float]]) -> dict[str, Any]:
    """Comparison of JACK's capture with the recording made inside.

    clock: pairs (seconds of the recording, seconds of the run at which they sounded), every few
    seconds. The two drift apart by the cycles that the device loses.
    """
    outside = jack.load(captured)
    inside, _ = soundfile.read(heard, dtype="float32", always_2d=True)
    same = compare(outside, inside)
    return {
        "seconds": round(len(outside) / 48_000, 2),
        "same_seconds": round(same.frames / 48_000, 2),
        "breaks": same.breaks,
        "breaks_at": [round(float(at), 2) for at in np.interp(same.inside, *np.transpose(clock))],
        "unmatched_frames": same.unmatched,
        "clicks_outside": clicks_in(captured),
        "clicks_inside": clicks_in(heard),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
