"""Crossfade of the studio's sound and the renderer's at one loudness. Pure.

Both play the same notes, so the renderer is set to the studio's level, K-weighted (ITU-R
BS.1770-4), and what the two have in common is taken out of their sum: with their correlation r,
equal-power gains a and b give a power of 1 + 2 a b r.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.loudness import soft_limit
from models.segue.studio.dynamics import k_weights

Audio = NDArray[np.float32]

BLOCKS: Final = 12
"""Blocks of the running means: about a second."""
MAX_CHANGE: Final = 4.0
"""Greatest gain of the renderer, and its least is the inverse: 12 dB."""
FAINT: Final = 1e-9
"""Power below which a block is a rest and tells nothing about levels."""


@dataclass(frozen=True)
class BalanceState:
    """State of the crossfade: running means of both K-weighted powers and of their product, the
    blocks in them, and the gains at the end of the last block. Field names are stored in files.
    """

    dry_power: float = 0.0
    wet_power: float = 0.0
    product: float = 0.0
    blocks: int = 0
    dry_gain: float = 1.0
    wet_gain: float = 0.0


def measure(dry: Audio, wet: Audio, state: BalanceState) -> BalanceState:
    """The state with the powers of one more block of both sounds, (n, 2) each."""
    weights = k_weights(len(dry))
    one, other = (np.fft.rfft(x, axis=0) for x in (dry, wet))
    dry_power, wet_power, product = (
        float(weights @ (a.real * b.real + a.imag * b.imag).sum(axis=1)) / 2
        for a, b in ((one, one), (other, other), (one, other))
    )
    if min(dry_power, wet_power) < FAINT:
        return state
    blocks = min(BLOCKS, state.blocks + 1)

    def mean(before: float, now: float) -> float:
        return before + (now - before) / blocks

    return BalanceState(
        dry_power=mean(state.dry_power, dry_power),
        wet_power=mean(state.wet_power, wet_power),
        product=mean(state.product, product),
        blocks=blocks,
        dry_gain=state.dry_gain,
        wet_gain=state.wet_gain,
    )


def goal(state: BalanceState, angle: float) -> tuple[float, float]:
    """Gains of both sounds for an angle of the crossfade, 0 (the studio alone) to pi / 2."""
    if angle <= 0.0:
        return 1.0, 0.0
    dry, wet = max(0.0, math.cos(angle)), math.sin(angle)
    if not state.blocks:
        return dry, wet
    level = math.sqrt(state.dry_power / state.wet_power)
    level = min(MAX_CHANGE, max(1.0 / MAX_CHANGE, level))
    common = state.product / math.sqrt(state.dry_power * state.wet_power)
    power = 1.0 + 2.0 * dry * wet * max(-0.5, min(1.0, common))
    return dry / math.sqrt(power), wet * level / math.sqrt(power)


def crossfade(
    dry: Audio, wet: Audio, angle: float, state: BalanceState
) -> tuple[Audio, BalanceState]:
    """Both sounds as one.

    Args:
        dry: the studio's sound, float32 (n, 2).
        wet: the renderer's, of the same time.
        angle: of the crossfade at the block's end.
        state: of the block before.

    Returns:
        float32 (n, 2) under full scale, and the state after it. Where the renderer is silent before
        and after, `dry` itself.

    """
    state = measure(dry, wet, state)
    dry_gain, wet_gain = goal(state, angle)
    if state.wet_gain == wet_gain == 0.0 and state.dry_gain == dry_gain == 1.0:
        return dry, state
    ramp = np.linspace(0.0, 1.0, len(dry), dtype=np.float32)[:, None]
    mixed = dry * (state.dry_gain + (dry_gain - state.dry_gain) * ramp)
    mixed += wet * (state.wet_gain + (wet_gain - state.wet_gain) * ramp)
    after = BalanceState(
        state.dry_power, state.wet_power, state.product, state.blocks, dry_gain, wet_gain
    )
    return soft_limit(mixed.astype(np.float32, copy=False)), after


def crossfade_share(
    mix: Audio, guide: Audio | None, wet: Audio, angle: float, state: BalanceState
) -> tuple[Audio, BalanceState]:
    """As `crossfade`, where only a share of the studio's sound is crossfaded.

    Args:
        mix: the studio's sound, float32 (n, 2).
        guide: the share of it that the renderer heard; None for all of it.
        wet: the renderer's sound, of the same time.
        angle: of the crossfade at the block's end.
        state: of the block before.

    """
    if guide is None:
        return crossfade(mix, wet, angle, state)
    audio, state = crossfade(guide, wet, angle, state)
    return (mix, state) if audio is guide else (soft_limit(audio + (mix - guide)), state)
