"""Duplex benchmark: starts JACK and a display, lets a player play in, measures, prints JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from app.session import preferences
from tests.benchmarks.duplex import delays
from tests.benchmarks.stage import __main__ as stage
from tests.benchmarks.stage import display
from tests.support import jack

START_SECONDS: Final = 120.0
ECHO_SECONDS: Final = 4 * 60.0 / 112.0
"""The echo's four beats at the fastest tempo that is played: no echo is due sooner."""


def main(arguments: list[str]) -> int:
    """Exit code: 0 without dropouts, 1 with any, 2 where the machine lacks something."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.duplex", description=__doc__)
    stage.add_options(parser)
    options = parser.parse_args(arguments)
    if stage.lacking():
        return 2
    with (
        tempfile.TemporaryDirectory(prefix="duplex") as place,
        display.display() as screen,
        jack.JackServer(options.buffer) as server,
    ):
        report = run(options, Path(place), screen, server)
    print(json.dumps(report, indent=1))
    if "failed" in report:
        return 1
    return 1 if report["underruns"] + report["input"]["skipped"] else 0


def run(
    options: argparse.Namespace, folder: Path, screen: str, server: jack.JackServer
) -> dict[str, Any]:
    """Play in a process of its own, with a player at its input; the report."""
    environment = dict(os.environ)
    environment |= {
        "DISPLAY": screen,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "QT_QPA_PLATFORM": "xcb",
    }
    chosen = preferences.Preferences(
        input_device=preferences.DEFAULT_INPUT, buffer_frames=options.buffer
    )
    preferences.save(folder / "Segue" / "preferences.json", chosen)  # Qt's AppDataLocation
    seconds = 60.0 * options.minutes
    command = [sys.executable, "-m", "tests.benchmarks.duplex.play", "--folder", str(folder)]
    command += ["--engine", options.engine, "--seconds", str(seconds), "--every", "1e9"]
    command += ["--capture", str(options.capture)] + (["--stems"] if options.stems else [])
    report: dict[str, Any] = {"failed": "the instrument ended without a report"}
    player: subprocess.Popen[str] | None = None
    instrument = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert instrument.stdout is not None
    limit = threading.Timer(seconds + START_SECONDS, instrument.kill)
    limit.start()
    played: dict[str, Any] = {}
    for line in instrument.stdout:
        if not line.startswith('{"event"'):
            print(line.rstrip(), file=sys.stderr)
            continue
        message = json.loads(line)
        if message["event"] == "sounding":
            player = play_in(server, options.buffer)
        elif message["event"] == "done":
            report = message["report"]
            if player is not None:
                player.terminate()
                played = json.loads(player.communicate()[0] or "{}")
    instrument.wait()
    limit.cancel()
    if player is not None and player.poll() is None:
        player.kill()
    for name in ("heard_clock", "began"):
        report.pop(name, None)
    with contextlib.suppress(FileNotFoundError):
        found = json.loads((folder / "duplex.json").read_text())
        report |= judge(found, played)
        missing = delays.undelivered(played.get("frames", []), found["received"])
        if "input" in report:
            report["input"] |= {"undelivered": missing}
    return report


def play_in(server: jack.JackServer, buffer: int) -> subprocess.Popen[str]:
    """Start the player, with its outputs at the instrument's inputs."""
    before = set(server.ports())
    command = [sys.executable, "-m", "tests.benchmarks.duplex.player", str(buffer)]
    player = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert player.stdout is not None
    player.stdout.readline()
    deadline, outputs, inputs = time.monotonic() + 10.0, list[str](), list[str]()
    while not (outputs and inputs) and time.monotonic() < deadline:
        time.sleep(0.1)
        ports = server.ports()
        outputs = [port for port in ports if port not in before and ":out" in port]
        inputs = [port for port in ports if "PortAudio" in port and ":in" in port]
    for number, port in enumerate(inputs):
        for source in ("system:capture_1", "system:capture_2"):
            subprocess.run(["jack_disconnect", source, port], capture_output=True, check=False)
        source = outputs[number % len(outputs)]
        subprocess.run(["jack_connect", source, port], capture_output=True, check=True)
    return player


def judge(found: dict[str, Any], played: dict[str, Any]) -> dict[str, Any]:
    """Delays of the three sends, from what was noted of the blocks and of the player."""
    writes = [delays.Write(**write) for write in found["writes"]]
    reader = delays.Reader(*zip(*found["reader"], strict=True))
    first, last = reader.times[0] + 10.0, reader.times[-1] - delays.ANSWERED
    span = reader.at(first), reader.at(last)
    strokes = [reader.at(when) for when in played.get("strokes", ()) if first < when < last]
    return {
        "strokes": len(strokes),
        "memory": delays.figures(delays.first_joins(strokes, writes, "noted", delays.EARLY)),
        "echo": delays.figures(delays.first_joins(strokes, writes, "known")),
        "echo_in_time": delays.returned(strokes, writes, round(ECHO_SECONDS * delays.RATE)),
        "follow": delays.figures(delays.plan_delays(writes, *span)),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
