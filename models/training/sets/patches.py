"""Data set of the codec's training: patches of every clip, cached on disk.

Patches are float16 (T, 1320), one file a clip. `Patches.refresh` adds clips that are written while
training runs.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import SegueError
from models.segue.codec import bands as B
from models.segue.codec.codec import join_patches

Read = Callable[[], NDArray[np.floating]]


def find_audio(folder: Path) -> Iterator[tuple[str, Read]]:
    """Name and reader of every clip in a folder, of `models.corpus` or of WAV and FLAC files."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".npz" and path.with_suffix(".npy").exists():
            yield f"{folder.name}-{path.stem}", _clip_reader(path.with_suffix(".npy"))
        elif path.suffix.lower() in (".wav", ".flac"):
            yield path.stem, _file_reader(path)


def _clip_reader(path: Path) -> Read:
    def read() -> NDArray[np.floating]:
        return np.asarray(np.load(path, mmap_mode="r"), np.float32) / np.float32(32767)

    return read


def _file_reader(path: Path) -> Read:
    def read() -> NDArray[np.floating]:
        import soundfile

        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        if rate != B.SAMPLE_RATE:
            raise SegueError(f"{path} is at {rate} Hz; convert the clips to 48000 Hz first.")
        return np.asarray(samples)

    return read


def is_held_out(name: str) -> bool:
    """Whether a clip is for validation: about one in twenty, by a hash of its name."""
    return zlib.crc32(name.encode()) % 20 == 0


class Patches:
    """Data set of patches, in memory.

    data: folders of audio; cache: folder of the patches; seconds: largest length used of a clip, so
    that a few long clips do not dominate.
    """

    def __init__(self, data: list[Path], cache: Path, seconds: float = 30.0) -> None:
        for folder in data:
            if not folder.is_dir():
                raise SegueError(f"There is no folder {folder}; write a corpus first.")
        self.data, self.cache = data, cache
        self.max_frames = int(seconds * B.SAMPLE_RATE / B.FRAME)
        self.train: list[Tensor] = []
        self.validation: list[Tensor] = []
        self._known: set[str] = set()
        self._lengths = np.zeros(0)
        cache.mkdir(parents=True, exist_ok=True)

    @property
    def hours(self) -> float:
        """Hours of audio to train on."""
        return float(self._lengths.sum()) / (25 * 3600)

    def refresh(self, max_seconds: float = 1e9) -> int:
        """Read new clips for at most `max_seconds`; returns their number."""
        begin, added = time.monotonic(), 0
        for name, read in chain.from_iterable(map(find_audio, self.data)):
            if name in self._known:
                continue
            if time.monotonic() - begin > max_seconds:
                break
            cached = self.cache / f"{name}.npy"
            if cached.exists():
                patches = np.load(cached)[: self.max_frames]
            else:
                samples = read()[: self.max_frames * B.FRAME]
                if len(samples) < 80 * B.FRAME:
                    self._known.add(name)
                    continue
                patches = join_patches(*B.analyse(samples)).astype(np.float16)
                np.save(cached, patches)
            self._known.add(name)
            (self.validation if is_held_out(name) else self.train).append(torch.from_numpy(patches))
            added += 1
        self._lengths = np.array([len(p) for p in self.train], dtype=np.float64)
        return added

    def sample(self, rng: np.random.Generator, batch: int, length: int) -> Tensor:
        """Random sequences, float32 (batch, length, 1320), with random gain and channel swap."""
        if not self.train:
            raise SegueError("There are no clips to train on; write a corpus first.")
        probabilities = self._lengths / self._lengths.sum()
        out = torch.empty(batch, length, self.train[0].shape[1])
        for row, clip in enumerate(rng.choice(len(self.train), size=batch, p=probabilities)):
            patches = self.train[clip]
            at = int(rng.integers(0, max(1, len(patches) - length)))
            passage = patches[at : at + length].float()
            out[row, : len(passage)] = passage
            out[row, len(passage) :] = passage[-1]
        gain = torch.from_numpy(rng.uniform(-8, 6, (batch, 1, 1)).astype(np.float32))
        return augment(out, 10 ** (gain / 20), torch.from_numpy(rng.random((batch, 1, 1)) < 0.5))


def augment(patches: Tensor, gain: Tensor, swap: Tensor) -> Tensor:
    """Patches with `gain` (batch, 1, 1) applied, and left and right exchanged where `swap`."""
    size = B.PATCH * B.BANDS
    pans = slice(size, size + B.STEREO_BANDS)
    bands = patches[..., :size]
    magnitude = torch.exp(bands * B.LOG_SCALE + B.LOG_MEAN) - B.FLOOR
    magnitude = magnitude.clamp_min(0.0) * gain
    patches[..., :size] = (torch.log(magnitude + B.FLOOR) - B.LOG_MEAN) / B.LOG_SCALE
    patches[..., pans] = torch.where(swap, -patches[..., pans], patches[..., pans])
    return patches
