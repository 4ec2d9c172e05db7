"""Recall: what a server that was started anew is told of the music, so that it goes on from there.

The client keeps the last seconds of the sound; the server listens to them (`snapshot_after`), which
takes seconds, in which the plan plays on.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

from models.engine.interface import Audio
from models.errors import SegueError
from models.remote.client.snapshot import RemoteSnapshot

KEPT_SECONDS: Final = 10.0
MIN_SECONDS: Final = 2.0


class HeardSound:
    """Last seconds of a stream, block by block, each with the place that it led to.

    It holds no place itself: those that nobody else holds are forgotten on the server.
    """

    def __init__(self, sample_rate: int, block_frames: int) -> None:
        self._least = round(MIN_SECONDS * sample_rate)
        self._blocks: deque[tuple[weakref.ref[RemoteSnapshot], Audio]] = deque(
            maxlen=max(1, round(KEPT_SECONDS * sample_rate / block_frames))
        )

    def add(self, place: RemoteSnapshot, block: Audio) -> None:
        """Add a block (n, channels) that led to a place."""
        self._blocks.append((weakref.ref(place), block.copy()))

    def go_back(self, place: RemoteSnapshot) -> None:
        """Forget what came after a place; everything where it is not among the last ones."""
        while self._blocks and self._blocks[-1][0]() is not place:
            self._blocks.pop()

    def forget(self) -> None:
        self._blocks.clear()

    def sound(self) -> Audio | None:
        """The sound, (n, channels); None where it is too short to go on from."""
        if sum(len(block) for _, block in self._blocks) < self._least:
            return None
        return np.concatenate([block for _, block in self._blocks])


class Recall:
    """A server's listening to the sound, in a thread of its own.

    place: where it goes on from, once `done`; None where it could not.
    """

    def __init__(self, listen: Callable[[Audio], RemoteSnapshot], sound: Audio) -> None:
        self.place: RemoteSnapshot | None = None
        self._thread = threading.Thread(
            target=self._work, args=(listen, sound), name="recall", daemon=True
        )
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def _work(self, listen: Callable[[Audio], RemoteSnapshot], sound: Audio) -> None:
        try:
            self.place = listen(sound)
        except SegueError:  # it begins afresh, and says so
            pass
