"""Rolling capture of the output, by default of the last half hour.

16-bit samples in chunks of ten seconds, each compressed without loss (FLAC) when it is full: music
takes about half. The capture thread writes, any thread saves. Frames are addressed by plan
positions.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from app.recording import files
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

Samples = NDArray[np.float32]

CHUNK: Final = 10 * SAMPLE_RATE
SCALE: Final = 32768.0


class Capture:
    """Rolling buffer of the output."""

    def __init__(self, seconds: float = 1800.0, chunk: int = CHUNK) -> None:
        """seconds: minimum length. chunk: frames of a chunk."""
        self._chunk = chunk
        self._max_chunks = -(-round(seconds * SAMPLE_RATE) // chunk) + 1
        self._chunks: deque[NDArray[np.int16] | bytes] = deque()  # bytes: compressed
        self._filling = np.zeros((chunk, 2), np.int16)  # the last chunk
        self._decoded: tuple[bytes, NDArray[np.int16]] | None = None  # the last that was read
        self._start = 0
        self._end = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of sound that are held."""
        with self._lock:
            return sum(
                len(chunk) if isinstance(chunk, bytes) else chunk.nbytes for chunk in self._chunks
            )

    @property
    def range(self) -> tuple[int, int]:
        """Plan positions of the captured frames: from, up to."""
        with self._lock:
            return self._start, self._end

    def add(self, position: int, frames: Samples) -> None:
        """Append frames from a position on, float32 (n, 2). A gap before them becomes silence."""
        with self._lock:
            if not self._chunks:
                self._start = self._end = position
            if position > self._end + self._max_chunks * self._chunk:  # nothing before it is left
                self._chunks.clear()
                self._start = self._end = position
            if position > self._end:
                self._put(np.zeros((position - self._end, 2), np.float32))
            self._put(frames[max(0, self._end - position) :])
        self._compress()

    def _compress(self) -> None:
        """Compress the full chunks; only this thread changes them, so that none waits meanwhile."""
        for index, chunk in enumerate(list(self._chunks)[:-1]):
            if isinstance(chunk, bytes):
                continue
            packed = io.BytesIO()
            soundfile.write(packed, chunk, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
            with self._lock:
                self._chunks[index] = packed.getvalue()

    def _put(self, frames: Samples) -> None:
        while len(frames):
            room = self._start + len(self._chunks) * self._chunk - self._end
            if room == 0:
                self._grow()
                room = self._chunk
            at = self._chunk - room
            now = frames[:room]
            sound = np.clip(np.rint(now * SCALE), -SCALE, SCALE - 1.0)
            self._filling[at : at + len(now)] = sound
            self._end += len(now)
            frames = frames[room:]

    def _grow(self) -> None:
        if len(self._chunks) == self._max_chunks:
            self._chunks.popleft()
            self._start += self._chunk
        self._filling = np.zeros((self._chunk, 2), np.int16)
        self._chunks.append(self._filling)

    def copy(self, start: int, stop: int) -> Samples:
        """Frames between two positions, float32 (n, 2); fewer where they were dropped."""
        with self._lock:
            start, stop = max(start, self._start), min(stop, self._end)
            out = np.zeros((max(0, stop - start), 2), np.float32)
            done = 0
            while done < len(out):
                index, at = divmod(start + done - self._start, self._chunk)
                now = min(self._chunk - at, len(out) - done)
                out[done : done + now] = self._sound(self._chunks[index])[at : at + now]
                done += now
            out /= SCALE
            return out

    def _sound(self, chunk: NDArray[np.int16] | bytes) -> NDArray[np.int16]:
        """Samples (n, 2) of a chunk."""
        if not isinstance(chunk, bytes):
            return chunk
        if self._decoded is None or self._decoded[0] is not chunk:
            sound, _ = soundfile.read(io.BytesIO(chunk), dtype="int16", always_2d=True)
            self._decoded = chunk, sound
        return self._decoded[1]

    def save(
        self, path: Path, start: int | None = None, stop: int | None = None
    ) -> tuple[int, int]:
        """Write the capture to a new .wav or .flac of 16 bits. Takes seconds.

        Args:
            path: file to write.
            start: first plan position, by default of the whole capture.
            stop: last plan position.

        Returns:
            The positions written.

        Raises:
            SegueError: where it cannot be written; no file is left.

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
                if len(frames) < upto - position:  # dropped meanwhile
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
