"""What the trackers have learned: rhythm patterns, and the weights of the chord network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models.errors import SegueError
from models.music.tracking.front_end import Line
from models.music.tracking.harmony import CHORD_QUALITIES, INPUTS, ChordNetwork
from models.music.tracking.rhythm import FEATURES, METRES, PLACES, RhythmPatterns

FILE: Final = Path(__file__).resolve().parents[3] / "resources" / "weights" / "ears.safetensors"


@dataclass(frozen=True, eq=False)
class EarWeights:
    """What the trackers of beats and of chords have learned."""

    rhythm: RhythmPatterns
    chords: ChordNetwork


def read_ear_weights(path: Path = FILE) -> EarWeights:
    """Read the weights.

    Args:
        path: a safetensors file.

    Raises:
        SegueError: the file is missing, damaged or of another version.

    """
    again = "get Segue's folder again."
    try:
        table = load_file(path)

        def layer(name: str) -> tuple[Line, Line]:
            weight, bias = table[f"{name}.weight"], table[f"{name}.bias"]
            return np.ascontiguousarray(weight, np.float32), np.asarray(bias, np.float32)

        rhythm = RhythmPatterns(
            *(table[f"rhythm.{part}"] for part in ("codebook", "four", "three"))
        )
        chords = ChordNetwork(*layer("chord.hidden"), *layer("chord.output"))
    except FileNotFoundError:
        raise SegueError(f"{path} is missing: {again}") from None
    except (OSError, KeyError, ValueError, SafetensorError):
        raise SegueError(f"{path} is damaged: {again}") from None
    codes = len(rhythm.codebook)
    fits = (
        rhythm.codebook.shape == (codes, FEATURES)
        and rhythm.four.shape[1:] == (METRES[0] * PLACES, codes)
        and rhythm.three.shape[1:] == (METRES[1] * PLACES, codes)
        and chords.hidden_weight.shape[1] == INPUTS
        and chords.output_weight.shape[0] == len(CHORD_QUALITIES)
    )
    if not fits:
        raise SegueError(f"{path} is of another version of Segue: {again}")
    return EarWeights(rhythm, chords)


@lru_cache(maxsize=1)
def load_ear_weights() -> EarWeights:
    """The embedded weights, read once."""
    return read_ear_weights()
