"""Link to the ear of the memory send: tells the plan what to remember.

The inference thread asks it, block by block, what is known (`Worker.hear`).
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
from app.session.ears.ears import Ears
from app.session.ears.messages import MemoryForgotten, MemoryKept, MemoryNews, MemoryRequest
from models.engine.hearing import Hearing, HearingSource
from models.music.hearing.transcript import Transcript
from models.music.score import SAMPLE_RATE

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


class MemoryLink:
    """Knows what was heard, block by block.

    Args:
        ears: the process that hears.
        input: the input's ring.
        hear: takes the function that the inference thread asks before each block, and whether
            notes or hits were written down, as of `Planner.input_changed`.

    """

    def __init__(
        self, ears: Ears, input: InputHistory, hear: Callable[[HearingSource, bool], object]
    ) -> None:
        self.input = input
        self._ears, self._hear = ears, hear
        self._known: KnownInput | None = None
        ears.add(self)

    # Any thread.

    def configure(self, amount: float, frozen: bool, echo: float = 0.0) -> None:
        """Amounts of both sends, and whether what was heard stays and nothing more is."""
        request = MemoryRequest(amount > 0.0 or echo > 0.0, frozen, echo > 0.0)
        self._ears.ask(request, wanted=request.wanted)

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

    # The ears' thread.

    def take(self, news: object) -> None:
        """Take what the ear found."""
        known = self._known
        if isinstance(news, MemoryNews):
            before = Transcript() if known is None or news.fresh else known.transcript
            self._known = KnownInput(self.input, news.change.to(before), news.first, news.end)
            if news.tell:
                self._hear(self.at, news.written)
        elif isinstance(news, MemoryKept) and known is not None:
            first = max(known.first, known.end - KEPT)
            self._known = replace(known, kept=(first, self.input.copy(first, known.end)))
        elif isinstance(news, MemoryForgotten):
            self.forget()

    def forget(self) -> None:
        """Remember nothing."""
        if self._known is not None:
            self._known = None
            self._hear(nothing, True)
