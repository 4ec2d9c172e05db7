"""Low-rank adaptation in training: a copy of the renderer of which only small changes learn.

Each large matrix W becomes W + U V of a low rank (LoRA, Hu et al. 2022, section 4.1); the tables
that modulate norms and gates, and the bias of the style, change as a whole, because they are small.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.segue.renderer.network import Renderer, RendererLayer
from models.sounds.file import CHANGE, DOWN, UP

IN_LAYERS: Final = ("query", "key_value", "project", "gate_up", "down")
AT_ENDS: Final = ("noisy_in", "out")
WHOLE: Final = ("style.bias", "level.net.2.bias")


class LowRankLinear(nn.Module):
    """Frozen linear layer with a low-rank change that learns; at first the layer itself."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(
            torch.randn(rank, base.in_features).to(base.weight.device) * base.in_features**-0.5
        )
        self.up = nn.Parameter(base.weight.new_zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Linear`."""
        return self.base(x) + functional.linear(functional.linear(x, self.down), self.up)


class Pupil:
    """A copy of a renderer of which low-rank changes learn. Its `network` is called as the base is.

    Args:
        base: the renderer as it is; stays unchanged.
        rank: of the changes, 4 to 16.

    """

    def __init__(self, base: Renderer, rank: int) -> None:
        self.base, self.rank = base, rank
        self.network = copy.deepcopy(base).requires_grad_(False)
        self._low: dict[str, LowRankLinear] = {}
        for number, layer in enumerate(self.network.layers):
            assert isinstance(layer, RendererLayer)
            for name in IN_LAYERS:
                self._replace(layer, name, f"layers.{number}.{name}")
            layer.table.requires_grad_(True)
        for name in AT_ENDS:
            self._replace(self.network, name, name)
        tables = [f"layers.{number}.table" for number in range(len(self.network.layers))]
        parameters = dict(self.network.named_parameters())
        self._whole = {name: parameters[name] for name in (*WHOLE, *tables)}
        for parameter in self._whole.values():
            parameter.requires_grad_(True)

    def _replace(self, owner: nn.Module, name: str, path: str) -> None:
        self._low[path] = LowRankLinear(getattr(owner, name), self.rank)
        setattr(owner, name, self._low[path])

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """What learns, by the names of a `LearnedSound`'s changes."""
        found = {f"{path}{UP}": low.up for path, low in self._low.items()}
        found |= {f"{path}{DOWN}": low.down for path, low in self._low.items()}
        return found | {f"{name}{CHANGE}": each for name, each in self._whole.items()}

    def changes(self, values: Mapping[str, Tensor]) -> dict[str, NDArray[np.generic]]:
        """Changes of a `LearnedSound`, float16, from (averaged) values of the parameters."""
        weights = self.base.state_dict()
        found = {}
        for name, value in values.items():
            if name.endswith(CHANGE):
                value = value - weights[name.removesuffix(CHANGE)]
            found[name] = value.detach().cpu().numpy().astype(np.float16)
        return found
