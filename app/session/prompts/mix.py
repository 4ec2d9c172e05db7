"""Mix of the prompts: effective weights and shares."""

from __future__ import annotations

from collections.abc import Sequence


def effective_weights(
    weights: Sequence[float], mutes: Sequence[bool], solos: Sequence[bool]
) -> list[float]:
    """Weights after mute and solo: 0 for muted strips, and for all others while one is soloed.

    A strip that is both soloed and muted is silent, and does not silence the others.
    """
    audible_solos = [solo and not mute for solo, mute in zip(solos, mutes, strict=True)]
    any_solo = any(audible_solos)
    return [
        0.0 if mute or (any_solo and not solo) else max(0.0, weight)
        for weight, mute, solo in zip(weights, mutes, audible_solos, strict=True)
    ]


def shares(weights: Sequence[float]) -> list[float]:
    """Weights divided by their sum; all 0 where the sum is 0."""
    total = sum(weights)
    if total <= 0.0:
        return [0.0] * len(weights)
    return [weight / total for weight in weights]
