"""Parameters of the parts: level, switches, re-roll, instrument, octave; and of hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from app.parameters.parameter import Parameter, Value
from app.parameters.registry import Registry
from models.engine.control_values import HOLD_BARS
from models.engine.parts import LEVELS_DB, OCTAVES, PART_CONTROLS, PartControls, PartMap
from models.music.instruments import SUITABLE
from models.music.score import PARTS

PART_VALUES: Final = tuple(name for name in PART_CONTROLS if name != "reroll")
PART_PATTERNS: Final = (*(f"part.*.{name}" for name in PART_VALUES), "hold.*")
"""Parameters of parts, and of hold, that have a value."""
REROLLS: Final = {f"part.{part}.reroll": part for part in PARTS}
"""Trigger -> part that it gives another pattern."""


def part_parameters() -> Iterable[Parameter]:
    """Parameters of all parts, and of hold; drums have no octave."""
    yield Parameter(
        "hold.bars", "Hold bars", "choice", default="4", choices=tuple(map(str, HOLD_BARS)),
        group="Transport", help="How many of the last bars hold keeps as a loop.",
    )  # fmt: skip
    yield Parameter(
        "hold.variation", "Hold variation", unit="%", group="Transport",
        help="How much the held bars vary as they go round: from the same notes to free.",
    )  # fmt: skip
    for part in PARTS:
        group = label = part.capitalize()
        low, high = LEVELS_DB
        yield Parameter(
            f"part.{part}.level", f"{label} level", low=low, high=high, curve="taper", unit="dB",
            step=1.0, fine=0.1, decimals=1, group=group, help=f"Level of the {part} in the mix.",
        )  # fmt: skip
        yield Parameter(
            f"part.{part}.mute", f"{label} mute", "switch", default=False, group=group,
            help=f"Silences the {part}; the notes go on unheard.",
        )  # fmt: skip
        yield Parameter(
            f"part.{part}.solo", f"{label} solo", "switch", default=False, group=group,
            help="Only parts with solo are heard while any has it.",
        )  # fmt: skip
        yield Parameter(
            f"part.{part}.lock", f"{label} lock", "switch", default=False, group=group,
            help=f"Keeps the last bar of the {part}: it plays again and again and moves with the "
            "harmony, while the rest goes on.",
        )  # fmt: skip
        yield Parameter(
            f"part.{part}.dry", f"{label} dry", "switch", default=False, group=group,
            help=f"Keeps the {part} as its instrument plays it, while the others dream.",
        )  # fmt: skip
        yield Parameter(
            f"part.{part}.reroll", f"{label} re-roll", "trigger", group=group,
            help=f"Another pattern for the {part}: now or at the next bar, as changes arrive.",
        )  # fmt: skip
        yield Parameter(
            f"part.{part}.instrument", f"{label} instrument", "choice", default=None,
            choices=SUITABLE[part], files=True, auto=True, group=group,
            help=f"Which {'kit' if part == 'drums' else 'instrument'} plays the {part}.",
        )  # fmt: skip
        if part != "drums":
            yield Parameter(
                f"part.{part}.octave", f"{label} octave", low=OCTAVES[0], high=OCTAVES[1],
                unit="oct", step=1.0, fine=1.0, decimals=0, group=group,
                help=f"Moves the notes of the {part} up or down by octaves.",
            )  # fmt: skip


def set_engine_parts(
    registry: Registry,
    parts: Iterable[str] = (),
    controls: Iterable[str] = (),
    hold: bool = False,
) -> None:
    """Make those parameters of parts and of hold available that the engine has.

    Args:
        registry: the parameters.
        parts: of the engine, as in `EngineInfo.parts`.
        controls: names of PART_CONTROLS that act, as in `EngineInfo.part_controls`.
        hold: whether the engine holds bars by itself.

    """
    has, acting = frozenset(parts), frozenset(controls)
    for parameter in part_parameters():
        kind, part, *control = parameter.name.split(".")
        own = hold if kind == "hold" else part in has and control[0] in acting
        registry.set_available(parameter.name, own)


def held_bars(values: Mapping[str, Value]) -> int:
    """Bars that hold keeps, by the value of its parameter."""
    bars = values.get("hold.bars")
    return int(bars) if isinstance(bars, str) else 4


def part_controls(values: Mapping[str, Value]) -> PartMap:
    """Controls of the parts by the values of their parameters; those that are missing are at their
    defaults.
    """
    found = {}
    for part in PARTS:
        own = {name: values.get(f"part.{part}.{name}") for name in PART_VALUES}
        level, octave, instrument = own["level"], own["octave"], own["instrument"]
        found[part] = PartControls(
            level=float(level) if isinstance(level, int | float) else 0.0,
            mute=own["mute"] is True,
            solo=own["solo"] is True,
            lock=own["lock"] is True,
            instrument=instrument if isinstance(instrument, str) else None,
            octave=round(octave) if isinstance(octave, int | float) else 0,
            dry=own["dry"] is True,
        )
    return PartMap(found)
