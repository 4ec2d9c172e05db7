"""The guidance control as the renderer's guidance weight."""

from __future__ import annotations

import numpy as np

from models.segue.arranger.conditions import GUIDANCE, GUIDANCE_RANGE
from models.segue.renderer.sampler import Sampler


def guidance_weight(sampler: Sampler, guidance: float | None) -> float:
    """The renderer's guidance weight for a value of the control, None for auto.

    The control's whole range acts: its ends are the least and the most that the network was
    trained with, and its value at auto is the network's default weight.
    """
    trained = sampler.guidance
    if trained is None or guidance is None:
        return sampler.weight
    low, high = GUIDANCE_RANGE
    weights = (trained.least, trained.usual, trained.most)
    return float(np.interp(guidance, (low, GUIDANCE, high), weights))
