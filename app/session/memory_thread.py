"""Thread that writes down what comes in, and tells the plan what to remember.

It reads the input's ring beside the stream; the inference thread asks it, block by block, what is
known (`Worker.hear`). The plan is made again where something new was played, and left alone while
nothing is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio.input.history import InputHistory
from app.session.input_listener import InputListener
from models.engine.hearing import Hearing, HearingSource
from models.music.hearing.transcriber import TranscriberState, initial_transcriber, transcribe
from models.music.hearing.transcript import Transcript
from models.music.score import SAMPLE_RATE
from models.music.tracking.weights import load_ear_weights

APART: Final = 0.24  # seconds between two changes of the plan
BEHIND: Final = 3.0  # seconds of input that are caught up with; where there is more it begins anew
AUDIBLE: Final = 2e-3  # peak (-54 dB) of sound that comes back
KEPT: Final = 36 * SAMPLE_RATE
"""Frames that stay while the input is frozen: as long as the looper's longest loop."""

Sound = NDArray[np.float32]


def nothing(start: int) -> Hearing | None:
    """Nothing has been played in."""
    return None


@dataclass(frozen=True, eq=False)
class KnownInput:
    """What has been heard. first, end: frames of the output's clock, of second 0 and the end. kept:
    first frame and sound while the input is frozen.
    """

    input: InputHistory
    transcript: Transcript
    first: int
    end: int
    kept: tuple[int, Sound] | None = None

    def sound_before(self, known: int, start: int, stop: int) -> Sound:
        """As `sound`, of what was known then: the same block is rendered whenever it is."""
        out = self.sound(start, stop)
        out[max(0, known - start) :] = 0.0
        return out

    def sound(self, start: int, stop: int) -> Sound:
        """Input at frames start..stop since second 0, float32 (n, 2); silence where none is."""
        begin, end = start + self.first, stop + self.first
        if self.kept is None:
            return self.input.copy(begin, end)
        first, sound = self.kept
        out = np.zeros((stop - start, 2), np.float32)
        low, high = max(begin, first), min(end, first + len(sound))
        if low < high:
            out[low - begin : high - begin] = sound[low - first : high - first]
        return out


class MemoryThread(InputListener):
    """Listens while there is an input and the send is open; costs nothing otherwise.

    Args:
        input: the input's ring.
        hear: takes the function that the inference thread asks before each block.
        report: takes level and sentence, in this thread.

    """

    NAME = "memory"
    EVERY = 0.05

    def __init__(
        self,
        input: InputHistory,
        hear: Callable[[HearingSource], object],
        report: Callable[[str, str], object],
    ) -> None:
        super().__init__(input, report)
        self._hear = hear
        self._open = self._frozen = self._echo = False
        self._state: TranscriberState | None = None
        self._start = self._next = 0  # frames of the output's clock: of second 0, and to be heard
        self._known: KnownInput | None = None
        self._told = (0.0, 0.0)  # times of the last hit and note that the plan knows
        self._told_at = 0.0

    # Any thread.

    def configure(self, amount: float, frozen: bool, echo: float = 0.0) -> None:
        """Amounts of both sends, and whether what was heard stays and nothing more is."""
        self._open, self._frozen = amount > 0.0 or echo > 0.0, frozen
        self._echo = echo > 0.0
        self.wake(self._open)

    @property
    def transcript(self) -> Transcript | None:
        """What was heard last; None while it does not listen."""
        known = self._known
        return None if known is None else known.transcript

    def notes_since(self, clock: int) -> list[tuple[int, float]]:
        """(frame of the output's clock, MIDI pitch) of the notes that began behind a frame."""
        known = self._known
        if known is None:
            return []
        since = (clock - known.first) / SAMPLE_RATE
        notes = known.transcript.notes_from(since + 1e-6, math.inf)
        return [(known.first + round(note.start * SAMPLE_RATE), note.pitch) for note in notes]

    def at(self, start: int) -> Hearing | None:
        """What is known for the block that begins at a plan position; for the inference thread."""
        known = self._known
        if known is None:
            return None
        clock = int(self.input.clock_map.clocks_of(start, start + 1)[0])
        written = known.end - known.first
        there = written if known.kept is not None else max(written, self.input.end - known.first)
        return Hearing(
            clock - known.first, known.transcript, partial(known.sound_before, there), there,
            known.first, written,
        )  # fmt: skip

    # Its own thread.

    def wanted(self) -> bool:
        return self._open

    def _rest(self) -> None:
        """Remember nothing."""
        if self._known is not None:
            self._state = self._known = None
            self._hear(nothing)

    def listen(self) -> None:
        """Hear what has come in since the last time; tell the plan where that is new."""
        end, known = self.input.end, self._known
        if self._frozen and known is not None:
            if known.kept is None:
                first = max(known.first, known.end - KEPT)
                self._known = replace(known, kept=(first, self.input.copy(first, known.end)))
            return
        late = known is None or known.kept is not None
        if late or end - self._next > BEHIND * SAMPLE_RATE or end < self._next:
            self._state = initial_transcriber(load_ear_weights())
            self._start = self._next = end
            self._told, self._told_at = (0.0, 0.0), 0.0
        assert self._state is not None
        new = self.input.copy(self._next, end)
        self._state = transcribe(load_ear_weights(), self._state, new)
        self._next = end
        self._known = KnownInput(self.input, self._state.transcript, self._start, end)
        # An echo needs the sound itself, and whatever can be heard of it.
        loud = self._echo and len(new) > 0 and float(np.abs(new).max()) > AUDIBLE
        self._tell((end - self._start) / SAMPLE_RATE, loud)

    def _tell(self, now: float, loud: bool) -> None:
        """Let the plan be made again where something was played since it was."""
        assert self._known is not None
        heard = self._known.transcript
        told = (
            heard.hits[-1].time if heard.hits else 0.0,
            heard.notes[-1].start if heard.notes else 0.0,
        )
        if (loud or told != self._told) and now - self._told_at >= APART:
            self._told, self._told_at = told, now
            self._hear(self.at)
