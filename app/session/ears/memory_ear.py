"""Ear of the memory send: writes down what comes in, and says where that is new.

The plan is made again where something new was played, and left alone while nothing is.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from app.audio.input.history import InputHistory
from app.session.ears.ear import BEHIND, Ear, Say
from app.session.ears.messages import MemoryForgotten, MemoryKept, MemoryNews, MemoryRequest
from app.session.ears.pacing import ChangePacing
from models.music.hearing.transcriber import TranscriberState, initial_transcriber, transcribe
from models.music.hearing.transcript import Transcript
from models.music.hearing.transcript_change import transcript_change
from models.music.score import SAMPLE_RATE
from models.music.tracking.weights import load_ear_weights

APART: Final = 0.16  # seconds between two changes of the plan for notes and hits, in the mean
SOUND_APART: Final = 0.2  # seconds between two for sound alone, at the least
NEWS_APART: Final = 0.05  # seconds between two pieces of news for which the plan stays as it is
AUDIBLE: Final = 2e-3  # peak (-54 dB) of sound that comes back
RINGING: Final = 4.0  # seconds after it in which the plan is made again, as it comes back


class MemoryEar(Ear):
    """Ear of the memory send, and of the echo.

    Args:
        input: the input's ring.
        say: takes MemoryNews, MemoryKept and MemoryForgotten.

    """

    NAME = "memory"
    EVERY = 0.02

    def __init__(self, input: InputHistory, say: Say) -> None:
        super().__init__(input, say)
        self._request = MemoryRequest()
        self._state: TranscriberState | None = None
        self._kept = False
        self._start = self._next = 0  # frames of the output's clock: of second 0, and to be heard
        self._pacing = ChangePacing(APART)
        self._said: tuple[int, Transcript] = (
            0,
            Transcript(),
        )  # end and transcript of the last news
        self._told = (0.0, 0.0)  # times of the last hit and note that the plan knows
        self._told_at = 0.0
        self._audible_until = 0.0

    def configure(self, request: object) -> None:
        if isinstance(request, MemoryRequest):
            self._request = request

    def wanted(self) -> bool:
        return self._request.wanted

    def rest(self) -> None:
        """Remember nothing."""
        if self._state is not None:
            self._state, self._kept = None, False
            self._say(MemoryForgotten())

    def listen(self) -> None:
        """Hear what has come in since the last time; say where that is new."""
        end = self.input.end
        if self._request.frozen and self._state is not None:
            if not self._kept:
                self._kept = True
                self._say(MemoryKept())
            return
        state = self._state
        late = end - self._next > BEHIND * SAMPLE_RATE or end < self._next
        fresh = state is None or self._kept or late
        if state is None or fresh:
            state, self._kept = initial_transcriber(load_ear_weights()), False
            self._start = self._next = end
            self._told, self._told_at, self._audible_until = (0.0, 0.0), 0.0, 0.0
            self._said = (end, Transcript())
        new = self.input.copy(self._next, end)
        self._state = transcribe(load_ear_weights(), state, new)
        self._next = end
        heard = self._state.transcript
        now = (end - self._start) / SAMPLE_RATE
        # An echo needs the sound itself, and whatever can be heard of it.
        if len(new) and float(np.abs(new).max()) > AUDIBLE:
            self._audible_until = now + RINGING
        written = _newest(heard) != self._told
        tell = self._tell(heard, now, self._request.echo and now < self._audible_until)
        said, before = self._said
        if tell or fresh or end - said >= NEWS_APART * SAMPLE_RATE:
            self._said = (end, heard)
            change = transcript_change(before, heard)
            self._say(MemoryNews(self._start, end, change, fresh, tell, written))

    def _tell(self, heard: Transcript, now: float, loud: bool) -> bool:
        """Whether the plan is to be made again, as something was played since it was."""
        newest = _newest(heard)
        new = newest != self._told and self._pacing.may(now)
        if not new and not (loud and now - self._told_at >= SOUND_APART):
            return False
        self._told, self._told_at = newest, now
        return True


def _newest(heard: Transcript) -> tuple[float, float]:
    """Times of the last hit and note; 0 where there is none."""
    return (
        heard.hits[-1].time if heard.hits else 0.0,
        heard.notes[-1].start if heard.notes else 0.0,
    )
