"""The last half hour, always kept. The keeper's thread writes, any thread saves.

16-bit samples in pieces of ten seconds: half an hour of stereo is 346 MB, and no more is ever
taken, as the oldest piece becomes the newest. What is kept is addressed by plan positions.
"""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.recording import files
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

Samples = NDArray[np.float32]

PIECE: Final = 10 * SAMPLE_RATE
SCALE: Final = 32768.0


class Capture:
    """A rolling memory of what was heard."""

    def __init__(self, seconds: float = 1800.0, piece: int = PIECE) -> None:
        """seconds: how much is kept at least, once it has been heard."""
        self._piece = piece
        self._most = -(-round(seconds * SAMPLE_RATE) // piece) + 1
        self._pieces: deque[NDArray[np.int16]] = deque()
        self._start = 0
        self._end = 0
        self._lock = threading.Lock()

    @property
    def range(self) -> tuple[int, int]:
        """Plan positions of what is kept: from, up to."""
        with self._lock:
            return self._start, self._end

    def add(self, position: int, frames: Samples) -> None:
        """What was heard from a position on, float32 (n, 2). A gap before it is kept as silence."""
        with self._lock:
            if not self._pieces:
                self._start = self._end = position
            if position > self._end + self._most * self._piece:  # nothing of before is left
                self._pieces.clear()
                self._start = self._end = position
            if position > self._end:
                self._put(np.zeros((position - self._end, 2), np.float32))
            self._put(frames[max(0, self._end - position) :])

    def _put(self, frames: Samples) -> None:
        while len(frames):
            room = self._start + len(self._pieces) * self._piece - self._end
            if room == 0:
                self._grow()
                room = self._piece
            at = self._piece - room
            now = frames[:room]
            sound = np.clip(np.rint(now * SCALE), -SCALE, SCALE - 1.0)
            self._pieces[-1][at : at + len(now)] = sound
            self._end += len(now)
            frames = frames[room:]

    def _grow(self) -> None:
        if len(self._pieces) < self._most:
            self._pieces.append(np.zeros((self._piece, 2), np.int16))
        else:
            self._pieces.append(self._pieces.popleft())
            self._start += self._piece

    def copy(self, start: int, stop: int) -> Samples:
        """What was heard between two positions, float32 (n, 2); less where it is kept no more."""
        with self._lock:
            start, stop = max(start, self._start), min(stop, self._end)
            out = np.zeros((max(0, stop - start), 2), np.float32)
            done = 0
            while done < len(out):
                index, at = divmod(start + done - self._start, self._piece)
                now = min(self._piece - at, len(out) - done)
                out[done : done + now] = self._pieces[index][at : at + now]
                done += now
            out /= SCALE
            return out

    def save(
        self, path: Path, start: int | None = None, stop: int | None = None
    ) -> tuple[int, int]:
        """Write it, whole or from start to stop, to a new .wav or .flac of 16 bits.

        Returns the positions written. SegueError in a sentence where it cannot be; then no file
        is left, and the capture is as it was. Runs for seconds: not in the GUI lane.
        """
        low, high = self.range
        start = low if start is None else max(low, start)
        stop = high if stop is None else min(high, stop)
        if stop <= start:
            raise SegueError("nothing of that is kept: choose a later part, or play first.")
        file = files.create(path, "PCM_16")
        try:
            position = start
            while position < stop:
                upto = min(stop, position + SAMPLE_RATE)
                frames = self.copy(position, upto)
                if len(frames) < upto - position:  # dropped meanwhile: a new oldest piece
                    frames = np.concatenate(
                        [np.zeros((upto - position - len(frames), 2), np.float32), frames]
                    )
                file.write(frames)
                position = upto
            file.close()
        except OSError as error:
            try:
                file.close()
            except OSError:
                pass
            path.unlink(missing_ok=True)
            raise SegueError(
                f"{files.reason(error)}: {path.name} could not be saved, but the sound is still "
                f"kept; choose another folder than {path.parent}."
            ) from None
        return start, stop
