"""Sound of the service as blocks: filled by the line's thread, emptied by the stream's."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

import numpy as np

from models.engine.interface import Audio
from models.errors import BlockPendingError
from models.music.score import SAMPLE_RATE

FADE_FRAMES: Final = SAMPLE_RATE // 20
"""Crossfade from a session's sound into the next one's; so much of it is kept back for that."""


class SoundFeed:
    """Sound that has come and was not taken.

    The service's sessions are numbered; where a newer one's sound comes in, it is crossfaded with
    what is left of the older one, of which nothing is taken any more.
    """

    def __init__(self) -> None:
        self._chunks: deque[Audio] = deque()
        self._frames = 0
        self._session = self._least = 0
        self._taken_at = time.monotonic()
        self._filled = threading.Condition()

    @property
    def seconds(self) -> float:
        """Sound that waits."""
        return self._frames / SAMPLE_RATE

    @property
    def idle_seconds(self) -> float:
        """Time since somebody last wanted a block."""
        return time.monotonic() - self._taken_at

    def wants(self, session: int) -> bool:
        """Whether no newer session than this one has taken over."""
        return session >= max(self._session, self._least)

    def put(self, session: int, samples: Audio) -> bool:
        """Add sound of a session; False where a newer session has taken over.

        Args:
            session: number of the session.
            samples: float32 (n, 2).

        """
        with self._filled:
            if not self.wants(session):
                return False
            if session > self._session:
                samples = self._joined(samples)
                self._session = session
            self._chunks.append(samples)
            self._frames += len(samples)
            self._filled.notify()
            return True

    def forget(self, session: int) -> None:
        """Forget what waits, but for what the next sound is crossfaded with, and take nothing of
        sessions before this one any more.
        """
        with self._filled:
            self._least = session
            rest = self._all()[:FADE_FRAMES]
            self._chunks, self._frames = deque([rest]), len(rest)

    def take(self, frames: int, seconds: float) -> Audio:
        """The next block, float32 (frames, 2).

        Args:
            frames: of the block.
            seconds: to wait for it.

        Raises:
            BlockPendingError: it has not come in that time.

        """
        deadline = time.monotonic() + seconds
        with self._filled:
            self._taken_at = time.monotonic()
            while self._frames < frames + FADE_FRAMES:
                left = deadline - time.monotonic()
                if left <= 0.0:
                    raise BlockPendingError("the next block has not come yet.")
                self._filled.wait(left)
            return self._cut(frames)

    def _cut(self, frames: int) -> Audio:
        pieces, missing = [], frames
        while missing:
            piece = self._chunks.popleft()
            if len(piece) > missing:
                self._chunks.appendleft(piece[missing:])
                piece = piece[:missing]
            pieces.append(piece)
            missing -= len(piece)
        self._frames -= frames
        return np.concatenate(pieces)

    def _all(self) -> Audio:
        return np.concatenate([np.zeros((0, 2), np.float32), *self._chunks])

    def _joined(self, samples: Audio) -> Audio:
        """What waits and the first sound of a session, crossfaded; nothing waits then."""
        rest = self._all()
        self._chunks.clear()
        self._frames = 0
        fade = min(FADE_FRAMES, len(rest), len(samples))
        head = rest[: len(rest) - fade]
        rise = np.sin(np.linspace(0.0, np.pi / 2, fade, dtype=np.float32))[:, None]
        mixed = rest[len(head) :] * rise[::-1] + samples[:fade] * rise
        return np.concatenate([head, mixed, samples[fade:]])
