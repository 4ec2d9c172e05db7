"""Planned blocks that are not yet analysed. Pure logic.

A few blocks at once cost little more than one; and what is planned again before its turn came
costs nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE

ENOUGH: Final = SAMPLE_RATE // 4
"""Frames of sound that are analysed without waiting for more."""
PATIENCE: Final = 6
"""Frames of the window after which less is analysed."""
MOST: Final = 4 * SAMPLE_RATE
"""Frames of sound that are queued; no more are analysed at once, but for a block that is longer."""


class PendingBlocks:
    """Queue of blocks (frames, channels) in the order of the plan."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[int, NDArray[np.float32]]] = deque()
        self._frames = 0
        self._waited = 0

    def __len__(self) -> int:
        return len(self._blocks)

    def add(self, position: int, samples: NDArray[np.float32]) -> None:
        """Add a block, which replaces what is queued from its plan position on."""
        blocks = self._blocks
        while blocks and blocks[-1][0] >= position:
            self._frames -= len(blocks.pop()[1])
        if blocks and blocks[-1][0] + len(blocks[-1][1]) > position:
            start, before = blocks.pop()
            blocks.append((start, before[: position - start]))
            self._frames += position - start - len(before)
        blocks.append((position, samples))
        self._frames += len(samples)

    @property
    def full(self) -> bool:
        """Whether more is queued than should be: nobody asks what is due."""
        return self._frames > MOST

    def due(self) -> bool:
        """Whether it is time to `take`. To be asked once for every frame of the window."""
        if not self._blocks:
            self._waited = 0
            return False
        self._waited += 1
        return self._frames >= ENOUGH or self._waited >= PATIENCE

    def take(self) -> tuple[int, NDArray[np.float32]]:
        """The oldest block with those that follow it without a gap, as one: position, samples."""
        self._waited = 0
        position, samples = self._blocks.popleft()
        pieces, total = [samples], len(samples)
        while self._blocks and self._blocks[0][0] == position + total:
            if total + len(self._blocks[0][1]) > MOST:
                break
            pieces.append(self._blocks.popleft()[1])
            total += len(pieces[-1])
        self._frames -= total
        return position, np.concatenate(pieces) if len(pieces) > 1 else samples
