"""Recorded input of a performance: what was played in, for the blocks that heard it.

It lies beside the performance file only where its recording was asked for. Each block's line says
how much of it was known then, so that the block is rendered again as it was.
"""

from __future__ import annotations

import base64
import binascii
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Style
from models.engine.hearing import HeardPlace, Hearing
from models.errors import SegueError
from models.music.hearing.transcriber import initial_transcriber, transcribe
from models.music.score import SAMPLE_RATE
from models.music.tracking.weights import load_ear_weights

Sound = NDArray[np.float32]


class RecordedInput:
    """Input from a file of 48 kHz, frame 0 being that of the places that are asked for.

    Raises:
        SegueError: a file that is missing or cannot be read.

    """

    def __init__(self, path: Path) -> None:
        import soundfile

        try:
            self._file = soundfile.SoundFile(path)
        except (OSError, RuntimeError):
            raise SegueError(
                f"the input {path.name} is missing or damaged: put it beside the performance."
            ) from None
        if self._file.samplerate != SAMPLE_RATE:
            raise SegueError(f"the input {path.name} has another rate than 48 kHz.")
        self._weights = load_ear_weights()
        self._begin(0)

    def _begin(self, origin: int) -> None:
        self._origin, self._taken = origin, 0
        self._state = initial_transcriber(self._weights)

    def at(self, place: HeardPlace) -> Hearing:
        """What was known at a place."""
        if place.origin != self._origin or place.written < self._taken:
            self._begin(place.origin)
        while self._taken < place.written:
            stop = min(place.written, self._taken + 10 * SAMPLE_RATE)
            new = self._between(place.origin, place.written, self._taken, stop)
            self._state = transcribe(self._weights, self._state, new)
            self._taken = stop
        sound = partial(self._between, place.origin, place.known)
        return Hearing(
            place.position, self._state.transcript, sound, place.known, place.origin, place.written,
            echoed=place.echoed,
        )  # fmt: skip

    def _between(self, origin: int, known: int, start: int, stop: int) -> Sound:
        """Frames start..stop behind the origin; silence where nothing was known."""
        out = np.zeros((stop - start, 2), np.float32)
        low = max(start, -origin)
        high = min(stop, known, self._file.frames - origin)
        if low < high:
            self._file.seek(origin + low)
            out[low - start : high - start] = self._file.read(
                high - low, dtype="float32", always_2d=True
            )[:, :2]
        return out


def parse_place(value: object) -> HeardPlace | None:
    """Place of a line; None for none. SegueError for a wrong one."""
    if value is None:
        return None
    numbers = value if isinstance(value, list) else []
    if len(numbers) not in (4, 5) or not all(type(each) is int for each in numbers):
        raise SegueError(f"heard is {value!r}: it is a list of four or five whole numbers.")
    return HeardPlace(*numbers)


def same_style(style: Style, other: Style | None) -> bool:
    """Whether two styles are the same numbers."""
    return other is not None and np.array_equal(style, other)


def style_text(style: Style) -> str:
    """A style for a line: its float32 numbers in base64."""
    return base64.b64encode(np.ascontiguousarray(style, "<f4").tobytes()).decode()


def parse_style(value: object) -> Style | None:
    """Style of a line; None for none. SegueError for a wrong one."""
    if value is None:
        return None
    try:
        style = np.frombuffer(base64.b64decode(str(value), validate=True), "<f4").astype(np.float32)
    except (binascii.Error, ValueError):
        raise SegueError("style is no float32 numbers in base64: leave it out.") from None
    if not len(style) or not np.isfinite(style).all():
        raise SegueError("style has no finite numbers: leave it out.")
    return style
