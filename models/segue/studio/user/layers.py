"""Layers of a note of an instrument of the performer's own."""

from __future__ import annotations

from typing import Final

from models.music.score import SAMPLE_RATE
from models.segue.studio.layer import Layer
from models.segue.studio.user.regions import UserInstrument, pan_gains
from models.segue.studio.waves import Wave

FASTEST, SLOWEST = 16.0, 1 / 64
"""Samples of a zone a sample of sound: four octaves up, six down."""
SOFT: Final = (92, 74, 52)
"""Velocities under which a single layer is darker."""


def user_layers(
    instrument: UserInstrument, pitch: int, velocity: int, number: int, spread: float, lean: float
) -> tuple[Layer, ...]:
    """The layers of a note.

    Args:
        instrument: that plays it.
        pitch: MIDI note.
        velocity: 1 to 127.
        number: of the voice, which varies it.
        spread: factor by which this voice is louder or softer.
        lean: to which side it leans, -1 to 1.

    """
    folded = instrument.fold(pitch)
    dark = 0 if instrument.layered else sum(velocity < limit for limit in SOFT)
    found = []
    for region in instrument.chosen(folded, velocity, number):
        spec, zone = region.spec, region.zone
        ratio = zone.rate / SAMPLE_RATE * 2.0 ** (region.cents_at(folded) / 1200)
        ratio = min(max(ratio, SLOWEST), FASTEST)
        loud = spread * (velocity / 100.0) ** (1.5 * spec.velocity_track)
        left, right = pan_gains(spec.pan, zone.channels)
        gain = loud * region.gain * instrument.gain
        found.append(
            Layer(
                Wave(zone, ratio, dark), gain * left * (1 - lean), gain * right * (1 + lean), None,
                spec.envelope,
            )
        )  # fmt: skip
    return tuple(found)
