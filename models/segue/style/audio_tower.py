"""Audio tower: network from sound to a distribution over the style terms.

Mono sound at 48 kHz is analysed in 80 log-mel bands every 10 ms, normalised in level. Four strided
convolutions and one along time give a frame every 80 ms; attention pooling with mean and deviation
over time (Okabe et al. 2018, "Attentive statistics pooling", section 3) gives one vector, projected
to (128,) and compared with the frozen anchors, as the image tower of LiT (Zhai et al. 2022, section
3) with locked text. The softmax over anchors is the mixture that is the audio's style.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.music.score import SAMPLE_RATE
from models.segue.style.anchors import DIM

HOP = 480
WINDOW = 2048
BANDS = 80
LOW, HIGH = 30.0, 16000.0
FRAMES_PER_SECOND = SAMPLE_RATE // HOP
FLOOR_DB = -65.0
"""Soft floor of the bands, relative to the mean level."""


@functools.cache
def mel_matrix() -> Tensor:
    """Triangular mel filters (1025, 80) of unit sum, on the HTK scale."""

    def mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(2595.0 * np.log10(1 + hz / 700.0))

    edges = np.linspace(mel(np.array(LOW)), mel(np.array(HIGH)), BANDS + 2)
    hz = 700.0 * (10 ** (edges / 2595.0) - 1)
    bins = np.arange(WINDOW // 2 + 1) * SAMPLE_RATE / WINDOW
    # Low bands are widened to at least a bin.
    width = np.maximum(np.diff(hz), 1.2 * SAMPLE_RATE / WINDOW)
    centre = hz[1:-1]
    rising = (bins[:, None] - (centre - width[:-1])) / width[:-1]
    falling = ((centre + width[1:]) - bins[:, None]) / width[1:]
    filters = np.clip(np.minimum(rising, falling), 0, None)
    return torch.from_numpy(filters / filters.sum(0)).float()


def mel_power(mono: Tensor) -> Tensor:
    """Mel power (..., frames, 80), a frame every 10 ms, of samples (..., n) at 48 kHz."""
    flat = mono.reshape(-1, mono.shape[-1])
    if flat.shape[-1] < WINDOW:
        flat = F.pad(flat, (0, WINDOW - flat.shape[-1]))
    window = torch.hann_window(WINDOW, device=mono.device)
    spectrum = torch.stft(flat, WINDOW, HOP, window=window, center=False, return_complex=True)
    power = spectrum.abs().square().transpose(1, 2) / (WINDOW * WINDOW / 16)
    mel = power @ mel_matrix().to(mono.device)
    return mel.reshape(*mono.shape[:-1], *mel.shape[1:])


def normalise_level(power: Tensor) -> Tensor:
    """Log-mel bands, the network's input: mel power (batch, frames, 80) relative to its mean."""
    mean = power.mean((1, 2), keepdim=True).clamp_min(1e-12)
    decibels = 10 * torch.log10(power / mean + 10 ** (FLOOR_DB / 10))
    return decibels / 20 + 1.25


class _Block(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, size: int, stride: tuple[int, int]) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class AudioTower(nn.Module):
    """Network from log-mel bands (batch, frames, 80) to logits over the terms (batch, 120)."""

    def __init__(self, anchors: Tensor, width: int = 256) -> None:
        super().__init__()
        self.anchors: Tensor
        self.register_buffer("anchors", anchors.clone())
        self.convolutions = nn.Sequential(
            _Block(1, 24, 5, (2, 2)),
            _Block(24, 48, 3, (2, 2)),
            _Block(48, 96, 3, (2, 2)),
            _Block(96, 128, 3, (1, 2)),
        )
        self.mix = nn.Sequential(
            nn.Conv1d(128 * (BANDS // 16), width, 1, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Conv1d(width, width, 5, padding=2, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
        )
        self.attention = nn.Sequential(nn.Conv1d(width, 64, 1), nn.Tanh(), nn.Conv1d(64, 4, 1))
        self.project = nn.Sequential(
            nn.LayerNorm(3 * width), nn.Dropout(0.2), nn.Linear(3 * width, DIM)
        )
        self.scale = nn.Parameter(torch.tensor(12.0).log())

    def embed(self, bands: Tensor) -> Tensor:
        """Contrastive embedding, unit vectors (batch, 128)."""
        x = bands.unsqueeze(1).contiguous(memory_format=torch.channels_last)
        x = self.convolutions(x)  # (batch, 128, frames / 8, 5)
        x = self.mix(x.permute(0, 1, 3, 2).flatten(1, 2))
        width = x.shape[1] // 4
        attention_weights = (
            self.attention(x).softmax(-1).repeat_interleave(width, 1)
        )  # a head a quarter
        attended = (x * attention_weights).sum(-1)
        deviation = x.var(-1, correction=0).add(1e-4).sqrt()
        pooled = torch.cat([attended, x.mean(-1), deviation], 1)
        return F.normalize(self.project(pooled), dim=-1)

    def forward(self, bands: Tensor) -> Tensor:
        cosines: Tensor = self.embed(bands) @ self.anchors.T
        return cosines * self.scale.clamp_max(5.0).exp()

    @torch.inference_mode()
    def shares(self, power: Tensor) -> Tensor:
        """Weights of the terms (batch, 120) that sum to 1, of mel power (batch, frames, 80)."""
        return self(normalise_level(power)).softmax(-1)


def split_windows(power: Tensor, seconds: float = 8.0) -> Tensor:
    """Split (frames, 80) into half-overlapping windows (n, w, 80) of up to `seconds`."""
    size = int(seconds * FRAMES_PER_SECOND)
    if len(power) <= size:
        return power[None]
    count = 1 + -(-(len(power) - size) // (size // 2))
    starts = np.linspace(0, len(power) - size, count).astype(int)
    return torch.stack([power[start : start + size] for start in starts])
