"""What the window shows of the input as it comes in: tuner, and the spectrogram's band."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from app.interfaces import MemoryProtocol, OutputProtocol
from app.window.panels.input_strip import InputMeter, tuner_text
from app.window.spectrogram.input_band import InputBand
from models.music.score import SAMPLE_RATE
from models.music.tracking.front_end import WINDOW, SoundFrame
from models.music.tracking.pitch import PitchState, track_pitch

EVERY: Final = 3
"""Updates of the meter between two of the tuner."""
CATCH_UP: Final = SAMPLE_RATE // 2
"""Frames of the input that are drawn at once at the most."""


class InputView:
    """Draws the input; called in the GUI thread for every frame that is drawn.

    Args:
        output: the handle on the audio process, with the input.
        memory: knows the notes that were heard.
        meter: shows the pitch.
        band: shows the spectrum.

    """

    def __init__(
        self, output: OutputProtocol, memory: MemoryProtocol, meter: InputMeter, band: InputBand
    ) -> None:
        self.output, self.memory, self.meter, self.band = output, memory, meter, band
        self._next = self._noted = self._count = 0
        self._pitch = PitchState()
        self._words = ""

    def close(self) -> None:
        """The input is closed."""
        self.band.forget()
        self.meter.set_pitch(math.nan)
        self._words = ""

    def frame(self, words: str) -> None:
        """Draw what has come in; words: what Follow understood."""
        history = self.output.input
        end = history.end
        start = max(min(self._next, end), end - CATCH_UP)
        self._next = end
        if end > start:
            self.band.add(history.clock_map.plan_at(start), history.copy(start, end))
            self._write(words, end)
        self._count += 1
        if self._count % EVERY == 0:
            self._tune(history.copy(end - WINDOW, end))

    def _write(self, words: str, end: int) -> None:
        """Write what was understood where it was played."""
        clocks = self.output.input.clock_map
        for clock, pitch in self.memory.notes_since(max(self._noted, end - 2 * SAMPLE_RATE)):
            self.band.say(clocks.plan_at(clock), tuner_text(pitch).split()[0])
            self._noted = clock
        if words != self._words:
            self._words = words
            if words and not words.startswith("Follow"):
                self.band.say(clocks.plan_at(end), words)

    def _tune(self, sound: np.ndarray) -> None:
        line = sound.mean(axis=1).astype(np.float32)
        none = np.zeros(0, np.float32)
        level = float(np.sqrt(np.mean(line * line)))
        self._pitch, heard = track_pitch(
            self._pitch, SoundFrame(0.0, line, none, none, none, level)
        )
        self.meter.set_pitch(heard.midi if heard.voiced else math.nan)
