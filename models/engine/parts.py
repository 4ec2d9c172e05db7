"""Controls of single parts: the mixer's strips, lock, instrument and octave. Pure logic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Final

from models.engine.frozen_map import FrozenMap
from models.errors import SegueError
from models.music.instruments import check_instrument
from models.music.score import PARTS

LEVELS_DB: Final = (-60.0, 6.0)
"""Range of a part's level in dB; the lowest is off."""
OCTAVES: Final = (-2, 2)
PART_CONTROLS: Final = ("level", "mute", "solo", "lock", "instrument", "octave", "dry", "reroll")
"""Names of what a part can be told; an engine lists in `EngineInfo.part_controls` those that act.
`reroll` is the field of `Controls`."""


@dataclass(frozen=True)
class PartControls:
    """Controls of one part. The defaults change nothing.

    Attributes:
        level: dB, -60 (off) to 6.
        mute: the part is silent; its notes go on.
        solo: parts without solo are silent while any has it.
        lock: the part's last bar is played again and again, transposed with the harmony.
        instrument: instrument or kit that plays it (`models.music.instruments.SUITABLE`); None is
            the engine's choice.
        octave: -2 to 2, octaves by which its notes are moved; drums have none.
        dry: where the others dream, the part stays as its instrument plays it.

    """

    level: float = 0.0
    mute: bool = False
    solo: bool = False
    lock: bool = False
    instrument: str | None = None
    octave: int = 0
    dry: bool = False

    @property
    def gain(self) -> float:
        """The level as a factor; 0 where it is off."""
        return 0.0 if self.level <= LEVELS_DB[0] else float(10 ** (self.level / 20))


FIELDS: Final = tuple(field.name for field in fields(PartControls))
NEUTRAL: Final = PartControls()


class PartMap(FrozenMap[PartControls]):
    """Controls by part: immutable, hashable; parts at their defaults are left out."""

    __slots__ = ()

    def __init__(self, items: Mapping[str, PartControls] | None = None) -> None:
        given = items or {}
        super().__init__((p, given[p]) for p in PARTS if given.get(p, NEUTRAL) != NEUTRAL)

    def of(self, part: str) -> PartControls:
        """Controls of a part; the defaults where none are set."""
        return self.get(part, NEUTRAL)

    @property
    def locked(self) -> int:
        """Bits of the locked parts, in PARTS' order."""
        return sum(1 << PARTS.index(part) for part, own in self._items if own.lock)

    @property
    def dry(self) -> frozenset[str]:
        """The parts that do not dream."""
        return frozenset(part for part, own in self._items if own.dry)

    def gains(self) -> tuple[float, ...]:
        """Gain of each of PARTS, mute and solo included: 0 is silence."""
        solo = any(own.solo for _, own in self._items)
        chosen = [self.of(part) for part in PARTS]
        return tuple(0.0 if own.mute or (solo and not own.solo) else own.gain for own in chosen)

    def as_json(self) -> dict[str, dict[str, object]]:
        """Form for files: by part what differs from the defaults; `check_parts` reads it."""
        return {
            part: {
                name: getattr(own, name)
                for name in FIELDS
                if getattr(own, name) != getattr(NEUTRAL, name)
            }
            for part, own in self._items
        }


def check_parts(value: object) -> PartMap:
    """Controls by part, checked.

    Args:
        value: mapping of PARTS to `PartControls` or to mappings of their fields; None for none.

    Raises:
        SegueError: no such part or field, or a value out of range or of the wrong type.

    """
    if isinstance(value, PartMap):
        return value
    if value is None:
        return PartMap()
    if not isinstance(value, Mapping):
        raise SegueError(f'parts is {value!r}: write for example {{"lead": {{"mute": true}}}}.')
    return PartMap({check_part(part): _check_one(str(part), own) for part, own in value.items()})


def check_part(name: object) -> str:
    """The name of a part. SegueError for another."""
    if not isinstance(name, str) or name not in PARTS:
        raise SegueError(f"there is no part {name!r}: choose from {', '.join(PARTS)}.")
    return name


def check_part_names(value: object) -> frozenset[str]:
    """Names of parts as a frozenset; None for none. SegueError for unknown ones."""
    if value is None:
        return frozenset()
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SegueError(f"reroll is {value!r}: give a list of parts, of {', '.join(PARTS)}.")
    return frozenset(check_part(name) for name in value)


def _check_one(part: str, value: object) -> PartControls:
    if isinstance(value, PartControls):
        value = {name: getattr(value, name) for name in FIELDS}
    if not isinstance(value, Mapping):
        raise SegueError(f'{part} is {value!r}: write for example {{"level": -6}}.')
    for name in value:
        if name not in FIELDS:
            raise SegueError(f"a part has no {name!r}: choose from {', '.join(FIELDS)}.")
    level, octave = value.get("level", 0.0), value.get("octave", 0)
    low, high = LEVELS_DB
    real = isinstance(level, Real) and not isinstance(level, bool)
    if not real or not low <= float(level) <= high:  # a nan is in no range
        raise SegueError(f"level of {part} is {level!r}: give a number from {low:g} to {high:g}.")
    whole = isinstance(octave, Integral) and not isinstance(octave, bool)
    if not whole or not OCTAVES[0] <= int(octave) <= OCTAVES[1]:
        raise SegueError(
            f"octave of {part} is {octave!r}: give a whole number from {OCTAVES[0]} to "
            f"{OCTAVES[1]}."
        )
    if octave and part == "drums":
        raise SegueError("the drums have no octave: leave it out.")
    for name in ("mute", "solo", "lock", "dry"):
        if not isinstance(value.get(name, False), bool):
            raise SegueError(f"{name} of {part} is {value[name]!r}: write true or false.")
    instrument = value.get("instrument")
    if instrument is not None:
        instrument = check_instrument(part, instrument)
    return PartControls(
        float(level),
        value.get("mute", False),
        value.get("solo", False),
        value.get("lock", False),
        instrument,
        int(octave),
        value.get("dry", False),
    )
