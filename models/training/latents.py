"""Preparation of a corpus for the renderer's training: latents and packed scores.

    python -m models.training.latents --data CORPUS --out FOLDER

Each clip becomes FOLDER/NNNNNN.npz: `latents` float16 (T, D) of the frozen codec, the score packed
into small integers (velocities 0..255), the style of its terms. Existing files are skipped.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from models.corpus.dataset import Clip, clips
from models.segue.renderer.features import DRUM_CELLS, KNOWN, ScoreBatch, no_age, note_age
from models.segue.style.anchors import mixture

BYTE_FIELDS = ("drums", "sustain", "chroma")


def pack(clip: Clip, latents: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    """Arrays of a clip, trimmed to the frames of both audio and score."""
    score = clip.score
    frames = min(len(score), len(latents))
    ages, _ = note_age(score.onset, score.sustain > 0, no_age())
    packed: dict[str, NDArray[np.generic]] = {
        "latents": latents[:frames].astype(np.float16),
        "drums": score.drums.reshape(-1, DRUM_CELLS),
        "sustain": score.sustain,
        "chroma": score.chroma,
        "onset": score.onset.astype(np.uint8),
        "age": ages,
        "instruments": score.instruments.astype(np.int16),
        "kit": score.kit.astype(np.int16),
        "beat": score.beat.astype(np.float16),
        "tempo": score.tempo.astype(np.float16),
        "density": score.density.astype(np.float16),
        "brightness": score.brightness.astype(np.float16),
    }
    for name in BYTE_FIELDS:
        packed[name] = np.rint(np.clip(packed[name], 0, 1) * 255).astype(np.uint8)
    trimmed = {name: values[:frames] for name, values in packed.items()}
    trimmed["style"] = np.asarray(mixture(clip.terms), np.float16)
    return trimmed


@dataclass
class LatentBatch:
    """Training batch: latents (B, T, D), the score, the styles (B, 128); guides (B, T, D) where
    the clips have any (`models.training.guided_latents`).
    """

    latents: Tensor
    score: ScoreBatch
    style: Tensor
    guide: Tensor | None = None


class PreparedClips:
    """Data set of prepared clips, in memory."""

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder = folder
        self.limit = limit
        self.clips: list[dict[str, NDArray[np.generic]]] = []
        self._read: set[str] = set()
        self.refresh()

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def latent_dim(self) -> int:
        """Numbers of a latent frame."""
        return int(self.clips[0]["latents"].shape[1])

    @property
    def guided(self) -> bool:
        """Whether the clips have guides."""
        return "guide" in self.clips[0]

    def refresh(self) -> int:
        """Read new clips; returns the number of all."""
        for path in sorted(self.folder.glob("*.npz")):
            if path.name in self._read or (self.limit and len(self.clips) >= self.limit):
                continue
            self._read.add(path.name)
            with np.load(path) as arrays:
                self.clips.append({name: arrays[name] for name in arrays.files})
        return len(self.clips)

    def crop(self, rng: np.random.Generator, size: int, frames: int) -> LatentBatch:
        """`size` crops of `frames` frames from random clips."""
        rows = []
        for _ in range(size):
            clip = self.clips[int(rng.integers(len(self.clips)))]
            length = len(clip["latents"])
            start = int(rng.integers(max(1, length - frames + 1)))
            rows.append(
                {k: v if k == "style" else v[start : start + frames] for k, v in clip.items()}
            )
        return self.stack(rows)

    @staticmethod
    def stack(rows: list[dict[str, NDArray[np.generic]]]) -> LatentBatch:
        """A batch of crops of equal length."""

        def real(name: str) -> Tensor:
            stacked = torch.from_numpy(np.stack([row[name] for row in rows]))
            return stacked.float() / 255.0 if name in BYTE_FIELDS else stacked.float()

        def index(name: str) -> Tensor:
            return torch.from_numpy(np.stack([row[name] for row in rows])).long()

        names = {f.name for f in fields(ScoreBatch)} - {"known", "instruments", "kit"}
        tensors = {name: real(name) for name in names}
        size, frames = tensors["tempo"].shape
        score = ScoreBatch(
            **tensors,
            instruments=index("instruments"),
            kit=index("kit"),
            known=torch.ones(size, frames, KNOWN),
        )
        guide = real("guide") if all("guide" in row for row in rows) else None
        return LatentBatch(real("latents"), score, real("style"), guide)


def main() -> None:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of models.corpus")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--codec", type=Path, default=Path("resources/weights/codec.safetensors"))
    parser.add_argument("--wait", type=float, default=0.0, help="minutes to wait for more clips")
    arguments = parser.parse_args()
    from models.segue.codec import Codec  # slow, so after argument errors

    codec = Codec.load(arguments.codec)
    arguments.out.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + arguments.wait * 60
    while True:
        done = {path.stem for path in arguments.out.glob("*.npz")}
        for path in tqdm([p for p in clips(arguments.data) if p.name not in done], unit="clip"):
            clip = Clip.load(path)
            target = arguments.out / f"{path.name}.npz"
            partial = arguments.out / f"{path.name}.partial"
            with partial.open("wb") as file:
                np.savez(file, **pack(clip, codec.encode(clip.float_audio())))  # type: ignore[arg-type]
            partial.rename(target)
        if time.monotonic() > deadline:
            break
        time.sleep(10)


if __name__ == "__main__":
    main()
