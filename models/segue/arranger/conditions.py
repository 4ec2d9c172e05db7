"""Conditions of the network: style, setting and guidance, which seldom change."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.engine.controls import Controls
from models.segue.arranger.network import ArrangerNet, StepCondition
from models.segue.arranger.steps import Setting

MAX_ENTRIES: Final = 256
GUIDANCE: Final = 1.25  # where the control is left at auto
GUIDANCE_RANGE: Final = (0.0, 3.0)  # nothing changes any more beyond it
NEW_STYLE: Final = 0.4  # distance of two styles from which the music counts as changed


class ConditionCache:
    """Conditions of a step network, computed once for each style, setting and tempo."""

    def __init__(self, net: ArrangerNet) -> None:
        self._net = net
        self._conditions: dict[tuple[bytes, Setting], Tensor] = {}

    def of(self, style: NDArray[np.float32] | None, setting: Setting, bpm: float) -> Tensor:
        """(2, 128) with and without the style, at the tempo that is played."""
        setting = _at_tempo(setting, bpm)
        name = (b"" if style is None else style.tobytes(), setting)
        found = self._conditions.get(name)
        if found is not None:
            return found
        styles = torch.zeros(2, self._net.config.style_dim)
        styled = torch.zeros(2, 1)
        if style is not None:
            styles[0], styled[0] = torch.from_numpy(np.array(style, np.float32)), 1.0
        given = StepCondition(
            style=styles,
            styled=styled,
            kit=torch.full((2,), setting.kit),
            instruments=torch.tensor([setting.instruments] * 2),
            mode=torch.full((2,), setting.mode),
            metre=torch.full((2,), setting.metre),
            pace=torch.tensor([[float(np.log2(setting.bpm / 120)), setting.swing]] * 2),
        )
        if len(self._conditions) > MAX_ENTRIES:
            self._conditions.clear()
        self._conditions[name] = found = self._net.condition(given)
        return found


def _at_tempo(setting: Setting, bpm: float) -> Setting:
    """The setting at another tempo, to the nearest two per cent, so that a glide does not fill the
    cache.
    """
    steps = round(np.log(bpm / 120) / 0.02)
    return Setting(
        setting.metre,
        setting.kit,
        setting.instruments,
        round(float(120 * np.exp(0.02 * steps)), 3),
        setting.swing,
        setting.mode,
    )


def guidance_of(controls: Controls) -> float:
    """The guidance control, clipped to its range."""
    if controls.guidance is None:
        return GUIDANCE
    low, high = GUIDANCE_RANGE
    return min(max(controls.guidance, low), high)


def style_distance(a: bytes, b: bytes) -> float:
    """Euclidean distance of two styles, given as bytes; 2 where only one is a style."""
    if not a or not b:
        return 0.0 if a == b else 2.0
    difference = np.frombuffer(a, np.float32) - np.frombuffer(b, np.float32)
    return float(np.linalg.norm(difference))
