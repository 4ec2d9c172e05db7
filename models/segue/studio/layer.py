"""Layer of a voice: a wave that it plays, and how loud."""

from __future__ import annotations

from typing import NamedTuple

from models.segue.studio.user.regions import AmplitudeEnvelope
from models.segue.studio.waves import Wave


class Layer(NamedTuple):
    """A wave that a voice plays, its gain on both sides, at which turn of the oscillator (0 to 1,
    None for always) it is the one, and the envelope of its loudness where it has one of its own.
    """

    wave: Wave
    left: float
    right: float
    turn: float | None
    envelope: AmplitudeEnvelope | None = None
