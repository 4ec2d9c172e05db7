"""Benchmark of an engine elsewhere. Prints JSON, a figure a line.

python -m tests.benchmarks.remote delay     local against remote over loopback, knob to sound
python -m tests.benchmarks.remote line      the first block after a turned knob, here and there
python -m tests.benchmarks.remote thin      80 ms there and back, 30 ms jitter, 2 % loss, 1 Mbit
python -m tests.benchmarks.remote drop      the same line, silent for 20 s
python -m tests.benchmarks.remote killed    the server killed, and started again 5 s later
python -m tests.benchmarks.remote takeover  the server killed for good: an engine here takes over
python -m tests.benchmarks.remote hostile   a session among clients that do what they must not
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from models.engine.controls import Controls
from models.engine.interface import Stream
from models.errors import BlockPendingError
from models.registry import open_engine
from models.storage.json_types import JsonObject
from tests.benchmarks.remote.hostile import attack
from tests.benchmarks.remote.player import play, turned

ROOT = Path(__file__).resolve().parents[3]
CHOICES = ("delay", "line", "thin", "drop", "killed", "takeover", "hostile")
ROUNDS = 4
"""Turns of local and remote: what else the machine does then weighs on both alike."""
BAD = ("--ms", "40", "--jitter", "30", "--loss", "0.02", "--mbit", "1")


class Server:
    """`python main.py serve` in a process of its own."""

    def __init__(self, engine: str, folder: Path, host: str = "127.0.0.1") -> None:
        self.engine, self.folder = engine, folder
        self.port = free_port()
        self.words = ["--engine", engine, "--host", host, "--port", str(self.port)]
        self.log = folder / "server.log"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "main.py", "serve", *self.words],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=self.log.open("a"), text=True,
            env={**os.environ, "XDG_DATA_HOME": str(self.folder)},
        )  # fmt: skip

    @property
    def token(self) -> str:
        return (self.folder / "Segue" / "remote" / "token").read_text().strip()

    def await_ready(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        self.process = self._start()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def megabytes(self) -> float:
        """Resident memory."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024


def free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


def measure(
    what: str, engine: str, seconds: float, line: tuple[str, ...], turn_seconds: float
) -> JsonObject:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["XDG_DATA_HOME"] = str(folder)
        server = Server(engine, folder, "0.0.0.0" if what == "hostile" else "127.0.0.1")
        stack.callback(server.stop)
        server.await_ready()
        port = server.port
        address = f"remote://127.0.0.1:{port}/{engine}"
        if what == "delay":
            return compare_delays(engine, address, seconds, turn_seconds)
        if what == "line":
            return compare_lines(engine, address, max(1, round(seconds / turn_seconds)))
        if what == "takeover":
            killed = [(15.0, server.kill)]
            return play(address, seconds, killed, turn_seconds, stand_in=engine).figures()
        if what == "hostile":
            place = f"{server.token}@{socket.gethostname()}:{port}"
            figures = attack(
                server, f"remote://{place}/{engine}?format=float32", seconds, turn_seconds
            )
            return {**figures, "log": server.log.read_text().splitlines()[-40:]}
        port = free_port()
        proxy = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.remote.proxy", str(port), str(server.port),
             *line], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        stack.callback(proxy.kill)
        assert proxy.stdin is not None and proxy.stdout is not None
        proxy.stdout.readline()

        def drop() -> None:
            assert proxy.stdin is not None
            proxy.stdin.write("drop 20\n")
            proxy.stdin.flush()

        events = {
            "thin": [],
            "drop": [(15.0, drop)],
            "killed": [(15.0, server.kill), (20.0, server.start_again)],
        }[what]
        # Not loopback as far as the format goes: the line is what is measured.
        address = f"remote://127.0.0.1:{port}/{engine}?format=flac16"
        report = play(address, seconds, events, turn_seconds)
        return {**report.figures(), "log": server.log.read_text().splitlines()[-8:]}


def compare_delays(engine: str, address: str, seconds: float, turn: float) -> JsonObject:
    """Knob to sound here and over the line, in turns of a few seconds each within one run."""
    delays: dict[str, list[float]] = {engine: [], address: []}
    for _ in range(ROUNDS):
        for name, found in delays.items():
            found += play(name, seconds / ROUNDS, turn_seconds=turn).delays
    medians = [statistics.median(found) for found in delays.values()]
    return {
        "turns": [len(found) for found in delays.values()],
        "local_ms": round(medians[0], 1),
        "remote_ms": round(medians[1], 1),
        "more_ms": round(medians[1] - medians[0], 1),
    }


def compare_lines(engine: str, address: str, turns: int) -> JsonObject:
    """Seconds from new controls at an older place to the first block, without a plan or a worker;
    what the plan and the machine's load add to both is left out.
    """
    engines = {"local": open_engine(engine), "remote": open_engine(address)}
    streams = {where: each.start(1) for where, each in engines.items()}
    taken: dict[str, list[float]] = {where: [] for where in streams}
    for turn in range(turns):
        for where, stream in streams.items():
            here = stream.snapshot()
            for _ in range(4):
                patiently(stream, turned(engines[where].info, turn))
            began = time.perf_counter()
            stream.restore(here)
            patiently(stream, turned(engines[where].info, turn + 1))
            taken[where].append(time.perf_counter() - began)
            time.sleep(0.2)  # what the server renders ahead is over
    for each in engines.values():
        each.close()
    medians = {where: 1e3 * statistics.median(each) for where, each in taken.items()}
    return {
        "turns": turns,
        **{f"{where}_ms": round(ms, 1) for where, ms in medians.items()},
        "more_ms": round(medians["remote"] - medians["local"], 1),
    }


def patiently(stream: Stream, controls: Controls) -> None:
    """The next block, however long the line takes."""
    while True:
        try:
            stream.render(controls)
            return
        except BlockPendingError:
            continue


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=CHOICES)
    parser.add_argument("--engine", default="segue")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--line", default=" ".join(BAD), help="options of the proxy")
    parser.add_argument("--turn", type=float, default=2.0, help="seconds between turns of a knob")
    chosen = parser.parse_args()
    began = time.monotonic()
    line = tuple(chosen.line.split())
    figures = measure(chosen.what, chosen.engine, chosen.seconds, line, chosen.turn)
    print(json.dumps({**figures, "took": round(time.monotonic() - began, 1)}, indent=2))


if __name__ == "__main__":
    main()
