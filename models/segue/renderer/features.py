"""Input features of the renderer: score frames as tensors.

A note's *age* (frames since its onset) is given beside the piano roll, because a struck string
decays and the network need not find the onset in its context to know how far.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.music.score import DRUMS, INSTRUMENTS, KITS, PARTS, PITCHED, PITCHES, SLOTS, FrameScore

UNKNOWN_KIT: Final = len(KITS)
UNKNOWN_INSTRUMENT: Final = len(INSTRUMENTS)
DRUM_CELLS: Final = len(DRUMS) * SLOTS
MAX_AGE: Final = 255

Age = NDArray[np.uint8]
"""(4, 88) frames since each note's onset, after the last frame; 255 where it does not sound."""


def no_age() -> Age:
    """Note ages before the first frame: nothing sounds."""
    return np.full((len(PITCHED), PITCHES), MAX_AGE, np.uint8)


def note_age(
    onset: NDArray[np.uint8], sounding: NDArray[np.bool_], before: Age
) -> tuple[NDArray[np.uint8], Age]:
    """Age of every note in every frame.

    Streaming: the ages of two consecutive parts equal those of the whole.

    Args:
        onset: (T, 4, 88), above 0 where a note starts.
        sounding: (T, 4, 88).
        before: ages after the frame before the first.

    Returns:
        (T, 4, 88) ages in frames, and those after the last frame.

    """
    ages = np.empty(onset.shape, np.uint8)
    current = before
    for frame in range(len(onset)):
        older = np.minimum(current, MAX_AGE - 1) + 1
        current = np.where(onset[frame] > 0, 0, np.where(sounding[frame], older, MAX_AGE)).astype(
            np.uint8
        )
        ages[frame] = current
    return ages, current


@dataclass(frozen=True)
class ScoreBatch:
    """Batch of scores as tensors, (B, T, ...) at 25 frames a second; units as in `FrameScore`.

    `known` (B, T, 12): 1 where one of five rolls, five timbres, chroma and beat is given, 0 where
    it is masked, so that the renderer also plays from a sketch. nan in `density` and `brightness`
    means auto.
    """

    drums: Tensor  # (B, T, 64)
    sustain: Tensor  # (B, T, 4, 88)
    onset: Tensor  # (B, T, 4, 88), slot + 1
    age: Tensor  # (B, T, 4, 88)
    instruments: Tensor  # (B, T, 4) long
    kit: Tensor  # (B, T) long
    chroma: Tensor  # (B, T, 12)
    beat: Tensor  # (B, T, 4)
    tempo: Tensor  # (B, T)
    density: Tensor  # (B, T)
    brightness: Tensor  # (B, T)
    known: Tensor  # (B, T, 12)

    def __getitem__(self, span: slice) -> ScoreBatch:
        """Frames `span` of every clip."""
        return ScoreBatch(*(getattr(self, f.name)[:, span] for f in fields(self)))

    def to(self, device: str) -> ScoreBatch:
        """The same score on another device."""
        return ScoreBatch(*(getattr(self, f.name).to(device) for f in fields(self)))

    def join(self, other: ScoreBatch) -> ScoreBatch:
        """This score and `other`, concatenated in time."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return ScoreBatch(*(torch.cat(pair, dim=1) for pair in pairs))


KNOWN: Final = 2 * len(PARTS) + 2


def unknown_frames(count: int) -> FrameScore:
    """Score of `count` frames of which nothing is known."""
    silent = FrameScore.silent(count)
    return silent.with_(
        instruments=np.full_like(silent.instruments, UNKNOWN_INSTRUMENT),
        kit=np.full_like(silent.kit, UNKNOWN_KIT),
    )


def unknown_score(count: int) -> ScoreBatch:
    """A batch of one of `count` frames of which nothing is known, as of sound from elsewhere."""
    batch, _ = score_batch(unknown_frames(count), no_age())
    return replace(batch, known=torch.zeros_like(batch.known))


def score_batch(score: FrameScore, before: Age) -> tuple[ScoreBatch, Age]:
    """A batch of one (float32, CPU) of a score of T frames, and the note ages after it."""
    ages, after = note_age(score.onset, score.sustain > 0, before)
    frames = len(score)

    def real(values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))[None]

    def index(values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.int64))[None]

    batch = ScoreBatch(
        drums=real(score.drums.reshape(frames, DRUM_CELLS)),
        sustain=real(score.sustain),
        onset=real(score.onset),
        age=real(ages),
        instruments=index(score.instruments),
        kit=index(score.kit),
        chroma=real(score.chroma),
        beat=real(score.beat),
        tempo=real(score.tempo),
        density=real(score.density),
        brightness=real(score.brightness),
        known=torch.ones(1, frames, KNOWN),
    )
    return batch, after
