"""Data set of the audio tower's training: cached log-mels, and augmented crops of them.

Augmentation is applied to mel power, where independent sounds add: mixes of two clips, equaliser
tilt, low-pass, noise floor, pitch shift by a band or two, and the artefacts of codec and generator
(noise on the logarithm, blur along time and frequency).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from models.corpus.dataset import Clip, clips
from models.errors import SegueError
from models.segue.style import terms
from models.segue.style.audio_tower import BANDS, FRAMES_PER_SECOND, mel_power
from models.segue.style.model import StyleModel

CAPTIONS = 3


@dataclass
class LabelledClip:
    """Labelled clip: log-mels in dB (frames, 80), term weights (120,), caption styles (3, 128)."""

    name: str
    mel: NDArray[np.float16]
    shares: NDArray[np.float32]
    captions: NDArray[np.float32]

    @property
    def main(self) -> int:
        """Index of the term of largest weight."""
        return int(self.shares.argmax())


def analyse(clip: Clip) -> NDArray[np.float16]:
    """Mel power of the mono mix in dB, (frames, 80)."""
    mono = torch.from_numpy(clip.float_audio().mean(1))
    power = mel_power(mono).clamp_min(1e-9)
    return np.asarray((10 * power.log10()).numpy(), np.float16)


def is_held_out(name: str) -> bool:
    """Whether a clip is for validation: one in sixteen, by a hash of its name."""
    return zlib.crc32(f"style {name}".encode()) % 16 == 0


class MelSet:
    """Data set of the clips of corpus folders, in memory; `cache`: folder of their log-mels."""

    def __init__(self, folders: list[Path], cache: Path, style: StyleModel | None) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise SegueError(f"There is no folder {folder}; write a corpus first.")
        self.folders, self.cache, self.style = folders, cache, style
        self.train: list[LabelledClip] = []
        self.validation: list[LabelledClip] = []
        self._known: set[str] = set()
        self._probabilities: NDArray[np.float64] = np.zeros(0)
        cache.mkdir(parents=True, exist_ok=True)

    def refresh(self, max_clips: int = 1_000_000) -> int:
        """Read up to `max_clips` new clips; returns their number."""
        added = 0
        unread = [
            (f"{folder.name}-{path.name}", path)
            for folder in self.folders
            for path in clips(folder)
            if f"{folder.name}-{path.name}" not in self._known
        ]
        for name, path in tqdm(unread[:max_clips], unit="clip", desc="log-mels", mininterval=5):
            self._known.add(name)
            item = self._read(name, path)
            (self.validation if is_held_out(name) else self.train).append(item)
            added += 1
        if added:
            counts = np.bincount([i.main for i in self.train], minlength=len(terms.NAMES))
            # Rare terms are drawn more often than their share, within limits.
            probabilities = np.array([1 / (2.0 + counts[item.main]) for item in self.train])
            self._probabilities = probabilities / probabilities.sum()
        return added

    def _read(self, name: str, path: Path) -> LabelledClip:
        cached = self.cache / f"{name}.npz"
        if cached.exists():
            with np.load(cached) as a:
                return LabelledClip(name, a["mel"], a["shares"], a["captions"])
        clip = Clip.load(path)
        shares = np.zeros(len(terms.NAMES), np.float32)
        for name_of_term, weight in clip.terms:
            terms.term(name_of_term)
            shares[terms.INDEX[name_of_term]] += weight
        if not shares.sum() > 0:
            raise SegueError(f"The clip {path} has no terms; write the corpus again.")
        shares /= shares.sum()
        texts = (clip.captions * CAPTIONS)[:CAPTIONS]
        if self.style is None or not texts:
            raise SegueError(f"The clip {path} has no captions; write the corpus again.")
        caption_styles = np.stack([self.style.embed_text(text) for text in texts])
        item = LabelledClip(name, analyse(clip), shares, caption_styles)
        partial = cached.with_suffix(".tmp.npz")
        np.savez(partial, mel=item.mel, shares=shares, captions=caption_styles)
        partial.rename(cached)
        return item

    def crops(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Mel power (size, frames, 80) of 2 to 10 s, term weights (size, 120), captions (size,
        128).
        """
        if not self.train:
            raise SegueError("There are no clips to train on; write a corpus first.")
        frames = int(FRAMES_PER_SECOND * float(rng.uniform(2.0, 10.0) if rng.random() < 0.5 else 4))
        mel = np.empty((size, frames, BANDS), np.float32)
        shares = np.empty((size, len(terms.NAMES)), np.float32)
        caption_styles = np.empty((size, self.train[0].captions.shape[1]), np.float32)
        for row, index in enumerate(rng.choice(len(self.train), size, p=self._probabilities)):
            item = self.train[index]
            mel[row] = _crop(item.mel, frames, rng)
            shares[row] = item.shares
            caption_styles[row] = item.captions[int(rng.integers(len(item.captions)))]
        return (
            10 ** (torch.from_numpy(mel) / 10),
            torch.from_numpy(shares),
            torch.from_numpy(caption_styles),
        )


