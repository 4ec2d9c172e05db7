"""Network that hears the notes of several voices: Basic Pitch, in torch.

A constant-Q transform of nine octaves, its harmonics stacked as channels, and six convolutions that
give how likely each of 88 notes sounds and begins in each frame (Bittner et al. 2022, "A
Lightweight Instrument-Agnostic Model for Polyphonic Note Transcription and Multipitch Estimation",
section 3; the weights are Spotify's, Apache-2.0). It is used offline: a window of two seconds is
normalised as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from models.errors import SegueError
from models.storage.weights import WEIGHTS

FILE: Final = "notes.safetensors"
RATE: Final = 22_050
HOP: Final = 256
WINDOW: Final = 2 * RATE - HOP
"""Samples of a window."""
FRAMES: Final = 172
OVERLAP: Final = 30
"""Frames that two windows share; half of them are of each."""
NOTES: Final = 88
OCTAVES: Final = 9
HARMONICS: Final = (-36, 0, 36, 57, 72, 84, 93, 101)
"""Bins, three a semitone, to the half, the fundamental, and the harmonics up to the seventh."""
BINS: Final = 3 * NOTES
AT_ONCE: Final = 8
SILENT: Final = 0.01
"""Range of a window's levels in dB under which it is silent."""

Array = NDArray[np.float32]


class NoteNetwork:
    """The network; weights: its tensors by name."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = dict(weights)

    @classmethod
    def load(cls, folder: Path = WEIGHTS) -> NoteNetwork:
        """The network of a folder of weights. SegueError where its file is missing or damaged."""
        path = folder / FILE
        try:
            network = cls(load_file(path))
            network.windows(torch.zeros(1, WINDOW))
        except (OSError, SafetensorError, KeyError, RuntimeError) as error:
            raise SegueError(f"{path} cannot be read: get Segue's folder again.") from error
        return network

    @torch.inference_mode()
    def windows(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """How likely notes sound, and begin, in windows of sound.

        Args:
            samples: (B, WINDOW) at RATE, one channel.

        Returns:
            Two tensors (B, FRAMES, NOTES), 0 to 1.

        """
        stacked = self._stacked(self._spectrum(samples))
        contour = functional.relu(self._conv("contour", stacked, padding=(1, 19)))
        contour = torch.sigmoid(self._conv("contour_out", contour, padding=2))
        note = functional.pad(contour, (2, 2, 3, 3))
        note = functional.relu(self._conv("note", note, stride=(1, 3)))
        note = torch.sigmoid(self._conv("note_out", note, padding=(3, 1)))
        onset = functional.pad(stacked, (1, 1, 2, 2))
        onset = functional.relu(self._conv("onset", onset, stride=(1, 3)))
        onset = torch.sigmoid(self._conv("onset_out", torch.cat([note, onset], 1), padding=1))
        return note[:, 0], onset[:, 0]

    def _conv(
        self, name: str, x: Tensor, padding: int | tuple[int, int] = 0,
        stride: tuple[int, int] = (1, 1),
    ) -> Tensor:  # fmt: skip
        weight, bias = (self._weights[f"{name}.{part}"] for part in ("weight", "bias"))
        return functional.conv2d(x, weight, bias, stride, padding)

    def _spectrum(self, samples: Tensor) -> Tensor:
        """(B, FRAMES, bins) constant-Q magnitudes in dB, each window from 0 to 1."""
        kernels, octaves = self._weights["cqt.kernels"], []
        x, hop = samples[:, None], HOP
        for _ in range(OCTAVES):
            found = functional.conv1d(functional.pad(x, (128, 128), "reflect"), kernels, stride=hop)
            real, imaginary = found[..., :FRAMES].chunk(2, dim=1)
            octaves.append(real.square() + imaginary.square())
            x = functional.conv1d(x, self._weights["cqt.lowpass"], stride=2, padding=127)
            hop //= 2
        scale = self._weights["cqt.scale"]
        power = torch.cat(octaves[::-1], 1)[:, -len(scale) :] * scale.square()[:, None]
        level = 10.0 * torch.log10(power + 1e-10)
        level = level - level.amin((1, 2), keepdim=True)
        top = level.amax((1, 2), keepdim=True)
        # In silence there is but rounding, which must not be blown up.
        return torch.where(top > SILENT, level / top.clamp_min(SILENT), 0.0).transpose(1, 2)

    def _stacked(self, spectrum: Tensor) -> Tensor:
        """(B, 8, FRAMES, BINS) the spectrum at each note's harmonics."""
        factor, offset = self._weights["norm"]
        spectrum = factor * spectrum + offset
        channels = [
            functional.pad(spectrum, (-shift, max(0, shift)))[..., :BINS] for shift in HARMONICS
        ]
        return torch.stack(channels, 1)

    def hear(self, samples: Array) -> tuple[Array, Array]:
        """How likely notes sound, and begin, in a whole recording.

        Args:
            samples: (n,) at RATE.

        Returns:
            Two arrays (T, NOTES), frame t around `frame_time(t)` seconds.

        """
        lead, step = OVERLAP * HOP // 2, WINDOW - OVERLAP * HOP
        count = max(1, -(-len(samples) // step))
        padded = np.zeros((count - 1) * step + WINDOW, np.float32)
        padded[lead : lead + len(samples)] = samples[: len(padded) - lead]
        views = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::step]
        found = [
            self.windows(torch.from_numpy(views[first : first + AT_ONCE].copy()))
            for first in range(0, count, AT_ONCE)
        ]
        inner, total = slice(OVERLAP // 2, FRAMES - OVERLAP // 2), len(samples) // HOP
        note, onset = (
            np.concatenate([pair[which][:, inner].reshape(-1, NOTES).numpy() for pair in found])
            for which in (0, 1)
        )
        return note[:total], onset[:total]


def frame_time(frame: float) -> float:
    """Seconds of a frame of `NoteNetwork.hear`; two windows are less than whole frames apart."""
    inner = FRAMES - OVERLAP
    window = int(frame // inner)
    return (window * (WINDOW - OVERLAP * HOP) + (frame - window * inner) * HOP) / RATE
