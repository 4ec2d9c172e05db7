"""Chord and key of what is played.

A chord is read from the chroma by a small recurrent network that is shared by the twelve roots
(after Boulanger-Lewandowski, Bengio and Vincent, "Audio chord recognition with recurrent neural
networks", ISMIR 2013): the chroma is turned so that the root stands first, and the network, which
remembers what it has heard, says how well each quality fits. It also hears how far the sound rose,
since chords change where notes begin, and the slow mean of the chroma, which tells it the key. The
key is that of `models.music.tonality`, from the slow mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import NOTE_NAMES, QUALITIES
from models.music.tonality import key_correlations
from models.music.tracking.beat_network import RecurrentLayer
from models.music.tracking.chroma import BANDS, LOW, RISES, STEP_SECONDS, Chroma
from models.music.tracking.front_end import Line

CHORD_QUALITIES: Final = ("maj", "min", "dim", "sus", "5", "aug")
REACH: Final = BANDS - 12  # semitones above each root
INPUTS: Final = 2 * REACH + 12 + RISES
RISE_SCALE: Final = 8.0
LATENESS: Final = 0.09
"""Seconds from a chord's beginning to the middle of the windows that hear it."""
RARENESS: Final = np.array([0.0, 0.0, -0.75, -0.75, -0.75, -0.75], np.float32)
"""Added to the logarithm of each quality's chance: what is neither major nor minor is rare, and is
mostly heard where a major or minor chord was played.
"""
KEY_MEMORY: Final = 6.0  # seconds
KEY_SHARPNESS: Final = 12.0


@dataclass(frozen=True, eq=False)
class ChordNetwork:
    """Weights.

    enter_weight: (units, INPUTS), with a bias. memory: gated recurrent units. leave_weight:
    (qualities, units), with a bias.
    """

    enter_weight: Line
    enter_bias: Line
    memory: RecurrentLayer
    leave_weight: Line
    leave_bias: Line

    def step(self, state: Line, given: Line) -> tuple[Line, Line]:
        """Take one chroma in.

        Args:
            state: (12, units) after the chromas before, a row for each root.
            given: (12, INPUTS), as `turn` gives it.

        Returns:
            The state after it, and the chance of each root and quality, (12 * qualities,).

        """
        entered = np.maximum(given @ self.enter_weight.T + self.enter_bias, 0)
        state = self.memory.step(state, entered)
        fits = (state @ self.leave_weight.T + self.leave_bias + RARENESS).reshape(-1)
        chances = np.exp(fits - fits.max())
        return state, np.asarray(chances / chances.sum(), np.float32)


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
    """State (12, units) of the chord network, how well each key fits (24,), and what is known."""

    chords: Line
    keys: Line
    harmony: Harmony = field(default_factory=Harmony)


def initial_harmony(network: ChordNetwork) -> HarmonyState:
    """The state before any sound."""
    return HarmonyState(np.zeros((12, network.memory.units), np.float32), np.zeros(24, np.float32))


def turn(chroma: Chroma) -> Line:
    """(12, INPUTS) the chroma as seen from each root, C first."""
    whole = np.concatenate(
        [chroma.now, chroma.recent, chroma.slow, np.float32(RISE_SCALE) * chroma.rise]
    )
    return whole[_turned()]


@lru_cache(maxsize=1)
def _turned() -> NDArray[np.int64]:
    """(12, INPUTS) where each root's row is found in the bands, the classes and the rises."""
    rows = []
    for root in range(12):
        low = (root - LOW) % 12  # the lowest band of this pitch class
        bands = low + np.arange(REACH)
        classes = 2 * BANDS + (root + np.arange(12)) % 12
        rows.append(
            np.concatenate([bands, BANDS + bands, classes, 2 * BANDS + 12 + np.arange(RISES)])
        )
    return np.stack(rows)


def track_harmony(network: ChordNetwork, state: HarmonyState, chroma: Chroma) -> HarmonyState:
    """Take one chroma in.

    Args:
        network: weights of the chord network.
        state: after the chromas before.
        chroma: the next.

    Returns:
        The state after it; its `harmony` is what is known now.

    """
    chords, chances = network.step(state.chords, turn(chroma))
    keys = state.keys
    if chroma.loud:
        share = np.float32(STEP_SECONDS / KEY_MEMORY)
        fit = key_correlations(chroma.slow.astype(np.float64)).astype(np.float32)
        keys = ((1 - share) * keys + share * fit).astype(np.float32)
    return HarmonyState(chords, keys, _read(chances if chroma.loud else None, keys))


def _read(chances: Line | None, keys: Line) -> Harmony:
    """Chord by the chances of each, None in silence, and key by how well each fits."""
    root, quality, confidence = -1, "", 0.0
    if chances is not None:
        best = int(chances.argmax())
        root, index = divmod(best, len(CHORD_QUALITIES))
        quality, confidence = CHORD_QUALITIES[index], float(chances[best])
    tonic, minor, sure = -1, False, 0.0
    if keys.any():
        key = int(keys.argmax())
        weight = np.exp(KEY_SHARPNESS * (keys - keys[key]))
        tonic, minor, sure = key % 12, key >= 12, float(1 / weight.sum())
    return Harmony(root, quality, confidence, tonic, minor, sure)
