"""Parameters of what the performer plays in: levels, sends and sketches."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from app.parameters.parameter import Parameter
from app.parameters.registry import Registry
from models.engine.control_values import MAX_LOOP_BARS, MEMORY_MODES
from models.engine.controls import CONTROL_NAMES
from models.engine.interface import SENDS
from models.music.score import STEMS

FOLLOW_OPTIONS: Final = {
    "follow.lock": {"bpm", "next_beat"},
    "follow.chords": {"notes", "key"},
    "follow.answer": {"density"},
    "follow.part": {"mute"},
}
"""Options of the follow send, and the controls by which each acts."""
MEMORY_OPTIONS: Final = ("send.memory.mode", "send.memory.bars")
ECHO_OPTIONS: Final = ("send.echo.time", "send.echo.feedback", "send.echo.dream")
SKETCH_PARAMETERS: Final = ("sketch.record", "sketch.clear")
NOBODY: Final = "none"
"""The part that is left to the player where there is none."""


def set_engine_sends(
    registry: Registry, sends: frozenset[str], controls: AbstractSet[str] = frozenset(CONTROL_NAMES)
) -> None:
    """Make those sends of the input available that the engine has, with the options that act.

    Args:
        registry: the parameters.
        sends: as in `EngineInfo.sends`.
        controls: as in `EngineInfo.controls`.

    """
    for send in sorted(SENDS):
        registry.set_available(f"send.{send}", send in sends)
    for name, acting in FOLLOW_OPTIONS.items():
        registry.set_available(name, "follow" in sends and not acting.isdisjoint(controls))
    for name in ECHO_OPTIONS:
        registry.set_available(name, "echo" in sends)
    for name in MEMORY_OPTIONS:
        registry.set_available(name, "memory" in sends and "memory_mode" in controls)


def input_parameters() -> Iterable[Parameter]:
    """Parameters of the input, its sends and sketches."""
    group = "Input"
    yield Parameter(
        "input.gain", "Input gain", low=-24.0, high=24.0, default=0.0, unit="dB", step=1.0,
        fine=0.1, decimals=1, group=group, help="Level of what you play in.",
    )  # fmt: skip
    yield Parameter(
        "input.gate", "Input gate", low=-80.0, high=-20.0, default=-80.0, unit="dB", step=1.0,
        fine=0.1, decimals=0, group=group, help="Silences the input below this level.",
    )  # fmt: skip
    yield Parameter(
        "input.monitor", "Monitor", low=-60.0, high=0.0, default=-60.0, curve="taper", unit="dB",
        step=1.0, fine=0.1, decimals=1, group=group,
        help="How loud you hear your own input, dry. It is not in recordings. Use headphones.",
    )  # fmt: skip
    yield Parameter(
        "input.mute", "Mute input", "switch", default=False, group=group,
        help="Nothing comes in.",
    )  # fmt: skip
    yield Parameter(
        "input.freeze", "Freeze input", "switch", default=False, group=group,
        help="Keep what was heard last, and listen no more.",
    )  # fmt: skip
    yield Parameter(
        "send.style", "Style send", default=0.0, unit="%", group=group,
        help="Share of your last ten seconds in the style of the music; the prompts have the rest.",
    )  # fmt: skip
    yield Parameter(
        "send.follow", "Follow send", default=0.0, unit="%", group=group,
        help="The band accompanies what you play in: how firmly it keeps to your beat and chords, "
        "and how far it answers.",
    )  # fmt: skip
    yield Parameter(
        "follow.lock", "Follow tempo", "switch", default=True, group=group,
        help="The band takes your tempo and beat. Off, it leads with its own.",
    )  # fmt: skip
    yield Parameter(
        "follow.chords", "Follow chords", "switch", default=True, group=group,
        help="The band plays the chords that it hears from you, and those that it expects.",
    )  # fmt: skip
    yield Parameter(
        "follow.answer", "Answer", "switch", default=True, group=group,
        help="The less you play, the more the band plays: call and response.",
    )  # fmt: skip
    yield Parameter(
        "follow.part", "Your part", "choice", default=NOBODY, choices=(NOBODY, *STEMS), group=group,
        help="The part that you play yourself while the band follows; it leaves it out.",
    )  # fmt: skip
    yield Parameter(
        "send.memory", "Memory send", default=0.0, unit="%", group=group,
        help="How much of what you play the music remembers as its own past, and goes on from. It "
        "is never heard itself.",
    )  # fmt: skip
    yield Parameter(
        "send.memory.mode", "Memory mode", "choice", default=MEMORY_MODES[0], choices=MEMORY_MODES,
        group=group, help="Free: remembered where it was played. Looper: the loop of the last bars "
        "is all that is remembered.",
    )  # fmt: skip
    yield Parameter(
        "send.memory.bars", "Memory loop", low=1.0, high=float(MAX_LOOP_BARS), default=4.0,
        unit="bars", step=1.0, fine=1.0, decimals=0, group=group,
        help="Length of the looper's loop.",
    )  # fmt: skip
    yield Parameter(
        "send.echo", "Echo send", default=0.0, unit="%", group=group,
        help="How loud what you play comes back after a time, made anew by the renderer.",
    )  # fmt: skip
    yield Parameter(
        "send.echo.time", "Echo time", low=0.0, high=16.0, default=4.0, unit="beats", step=0.5,
        fine=0.25, decimals=2, group=group,
        help="Beats after which it comes back; at 0 as soon as it can: after 1.2 s with dream "
        "and 0.8 s without.",
    )  # fmt: skip
    yield Parameter(
        "send.echo.feedback", "Echo feedback", high=0.95, default=0.3, unit="%", group=group,
        help="How much of it comes back again and again.",
    )  # fmt: skip
    yield Parameter(
        "send.echo.dream", "Echo dream", default=0.5, unit="%", group=group,
        help="How far the renderer departs from what you played: from a plain delay to the sound "
        "of the prompts.",
    )  # fmt: skip
    yield Parameter(
        "sketch.record", "Sketch", "switch", default=False, group=group,
        help="Sing, hum, tap or beatbox: a part plays it from the next bar after you let go.",
    )  # fmt: skip
    yield Parameter(
        "sketch.clear", "Delete sketches", "trigger", group=group,
        help="Every part plays its own again.",
    )  # fmt: skip
