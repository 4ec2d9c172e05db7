"""What arranger and studio play of themselves under a style, heard as the files are."""

from __future__ import annotations

from collections.abc import Callable
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

STREAMS: Final = 3
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
    style: NDArray[np.float32],
    going: Callable[[], bool],
) -> OwnPlaying | None:
    """What is counted and measured in a few streams of the studio under a style.

    Args:
        weights: Folder of the base weights.
        listener: That hears the player's files too.
        style: (128,).
        going: Asked between parts of the work whether to go on.

    Returns:
        None where it was not to go on.

    """
    engine = SegueEngine("cpu", weights)
    controls, found, mixes = Controls(style=style), MusicCounts(), []
    try:
        for stream in (engine.start(SEED + number) for number in range(STREAMS)):
            blocks = []
            for _ in range(round(SECONDS * engine.info.sample_rate / engine.info.block_frames)):
                blocks.append(stream.render(controls))
                if len(blocks) % 25 == 0 and not going():
                    return None
            audio = np.concatenate(blocks)
            found = found + counts_of(listener.heard(audio))
            mixes.append(measures(audio))
            if not going():
                return None
    finally:
        engine.close()
    return OwnPlaying(found, np.concatenate(mixes))
