"""What arranger and studio play of themselves under some styles, heard as the files are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.segue.arranger.idiom.counts import MusicCounts
from models.segue.engine import SegueEngine
from models.segue.learned_mix import measures
from models.teaching.counting import counts_of
from models.teaching.listener import Listener

SECONDS: Final = 40.0
SEED: Final = 90


@dataclass(frozen=True, eq=False)
class OwnPlaying:
    """What is usual in it, and measures (k, 16) of its mix, as of `learned_mix.measures`."""

    counts: MusicCounts
    mix: NDArray[np.float32]


def own_playing(
    weights: Path,
    listener: Listener,
    styles: Sequence[NDArray[np.float32]],
    streams: int,
    going: Callable[[float], bool],
) -> list[OwnPlaying] | None:
    """What is counted and measured in some streams of the studio under each style.

    Args:
        weights: Folder of the base weights.
        listener: That hears the player's files too.
        styles: (128,) each.
        streams: Of each style.
        going: Asked between parts of the work, with the share of it that is done, whether to go on.

    Returns:
        None where it was not to go on.

    """
    engine = SegueEngine("cpu", weights)
    found = []
    try:
        for place, style in enumerate(styles):
            seeds = [SEED + place * streams + number for number in range(streams)]

            def still(share: float, place: int = place) -> bool:
                return going((place + share) / len(styles))

            heard = _heard(engine, listener, Controls(style=style), seeds, still)
            if heard is None:
                return None
            found.append(heard)
    finally:
        engine.close()
    return found


def _heard(
    engine: SegueEngine,
    listener: Listener,
    controls: Controls,
    seeds: Sequence[int],
    going: Callable[[float], bool],
) -> OwnPlaying | None:
    counts, mixes = MusicCounts(), []
    size = round(SECONDS * engine.info.sample_rate / engine.info.block_frames)
    for number, stream in enumerate(map(engine.start, seeds)):
        blocks: list[NDArray[np.float32]] = []
        while len(blocks) < size:
            blocks.append(stream.render(controls))
            if len(blocks) % 25 == 0 and not going((number + len(blocks) / size) / len(seeds)):
                return None
        audio = np.concatenate(blocks)
        counts = counts + counts_of(listener.heard(audio))
        mixes.append(measures(audio))
        if not going((number + 1) / len(seeds)):
            return None
    return OwnPlaying(counts, np.concatenate(mixes))
