"""Values that controls may have: ranges and words, and the checks of what was given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Final

from models.errors import SegueError
from models.music.score import STEMS

RANGES: Final[dict[str, tuple[float, float]]] = {
    "bpm": (30.0, 300.0),
    "density": (0.0, 1.0),
    "brightness": (0.0, 1.0),
    "guidance": (-1.0, 7.0),
    "guidance_notes": (-1.0, 7.0),
    "guidance_drums": (-1.0, 7.0),
    "chaos": (0.0, 1.0),
    "temperature": (0.0, 3.0),
    "top_k": (1.0, 1024.0),
    "note_width": (0.0, 127.0),
    "energy": (0.0, 1.0),
    "dream": (0.0, 1.0),
    "electronic": (-1.0, 1.0),
    "percussive": (-1.0, 1.0),
    "memory": (0.0, 1.0),
    "echo": (0.0, 1.0),
    "echo_time": (0.0, 16.0),
    "echo_feedback": (0.0, 0.95),
    "echo_dream": (0.0, 1.0),
    "next_beat": (0.0, 4.0),
}
"""Closed ranges of the numeric controls; an engine may have narrower ones (`EngineInfo.ranges`)."""
AXES: Final = ("electronic", "percussive")
"""Those of them that move the style."""
SEND_RANGES: Final = (
    "memory", "echo", "echo_time", "echo_feedback", "echo_dream", "next_beat",
)  # fmt: skip
"""Those of them that belong to what is played in."""
ARRIVALS: Final = ("now", "bar")
"""When a changed tempo or key arrives."""
NOTE_ONSETS: Final = ("free", "strike")
"""When a held key begins to sound: whenever the model strikes it, or once, when it is struck."""
MEMORY_MODES: Final = ("free", "looper")
"""How the memory send remembers: where it was played, or the loop before the present bar."""
GENERATION_MODES: Final = ("quality", "diversity", "vocals")
"""What a service leads prompts to: its best music, more of its kinds, or music with voices."""
MAX_LOOP_BARS: Final = 16
HOLD_BARS: Final = (1, 2, 4, 8)
"""Bars that can be held."""
TRIGGERS: Final = ("fill", "next_section")
"""Controls that act once when they turn true."""
SWITCHES: Final = ("follow_prompts", *TRIGGERS)
"""Controls that are on or off."""


def check_hold(value: object) -> int:
    """A number of bars to hold; None means none."""
    for bars in (0, *HOLD_BARS):
        if value is None or (value == bars and not isinstance(value, bool)):
            return bars
    raise SegueError(f"hold is {value!r}: give 1, 2, 4 or 8 bars, or 0 for none.")


def check_variation(value: object) -> float:
    """A variation; None means 0."""
    if value is None:
        return 0.0
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not 0.0 <= float(value) <= 1.0:  # type: ignore[arg-type]
        raise SegueError(f"variation is {value!r}: give a number from 0 to 1.")
    return float(value)  # type: ignore[arg-type]


def check_number(name: str, value: object) -> float | None:
    """A numeric control as a float; None stays None (auto).

    Args:
        name: name of the control, a key of RANGES.
        value: what was given for it.

    Raises:
        SegueError: no number, or outside the range.

    """
    if value is None:
        return None
    low, high = RANGES[name]
    # A bool is a Real in Python, but a mistake here.
    if isinstance(value, bool) or not isinstance(value, Real):
        raise SegueError(f"{name} is {value!r}: give a number from {low:g} to {high:g}.")
    number = float(value)
    if not math.isfinite(number):
        raise SegueError(f"{name} is {number}: give a finite number from {low:g} to {high:g}.")
    if not low <= number <= high:
        raise SegueError(f"{name} is {number:g}: give a number from {low:g} to {high:g}.")
    return number


def check_word(name: str, value: object, words: Sequence[str]) -> str:
    """One of the words; the first for None. SegueError for another value."""
    for word in words:
        if value == word or value is None:
            return word
    raise SegueError(f"{name} is {value!r}: write {' or '.join(words)}.")


def check_bars(value: object) -> int:
    """Bars of a loop; 4 for None."""
    if value is None:
        return 4
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_LOOP_BARS:
        raise SegueError(f"loop_bars is {value!r}: give 1 to {MAX_LOOP_BARS} bars.")
    return value


def check_switch(name: str, value: object) -> bool:
    """A switch; None means off."""
    if value is not None and not isinstance(value, bool):
        raise SegueError(f"{name} is {value!r}: write true or false.")
    return bool(value)


def check_mute(value: object) -> frozenset[str]:
    """Muted stems as a frozenset; None for none. SegueError for unknown names."""
    if value is None:
        return frozenset()
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SegueError(f"mute is {value!r}: give a list of stems, of {', '.join(STEMS)}.")
    stems = list(value)
    for stem in stems:
        if stem not in STEMS:
            raise SegueError(f"there is no stem {stem!r} to mute: choose from {', '.join(STEMS)}.")
    return frozenset(stems)


def check_notes(value: object, name: str = "notes") -> tuple[int, ...]:
    """MIDI numbers, sorted and unique; None for none.

    Args:
        value: what was given.
        name: of the control, for the message.

    Raises:
        SegueError: no numbers, or outside 0 to 127.

    """
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SegueError(f"{name} is {value!r}: give a list of MIDI numbers from 0 to 127.")
    notes = list(value)
    for note in notes:
        whole = isinstance(note, Integral) and not isinstance(note, bool)
        if not whole or not 0 <= int(note) <= 127:
            raise SegueError(f"{note!r} is not a note: give MIDI numbers from 0 to 127.")
    return tuple(sorted({int(note) for note in notes}))
