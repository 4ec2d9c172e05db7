"""Text to the style space: the table of synonyms where it knows the words, else a trained head.

Inference lane; also offline (training). A caption becomes a distribution over the 120 terms and
then the mixture of their anchors, so that every text lies inside the hull of the anchors: where
the audio tower puts audio, and where the generator was trained. This is the latent constraint of
"Live Music Models" (2025, section on audio-text alignment), had by construction.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.segue.style.sentence_encoder import WIDTH
from models.segue.style.terms import NAMES

HIDDEN = 512
KEEP = 4
"""At most so many terms make up an unknown text: a mixture of everything sounds like nothing."""


class TextHead(nn.Module):
    """Sentence embeddings (n, 384) to logits over the terms (n, 120).

    Two opinions are added: a perceptron, and the likeness to remembered phrases of each term, which
    generalises better to words that no caption held. `memory` (m, 384) are those phrases'
    embeddings and `owner` (m,) the term each belongs to.
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
        self.sharpness = nn.Parameter(torch.tensor(2.5))  # log of the likeness's scale
        self.share = nn.Parameter(torch.tensor(0.5))

    def likeness(self, x: Tensor) -> Tensor:
        """(n, 120): soft maximum of the cosines with each term's phrases."""
        scale = self.sharpness.exp()
        close = (scale * (x @ self.memory.T)).exp()
        sums = close.new_zeros(len(x), len(NAMES)).index_add(1, self.owner, close)
        count = torch.bincount(self.owner, minlength=len(NAMES)).clamp_min(1)
        return (sums / count).clamp_min(1e-6).log()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) + self.share * self.likeness(x)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def mixture(self, x: Tensor) -> Tensor:
        """(n, 120) shares that sum to 1, at most `KEEP` of them above 0."""
        chances = self(x).softmax(-1)
        kept, where = chances.topk(KEEP)
        kept = torch.where(kept >= 0.1 * kept[:, :1], kept, 0.0)
        shares = torch.zeros_like(chances).scatter(1, where, kept)
        return shares / shares.sum(1, keepdim=True)
