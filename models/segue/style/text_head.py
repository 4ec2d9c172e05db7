"""Text head: sentence embedding to a distribution over the style terms.

The style of a text is the mixture of the terms' anchors, so that it lies inside their convex hull,
as the styles of audio do, on which the generator was trained. This is the latent constraint of
"Live Music Models" (2025, section on audio-text alignment), by construction.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.segue.style.sentence_encoder import WIDTH
from models.segue.style.terms import NAMES

HIDDEN = 512
MAX_TERMS = 4
"""Most terms in the mixture of a text."""


class TextHead(nn.Module):
    """Network from sentence embeddings (n, 384) to logits over the terms (n, 120).

    The sum of a perceptron and of the similarity to stored phrases of each term, which generalises
    better to unseen words. `memory` (m, 384) are the phrases' embeddings, `owner` (m,) their terms.
    """

    def __init__(self, phrases: int) -> None:
        super().__init__()
        self.memory: Tensor
        self.owner: Tensor
        self.register_buffer("memory", torch.zeros(phrases, WIDTH))
        self.register_buffer("owner", torch.zeros(phrases, dtype=torch.int64))
        self.net = nn.Sequential(
            nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Dropout(0.3), nn.Linear(HIDDEN, len(NAMES))
        )
        self.sharpness = nn.Parameter(torch.tensor(2.5))  # log of the similarity's scale
        self.share = nn.Parameter(torch.tensor(0.5))

    def memory_similarity(self, x: Tensor) -> Tensor:
        """Soft maximum of the cosines with each term's phrases, (n, 120)."""
        scale = self.sharpness.exp()
        close = (scale * (x @ self.memory.T)).exp()
        sums = close.new_zeros(len(x), len(NAMES)).index_add(1, self.owner, close)
        count = torch.bincount(self.owner, minlength=len(NAMES)).clamp_min(1)
        return (sums / count).clamp_min(1e-6).log()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) + self.share * self.memory_similarity(x)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def mixture(self, x: Tensor) -> Tensor:
        """Weights of the terms (n, 120) that sum to 1, at most `MAX_TERMS` of them above 0."""
        probabilities = self(x).softmax(-1)
        largest, indices = probabilities.topk(MAX_TERMS)
        largest = torch.where(largest >= 0.1 * largest[:, :1], largest, 0.0)
        shares = torch.zeros_like(probabilities).scatter(1, indices, largest)
        return shares / shares.sum(1, keepdim=True)
