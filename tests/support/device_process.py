"""Simulated controller in a process of its own.

`DeviceProcess` is the test's end. The other end is `python -m tests.support.device_process`, told
by lines of JSON on its standard input; it answers each with one. Times are time.monotonic(), which
is one clock for all processes of a Linux machine.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from app.control.osc.messages import build
from tests.support.midi_device import JackDevice

ROOT = Path(__file__).resolve().parents[2]


class DeviceProcess:
    """Plug it, play it, look at its LEDs. All calls wait for the answer but `begin`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.device_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> DeviceProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pipe(self._process.stdin).close()
        self._process.wait(10.0)
        self._pipe(self._process.stdout).close()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    def begin(self, order: str, **what: Any) -> None:
        """Tell it something and go on at once."""
        stdin = self._pipe(self._process.stdin)
        stdin.write(json.dumps({"order": order, **what}) + "\n")
        stdin.flush()

    def answer(self) -> Any:
        """Wait for the answer to what was begun."""
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError("the controller's process has ended")
        return json.loads(line)

    def ask(self, order: str, **what: Any) -> Any:
        self.begin(order, **what)
        return self.answer()


class _Device:
    """The other end."""

    def __init__(self) -> None:
        self.device: JackDevice | None = None

    def obey(self, order: str, what: dict[str, Any]) -> Any:
        if order == "plug":
            self.device = JackDevice(what["name"])
            return time.monotonic()
        if order == "osc_flood":
            return self.osc_flood(what["port"], what["seconds"], what["rate"])
        device = self.device
        assert device is not None
        if order == "unplug":
            device.unplug()
            self.device = None
            return time.monotonic()
        if order == "received":
            return list(zip(device.times, device.received, strict=False))
        if order == "forget":
            device.received.clear()
            device.times.clear()
            return None
        if order == "play":
            return self.play(device, what["messages"], what["every"])
        if order == "flood":
            return self.flood(device, what["seconds"], what["rate"])
        raise ValueError(order)

    @staticmethod
    def play(device: JackDevice, messages: list[list[int]], every: float) -> list[float]:
        """One message after the other, at steady times; when each was sent."""
        sent, start = [], time.monotonic()
        for n, message in enumerate(messages):
            time.sleep(max(start + n * every - time.monotonic(), 0.0))
            sent.append(time.monotonic())
            device.send(*message)
        return sent

    @staticmethod
    def flood(device: JackDevice, seconds: float, rate: int) -> list[Any]:
        """`rate` messages a second on controllers 0..127 of channel 16, the MIDI Mix's faders and
        notes; how many, and the last value of each fader."""
        faders = (19, 23, 27, 31, 49, 53, 57, 61)
        last: dict[int, int] = {}
        count, start = 0, time.monotonic()
        while (now := time.monotonic()) < start + seconds:
            while count < (now - start) * rate:
                kind = count % 4
                if kind == 0:
                    number = faders[count // 4 % 8]
                    last[number] = count // 32 % 128
                    device.send(0xB0, number, last[number])
                elif kind == 1:
                    device.send(0xBF, count // 4 % 120, count % 128)
                else:
                    device.send(0x90 if kind == 2 else 0x80, 40 + count // 4 % 12, 90)
                count += 1
            time.sleep(0.001)
        return [count, sorted(last.items())]

    @staticmethod
    def osc_flood(port: int, seconds: float, rate: int) -> int:
        """`rate` packets a second, 0 for as many as can be; density is 0.75 at the end."""
        packets = [
            *(build("/segue/density", [n / 64]) for n in range(64)),
            *(build(f"/segue/unit/prompt/{n}/weight", [0.5]) for n in range(1, 17)),
            *(build(f"/segue/nothing/{n}", [1.0]) for n in range(16)),
            build("/segue/tempo/tap"),
            build("/segue/get", ["density"]),
            build("/segue/ping"),
            b"rubbish",
            b"/" + bytes(9000),
            b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc",
        ]
        count, start = 0, time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while (now := time.monotonic()) < start + seconds:
                if rate and count >= (now - start) * rate:
                    time.sleep(0.001)
                    continue
                out.sendto(packets[count % len(packets)], ("127.0.0.1", port))
                count += 1
            # The buffer of a flooded socket is full: the last word is said when it has emptied.
            time.sleep(0.3)
            out.sendto(build("/segue/density", [0.75]), ("127.0.0.1", port))
        return count


def main() -> None:
    other = _Device()
    for line in sys.stdin:
        what = json.loads(line)
        print(json.dumps(other.obey(what.pop("order"), what)), flush=True)
    if other.device is not None:
        other.device.unplug()


if __name__ == "__main__":
    main()
