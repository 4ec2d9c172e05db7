"""Helper process for JACK's transport: follows it, or leads it as its timebase master.

A process of its own, as JACK calls the timebase within its audio cycle, where nothing may wait for
Python's lock. Run as a script: `python jack_helper.py follow|lead`. Lines of JSON: what JACK does
goes to the output, what Segue does comes in; at the input's end it ends.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

BEATS = 4
TICKS = 1920.0
POLL_SECONDS = 0.02
RETRY_SECONDS = 2.0
CLIENT = "Segue transport"


class JackPosition(Protocol):
    """What is written of `jack_position_t`."""

    frame: int
    valid: int
    bar: int
    beat: int
    tick: int
    bar_start_tick: float
    beats_per_bar: float
    beat_type: float
    ticks_per_beat: float
    beats_per_minute: float


class Timebase:
    """Bars and beats at frames of the transport: a straight line through the last bar heard."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.line = (0.0, 0.0, 120.0)  # frame, beats there, tempo; replaced as a whole

    def beats(self, frame: float) -> float:
        """Beats since the start of the transport."""
        origin, beats, tempo = self.line
        return beats + (frame - origin) * tempo / 60.0 / self.rate

    def set_tempo(self, tempo: float, frame: float) -> None:
        """Play at this tempo from a frame on."""
        self.line = frame, self.beats(frame), tempo

    def align(self, frame: float, tempo: float) -> None:
        """A bar begins at a frame."""
        bars = max(0, round(self.beats(frame) / BEATS))
        self.line = frame, float(BEATS * bars), tempo

    def take(self, state: int, size: int, position: JackPosition, new: bool) -> None:
        """As JACK's timebase callback."""
        self.fill(position)

    def fill(self, position: JackPosition) -> None:
        """Write bar, beat and tick of a position. In JACK's thread."""
        beats = max(0.0, self.beats(position.frame))
        whole = math.floor(beats)
        position.valid = 0x10  # JackPositionBBT
        position.bar, position.beat = whole // BEATS + 1, whole % BEATS + 1
        position.tick = int((beats - whole) * TICKS)
        position.bar_start_tick = (whole // BEATS) * BEATS * TICKS
        position.beats_per_bar, position.beat_type = float(BEATS), 4.0
        position.ticks_per_beat, position.beats_per_minute = TICKS, self.line[2]


def say(**words: object) -> None:
    """Send a line to Segue."""
    print(json.dumps(words), flush=True)


def run(leads: bool) -> None:
    """Connect, again and again, until the input ends."""
    try:
        import jack
    except (ImportError, OSError) as error:  # the second where there is no library of JACK
        say(fault=f"JACK's transport needs JACK and the package JACK-Client ({error}).")
        return
    ended = threading.Event()
    timebase = Timebase(1)  # until the server tells its rate
    client: list[jack.Client] = []

    def listen() -> None:
        for line in sys.stdin:
            with contextlib.suppress(ValueError, TypeError, KeyError, jack.JackError):
                if client and leads:
                    lead(client[0], timebase, json.loads(line))
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    told = False
    while not ended.is_set():
        try:
            opened = jack.Client(CLIENT, no_start_server=True)
            down = threading.Event()
            # Before the client is active, or it is never called.
            opened.set_shutdown_callback(lambda status, reason, down=down: down.set())
            with opened:
                told = False
                timebase.rate = opened.samplerate
                client[:] = [opened]
                claim = partial(opened.set_timebase_callback, timebase.take)
                follow(opened, jack.ROLLING, claim if leads else None, ended, down)
        except jack.JackError:
            pass
        finally:
            client.clear()
        if not ended.is_set() and not told:
            told = True
            say(fault="JACK's transport cannot be reached: is the JACK server running?")
        ended.wait(RETRY_SECONDS)


def follow(
    client: object, rolling: object, claim: Callable[[], None] | None, ended: threading.Event,
    down: threading.Event,
) -> None:  # fmt: skip
    """Tell of each change of the transport.

    claim: makes us the timebase's master; again where whoever was it since then is gone.
    """
    before, next_claim = None, 0.0
    while not ended.is_set() and not down.is_set():
        state, position = client.transport_query()  # type: ignore[attr-defined]
        tempo = position.get("beats_per_minute")
        if claim is not None and tempo is None and time.monotonic() >= next_claim:
            claim()
            next_claim = time.monotonic() + RETRY_SECONDS
        now = state == rolling, tempo
        if now != before:
            before = now
            say(playing=now[0], tempo=tempo)
        ended.wait(POLL_SECONDS)


def lead(client: object, timebase: Timebase, words: dict[str, float]) -> None:
    """Do what Segue does. bar_at: time, by time.monotonic, at which a bar is heard."""
    frame = float(client.transport_frame)  # type: ignore[attr-defined]
    if "bar_at" in words:
        ahead = words["bar_at"] - time.monotonic()
        timebase.align(frame + ahead * timebase.rate, words["tempo"])
    elif "tempo" in words:
        timebase.set_tempo(words["tempo"], frame)
    if "playing" in words:
        if words["playing"]:
            client.transport_start()  # type: ignore[attr-defined]
        else:
            client.transport_stop()  # type: ignore[attr-defined]


if __name__ == "__main__":
    run(sys.argv[1:] == ["lead"])
