"""Latency and stability of controllers, measured while the instrument plays.

Usage: `python -m tests.benchmarks.controllers WHAT`

    latency [--messages 2000]   from a MIDI message to the changed parameter
    sound   [--times 30]        from a key to changed sound
    replug  [--times 50]        a controller unplugged and plugged again
    flood   [--seconds 60]      3000 MIDI messages a second
    osc     [--seconds 60]      as many OSC packets as a process can send
    clock   [--seconds 60]      the MIDI clock that is sent, how evenly it arrives

Each prints what it measured as JSON and exits with 1 where it misses its bar. Needs jackd, and a
display (xvfb-run will do). The controller is a process of its own on JACK's real MIDI ports, so
figures hold the way through JACK, one to two of its periods.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.parameters.registry import Change
from tests.support.device_process import DeviceProcess
from tests.support.jack_rig import BLOCK_SECONDS, MIX, MIX_PORT, Rig

FADER = 19
"""Of the MIDImix's first fader, which moves the weight of prompt 1."""
MUTE_LED = (0x90, 1, 127)
"""The MIDImix's first mute, lit."""
RATE = 48_000
Result = dict[str, Any]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    values = np.sort(np.asarray(seconds)) * 1e3
    return {
        "n": len(values),
        "p50": round(float(np.percentile(values, 50)), 2),
        "p99": round(float(np.percentile(values, 99)), 2),
        "worst": round(float(values[-1]), 2),
    }


