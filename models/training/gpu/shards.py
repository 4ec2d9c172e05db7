"""Shards of a training set: what travels to a machine with a GPU, and lies on the GPU there.

    python -m models.training.gpu.shards --data PREPARED --out SHARDS --mebibytes 60

A shard is one compressed .npz of stacked clips of `models.training.latents`, latents as 8-bit
integers, note ages left out (they follow from the notes).
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import SegueError
from models.segue.renderer.features import KNOWN, ScoreBatch, no_age, note_age
from models.training.latents import BYTE_FIELDS, LatentBatch, PreparedClips

STEP: Final = 1 / 12
"""Of a latent's 8-bit integer: a tenth of a latent's spread, which training noise far exceeds."""
LATENTS: Final = ("latents", "guide")
Arrays = dict[str, NDArray[np.generic]]


def small(clip: Arrays) -> Arrays:
    """A prepared clip as a shard holds it."""
    out = {name: values for name, values in clip.items() if name != "age"}
    for name in LATENTS:
        if name in out:
            whole = np.rint(out[name].astype(np.float32) / STEP)
            # Numbers of one kind beside each other are packed smaller.
            out[name] = np.ascontiguousarray(np.clip(whole, -127, 127).astype(np.int8).T)
    return out


def pack(folder: Path, out: Path, size: int, clip_frames: int = 750) -> list[Path]:
    """Write a folder of prepared clips as shards.

    Args:
        folder: of `models.training.latents`.
        out: folder of the shards; the same clips give the same shards.
        size: of a shard, in bytes at most.
        clip_frames: length of a clip; others are left out, as a shard's arrays are stacked.

    Returns:
        The shards.

    Raises:
        SegueError: there are no clips of that length, or one is larger than a shard.

    """
    out.mkdir(parents=True, exist_ok=True)
    rows: list[Arrays] = []
    total = 0
    shards: list[Path] = []

    def write() -> None:
        path = out / f"shard-{len(shards):03d}.npz"
        stacked: Arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        with path.with_suffix(".partial").open("wb") as file:
            np.savez_compressed(file, **stacked)  # type: ignore[arg-type]
        path.with_suffix(".partial").rename(path)
        shards.append(path)

    for source in sorted(folder.glob("*.npz")):
        with np.load(source) as arrays:
            clip = small({name: arrays[name] for name in arrays.files})
        if len(clip["kit"]) != clip_frames:
            continue
        held = io.BytesIO()
        np.savez_compressed(held, **clip)  # type: ignore[arg-type]
        weight = len(held.getvalue())
        if weight > size:
            raise SegueError(f"the clip {source.name} alone is larger than a shard: allow more.")
        if rows and total + weight > size:
            write()
            rows, total = [], 0
        rows.append(clip)
        total += weight
    if not rows:
        raise SegueError(f"{folder} has no clips of {clip_frames} frames: make some first.")
    write()
    return shards


class DeviceClips:
    """Training set on one device, from shards; crops are cut there. As `PreparedClips`."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, device
        self.clips: dict[str, Tensor] = {}
        self._read: set[str] = set()
        self.refresh()

    def __len__(self) -> int:
        return len(self.clips["kit"]) if self.clips else 0

    @property
    def latent_dim(self) -> int:
        """Numbers of a latent frame."""
        return int(self.clips["latents"].shape[-1])

    @property
    def guided(self) -> bool:
        """Whether the clips have guides."""
        return "guide" in self.clips

    def refresh(self) -> int:
        """Read new shards; returns the number of all clips."""
        for path in sorted(self.folder.glob("shard-*.npz")):
            if path.name in self._read:
                continue
            self._read.add(path.name)
            with np.load(path) as arrays:
                stacked = {name: arrays[name] for name in arrays.files}
            for name in LATENTS:
                if name in stacked:
                    stacked[name] = np.ascontiguousarray(stacked[name].swapaxes(1, 2))
            stacked["age"] = np.stack(
                [
                    note_age(onset, sustain > 0, no_age())[0]
                    for onset, sustain in zip(stacked["onset"], stacked["sustain"], strict=True)
                ]
            )
            for name, values in stacked.items():
                new = torch.from_numpy(values).to(self.device)
                old = self.clips.get(name)
                self.clips[name] = new if old is None else torch.cat([old, new])
        return len(self)

    def crop(self, rng: np.random.Generator, size: int, frames: int) -> LatentBatch:
        """`size` crops of `frames` frames from random clips."""
        length = self.clips["kit"].shape[1]
        chosen = torch.from_numpy(rng.integers(len(self), size=size)).to(self.device)
        starts = torch.from_numpy(rng.integers(max(1, length - frames + 1), size=size))
        places = starts[:, None] + torch.arange(min(frames, length))
        places = places.to(self.device)

        def cut(name: str) -> Tensor:
            part = self.clips[name][chosen[:, None], places]
            if name in ("instruments", "kit"):
                return part.long()
            scale = 1 / 255 if name in BYTE_FIELDS else STEP if name in LATENTS else 1.0
            return part.float() * scale

        rolls = ("drums", "sustain", "onset", "age", "instruments", "kit", "chroma", "beat",
                 "tempo", "density", "brightness")  # fmt: skip
        known = torch.ones(size, places.shape[1], KNOWN, device=self.device)
        score = ScoreBatch(**{name: cut(name) for name in rolls}, known=known)
        guide = cut("guide") if self.guided else None
        return LatentBatch(cut("latents"), score, self.clips["style"][chosen].float(), guide)


def open_clips(folder: Path, device: str) -> PreparedClips | DeviceClips:
    """The training set of a folder: shards lie on the device, single clips in memory."""
    if any(folder.glob("shard-*.npz")):
        return DeviceClips(folder, device)
    return PreparedClips(folder)


def main() -> None:
    """Command line of the packer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training.latents")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mebibytes", type=float, default=60.0, help="of a shard, at most")
    arguments = parser.parse_args()
    try:
        shards = pack(arguments.data, arguments.out, int(arguments.mebibytes * 2**20))
    except SegueError as error:
        parser.error(str(error))
    for path in shards:
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
