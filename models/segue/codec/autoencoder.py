"""Autoencoder of the codec: bands and stereo image to latents and back, 25 frames a second.

The four band frames of a latent frame and its stereo image are one patch of 1320 numbers, so that
all computation is dense matrix products at 25 frames a second. Encoder and decoder are each a
linear path plus a causal residual network; the linear path is initialised by principal component
analysis of the corpus and the residual networks at zero. In the shipped configuration the encoder
is linear, so that latents are fixed before the decoder and the renderer are trained. The networks
are causal (two frames a block) with explicit state: streamed and whole results agree.

The principal components are half whitened and multiplied by a random rotation, so that all latents
have unit variance, and equal noise on all of them disturbs loud, common features less than faint,
rare ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.segue.codec import bands as B

PATCH_SIZE = B.PATCH * B.BANDS + B.STEREO
_STEREO_WEIGHT = 1.2
_PERCEPTUAL_FLOOR = 0.35

State = tuple[Tensor, ...]
"""State of a causal network: per block its last inputs, (batch, 2, width)."""


def _perceptual_weights() -> NDArray[np.float32]:
    """Weight of every band's error: a power of its width on the ERB scale, (320,)."""
    width = np.gradient(B.CENTRES_HZ) / (24.7 * (1 + 0.00437 * B.CENTRES_HZ))
    weight = width**_PERCEPTUAL_FLOOR
    return np.asarray(weight / np.sqrt((weight**2).mean()), dtype=np.float32)


@dataclass(frozen=True)
class CodecConfig:
    """Sizes of the autoencoder; stored in the weights file."""

    latent: int = 128
    encoder_width: int = 16
    encoder_blocks: int = 0
    """0: the encoder is linear and stateless."""
    decoder_width: int = 512
    decoder_blocks: int = 4
    kernel: int = 3

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class CausalBlock(nn.Module):
    """Causal residual block: h + W2 gelu(W1 [norm(h) at t-2, t-1, t]), the convolution as one
    matrix product.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.mix = nn.Linear(kernel * width, width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, h: Tensor, history: Tensor) -> tuple[Tensor, Tensor]:
        """Output and next history; `h` (batch, T, width), `history` (batch, kernel-1, width)."""
        buffer = torch.cat([history, self.norm(h)], dim=1)
        length = h.shape[1]
        shifted = torch.cat([buffer[:, i : i + length] for i in range(self.kernel)], dim=-1)
        return h + self.out(F.gelu(self.mix(shifted))), buffer[:, length:]


class CausalNet(nn.Module):
    """Causal residual network: linear layer, blocks, linear layer initialised at zero."""

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.width = width
        self.memory = kernel - 1
        self.enter = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(CausalBlock(width, kernel) for _ in range(blocks))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.leave = nn.Linear(width, outputs)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def start(self, batch: int) -> State:
        weight = self.enter.weight
        return tuple(weight.new_zeros(batch, self.memory, self.width) for _ in self.blocks)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.enter(x)
        after = []
        for block, history in zip(self.blocks, state, strict=True):
            h, history = block(h, history)
            after.append(history)
        return self.leave(self.norm(h)), tuple(after)


class Autoencoder(nn.Module):
    """Autoencoder of patches (batch, T, 1320) and latents (batch, T, D) of unit variance."""

    patch_mean: Tensor
    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: CodecConfig | None = None) -> None:
        super().__init__()
        self.config = config or CodecConfig()
        c = self.config
        self.encoder = CausalNet(PATCH_SIZE, c.latent, c.encoder_width, c.encoder_blocks, c.kernel)
        self.decoder = CausalNet(c.latent, PATCH_SIZE, c.decoder_width, c.decoder_blocks, c.kernel)
        self.project = nn.Linear(PATCH_SIZE, c.latent, bias=False)
        self.unproject = nn.Linear(c.latent, PATCH_SIZE, bias=False)
        self.register_buffer("patch_mean", torch.zeros(PATCH_SIZE))
        self.register_buffer("latent_mean", torch.zeros(c.latent))
        self.register_buffer("latent_std", torch.ones(c.latent))

    @torch.no_grad()
    def start_from_components(self, patches: Tensor, seed: int = 0) -> float:
        """Initialise the linear paths by principal components of `patches` (n, 1320).

        Returns:
            The share of the patches' variance that the components explain.

        """
        weight = torch.full((PATCH_SIZE,), _STEREO_WEIGHT)
        weight[: B.PATCH * B.BANDS] = torch.from_numpy(_perceptual_weights()).repeat(B.PATCH)
        mean = patches.float().mean(0)
        centred = (patches.float() - mean) * weight
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
        keep = self.config.latent
        values, vectors = values[-keep:].clamp_min(1e-6), vectors[:, -keep:]
        scale = values**-0.25
        noise = torch.randn(keep, keep, generator=torch.Generator().manual_seed(seed))
        rotation = torch.linalg.qr(noise)[0]
        forward = (vectors * scale) @ rotation * weight[:, None]
        backward = rotation.T @ (vectors / scale).T / weight[None, :]
        spread = ((patches.float() - mean) @ forward).std(0)
        self.project.weight.copy_((forward / spread).T)
        self.unproject.weight.copy_((spread[:, None] * backward).T)
        self.patch_mean.copy_(mean)
        self.latent_mean.zero_()
        self.latent_std.fill_(1.0)
        return float(values.sum() / centred.square().mean(0).sum())

    def encode_raw(self, patches: Tensor, state: State) -> tuple[Tensor, State]:
        """Latents before their normalisation."""
        x = patches - self.patch_mean
        if not self.config.encoder_blocks:
            return self.project(x), state
        change, state = self.encoder(x, state)
        return self.project(x) + change, state

    def encode(self, patches: Tensor, state: State) -> tuple[Tensor, State]:
        """Latents of mean 0 and standard deviation 1 over the corpus, and the state after them."""
        raw, state = self.encode_raw(patches, state)
        return (raw - self.latent_mean) / self.latent_std, state

    def decode(self, latents: Tensor, state: State) -> tuple[Tensor, State]:
        """Patches of normalised latents, and the state after them."""
        change, state = self.decoder(latents, state)
        return self.unproject(latents) + change + self.patch_mean, state


def split_patches(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Bands (..., 4 T, 320) and stereo images (..., T, 40) of patches (..., T, 1320)."""
    lead, frames = patches.shape[:-2], patches.shape[-2]
    bands = patches[..., : B.PATCH * B.BANDS].reshape(*lead, frames * B.PATCH, B.BANDS)
    return bands, patches[..., B.PATCH * B.BANDS :]
