"""Residual vector quantization: each level quantizes the residual of the level before.

Zeghidour et al., SoundStream, 2021, section III-C. Shapes of `ResidualVectorQuantizer` in
`magenta_rt.jax.spectrostream` (magenta-rt 2.0.3, Apache-2.0).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ResidualVectorQuantizer(nn.Module):
    """`levels` codebooks of `codes` vectors of length `dim`, coarse to fine."""

    def __init__(self, levels: int, codes: int, dim: int) -> None:
        super().__init__()
        self.codebooks = nn.Parameter(torch.empty(levels, codes, dim))

    @property
    def levels(self) -> int:
        return int(self.codebooks.shape[0])

    def encode(self, vectors: Tensor, levels: int | None = None) -> Tensor:
        """Codes int64 (..., levels) of vectors (..., dim): the nearest vector, level by level.

        levels: up to the number of codebooks; None for all.
        """
        count = self._checked(self.levels if levels is None else levels)
        rest = vectors.to(self.codebooks.dtype).reshape(-1, vectors.shape[-1])
        chosen: list[Tensor] = []
        for book in self.codebooks[:count]:
            # |x - c|^2 without |x|^2, which is the same for every c.
            distance = torch.addmm(book.square().sum(1), rest, book.T, alpha=-2.0)
            code = distance.argmin(dim=1)
            rest = rest - book[code]
            chosen.append(code)
        return torch.stack(chosen, dim=-1).reshape(*vectors.shape[:-1], count)

    def decode(self, codes: Tensor) -> Tensor:
        """Sum (..., dim) of the vectors of codes (..., up to levels)."""
        count = self._checked(codes.shape[-1])
        total = self.codebooks[0][codes[..., 0].long()]
        for level in range(1, count):
            total = total + self.codebooks[level][codes[..., level].long()]
        return total

    def _checked(self, count: int) -> int:
        if not 1 <= count <= self.levels:
            raise ValueError(f"{count} levels of codes: this quantizer has 1 to {self.levels}")
        return count
