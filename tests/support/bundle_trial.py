"""Trial of a finished bundle, observed from outside. Linux.

    python -m tests.support.bundle_trial BUNDLE [--minutes 5] [--home FOLDER] [--user NAME] [--copy]

The window opens under Xvfb, plays through a JACK server of its own, and is steered over OSC. What
was heard is read from the shared memory of its audio process: when the first sound came, and how
often the sound broke off. It runs in an environment without a PATH, a Python or a locale. The exit
code is 1 after any underrun, or where no sound came.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.audio import shared_memory as s
from app.control.osc.messages import build
from tests.support.jack import JackServer

FOLDER: Final = "Ségue two"
PATIENCE: Final = 120.0

AtTurn = Callable[[int, Callable[[str, float], object]], object]


class Memory:
    """The words and floats of the audio process, read only."""

    def __init__(self, path: Path) -> None:
        self._table = np.memmap(path, np.uint8, "r")
        self.words = self._table[: 8 * s.WORDS].view(np.int64)
        self.floats = self._table[8 * s.WORDS : 8 * (s.WORDS + s.FLOATS)].view(np.float64)

    @classmethod
    def of(cls, pid: int) -> Memory | None:
        """Of a process that has it mapped; None as long as there is none."""
        try:
            maps = Path(f"/proc/{pid}/maps").read_text()
        except OSError:
            return None
        for line in maps.splitlines():
            place = line.partition("/dev/shm/")[2]
            path = Path("/dev/shm") / place
            if place.startswith("psm_") and path.stat().st_size >= s.Layout().nbytes:
                return cls(path)
        return None


def display() -> tuple[subprocess.Popen[bytes], str]:
    """Xvfb, and the name of its display."""
    here, there = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(there), "-screen", "0", "1440x900x24", "-nolisten", "tcp"],
        pass_fds=(there,),
        stderr=subprocess.DEVNULL,
    )
    os.close(there)
    with os.fdopen(here) as pipe:
        return server, f":{pipe.readline().strip()}"


def free_port(home: Path) -> int:
    """A port for OSC that nobody listens on, told to the instrument by its settings."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = home / ".local" / "share" / "Segue"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "control.json").write_text(json.dumps({"osc_port": port}))
    return port


def play(
    program: list[str],
    environment: dict[str, str],
    port: int,
    seconds: float,
    log: Path,
    at_turn: AtTurn | None = None,
) -> Any:
    """Start, press play, turn a knob every two seconds; what was measured.

    at_turn hears the number of the turn, from 1, and gets a function that sends OSC.
    """
    osc = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    to = ("127.0.0.1", port)
    result: dict[str, Any] = {"first_sound_seconds": None, "memory_seconds": None}
    with log.open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(program, env=environment, stdout=out, stderr=out, cwd="/")
        memory: Memory | None = None
        try:
            asked = 0.0
            while time.monotonic() - began < PATIENCE and process.poll() is None:
                now = time.monotonic()
                if memory is None:
                    memory = Memory.of(process.pid)
                    if memory is not None:
                        result["memory_seconds"] = round(now - began, 2)
                elif memory.floats[s.PEAK] > 1e-3:
                    result["first_sound_seconds"] = round(now - began, 2)
                    break
                if now - asked > 0.1:
                    asked = now
                    osc.sendto(build("/segue/transport/play", [1]), to)
                time.sleep(0.01)
            if memory is None or result["first_sound_seconds"] is None:
                return result | {"exit": process.poll()}
            time.sleep(1.0)  # the first callbacks of a device are often late
            first = memory.words.copy()
            until, turn = time.monotonic() + seconds, 0
            while time.monotonic() < until and process.poll() is None:
                turn += 1
                osc.sendto(build("/segue/density", [(0.3, 0.8)[turn % 2]]), to)
                if at_turn is not None:
                    at_turn(turn, lambda path, value: osc.sendto(build(path, [value]), to))
                time.sleep(min(2.0, max(0.05, until - time.monotonic())))
            last = memory.words.copy()
            result |= {
                "seconds": seconds,
                "heard_seconds": round(float(last[s.READ] - first[s.READ]) / s.SAMPLE_RATE, 2),
                "underruns": int(last[s.UNDERRUNS] - first[s.UNDERRUNS]),
                "xruns": int(last[s.XRUNS] - first[s.XRUNS]),
                "worst_callback_ms": round(float(memory.floats[s.WORST_MS]), 2),
                "through_a_device": not last[s.IS_NULL],
                "knob_turns": turn,
            }
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                result["exit"] = process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                result["exit"] = "hung"
            osc.close()
    return result


def program_for(bundle: Path, user: str | None) -> list[str]:
    """The command that starts a bundle as another user, by number, or as this one."""
    program = str(bundle / "segue")
    if not user:
        return [program]
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", program]


def main() -> int:
    parser = argparse.ArgumentParser(description="Play a bundle and count what goes wrong.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--home", type=Path, help="a home that is there; an empty one else")
    parser.add_argument("--user", help="another user, by number, who may not write everywhere")
    parser.add_argument("--copy", action="store_true", help=f"copy it to a folder '{FOLDER}'")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        bundle = chosen.bundle.resolve()
        if chosen.copy:
            bundle = Path(shutil.copytree(bundle, place / FOLDER, symlinks=True))
        home = chosen.home.resolve() if chosen.home else place / "home"
        home.mkdir(exist_ok=True)
        port = free_port(home)
        if chosen.user:
            home.chmod(0o555)
        program = program_for(bundle, chosen.user)
        xvfb, name = display()
        try:
            with JackServer():
                environment = {key: value for key, value in os.environ.items() if "JACK" in key}
                environment |= {"HOME": str(home), "DISPLAY": name}
                log = place / "log"
                result = play(program, environment, port, 60.0 * chosen.minutes, log)
        finally:
            xvfb.terminate()
            xvfb.wait(10)
        print(json.dumps(result, indent=1))
        text = log.read_text(errors="replace").strip()
        if text:
            print(text[-1500:], file=sys.stderr)
    good = result["first_sound_seconds"] is not None and not result.get("underruns", 1)
    return 0 if good and not result["xruns"] else 1


if __name__ == "__main__":
    sys.exit(main())