def latency(rig: Rig, device: DeviceProcess, messages: int, every: float = 0.0231) -> Result:
    """Fader moves at steady times; when each was sent, stamped, and had become the value."""
    device.ask("play", messages=[[0xB0, FADER, v] for v in (0, 127, 0)], every=0.1)
    rig.until(lambda: rig.registry.get("prompt.1.weight") == 0.0)
    rig.wait(0.3)
    values = [(n % 126) if n // 126 % 2 == 0 else 126 - n % 126 for n in range(1, messages + 1)]
    changed: list[tuple[float, int]] = []

    def listen(change: Change) -> None:
        now = time.monotonic()
        changed.append((now, round(rig.registry.get_unit("prompt.1.weight") * 127)))

    inbox, arrived = rig.bridge.hub.connections.inboxes[MIX_PORT], list[tuple[float, int]]()
    put = inbox.put

    def arrives(data: Sequence[int], when: float) -> bool:
        arrived.append((when, data[-1]))
        return put(data, when)

    inbox.put = arrives  # type: ignore[method-assign]
    before = rig.underruns
    unsubscribe = rig.registry.subscribe(listen, "prompt.1.weight")
    rig.gaps.start()
    device.begin("play", messages=[[0xB0, FADER, v] for v in values], every=every)
    rig.wait(messages * every + 0.5)
    gaps = rig.gaps.stop()
    unsubscribe()
    sent: list[float] = device.answer()
    inbox.put = put  # type: ignore[method-assign]
    took: list[float] = []
    inside: list[float] = []
    j = 0
    for when, value in changed:
        k = next((k for k in range(j, min(j + 50, messages)) if values[k] == value), None)
        if k is not None:
            took += [when - sent[i] for i in range(j, k + 1)]
            inside += [when - t for t, v in arrived if v == value and t <= when][-1:]
            j = k + 1
    return {
        "messages": messages,
        "never_arrived": messages - j,
        "ms": spread(took),
        "ms_from_arrival": spread(inside),
        "event_loop_gap_ms": spread(gaps),
        "underruns": rig.underruns - before,
        "ok": j == messages and spread(took)["p99"] < 10.0,
    }


def sound(rig: Rig, times: int) -> Result:
    """Keys two octaves apart, at any time of a block; where in what is heard the pitch changes."""
    rig.registry.set("stem.drums", False)
    output: Any = rig.player.output
    delays: list[float] = []
    before = rig.underruns
    with DeviceProcess() as keys:
        keys.ask("plug", name="Keystation")
        rig.until(lambda: any("Keystation" in key for key in rig.bridge.hub.connected))
        keys.ask("play", messages=[[0x90, 57, 90]], every=0)
        rig.wait(1.5)
        down = 57
        for n in range(times):
            new = 81 if down == 57 else 57
            clock: list[tuple[float, float]] = []
            position = output.tap.end

            def tick(clock: list[tuple[float, float]] = clock) -> bool:
                clock.append((time.monotonic(), output.position_now()))
                return False

            rig.until(tick, 0.1 + 0.037 * (n % 11))
            keys.begin("play", messages=[[0x90, new, 90], [0x80, down, 0]], every=0)
            rig.until(tick, 1.2)
            sent = keys.answer()[0]
            start, audible = output.tap.follow(position)
            at = pitch_change(audible[:, 0], tone(new), tone(down))
            then = np.interp(sent, [t for t, _ in clock], [p for _, p in clock])
            if at is not None:
                delays.append(float(start + at - then) / RATE)
            down = new
    bar = BLOCK_SECONDS + 0.150
    return {
        "times": times,
        "not_audible": times - len(delays),
        "ms": spread(delays),
        "bar_ms": bar * 1e3,
        "underruns": rig.underruns - before,
        "ok": len(delays) == times and bool(max(delays) <= bar),
    }


def tone(note: int) -> float:
    return float(440.0 * 2.0 ** ((note - 69) / 12))


def pitch_change(mono: NDArray[np.float32], new: float, old: float) -> int | None:
    """The frame from which on a sine has the frequency `new` and not `old`; None for never."""
    rising = np.flatnonzero((mono[:-1] < 0) & (mono[1:] >= 0))
    periods = np.diff(rising)
    near = np.abs(periods - RATE / new) < np.abs(periods - RATE / old)
    wrong = np.flatnonzero(~near)
    first = 0 if not len(wrong) else int(wrong[-1]) + 1
    return int(rising[first]) if 0 < first < len(near) - 4 else None


def replug(rig: Rig, device: DeviceProcess, times: int, patience: float = 2.0) -> Result:
    """Out and in; until its LED is lit and its fader moves the value again. The bar is 2 s.

    patience: seconds after which one that has not come back counts as missed.

    The fader goes on moving until it does. Every change of the value is noted when it happens: one
    that came just after somebody looked would otherwise be missed, and the next one again.
    """
    rig.registry.set("prompt.1.mute", True)
    changed: list[float] = []
    unsubscribe = rig.registry.subscribe(
        lambda change: changed.append(time.monotonic()), "prompt.1.weight"
    )
    before, took, missed = rig.underruns, [], list[Result]()
    rig.gaps.start()
    for number in range(times):
        reported = len(rig.messages)
        device.ask("unplug")
        rig.until(lambda: not rig.connected())
        device.begin("plug", name=MIX)
        rig.wait(0.01)
        plugged = device.answer()
        changed.clear()
        end = time.monotonic() + patience
        lit = None
        while time.monotonic() < end and (lit is None or not changed):
            rig.wait(0.02)
            if lit is None:
                lit = next(
                    (w for w, data in device.ask("received") if tuple(data) == MUTE_LED), None
                )
            if not changed and rig.connected():
                low = rig.registry.get_unit("prompt.1.weight") < 0.5
                ends = (0, 127) if low else (127, 0)
                device.ask("play", messages=[[0xB0, FADER, v] for v in ends], every=0.005)
                rig.until(lambda: bool(changed), 0.05)
        if lit is None or not changed:
            missed.append(
                {
                    "number": number,
                    "lit": lit is not None,
                    "moved": bool(changed),
                    "connected": rig.connected(),
                    "received": len(device.ask("received")),
                    "messages": rig.messages[reported:],
                }
            )
        else:
            took.append(max(lit, changed[0]) - plugged)
    gaps = rig.gaps.stop()
    unsubscribe()
    return {
        "times": times,
        "missed": missed,
        "ms": spread(took) if took else {},
        "event_loop_gap_ms": spread(gaps),
        "underruns": rig.underruns - before,
        "ok": not missed and max(took) < 2.0 and rig.underruns == before,
    }


def flood(rig: Rig, device: DeviceProcess, seconds: float, rate: int = 3000) -> Result:
    """Faders, strange controllers and notes; the last value of each fader must be what counts.

    That is the last one which came out of JACK: an overloaded server drops what a client is late
    with, which is told apart as `lost_on_the_way`.
    """
    before = rig.underruns
    inbox, arrived = rig.bridge.hub.connections.inboxes[MIX_PORT], dict[int, int]()
    put = inbox.put

    def arrives(data: Sequence[int], when: float) -> bool:
        if data[0] == 0xB0:
            arrived[data[1]] = data[2]
        return put(data, when)

    inbox.put = arrives  # type: ignore[method-assign]
    rig.gaps.start()
    device.begin("flood", seconds=seconds, rate=rate)
    rig.wait(seconds + 1.0)
    gaps = rig.gaps.stop()
    count, last = device.answer()
    inbox.put = put  # type: ignore[method-assign]
    numbers = {19: 1, 23: 2, 27: 3, 31: 4, 49: 5, 53: 6, 57: 7, 61: 8}
    there = len(rig.window.session.prompts)
    wrong = [
        number
        for number, value in arrived.items()
        if numbers[number] <= there
        and round(rig.registry.get_unit(f"prompt.{numbers[number]}.weight") * 127) != value
    ]
    return {
        "seconds": seconds,
        "messages_per_second": round(count / seconds),
        "last_value_wrong": wrong,
        "lost_on_the_way": [number for number, value in last if arrived.get(number) != value],
        "notes_hung": list(rig.bridge.hub.notes.held),
        "event_loop_gap_ms": spread(gaps),
        "underruns": rig.underruns - before,
        "ok": bool(arrived) and not wrong and rig.underruns == before and gaps[-1] < 0.25,
    }


def osc(rig: Rig, device: DeviceProcess, seconds: float, rate: int = 0) -> Result:
    """Values, triggers, questions and rubbish, as fast as they can be sent (rate 0)."""
    server = rig.bridge.osc
    assert server is not None
    before, counts = rig.underruns, server.counts
    rig.gaps.start()
    device.begin("osc_flood", port=server.port, seconds=seconds, rate=rate)
    rig.wait(seconds + 1.0)
    gaps = rig.gaps.stop()
    count = device.answer()
    rig.until(lambda: rig.registry.get("density") == 0.75, 1.0)
    return {
        "seconds": seconds,
        "packets_per_second": round(count / seconds),
        "counts": vars(counts).copy(),
        "last_value": rig.registry.get("density"),
        "event_loop_gap_ms": spread(gaps),
        "underruns": rig.underruns - before,
        "ok": rig.registry.get("density") == 0.75 and rig.underruns == before and gaps[-1] < 0.25,
    }


def clock(rig: Rig, device: DeviceProcess, seconds: float, bpm: float = 120.0) -> Result:
    """How far each clock is from the line through all of them."""
    hub, before = rig.bridge.hub, rig.underruns
    rig.registry.set("tempo", bpm)
    rig.bridge.apply(replace(hub.settings, clock="send", clock_port=MIX_PORT))
    rig.wait(1.0)
    device.ask("forget")
    rig.wait(seconds)
    times = np.array([when for when, data in device.ask("received") if data == [0xF8]])
    number = np.arange(len(times))
    slope, start = np.polyfit(number, times, 1)
    late = np.abs(times - start - slope * number)
    found = 60.0 / (24 * slope)
    return {
        "seconds": seconds,
        "clocks": len(times),
        "bpm": round(float(found), 3),
        "jitter_ms": spread(late.tolist()),
        "underruns": rig.underruns - before,
        "ok": bool(abs(found - bpm) < 0.1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.controllers", description=__doc__
    )
    parser.add_argument("what", choices=("latency", "sound", "replug", "flood", "osc", "clock"))
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--times", type=int)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--engine", default="tone")
    chosen = parser.parse_args(arguments)
    with Rig(engine=chosen.engine) as rig, DeviceProcess() as device:
        device.ask("plug", name=MIX)
        rig.play()
        rig.until(rig.connected)
        rig.wait(2.0)
        if chosen.what == "latency":
            result = latency(rig, device, chosen.messages)
        elif chosen.what == "sound":
            result = sound(rig, chosen.times or 30)
        elif chosen.what == "replug":
            result = replug(rig, device, chosen.times or 50)
        elif chosen.what == "flood":
            result = flood(rig, device, chosen.seconds)
        elif chosen.what == "clock":
            result = clock(rig, device, chosen.seconds)
        else:
            result = osc(rig, device, chosen.seconds)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
