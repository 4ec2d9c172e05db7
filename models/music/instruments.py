"""Instruments that suit each part of the score. Pure logic."""

from __future__ import annotations

from typing import Final

from models.errors import SegueError
from models.music.score import INSTRUMENTS, KITS, PARTS
from models.music.user_instruments import is_user_instrument
from models.music.voicing import BASS_RANGES, RANGES

LOW_TOP: Final = 60
"""MIDI note under which an instrument that reaches no higher counts as a bass."""
ONE_VOICE: Final = frozenset(
    {
        "violin", "fiddle", "viola", "erhu", "flute", "recorder", "tin_whistle", "pan_flute",
        "oboe", "clarinet", "bass_clarinet", "bassoon", "soprano_sax", "alto_sax", "tenor_sax",
        "baritone_sax", "trumpet", "muted_trumpet", "timpani",
    }
)  # fmt: skip
"""Instruments that play no chords."""
_LOW: Final = frozenset(name for name, (_, high) in RANGES.items() if high < LOW_TOP)
_PITCHED: Final = tuple(name for name in INSTRUMENTS if name != "none")

SUITABLE: Final[dict[str, tuple[str, ...]]] = {
    "drums": tuple(name for name in KITS if name != "none"),
    "bass": tuple(name for name in _PITCHED if name in _LOW or name in BASS_RANGES),
    "chords": tuple(name for name in _PITCHED if name not in _LOW and name not in ONE_VOICE),
    "lead": tuple(name for name in _PITCHED if name not in _LOW),
    "extra": tuple(name for name in _PITCHED if name not in _LOW),
}
"""By part, the instruments or kits that can play it."""


def check_instrument(part: str, name: object) -> str:
    """The name of an instrument that can play a part; one of the performer's own plays any.

    Args:
        part: one of PARTS.
        name: what was given for it.

    Raises:
        SegueError: no instrument, or one that does not suit the part.

    """
    if isinstance(name, str) and is_user_instrument(name):
        return name
    if not isinstance(name, str) or name not in SUITABLE[part]:
        known = ", ".join(SUITABLE[part][:12])
        raise SegueError(f"{name!r} cannot play the {part}: choose one such as {known}.")
    return name


assert set(SUITABLE) == set(PARTS)
