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
from models.music.tracking.beat_network import INPUTS as BEAT_INPUTS
from models.music.tracking.beat_network import OUTPUTS, BeatNetwork, RecurrentLayer
from models.music.tracking.beats import BeatModel
from models.music.tracking.front_end import Line
from models.music.tracking.harmony import CHORD_QUALITIES, INPUTS, ChordNetwork
from models.music.tracking.rhythm import FEATURES, METRES, PLACES, RhythmPatterns

FILE: Final = Path(__file__).resolve().parents[3] / "resources" / "weights" / "ears.safetensors"


@dataclass(frozen=True, eq=False)
class EarWeights:
    """What the trackers of beats and of chords have learned."""

    beats: BeatModel
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

        def recurrent(name: str) -> RecurrentLayer:
            return RecurrentLayer(
                *(
                    np.ascontiguousarray(table[f"{name}.{part}"], np.float32)
                    for part in ("input_weight", "state_weight", "input_bias", "state_bias")
                )
            )

        rhythm = RhythmPatterns(
            *(table[f"rhythm.{part}"] for part in ("codebook", "four", "three"))
        )
        enter, leave = layer("beat.enter"), layer("beat.leave")
        network = BeatNetwork(*enter, recurrent("beat.first"), recurrent("beat.second"), *leave)
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
        and network.enter_weight.shape[1] == BEAT_INPUTS
        and network.leave_weight.shape == (OUTPUTS, network.second.units)
        and chords.hidden_weight.shape[1] == INPUTS
        and chords.output_weight.shape[0] == len(CHORD_QUALITIES)
    )
    if not fits:
        raise SegueError(f"{path} is of another version of Segue: {again}")
    return EarWeights(BeatModel(rhythm, network), chords)


@lru_cache(maxsize=1)
def load_ear_weights() -> EarWeights:
    """The embedded weights, read once."""
    return read_ear_weights()
