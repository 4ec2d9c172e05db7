"""What the trackers have learned: rhythm patterns, and the weights of their networks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models.errors import SegueError
from models.music.tracking.bar_fold import BAR_PLACES, CHANNELS, TEMPO, FoldNetwork
from models.music.tracking.beat_network import INPUTS as BEAT_INPUTS
from models.music.tracking.beat_network import OUTPUTS, BeatNetwork, RecurrentLayer
from models.music.tracking.beatnet import BANDS as BEATNET_BANDS
from models.music.tracking.beatnet import KERNEL, UNITS, BeatNetCrnn
from models.music.tracking.beats import BeatModel
from models.music.tracking.front_end import Line
from models.music.tracking.harmony import CHORD_QUALITIES, INPUTS, ChordNetwork
from models.music.tracking.rhythm import FEATURES, METRES, PLACES, RhythmPatterns

FILE: Final = Path(__file__).resolve().parents[3] / "resources" / "weights" / "ears.safetensors"
BEATNET: Final = "beatnet.safetensors"
"""Name of the file beside it with the network of others."""
AGAIN: Final = "get Segue's folder again."


@dataclass(frozen=True, eq=False)
class EarWeights:
    """What the trackers of beats and of chords have learned."""

    beats: BeatModel
    chords: ChordNetwork


def read_ear_weights(path: Path = FILE) -> EarWeights:
    """Read the weights.

    Args:
        path: a safetensors file; that of BeatNet lies beside it.

    Raises:
        SegueError: the file is missing, damaged or of another version.

    """
    table = _table(path)
    try:
        rhythm = RhythmPatterns(
            *(table[f"rhythm.{part}"] for part in ("codebook", "four", "three"))
        )
        network = _beat_network(table)
        fold = FoldNetwork(*(_array(table, f"fold.{part.name}") for part in fields(FoldNetwork)))
        memory = _recurrent(table, "chord.memory")
        chords = ChordNetwork(*_layer(table, "chord.enter"), memory, *_layer(table, "chord.leave"))
    except (KeyError, ValueError):
        raise SegueError(f"{path} is damaged: {AGAIN}") from None
    codes = len(rhythm.codebook)
    fits = (
        rhythm.codebook.shape == (codes, FEATURES)
        and rhythm.four.shape[1:] == (METRES[0] * PLACES, codes)
        and rhythm.three.shape[1:] == (METRES[1] * PLACES, codes)
        and network.enter_weight.shape[1] == BEAT_INPUTS
        and network.leave_weight.shape == (OUTPUTS, network.second.units)
        and fold.bar_weight.shape[1:] == (CHANNELS, BAR_PLACES)
        and fold.tempo_weight.shape == (len(fold.bar_weight), TEMPO)
        and fold.leave_tempo.shape == (TEMPO,)
        and chords.enter_weight.shape[1] == INPUTS
        and chords.leave_weight.shape[0] == len(CHORD_QUALITIES)
    )
    if not fits:
        raise SegueError(f"{path} is of another version of Segue: {AGAIN}")
    beatnet = read_beatnet(path.with_name(BEATNET))
    return EarWeights(BeatModel(rhythm, network, beatnet, fold), chords)


def read_beat_network(path: Path) -> BeatNetwork:
    """Read the network of composed songs. SegueError where it is missing or damaged."""
    try:
        return _beat_network(_table(path))
    except KeyError:
        raise SegueError(f"{path} is damaged: {AGAIN}") from None


def _beat_network(table: dict[str, Line]) -> BeatNetwork:
    enter, leave = _layer(table, "beat.enter"), _layer(table, "beat.leave")
    first, second = (_recurrent(table, f"beat.{name}") for name in ("first", "second"))
    return BeatNetwork(*enter, first, second, *leave)


def read_beatnet(path: Path) -> BeatNetCrnn:
    """Read the weights of BeatNet. SegueError where they are missing, damaged or others."""
    table = _table(path)
    try:
        cells = (_layer(table, "first"), _layer(table, "second"))
        conv, enter, leave = (_layer(table, name) for name in ("conv", "enter", "leave"))
    except (KeyError, ValueError):
        raise SegueError(f"{path} is damaged: {AGAIN}") from None
    fits = (
        conv[0].shape == (2, KERNEL)
        and enter[0].shape == (UNITS, 2 * BEATNET_BANDS - KERNEL)
        and all(weight.shape == (4 * UNITS, 2 * UNITS) for weight, _ in cells)
        and leave[0].shape == (3, UNITS)
    )
    if not fits:
        raise SegueError(f"{path} is of another version of Segue: {AGAIN}")
    return BeatNetCrnn(*conv, *enter, cells, *leave)


def _table(path: Path) -> dict[str, Line]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise SegueError(f"{path} is missing: {AGAIN}") from None
    except (OSError, ValueError, SafetensorError):
        raise SegueError(f"{path} is damaged: {AGAIN}") from None


def _layer(table: dict[str, Line], name: str) -> tuple[Line, Line]:
    return _array(table, f"{name}.weight"), _array(table, f"{name}.bias")


def _array(table: dict[str, Line], name: str) -> Line:
    return np.ascontiguousarray(table[name], np.float32)


def _recurrent(table: dict[str, Line], name: str) -> RecurrentLayer:
    parts = ("input_weight", "state_weight", "input_bias", "state_bias")
    return RecurrentLayer(*(_array(table, f"{name}.{part}") for part in parts))


@lru_cache(maxsize=1)
def load_ear_weights() -> EarWeights:
    """The embedded weights, read once."""
    return read_ear_weights()
