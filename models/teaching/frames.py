"""Latent frames as they are heard: which pitches sound in them, and their timbre apart from that.

Both are read from the codec's linear path from a frame to its bands. Timbre is the envelope of the
spectrum over several FFT bins, and how far partials stand out of it, whichever they are; so a chord
and the same chord three semitones higher hardly differ in it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from models.segue.codec.autoencoder import Autoencoder
from models.segue.codec.bands import BANDS, LINEAR_BANDS, PATCH

ENVELOPE: Final = 6
"""Bands to each side over which a spectrum's envelope is taken."""
TUNED: Final = slice(4, 120)
"""FFT bins in which partials are told apart: 90 Hz to 2.8 kHz."""
GROUP: Final = 20
"""Bands in which it is measured together how far partials stand out."""


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """Projections of a latent frame (D,).

    Attributes:
        partials: (bins, D) to its partials without their envelope: which pitches sound, and not how
            bright they are.
        envelope: (E, D) to its envelope, and to what else is no pitch.
        detail: (G, n, D) to what is left of G groups of bands without their envelope.

    """

    partials: Tensor
    envelope: Tensor
    detail: Tensor

    def to(self, device: torch.device) -> FrameFeatures:
        """On another device."""
        return FrameFeatures(*(getattr(self, each.name).to(device) for each in fields(self)))

    def timbre(self, frames: Tensor) -> Tensor:
        """Timbre (n, E + G) of frames (n, D)."""
        detail = torch.einsum("nd,gbd->ngb", frames, self.detail)
        loud = (detail.square().sum(-1) + 1e-4).sqrt()
        return torch.cat([frames @ self.envelope.T, loud], dim=1)


def features_of(codec: Autoencoder) -> FrameFeatures:
    """The features of a codec's latents."""
    rows = codec.unproject.weight.detach()
    size = PATCH * BANDS
    bands = rows[:size].reshape(PATCH, BANDS, -1)
    mean = bands.mean(0)[:LINEAR_BANDS].T
    tuned = (mean - _smooth(functional.pad(mean, (ENVELOPE, ENVELOPE))))[:, TUNED]
    columns = bands.movedim(2, 0).reshape(-1, BANDS)  # (D PATCH, BANDS)
    envelope = _smooth(functional.pad(columns, (ENVELOPE, ENVELOPE), mode="replicate"))
    shape = (rows.shape[1], size)
    detail = (columns - envelope).reshape(shape).T.reshape(size // GROUP, GROUP, -1)
    apart = torch.cat([envelope.reshape(shape).T / PATCH**0.5, rows[size:]])
    return FrameFeatures(tuned.T.contiguous(), apart, detail / PATCH**0.5)


def _smooth(rows: Tensor) -> Tensor:
    """Rows (n, w + 2 ENVELOPE) smoothed, (n, w)."""
    shape = torch.hann_window(2 * ENVELOPE + 3, periodic=False)[1:-1]
    return functional.conv1d(rows[:, None], (shape / shape.sum())[None, None])[:, 0]


def timbre_distance(samples: Tensor, frames: Tensor, features: FrameFeatures) -> Tensor:
    """Energy distance () between the timbres of the frames of tokens (B, T, W), and of those of the
    player's music, (n, D), without the part that no network changes.
    """
    dim = frames.shape[1]
    drawn, music = features.timbre(samples.reshape(-1, dim)), features.timbre(frames)
    half = drawn.shape[0] // 2
    apart = torch.cdist(drawn, music).mean()
    own = torch.cdist(drawn[:half], drawn[half:]).mean()
    return (apart - 0.5 * own) * (2.0 / dim**0.5)


def partial_distance(samples: Tensor, played: Tensor, features: FrameFeatures) -> Tensor:
    """How little () the partials of two token sequences (B, T, W) agree: 0 the same, 1 as by
    chance; frames that have hardly any count less.
    """
    dim = features.partials.shape[1]
    one, other = (tokens.reshape(-1, dim) @ features.partials.T for tokens in (samples, played))
    clear = other.norm(dim=1)
    same = functional.cosine_similarity(one, other, dim=1)
    return ((1.0 - same) * clear).sum() / clear.sum().clamp_min(1e-6)
