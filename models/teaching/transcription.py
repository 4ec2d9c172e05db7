"""Transcription of a piece as far as the ears are sure: beat, tempo, chords, brightness.

Notes and instruments stay hidden; the renderer was trained to play from such sketches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.music.score import FRAME_SECONDS, SAMPLE_RATE, beat_phase
from models.music.tracking.tracker import Heard, initial_ears, listen
from models.music.tracking.weights import EarWeights
from models.segue.renderer.features import KNOWN, ScoreBatch, unknown_score

SURE: Final = 0.5
"""Confidence from which beat and chord are believed."""
CHROMA: Final = KNOWN - 2
BEAT: Final = KNOWN - 1
_STEPS: Final = round(FRAME_SECONDS / 0.01)  # of the ears in a frame
_SMOOTH: Final = 50  # frames: 2 s

Line = NDArray[np.float32]


class HeardScore(NamedTuple):
    """What was heard in T frames of 40 ms.

    chroma (T, 12) of the chord and beat (T, 4) as of `FrameScore`; known (T, 2): 1 where chord and
    beat are sure; tempo (T,) in beats a minute; brightness (T,), nan in silence.
    """

    chroma: Line
    beat: Line
    known: Line
    tempo: Line
    brightness: Line

    def score(self, span: slice) -> ScoreBatch:
        """A batch of one of the frames of a span; all that was not heard is masked."""
        count = len(self.tempo[span])
        batch = unknown_score(count)
        known = batch.known.clone()
        known[0, :, CHROMA:] = torch.from_numpy(self.known[span])

        def tensor(values: Line) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values[span], np.float32))[None]

        return replace(
            batch,
            chroma=tensor(self.chroma),
            beat=tensor(self.beat),
            tempo=tensor(self.tempo),
            brightness=tensor(self.brightness),
            known=known,
        )


def transcribe(weights: EarWeights, audio: NDArray[np.float32], frames: int) -> HeardScore:
    """What the ears hear in audio (n, 2) at 48 kHz, as `frames` frames of 40 ms."""
    state, heard = initial_ears(weights), list[Heard]()
    for start in range(0, len(audio), SAMPLE_RATE):
        state, part = listen(weights, state, audio[start : start + SAMPLE_RATE])
        heard.extend(part)
    # The ears know of a frame a moment later; the last 10 ms of a frame tell about it.
    last = len(heard) - 1
    chosen = [heard[min(last, _STEPS * frame + _STEPS - 1)] for frame in range(frames)]
    times = (np.arange(frames) + 0.5) * FRAME_SECONDS
    pulses, harmonies = [each.pulse for each in chosen], [each.harmony for each in chosen]
    tempo = np.array([pulse.bpm or 120.0 for pulse in pulses], np.float32)
    gone = [(at - pulse.time) * pulse.bpm / 60 for at, pulse in zip(times, pulses, strict=True)]
    beats = np.array([pulse.beat for pulse in pulses]) + np.array(gone)
    bars = (beats - [pulse.downbeat for pulse in pulses]) / [p.beats_per_bar for p in pulses]
    chroma = np.zeros((frames, 12), np.float32)
    for row, harmony in zip(chroma, harmonies, strict=True):
        row[list(harmony.classes)] = 1.0
    sure_chord = [harmony.root >= 0 and harmony.confidence >= SURE for harmony in harmonies]
    sure_beat = [pulse.bpm > 0 and pulse.confidence >= SURE for pulse in pulses]
    return HeardScore(
        chroma,
        beat_phase(beats, bars),
        np.stack([sure_chord, sure_beat], axis=1).astype(np.float32),
        tempo,
        _smooth(np.array([each.brightness for each in chosen])),
    )


def _smooth(values: NDArray[np.float64]) -> Line:
    """Mean of what is a number over 2 s around each frame; nan where none is."""
    valid = np.isfinite(values)
    window = np.hanning(_SMOOTH + 3)[1:-1]
    size = len(values)
    middle = slice(len(window) // 2, len(window) // 2 + size)
    total = np.convolve(np.where(valid, values, 0.0), window)[middle]
    weight = np.convolve(valid.astype(float), window)[middle]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(weight > 1e-6, total / weight, np.nan), np.float32)
