"""What the dream knob means: the crossfade of both sounds, and the noise on the guide. Pure."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

ALONE: Final = 0.6
"""Value from which the studio's own sound is not heard any more."""
LOOSER: Final = 0.4
"""Value from which the renderer departs from its guide; below it is retouched only."""

NEAREST: Final = 0.25
FARTHEST: Final = 2.0
"""Noise on the guide of a renderer that was trained with one: of a retouch, and towards the end."""

DREAMING: Final = frozenset({"dream", "echo", "echo_time", "echo_feedback", "echo_dream", "sounds"})
"""Controls that need the renderer's weights."""
LISTENING: Final = 1
"""Blocks after which the renderer's first block, what it heard, sounds throughout."""
AWAKE: Final = 4
"""Blocks after which its second one does, the first that it makes."""


class DreamSetting(NamedTuple):
    """Setting of the knob. angle: of the crossfade, 0 for the studio alone to pi / 2 for the
    renderer alone. sigma: noise on the guide of a renderer that was not trained with one, 1 or
    more, infinite for no guide.
    """

    angle: float
    sigma: float


def dream_setting(dream: float) -> DreamSetting:
    """Setting of a value from 0 (studio alone) to 1 (the style's own sound)."""
    angle = min(1.0, dream / ALONE) * math.pi / 2
    share = min(1.0, (1.0 - dream) / (1.0 - LOOSER))
    return DreamSetting(angle, 1.0 / share if share > 0.0 else math.inf)


def trained_sigma(sigma: float) -> float:
    """Noise on the guide of a renderer that was trained with one, for a setting's `sigma`."""
    if math.isinf(sigma):
        return sigma
    return float(NEAREST * (FARTHEST / NEAREST) ** (1.0 - 1.0 / max(1.0, sigma)))
