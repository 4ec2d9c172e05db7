"""Temporal shape of a reconstructed wave, finer than its windows; torch operations, CPU only.

Windows of 43 ms at every 10 ms overlap so much that iterated phases leave an attack smeared over a
window, although the magnitudes tell where it is: an instant counts in each window by the window's
square there. So energies over time, in steps of 2.5 ms and in a few broad bands, are found from the
energies of the windows by the deconvolution of Richardson ("Bayesian-based iterative method of
image restoration", JOSA 1972) and Lucy (1974), which starts from the wave as it is; the wave gets
the gains between both.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.segue.codec import bands as B

STEP: Final = 120
"""Samples of one step of the gains (2.5 ms)."""
EDGES: Final = (0, 13, 43, 107, 213, 427)
"""First FFT bins of the bands that have gains of their own: 0, .3, 1, 2.5, 5 and 10 kHz."""
ROUNDS: Final = 40
"""Rounds of the deconvolution."""
LEAST: Final = 0.03
MOST: Final = 1.1
"""Limits of the gains: what sounds where nothing should is taken away, little is raised."""
_TINY: Final = 1e-12
_BEFORE: Final = -(-B.WINDOW // B.HOP) - 1  # finished windows that reach into the ones in progress


class AttackShaping:
    """Gains of a wave over time, for windows in progress whose magnitudes are known.

    Args:
        count: windows in progress, a hop apart.

    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.length = (count - 1) * B.HOP + B.WINDOW
        self.steps = -(-self.length // STEP)
        seen = np.stack([_seen(t * B.HOP, self.steps) for t in range(-_BEFORE, count)])
        before, now = seen[:_BEFORE].sum(axis=0), seen[_BEFORE:]
        # Finished windows are as loud as they should be.
        self.settled = _tensor(before)
        self.total = _tensor(1.0 / np.maximum(before + now.sum(axis=0), 1e-3))
        self.seen = _tensor(now)
        bins = np.arange(B.BINS)
        bands = np.searchsorted(EDGES, bins, side="right") - 1
        self.of_bin = functional.one_hot(torch.from_numpy(bands), len(EDGES)).float()
        # Parseval's theorem, for the scale of `bands.spectra`.
        self.scale = float(2.0 / B.WINDOW_SHAPE.sum()) ** 2 * B.WINDOW / 2 * STEP
        self.size = -(-self.steps * STEP // 512) * 512  # a fast length
        hertz = np.arange(self.size // 2 + 1) * B.WINDOW / self.size
        wide = np.searchsorted(np.array(EDGES) - 0.5, hertz, side="right") - 1
        masks = functional.one_hot(torch.from_numpy(wide), len(EDGES)).float().t()
        self.masks = masks[:, None].contiguous()
        self.line = _tensor(_interpolation(self.steps, self.size))

    def split(self, waves: Tensor) -> Tensor:
        """Waves (c, n) in the bands, (6, c, size)."""
        return torch.fft.irfft(torch.fft.rfft(waves, self.size) * self.masks, self.size)

    def gains(self, wave: Tensor, magnitudes: Tensor) -> Tensor:
        """Gains of the bands at every sample, (6, 1, size).

        Args:
            wave: as it is, mono, from the first window in progress on, (length,).
            magnitudes: that the windows in progress should have, (count, 1025).

        """
        told = (magnitudes.square() @ self.of_bin).t() + _TINY
        power = self.split(wave[None])[:, 0, : self.steps * STEP].square()
        made = power.reshape(len(EDGES), self.steps, STEP).mean(2) + _TINY
        found = made
        for _ in range(ROUNDS):
            shown = found @ self.seen.t() * self.scale + _TINY
            found = found * ((told / shown @ self.seen + self.settled) * self.total) + 1e-14
        gains = (found / made).sqrt().clamp(LEAST, MOST)
        return (gains @ self.line)[:, None]

    def shaped(self, waves: Tensor, gains: Tensor) -> Tensor:
        """Waves (c, n) with the gains of `gains`."""
        return (self.split(waves) * gains).sum(0)[:, : waves.shape[1]]


def _seen(start: int, steps: int) -> np.ndarray:
    """Mean square of the window that starts at a sample, in each step, (steps,)."""
    squares = np.zeros(steps * STEP)
    low, high = max(0, start), min(len(squares), start + B.WINDOW)
    if high > low:
        squares[low:high] = B.WINDOW_SHAPE[low - start : high - start].astype(np.float64) ** 2
    return np.asarray(squares.reshape(steps, STEP).mean(axis=1))


def _interpolation(steps: int, size: int) -> np.ndarray:
    """Linear interpolation from the steps to the samples, (steps, size)."""
    at = np.clip((np.arange(size) - STEP / 2 + 0.5) / STEP, 0.0, steps - 1.0)
    return np.maximum(0.0, 1.0 - np.abs(at[None] - np.arange(steps)[:, None]))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
