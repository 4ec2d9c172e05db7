"""Metric of the codec's latents: how much of an error in each direction is decoded.

An error e of a latent frame changes the decoder's bands by about J e, J being the Jacobian of its
output, so that e^T M e with M = J^T J is the error that is heard.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.func import jacrev, vmap

from models.segue.codec.autoencoder import Autoencoder

FLOOR: Final = 0.01
"""Least share of the plain error in the metric, so that no direction is free."""


def codec_metric(network: Autoencoder, latents: Tensor) -> Tensor:
    """Mean metric of the decoder over clips.

    Args:
        network: of the codec.
        latents: (B, T, D) of music.

    Returns:
        Symmetric, positive definite, (D, D), its trace D: the plain error has the identity.

    """
    dim = latents.shape[-1]

    def last_frame(clip: Tensor, last: Tensor) -> Tensor:
        """Patch of the last frame, (1320,)."""
        whole = torch.cat([clip[:-1], last[None]])[None]
        return network.decode(whole, network.decoder.start(1))[0][0, -1]

    jacobians = vmap(jacrev(last_frame, argnums=1))(latents, latents[:, -1])
    metric = torch.einsum("bpi,bpj->ij", jacobians, jacobians)
    metric = metric * (dim / metric.trace())
    return ((1.0 - FLOOR) * metric + FLOOR * torch.eye(dim)).detach()
