"""Ears: everything that is heard in what a performer plays, block by block.

    weights = load_ear_weights()
    state = initial_ears(weights)
    state, heard = listen(weights, state, samples)

The state is immutable and small: a snapshot is a reference, and storing one is
`models.storage.serialisation.pack`. However the input is split into blocks, the frames are the same
bit for bit. Times are seconds since the first sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.music.tracking.beats import BeatState, initial_beats, track_beats
from models.music.tracking.chroma import ChromaState, find_chroma, initial_chroma
from models.music.tracking.front_end import (
    WINDOW,
    FrontEndState,
    SoundFrame,
    analyse,
    initial_front_end,
    mono,
)
from models.music.tracking.harmony import Harmony, HarmonyState, initial_harmony, track_harmony
from models.music.tracking.onsets import Onset, OnsetState, find_onset
from models.music.tracking.pitch import UNVOICED, Pitch, PitchState, track_pitch
from models.music.tracking.pulse import Pulse
from models.music.tracking.weights import EarWeights

QUIETEST_DB: Final = -120.0


@dataclass(frozen=True, eq=False)
class EarState:
    """State of all trackers."""

    front_end: FrontEndState
    beats: BeatState
    chroma: ChromaState
    harmony: HarmonyState
    onsets: OnsetState
    pitch: PitchState


@dataclass(frozen=True)
class Heard:
    """What is heard in 10 ms of input.

    Attributes:
        time: seconds of the input at the end of these 10 ms.
        level_db: root mean square in dB of full scale, -120 in silence.
        brightness: log2 of the spectral centroid over 1 kHz, nan in silence.
        pitch: of one voice, of about 20 ms before `time`.
        onset: that is known since this frame, if there is one; it began a little before.
        pulse: beat, tempo and bar, and the beats to come.
        harmony: chord and key.

    """

    time: float
    level_db: float
    brightness: float
    pitch: Pitch
    onset: Onset | None
    pulse: Pulse
    harmony: Harmony


def initial_ears(weights: EarWeights) -> EarState:
    """The state before any sound."""
    return EarState(
        initial_front_end(),
        initial_beats(weights.beats),
        initial_chroma(),
        initial_harmony(weights.chords),
        OnsetState(),
        PitchState(),
    )


def listen(
    weights: EarWeights, state: EarState, samples: NDArray[np.floating], *,
    pitch: bool = True, pulse: bool = True,
) -> tuple[EarState, tuple[Heard, ...]]:  # fmt: skip
    """Take samples in.

    Args:
        weights: of the networks.
        state: after the samples before.
        samples: (n,) or (n, channels) at 48 kHz, full scale at +-1; what is not a number is taken
            for silence.
        pitch: whether the pitch of one voice is wanted; it is unvoiced where not.
        pulse: whether beat, bar, chord and key are wanted; they stay as they are where not. Always
            the same for one state.

    Returns:
        The state after them, and what was heard in each 10 ms that they complete.

    """
    front_end, frames = analyse(state.front_end, mono(samples))
    beats, chroma, harmony = state.beats, state.chroma, state.harmony
    onsets, pitches = state.onsets, state.pitch
    heard = []
    for frame in frames:
        if pulse:
            beats = track_beats(weights.beats, beats, frame)
        chroma, found = find_chroma(chroma, frame)
        if found is not None and pulse:
            harmony = track_harmony(weights.chords, harmony, found)
        onsets, onset = find_onset(onsets, frame)
        voice = UNVOICED
        if pitch:
            pitches, voice = track_pitch(pitches, frame)
        heard.append(
            Heard(
                frame.time,
                20 * math.log10(max(frame.level, 1e-6)),
                brightness_of(frame),
                voice,
                onset,
                beats.pulse,
                harmony.harmony,
            )
        )
    return EarState(front_end, beats, chroma, harmony, onsets, pitches), tuple(heard)


_FREQUENCIES: Final = (np.arange(WINDOW // 2 + 1) * SAMPLE_RATE / WINDOW).astype(np.float32)


def brightness_of(frame: SoundFrame) -> float:
    """log2 of the spectral centroid of magnitudes over 1 kHz; nan in silence."""
    if frame.level < 1e-4:
        return math.nan
    magnitude = np.sqrt(frame.power)
    centroid = float((_FREQUENCIES * magnitude).sum() / max(float(magnitude.sum()), 1e-12))
    return math.log2(max(centroid, 20.0) / 1000)
