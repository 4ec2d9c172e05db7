"""Player of the duplex benchmark: plays a band part into JACK, and notes when.

Runs in a process of its own, as another JACK client. Prints a line when it plays, and at SIGTERM
JSON: `strokes` (time.monotonic() of each), and `frames`: pairs of a time and what it gave so far.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 48_000
CHORDS: Final = ((60, 64, 67), (57, 60, 64), (53, 57, 60), (55, 59, 62))
TEMPI: Final = (104.0, 112.0)
"""Of eight bars in turn: what is followed has to change."""
BARS: Final = 8


def tone(midi: float, seconds: float) -> NDArray[np.float64]:
    """A struck string, (n,)."""
    at = np.arange(round(seconds * RATE)) / RATE
    turns = 2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * at
    partials = sum(np.sin(k * turns) / k**1.5 for k in range(1, 7))
    return np.asarray(partials * np.exp(-at / (0.5 * seconds)) * np.clip(at / 0.003, 0, 1))


def part() -> tuple[NDArray[np.float32], list[int]]:
    """Sixteen bars (n, 2) that can go round, and the frames of their strokes, one on each beat."""
    rng = np.random.default_rng(7)
    strokes: list[int] = []
    at = 0.0
    for bar in range(2 * BARS):
        beat = 60.0 / TEMPI[bar // BARS]
        strokes += [round((at + n * beat) * RATE) for n in range(4)]
        at += 4 * beat
    sound = np.zeros(round(at * RATE) + 2 * RATE)
    for number, first in enumerate(strokes):
        chord = CHORDS[number // 4 % len(CHORDS)]
        pitches = chord if number % 4 == 0 else (chord[number % 3] + 12,)
        length = 1.6 if number % 4 == 0 else 0.5
        for midi in pitches:
            struck = 0.07 * tone(midi, length)
            sound[first : first + len(struck)] += struck
        click = 0.05 * rng.standard_normal(1200) * np.exp(-np.arange(1200) / 200)
        sound[first : first + 1200] += click
    body = sound[: round(at * RATE)]
    body[: 2 * RATE] += sound[len(body) :]
    return np.repeat(body[:, None], 2, axis=1).astype(np.float32), strokes


class Player:
    """Callback that plays the part round and round.

    Args:
        sound: (n, 2).
        strokes: frames of it.

    """

    def __init__(self, sound: NDArray[np.float32], strokes: list[int]) -> None:
        self._sound, self._strokes = sound, np.array(strokes)
        self.frames = 0
        self.times: list[float] = []
        self.given: list[tuple[float, int]] = []

    def callback(self, out: NDArray[np.float32], frames: int, when: object, status: Any) -> None:
        """Callback of PortAudio; out (frames, 2)."""
        now, first = time.monotonic(), self.frames % len(self._sound)
        out[:] = self._sound[np.arange(first, first + frames) % len(self._sound)]
        for stroke in self._strokes[(self._strokes >= first) & (self._strokes < first + frames)]:
            self.times.append(now + (int(stroke) - first) / RATE)
        self.frames += frames
        self.given.append((now, self.frames))


def main(buffer: int) -> int:
    """Play until SIGTERM."""
    import sounddevice

    player, going = Player(*part()), [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    with sounddevice.OutputStream(
        samplerate=RATE, blocksize=buffer, channels=2, dtype="float32", callback=player.callback
    ):
        print("playing", flush=True)
        while going:
            time.sleep(0.05)
    print(json.dumps({"strokes": player.times, "frames": player.given}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
