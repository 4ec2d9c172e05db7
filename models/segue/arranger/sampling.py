"""Sampling from log-odds with noise that is a function of seed and step.

A choice is the largest of logit / temperature + Gumbel noise (Maddison et al. 2014, section 2),
and the noise depends on seed and step only. The same state therefore gives the same music, and a
control that bends the odds a little changes few notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
NOISE: Final = 1024  # numbers a step
AUTO_CHAOS: Final = 0.6
"""Chaos at auto. Below it chords and lines are poorer than what was learned: fewer chords, and a
lead that dwells on the tonic."""


@dataclass(frozen=True)
class SamplingParams:
    """Parameters of sampling: `temperature`, the share `nucleus` of the odds that may be chosen
    (Holtzman et al. 2020, section 3.1), and the odds under which a drum hit never comes.
    """

    temperature: float
    nucleus: float
    min_hit_odds: float

    @classmethod
    def of(cls, chaos: float | None) -> SamplingParams:
        """From the chaos control; auto samples nearly as was learned."""
        amount = AUTO_CHAOS if chaos is None else chaos
        return cls(
            temperature=0.65 + 0.65 * amount,
            nucleus=min(1.0, 0.82 + 0.25 * amount),
            min_hit_odds=max(0.0, 0.06 - 0.09 * amount),
        )


class StepNoise:
    """The noise of one step, handed out in the order of the calls."""

    def __init__(self, seed: int, step: int) -> None:
        rng = np.random.Generator(np.random.Philox(key=seed & 0xFFFFFFFFFFFF, counter=step << 16))
        uniform = rng.random(NOISE, np.float32)
        self._noise = -np.log(-np.log(np.clip(uniform, 1e-7, 1 - 1e-7)))
        self._uniform = uniform
        self._used = 0

    def gumbel(self, size: int) -> Logits:
        """(size,) Gumbel noise."""
        self._used += size
        return self._noise[self._used - size : self._used]

    def uniform(self) -> float:
        """A uniform number in [0, 1)."""
        self._used += 1
        return float(self._uniform[self._used - 1])


def guided(logits: Logits, guidance: float) -> Logits:
    """Classifier-free guidance: rows (2, V) with and without the style -> (V,) log-odds
    (Ho & Salimans 2022, eq. 6).
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    # Below this nothing is ever chosen; differences down there would be blown up.
    logp = np.maximum(logp, -12.0)
    return np.asarray(logp[1] + guidance * (logp[0] - logp[1]), np.float32)


def pick(logits: Logits, noise: Logits, sampling: SamplingParams) -> int:
    """Sample an index of `logits` (V,); -inf is never chosen while anything else can be."""
    scaled = (logits - logits.max()) / sampling.temperature
    if sampling.nucleus < 1.0:
        odds = np.exp(scaled)
        odds /= odds.sum()
        order = np.argsort(-odds, kind="stable")
        # The first whose predecessors hold less than the share may still be chosen.
        out = order[(np.cumsum(odds[order]) - odds[order]) >= sampling.nucleus]
        scaled = scaled.copy()
        scaled[out] = -np.inf
    return int(np.argmax(scaled + noise))


def pick_drums(
    base: Logits, links: Logits, noise: Logits, sampling: SamplingParams, bias: float, levels: int
) -> NDArray[np.uint8]:
    """Levels of all drums, each knowing those before. base (drums * levels,), links square; `bias`
    is added to the log-odds of every hit.
    """
    logits = base.reshape(-1, levels).copy()
    logits[:, 1:] += bias
    flat = logits.reshape(-1)
    chosen = np.zeros(len(logits), np.uint8)
    for drum in range(len(logits)):
        row = logits[drum]
        odds = np.exp(row - row.max())
        hit = 1.0 - odds[0] / odds.sum()
        span = slice(drum * levels, (drum + 1) * levels)
        if hit > sampling.min_hit_odds:
            chosen[drum] = int(np.argmax(row / sampling.temperature + noise[span]))
        flat += links[drum * levels + chosen[drum]]
    return chosen
