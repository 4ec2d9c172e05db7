"""A small arranger that has learned nothing, and playing it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from models.engine.controls import Controls, as_style
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.block_score import ArrangerInfo
from models.segue.arranger.network import ArrangerConfig
from models.segue.arranger.state import State
from models.training.arranger import Arrangement

STYLE = as_style(np.random.default_rng(1).normal(size=128) / 11.3)
OTHER = as_style(np.random.default_rng(2).normal(size=128) / 11.3)


@lru_cache(maxsize=1)
def untrained() -> Arranger:
    """What must hold whatever the network has learned is tested with this one."""
    torch.manual_seed(3)
    module = Arrangement(ArrangerConfig(hidden=48, layers=1, content=16, head=24))
    return Arranger(module.step, module.setting, np.linspace(0, 14, 33).astype(np.float32))


def play(
    arranger: Arranger, state: State, controls: Controls, blocks: int, frames: int = 2
) -> tuple[State, list[ArrangerInfo]]:
    """The state after some blocks of `frames` frames, and what each told."""
    infos = []
    for _ in range(blocks):
        _, state, info = arranger.block(state, controls.style, controls, frames)
        infos.append(info)
    return state, infos
