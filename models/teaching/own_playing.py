"""What the arranger plays of itself under a style, heard by the ears that hear the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.segue.arranger.idiom.counts import MusicCounts
from models.segue.engine import SegueEngine
from models.teaching.counting import counts_of
from models.teaching.listener import Listener

STREAMS: Final = 3
SECONDS: Final = 40.0
SEED: Final = 90


def own_counts(
    weights: Path,
    listener: Listener,
    style: NDArray[np.float32],
    going: Callable[[], bool],
) -> MusicCounts | None:
    """What is counted in a few streams of the studio under a style.

    Args:
        weights: Folder of the base weights.
        listener: That hears the player's files too.
        style: (128,).
        going: Asked between parts of the work whether to go on.

    Returns:
        The counts; None where it was not to go on.

    """
    engine = SegueEngine("cpu", weights)
    controls, found = Controls(style=style), MusicCounts()
    try:
        for stream in (engine.start(SEED + number) for number in range(STREAMS)):
            blocks = []
            for _ in range(round(SECONDS * engine.info.sample_rate / engine.info.block_frames)):
                blocks.append(stream.render(controls))
                if len(blocks) % 25 == 0 and not going():
                    return None
            found = found + counts_of(listener.heard(np.concatenate(blocks)))
            if not going():
                return None
    finally:
        engine.close()
    return found