def _crop(mel: NDArray[np.float16], frames: int, rng: np.random.Generator) -> NDArray[np.float16]:
    """A random passage of `frames`, preferably not much quieter than the clip."""
    starts = max(1, len(mel) - frames + 1)
    threshold = float(mel.max(1).mean()) - 12.0
    passage = mel[:frames]
    for _ in range(4):
        start = int(rng.integers(starts))
        passage = mel[start : start + frames]
        if float(passage.max(1).mean()) > threshold:
            break
    if len(passage) < frames:
        passage = np.pad(passage, ((0, frames - len(passage)), (0, 0)), mode="edge")
    return passage


def mix(
    power: Tensor, shares: Tensor, rng: np.random.Generator, chance: float = 0.35
) -> tuple[Tensor, Tensor, Tensor]:
    """Mix random pairs of clips: mel power, term weights, and which clips are mixed."""
    size = len(power)
    other = torch.from_numpy(rng.permutation(size))
    mixed = torch.from_numpy(rng.random(size) < chance) & (other != torch.arange(size))
    share = torch.from_numpy(rng.uniform(0.2, 0.8, size).astype(np.float32))
    share = torch.where(mixed, share, torch.ones(()))
    level = power.mean((1, 2), keepdim=True).clamp_min(1e-9)
    normalised = power / level
    # Twice the share is 9 dB more, about twice the loudness.
    gain = ((1 - share) / share).pow(1.5)[:, None, None]
    s = share[:, None]
    return normalised + gain * normalised[other], s * shares + (1 - s) * shares[other], mixed


def degrade(power: Tensor, rng: np.random.Generator) -> Tensor:
    """Augment mel power (batch, frames, 80): equaliser, low-pass, noise, blur, pitch shift."""
    size, _, bands = power.shape

    def draw(low: float, high: float, chance: float = 1.0) -> Tensor:
        values = rng.uniform(low, high, (size, 1, 1)) * (rng.random((size, 1, 1)) < chance)
        return torch.from_numpy(values.astype(np.float32))

    shift = int(rng.integers(-2, 3)) if rng.random() < 0.4 else 0
    if shift:
        power = torch.roll(power, shift, 2)
        edge = slice(0, shift) if shift > 0 else slice(bands + shift, bands)
        power[..., edge] = power[..., edge] * 1e-3
    position = torch.linspace(-1, 1, bands)
    curve = draw(-5, 5) * position + draw(-3, 3) * torch.sin(position * np.pi + draw(0, 6.28))
    cutoff = draw(0.0, 0.9, 1.0)
    curve = curve - draw(10, 45, 0.2) * (position > cutoff)
    level = power.mean((1, 2), keepdim=True)
    power = power * 10 ** (curve / 10) + level * 10 ** (draw(-7.5, -3.5) * 1.0)
    if rng.random() < 0.35:
        width = int(rng.choice([3, 5]))
        blurred = F.avg_pool1d(power.transpose(1, 2), width, 1, width // 2).transpose(1, 2)
        power = torch.where(draw(0, 1) < 0.5, blurred, power)
    if rng.random() < 0.35:
        power = torch.where(draw(0, 1) < 0.5, F.avg_pool1d(power, 3, 1, 1), power)
    noise = torch.from_numpy(rng.standard_normal(power.shape, dtype=np.float32))
    return power * 10 ** (draw(0, 0.35, 0.6) * noise)
