"""Comparison of a sound card's capture with the recording made inside: breaks and clicks.

The two differ by a constant delay and by the rounding of the capture to 24 bits. Where the device
lost or repeated frames the delay changes: that counts as one discontinuity, and the comparison goes
on with the new delay.
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
"""Twice the rounding error of 24 bits."""
PIECE: Final = RATE
KEY: Final = 256
"""Frames searched for to find the delay."""
REACH: Final = 2 * RATE


@dataclass
class Comparison:
    """Result of `compare`.

    frames: frames compared and equal. breaks: seconds of the capture where the delay changed.
    inside: the same places in the recording. unmatched: frames not found in the recording.
    """

    frames: int = 0
    unmatched: int = 0
    breaks: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)


def find(sound: Samples, key: Samples, start: int, reach: int = REACH) -> int | None:
    """Frame nearest to `start` where sound (n, 2) equals the key (m, 2) within TOLERANCE."""
    low, high = max(0, start - reach), min(len(sound) - len(key), start + reach)
    if high < low:
        return None
    # Few places hold the key's loudest sample; only those are compared in full.
    loud = int(np.argmax(np.abs(key[:, 0])))
    area = sound[low + loud : high + loud + 1, 0]
    places = np.flatnonzero(np.abs(area - key[loud, 0]) <= TOLERANCE) + low
    for place in places[np.argsort(np.abs(places - start))]:
        if np.abs(sound[place : place + len(key)] - key).max() <= TOLERANCE:
            return int(place)
    return None


def compare(captured: Samples, recorded: Samples, silence: float = 1e-4) -> Comparison:
    """Compare a capture (n, 2) with the recording made inside (m, 2), both in full.

    The capture may begin before and end after it; leading and trailing silence is left out.
    """
    result = Comparison()
    loud = np.flatnonzero(np.abs(captured[:, 0]) > silence)
    if not len(loud):
        return result
    at, stop = int(loud[0]), int(loud[-1])
    place = _first(captured, recorded, at)
    if place is None:
        result.unmatched = stop - at
        return result
    at, offset = place
    while at < stop:
        length = min(PIECE, stop - at, len(recorded) - (at + offset))
        if length <= 0:
            break
        here = recorded[at + offset : at + offset + length]
        wrong = np.abs(captured[at : at + length] - here).max(axis=1) > TOLERANCE
        good = length if not wrong.any() else int(np.argmax(wrong))
        result.frames += good
        at += good
        if good == length:
            continue
        result.breaks.append(round(at / RATE, 3))
        result.inside.append(round((at + offset) / RATE, 3))
        again = _again(captured, recorded, at, stop, offset)
        if again is None:
            result.unmatched += stop - at
            break
        result.unmatched += again[0] - at
        at, offset = again
    return result


def _first(captured: Samples, recorded: Samples, at: int) -> tuple[int, int] | None:
    """First match of the capture in the recording: (frame of the capture, offset)."""
    for step in range(0, 10 * RATE, RATE // 2):
        key = captured[at + step : at + step + KEY]
        if len(key) == KEY and np.abs(key).max() > 1e-3:
            place = find(recorded, key, 0, len(recorded))
            if place is not None:
                return at + step, place - at - step
    return None


def _again(
    captured: Samples, recorded: Samples, at: int, stop: int, offset: int
) -> tuple[int, int] | None:
    for ahead in (0, 64, 128, 256, 512, 1024, 2048, 4096, 9600, 24_000, 48_000, 96_000):
        key = captured[at + ahead : at + ahead + KEY]
        if at + ahead >= stop or len(key) < KEY:
            return None
        if np.abs(key).max() <= 1e-4:
            continue
        place = find(recorded, key, at + ahead + offset)
        if place is not None:
            return at + ahead, place - at - ahead
    return None


def clicks(sound: Samples, ratio: float = 6.0, floor: float = 0.02, span: int = 480) -> list[float]:
    """Seconds of the clicks in a sound (n, channels).

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
