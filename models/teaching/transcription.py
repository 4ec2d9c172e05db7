"""Transcription of a piece as far as it is clear: beat, tempo, chords, brightness and notes.

What is not clear stays hidden, as do drums and instruments; the renderer was trained to play from
such sketches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.music.score import (
    EVENT,
    FRAME_SECONDS,
    PARTS,
    QUALITY_NAMES,
    SAMPLE_RATE,
    beat_phase,
    rasterize,
)
from models.music.tracking.tracker import Heard, initial_ears, listen
from models.music.tracking.weights import EarWeights
from models.segue.renderer.features import KNOWN, ScoreBatch, no_age, note_age, unknown_score
from models.teaching.notes.events import clear_notes, note_events
from models.teaching.notes.network import RATE, NoteNetwork

SURE: Final = 0.5
"""Confidence from which beat and chord are believed."""
CHROMA: Final = KNOWN - 2
BEAT: Final = KNOWN - 1
NOTED: Final = tuple(PARTS.index(part) for part in ("bass", "chords", "lead"))
"""Parts whose notes are written down."""
NEAR: Final = 25
"""Frames around a clear note in which the piece counts as written down: 1 s."""
_STEPS: Final = round(FRAME_SECONDS / 0.01)  # of the ears in a frame
_SMOOTH: Final = 50  # frames: 2 s

Line = NDArray[np.float32]


class HeardScore(NamedTuple):
    """What was heard in T frames of 40 ms.

    chroma (T, 12) of the chord and beat (T, 4) as of `FrameScore`; known (T, 2): 1 where chord and
    beat are sure; tempo (T,) in beats a minute; brightness (T,), nan in silence; notes (N, 5), the
    fields of EVENT, in seconds from the first frame; harmony (T, 4): root and quality (index) of
    the chord, -1 where it is not sure, key (tonic, + 12 for minor; -1 for none) and beats a bar;
    onsets (M,) in seconds.
    """

    chroma: Line
    beat: Line
    known: Line
    tempo: Line
    brightness: Line
    notes: Line
    harmony: Line
    onsets: Line

    def score(self, span: slice) -> ScoreBatch:
        """A batch of one of the frames of a span; all that was not heard is masked."""
        count = len(self.tempo[span])
        batch = unknown_score(count)
        known = batch.known.clone()
        known[0, :, CHROMA:] = torch.from_numpy(self.known[span])

        rolls = rasterize(self.events, span.start * FRAME_SECONDS, count)
        ages, _ = note_age(rolls.onset, rolls.sustain > 0, no_age())
        noted = torch.from_numpy(_near(np.asarray(rolls.sustain.any(axis=(1, 2)))))
        for part in NOTED:
            known[0, :, part] = noted

        def tensor(values: NDArray[np.generic]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values, np.float32))[None]

        return replace(
            batch,
            sustain=tensor(rolls.sustain),
            onset=tensor(rolls.onset),
            age=tensor(ages),
            chroma=tensor(self.chroma[span]),
            beat=tensor(self.beat[span]),
            tempo=tensor(self.tempo[span]),
            brightness=tensor(self.brightness[span]),
            known=known,
        )

    @property
    def events(self) -> NDArray[np.void]:
        """The notes as events of a score."""
        events = np.zeros(len(self.notes), EVENT)
        for name, column in zip(EVENT.names or (), self.notes.T, strict=True):
            events[name] = column
        return events


def transcribe(
    weights: EarWeights, network: NoteNetwork, audio: NDArray[np.float32], frames: int
) -> HeardScore:
    """What is heard in a piece.

    Args:
        weights: of the ears.
        network: that hears notes.
        audio: (n, 2) at 48 kHz.
        frames: of 40 ms that are told of.

    """
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
        hear_notes(network, audio),
        np.array(
            [
                (
                    *((h.root, QUALITY_NAMES.index(h.quality)) if sure else (-1, -1)),
                    h.tonic + 12 * h.minor if h.tonic >= 0 else -1,
                    pulse.beats_per_bar,
                )
                for h, pulse, sure in zip(harmonies, pulses, sure_chord, strict=True)
            ],
            np.float32,
        ).reshape(frames, 4),
        np.array([each.onset.time for each in heard if each.onset is not None], np.float32),
    )


def hear_notes(network: NoteNetwork, audio: NDArray[np.float32]) -> Line:
    """The notes (N, 5) of `HeardScore` that are clear in audio (n, 2) at 48 kHz."""
    import soxr

    mono = soxr.resample(audio.mean(axis=1), SAMPLE_RATE, RATE)
    events = note_events(clear_notes(*network.hear(np.asarray(mono, np.float32))))
    names = EVENT.names or ()
    return np.stack([np.asarray(events[name], np.float32) for name in names], axis=1)


def _near(sounding: NDArray[np.bool_]) -> Line:
    """(T,) 1 within NEAR frames of one in which a note sounds."""
    return (np.convolve(sounding, np.ones(2 * NEAR + 1))[NEAR : NEAR + len(sounding)] > 0).astype(
        np.float32
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
