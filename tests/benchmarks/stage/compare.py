"""What came out of the sound card against what was heard inside: breaks and clicks. Pure.

The two are the same but for a constant delay and the rounding of the capture's 24 bits. Where the
device lost or repeated some frames the delay changes: that is one discontinuity, and from there
on the comparison goes on with the new delay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]
RATE: Final = 48_000
TOLERANCE: Final = 2.0**-22
"""Twice the rounding of 24 bits."""
PIECE: Final = RATE
KEY: Final = 256
"""Frames that are looked for to find the delay."""
REACH: Final = 2 * RATE


@dataclass
class Compared:
    """frames: compared and the same. breaks: where in the capture, in seconds, the delay changed.

    inside: the same places in what was heard inside.
    unmatched: frames of the capture that are found nowhere in what was heard inside.
    """

    frames: int = 0
    unmatched: int = 0
    breaks: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)


def find(sound: Samples, key: Samples, start: int, reach: int = REACH) -> int | None:
    """Where in sound (n, 2) around `start` the key (m, 2) is, within TOLERANCE; nearest first."""
    low, high = max(0, start - reach), min(len(sound) - len(key), start + reach)
    if high < low:
        return None
    # Few places hold the key's loudest sample; only those are looked at in full.
    loud = int(np.argmax(np.abs(key[:, 0])))
    area = sound[low + loud : high + loud + 1, 0]
    places = np.flatnonzero(np.abs(area - key[loud, 0]) <= TOLERANCE) + low
    for place in places[np.argsort(np.abs(places - start))]:
        if np.abs(sound[place : place + len(key)] - key).max() <= TOLERANCE:
            return int(place)
    return None


def compare(captured: Samples, heard: Samples, silence: float = 1e-4) -> Compared:
    """Compare a capture (n, 2) with what was heard inside (m, 2), both in full.

    The capture may begin before and end after; silence before the first and after the last sound
    is left out.
    """
    result = Compared()
    loud = np.flatnonzero(np.abs(captured[:, 0]) > silence)
    if not len(loud):
        return result
    at, stop = int(loud[0]), int(loud[-1])
    place = _first(captured, heard, at)
    if place is None:
        result.unmatched = stop - at
        return result
    at, offset = place
    while at < stop:
        length = min(PIECE, stop - at, len(heard) - (at + offset))
        if length <= 0:
            break
        here = heard[at + offset : at + offset + length]
        wrong = np.abs(captured[at : at + length] - here).max(axis=1) > TOLERANCE
        good = length if not wrong.any() else int(np.argmax(wrong))
        result.frames += good
        at += good
        if good == length:
            continue
        result.breaks.append(round(at / RATE, 3))
        result.inside.append(round((at + offset) / RATE, 3))
        again = _again(captured, heard, at, stop, offset)
        if again is None:
            result.unmatched += stop - at
            break
        result.unmatched += again[0] - at
        at, offset = again
    return result


def _first(captured: Samples, heard: Samples, at: int) -> tuple[int, int] | None:
    """Where the capture can first be found in what was heard: (frame of capture, offset)."""
    for step in range(0, 10 * RATE, RATE // 2):
        key = captured[at + step : at + step + KEY]
        if len(key) == KEY and np.abs(key).max() > 1e-3:
            place = find(heard, key, 0, len(heard))
            if place is not None:
                return at + step, place - at - step
    return None


def _again(
    captured: Samples, heard: Samples, at: int, stop: int, offset: int
) -> tuple[int, int] | None:
    for ahead in (0, 64, 128, 256, 512, 1024, 2048, 4096, 9600, 24_000, 48_000, 96_000):
        key = captured[at + ahead : at + ahead + KEY]
        if at + ahead >= stop or len(key) < KEY:
            return None
        if np.abs(key).max() <= 1e-4:
            continue
        place = find(heard, key, at + ahead + offset)
        if place is not None:
            return at + ahead, place - at - ahead
    return None


def clicks(sound: Samples, ratio: float = 6.0, floor: float = 0.02, span: int = 480) -> list[float]:
    """Seconds where the sound (n, channels) jumps for a sample or two, as nothing around it does.

    The second difference of a frame is compared with the largest of 10 ms on *both* sides: the
    attack of a drum is followed by large ones, a click stands alone.
    """
    bend = np.abs(np.diff(sound, n=2, axis=0)).max(axis=1)
    found: list[float] = []
    for at in np.flatnonzero(bend > floor):
        low, high = max(0, at - span), min(len(bend), at + span + 1)
        around = np.concatenate([bend[low : max(low, at - 3)], bend[at + 4 : high]])
        if len(around) and bend[at] > ratio * float(around.max()):
            second = round(float(at) / RATE, 3)
            if not found or second - found[-1] > 0.02:
                found.append(second)
    return found


def clicks_in(path: Path, seconds: float = 20.0) -> list[float]:
    """`clicks` of a file, piece by piece."""
    found: list[float] = []
    for start, piece in _pieces(path, seconds):
        found += [round(start + at, 3) for at in clicks(piece)]
    return found


def _pieces(path: Path, seconds: float) -> Iterator[tuple[float, Samples]]:
    with soundfile.SoundFile(path) as file:
        length, start = round(seconds * RATE), 0
        while start < file.frames:
            file.seek(max(0, start - 960))
            read = file.read(length + 960, dtype="float32", always_2d=True)
            yield max(0, start - 960) / RATE, read
            start += length
