"""Chord and key of what is played.

A chord is read from the chroma by a small network that is shared by the twelve roots: the chroma is
turned so that the root stands first, and the network says how well each quality fits. The slow mean
of the chroma, turned likewise, tells it the key. A hidden Markov model keeps a chord until another
is likelier (Sheh and Ellis, "Chord segmentation and recognition using EM-trained hidden Markov
models", ISMIR 2003); on a beat a change is likelier than between beats. The key is that of
`models.music.tonality`, from the slow mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.music.score import NOTE_NAMES, QUALITIES
from models.music.tonality import key_correlations
from models.music.tracking.chroma import BANDS, LOW, STEP_SECONDS, Chroma
from models.music.tracking.front_end import Line

CHORD_QUALITIES: Final = ("maj", "min", "dim", "sus", "5", "aug")
REACH: Final = BANDS - 12  # semitones above each root
INPUTS: Final = 2 * REACH + 12
STATES: Final = 12 * len(CHORD_QUALITIES) + 1  # the last: no chord
LATENESS: Final = 0.09
"""Seconds from a chord's beginning to the middle of the windows that hear it."""
TEMPER: Final = 3.0  # of the network's logarithms, which are smoothed labels'
CHANGE: Final = 0.3  # chance of another chord within a step, off the beat
ON_BEAT: Final = 0.7
AROUND_BEAT: Final = 0.07  # seconds
SILENT: Final = 0.95  # chance of no chord in silence
KEY_MEMORY: Final = 6.0  # seconds
KEY_SHARPNESS: Final = 12.0


@dataclass(frozen=True, eq=False)
class ChordNetwork:
    """Weights: hidden (h, INPUTS) and output (qualities, h) layers."""

    hidden_weight: Line
    hidden_bias: Line
    output_weight: Line
    output_bias: Line


@dataclass(frozen=True)
class Harmony:
    """Chord and key after a frame.

    Attributes:
        root: pitch class 0..11 of the chord, -1 where none sounds.
        quality: a name in `models.music.score.QUALITIES`; empty where no chord sounds.
        confidence: 0 to 1, of the chord.
        tonic: pitch class 0..11 of the key, -1 before any is known.
        minor: whether the key is minor.
        key_confidence: 0 to 1.

    """

    root: int = -1
    quality: str = ""
    confidence: float = 0.0
    tonic: int = -1
    minor: bool = False
    key_confidence: float = 0.0

    @property
    def classes(self) -> tuple[int, ...]:
        """Pitch classes of the chord, root first."""
        if self.root < 0:
            return ()
        return tuple((self.root + step) % 12 for step in QUALITIES[self.quality])

    @property
    def key(self) -> str:
        """Name of the key, such as 'A minor'; empty before any is known."""
        if self.tonic < 0:
            return ""
        return f"{NOTE_NAMES[self.tonic]} {'minor' if self.minor else 'major'}"


@dataclass(frozen=True, eq=False)
class HarmonyState:
    """Belief over the chords (STATES,) and over the keys (24,), and what is known."""

    chords: Line
    keys: Line
    harmony: Harmony = field(default_factory=Harmony)


def initial_harmony() -> HarmonyState:
    """The state before any sound."""
    chords = np.full(STATES, 0.01 / (STATES - 1), np.float32)
    chords[-1] = 0.99
    return HarmonyState(chords, np.zeros(24, np.float32))


def turn(chroma: Chroma) -> Line:
    """(12, INPUTS) the chroma as seen from each root, C first."""
    rows = []
    for root in range(12):
        low = (root - LOW) % 12  # the lowest band of this pitch class
        rows.append(
            np.concatenate(
                [
                    chroma.now[low : low + REACH],
                    chroma.recent[low : low + REACH],
                    np.roll(chroma.slow, -root),
                ]
            )
        )
    return np.stack(rows)


def chord_chances(network: ChordNetwork, chroma: Chroma) -> Line:
    """Chance of each root and quality, (72,), of one chroma."""
    turned = turn(chroma)
    inner = np.maximum(turned @ network.hidden_weight.T + network.hidden_bias, 0)
    fits = (inner @ network.output_weight.T + network.output_bias).reshape(-1)
    chances = np.exp(fits - fits.max())
    return np.asarray(chances / chances.sum(), np.float32)


def track_harmony(
    network: ChordNetwork, state: HarmonyState, chroma: Chroma, beat_distance: float
) -> HarmonyState:
    """Take one chroma in.

    Args:
        network: weights of the chord network.
        state: after the chromas before.
        chroma: the next.
        beat_distance: seconds from the middle of its window to the nearest beat; inf if unknown.

    Returns:
        The state after it; its `harmony` is what is known now.

    """
    change = ON_BEAT if beat_distance < AROUND_BEAT else CHANGE
    belief = (1 - change) * state.chords + np.float32(change / STATES)
    chances = np.empty(STATES, np.float32)
    chances[-1] = 1e-3 if chroma.loud else SILENT
    chances[:-1] = (1 - chances[-1]) * chord_chances(network, chroma) if chroma.loud else 1e-4
    belief *= np.maximum(chances, np.float32(1e-4)) ** np.float32(TEMPER)
    belief = (belief / belief.sum()).astype(np.float32)
    keys = state.keys
    if chroma.loud:
        share = np.float32(STEP_SECONDS / KEY_MEMORY)
        fit = key_correlations(chroma.slow.astype(np.float64)).astype(np.float32)
        keys = ((1 - share) * keys + share * fit).astype(np.float32)
    return HarmonyState(belief, keys, _read(belief, keys))


def _read(chords: Line, keys: Line) -> Harmony:
    best = int(chords.argmax())
    root, quality = divmod(best, len(CHORD_QUALITIES))
    none = best == STATES - 1
    tonic, minor, sure = -1, False, 0.0
    if keys.any():
        key = int(keys.argmax())
        weight = np.exp(KEY_SHARPNESS * (keys - keys[key]))
        tonic, minor, sure = key % 12, key >= 12, float(1 / weight.sum())
    return Harmony(
        -1 if none else root,
        "" if none else CHORD_QUALITIES[quality],
        0.0 if none else float(chords[best]),
        tonic,
        minor,
        sure,
    )
