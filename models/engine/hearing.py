"""Hearing: what the performer has played in, as far as it is known when a block is rendered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.music.hearing.transcriber import initial_transcriber, transcribe
from models.music.hearing.transcript import Transcript
from models.music.score import SAMPLE_RATE
from models.music.tracking.weights import load_ear_weights


class HeardPlace(NamedTuple):
    """What a hearing was of, in frames of the input's clock: where its second 0 lies, and, counted
    from there, its position, what was known and what was written down; and `Hearing.echoed`.
    """

    origin: int
    position: int
    known: int
    written: int
    echoed: int = -1


@dataclass(frozen=True, eq=False)
class Hearing:
    """What has come in, on the clock of what the performer hears.

    Attributes:
        position: frame of that clock at which the next block begins.
        transcript: notes, hits and chroma; its times are seconds of the same clock.
        sound: gives frames start..stop of the input, float32 (stop - start, 2) at 48 kHz; what has
            not come in is zero.
        known: frame before which the input has come in.
        origin: frame of the input's own clock at which this one is 0.
        written: frame before which the transcript knows it; below 0: `known`.
        live: whether the music plays: what takes long is made beside it, and left out where it is
            not ready.
        spare: whether there is time to make it.
        echoed: blocks of the input that the echo takes in for this block, where it is not live;
            below 0: as many as it needs.
        reach: frames behind `known` at which a block may begin whose echo needs nothing that comes
            in later; told by the stream.

    """

    position: int
    transcript: Transcript
    sound: Callable[[int, int], NDArray[np.float32]]
    known: int
    origin: int = 0
    written: int = -1
    live: bool = False
    spare: bool = True
    echoed: int = -1
    reach: int = 0

    @property
    def place(self) -> HeardPlace:
        """What it is of, to hear the same again."""
        written = self.known if self.written < 0 else self.written
        return HeardPlace(self.origin, self.position, self.known, written, self.echoed)

    @property
    def seconds(self) -> float:
        """`position` in seconds."""
        return self.position / SAMPLE_RATE

    def later(self, frames: int) -> Hearing:
        """The same for a block that begins so many frames later; its echo takes in no more."""
        return replace(self, position=self.position + frames, echoed=min(0, self.echoed))


HearingSource: TypeAlias = Callable[[int], Hearing | None]
"""Gives what has been played in, as it is known now, for the block that begins at a plan position;
None for nothing. Called in the inference thread."""

COMMIT_SECONDS: Final = 0.15
"""How far ahead of what is heard a block is rendered in the instrument, at the least."""


class PlayedSound:
    """A whole sound as what a performer plays in, heard only as far as it has been played.

    Args:
        sound: float32 (n, 2) at 48 kHz; silence follows it.

    """

    def __init__(self, sound: NDArray[np.float32]) -> None:
        self._sound = sound
        self._weights = load_ear_weights()
        self._state = initial_transcriber(self._weights)
        self._taken = 0

    def at(self, position: int) -> Hearing:
        """What is known of it when the block at `position` (frames, rising) is rendered."""
        known = max(0, position - round(COMMIT_SECONDS * SAMPLE_RATE))
        if known > self._taken:
            new = self.between(self._taken, known)
            self._state = transcribe(self._weights, self._state, new)
            self._taken = known
        return Hearing(position, self._state.transcript, self.between, known)

    def between(self, start: int, stop: int) -> NDArray[np.float32]:
        """Frames start..stop, silence where there is nothing."""
        out = np.zeros((stop - start, 2), np.float32)
        low, high = max(0, start), min(stop, len(self._sound))
        if low < high:
            out[low - start : high - start] = self._sound[low:high]
        return out
