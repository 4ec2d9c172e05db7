"""Detection of a control from its messages: which one was moved, and of what kind it is.

The kind is read from a histogram of values. Absolute controls never repeat a value and pass its
neighbours; encoders repeat small numbers near 0, 64 or 127; buttons know two values; pads many.
What one direction leaves open (is 65 one step up in binary offset, or one down in sign magnitude?)
the other direction decides, so an encoder is best turned both ways.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from app.control.midi.decode import ControlKind
from app.control.midi.message import Message

Key = tuple[str, int, int]
"""Identity of a control: message kind, channel, number."""

MIN_MESSAGES: Final = 6
"""Messages after which a control is detected at the first pause."""
PAUSE_SECONDS: Final = 0.35
"""Seconds of silence that end a movement."""
TOGGLE_SECONDS: Final = 0.9
"""Seconds after which a button that has sent no release counts as a toggle."""
CERTAIN_MESSAGES: Final = 24
"""Messages after which a control is detected without waiting for a pause."""
DIRECTION_TIMEOUT: Final = 2.0
"""Seconds to wait for an encoder to be turned the other way."""
MAX_ENCODER_STEPS: Final = 32
"""Largest number of steps that an encoder sends at once."""
PAIR_SECONDS: Final = 0.005
"""Seconds within which both halves of a 14-bit value arrive."""
LSB_OFFSET: Final = 32
"""The LSB of controller n < 32 is controller n + 32."""


@dataclass(frozen=True)
class DetectedControl:
    """A control as detected. number is None for bend, aftertouch and program.

    certain: False where only one direction was seen, or a button was not released.
    """

    kind: ControlKind
    message: str
    channel: int
    number: int | None
    certain: bool = True


def key_of(message: Message) -> Key | None:
    """The control that a message belongs to; None for what cannot be learned."""
    if message.kind in ("note_on", "note_off"):
        return ("note", message.channel, message.number)
    if message.kind in ("cc", "pressure"):
        return (message.kind, message.channel, message.number)
    if message.kind in ("bend", "aftertouch", "program"):
        return (message.kind, message.channel, 0)
    return None


@dataclass
class ControlDetector:
    """Collects messages in learn mode until a control can be detected."""

    arrived: dict[Key, list[tuple[float, Message]]] = field(default_factory=dict)
    last: float | None = None

    def add(self, message: Message, when: float) -> None:
        """Add a message. when: seconds on a monotonic clock."""
        key = key_of(message)
        if key is not None:
            self.arrived.setdefault(key, []).append((when, message))
            self.last = when

    def detect(self, now: float) -> DetectedControl | None:
        """The control that was moved; None while there is too little to decide."""
        if self.last is None:
            return None
        quiet = now - self.last
        guess = detect_control([entry for entries in self.arrived.values() for entry in entries])
        if guess is None and quiet >= DIRECTION_TIMEOUT:
            rest = _without_strays(self.arrived)
            guess = detect_control([entry for entries in rest for entry in entries])
        if guess is None:
            # One step of an encoder or knob: wait for more.
            return None
        if guess.kind == "program":
            return guess
        if guess.kind in ("button", "pad") and guess.certain:
            return guess if quiet >= PAUSE_SECONDS / 2 else None
        if guess.kind in ("button", "pad", "toggle"):
            return guess if quiet >= TOGGLE_SECONDS else None
        count = sum(len(entries) for entries in self.arrived.values())
        if guess.certain and count >= CERTAIN_MESSAGES:
            return guess
        if count < MIN_MESSAGES:
            return guess if quiet >= DIRECTION_TIMEOUT else None
        return guess if quiet >= (PAUSE_SECONDS if guess.certain else DIRECTION_TIMEOUT) else None


def _without_strays(
    arrived: dict[Key, list[tuple[float, Message]]],
) -> list[list[tuple[float, Message]]]:
    """What is left without a message or two of a knob that nobody moved.

    All where one press encloses them: that is the touch of a fader that was hardly moved.
    """
    stray = [key for key, entries in arrived.items() if key[0] == "cc" and len(entries) < 3]
    times = [when for key in stray for when, _ in arrived[key]]
    for key, entries in arrived.items():
        encloses = times and entries[0][0] <= min(times) and entries[-1][0] >= max(times)
        if key[0] == "note" and len(entries) == 2 and encloses:
            return list(arrived.values())
    return [entries for key, entries in arrived.items() if key not in stray]


def detect_control(entries: Sequence[tuple[float, Message]]) -> DetectedControl | None:
    """The control that sent these messages (time in seconds, message); None if it is unclear.

    Messages of several controls may be among them (a fader's touch, a pad's pressure).
    """
    groups: dict[Key, list[tuple[float, Message]]] = {}
    for when, message in entries:
        key = key_of(message)
        if key is not None:
            groups.setdefault(key, []).append((when, message))
    if not groups:
        return None
    parameter = _nrpn(groups)
    if parameter is not None:
        return parameter
    notes = {key: group for key, group in groups.items() if key[0] == "note"}
    moved = {key: group for key, group in groups.items() if key[0] in ("cc", "bend")}
    # A touched motor fader sends a note before it moves; a pressed pad sends pressure after it.
    pool = moved or notes or groups
    key = max(pool, key=lambda k: len(pool[k]))
    kind, channel, number = key
    if kind == "cc":
        pair = _pair(groups, key)
        return pair if pair is not None else _controller(channel, number, groups[key])
    if kind == "note":
        return _note(channel, number, groups[key])
    if kind == "pressure":
        return DetectedControl("pressure", "pressure", channel, number)
    if kind == "bend":
        return DetectedControl("bend", "bend", channel, None, len(groups[key]) > 1)
    if kind == "aftertouch":
        return DetectedControl("aftertouch", "aftertouch", channel, None)
    return DetectedControl("program", "program", channel, None)


def _nrpn(groups: dict[Key, list[tuple[float, Message]]]) -> DetectedControl | None:
    for channel in {key[1] for key in groups if key[0] == "cc"}:
        halves = [groups.get(("cc", channel, half)) for half in (99, 98)]
        data = groups.get(("cc", channel, 6)) or groups.get(("cc", channel, 38))
        if halves[0] and halves[1] and data:
            number = halves[0][-1][1].value << 7 | halves[1][-1][1].value
            return DetectedControl("nrpn", "nrpn", channel, number)
    return None


def _pair(groups: dict[Key, list[tuple[float, Message]]], key: Key) -> DetectedControl | None:
    """A 14-bit controller, where n and n + 32 arrive together."""
    _, channel, number = key
    if number >= 2 * LSB_OFFSET:
        return None
    coarse = number if number < LSB_OFFSET else number - LSB_OFFSET
    high = groups.get(("cc", channel, coarse))
    low = groups.get(("cc", channel, coarse + LSB_OFFSET))
    if not high or not low or len(low) < 2 or (len(low) < 3 and len(high) < 2):
        return None
    # Numbers of two knobs may differ by 32; a pair arrives within a few milliseconds.
    # A device may send the MSB only when it changes: then few, but each with its LSB.
    near = sum(any(abs(t - s) <= PAIR_SECONDS for t, _ in low) for s, _ in high)
    if near * 2 < len(high) or len(low) < len(high) / 2:
        return None
    return DetectedControl("knob14", "cc", channel, coarse)


def _note(channel: int, number: int, group: list[tuple[float, Message]]) -> DetectedControl:
    on = [message.value for _, message in group if message.kind == "note_on"]
    off = any(message.kind == "note_off" for _, message in group)
    if any(value not in (64, 100, 127) for value in on):
        return DetectedControl("pad", "note", channel, number, off)
    return _two_valued("note", channel, number, [(t, m.kind == "note_on") for t, m in group])


def _two_valued(
    message: str, channel: int, number: int, states: list[tuple[float, bool]]
) -> DetectedControl:
    """A button or a toggle, whose off comes with the next press instead of the release."""
    pressed: float | None = None
    held = []
    for when, down in states:
        if down:
            pressed = when
        elif pressed is not None:
            held.append(when - pressed)
            pressed = None
    if not held:
        # No release, or a lone one: a toggle, unless it is still held.
        return DetectedControl("toggle", message, channel, number, False)
    toggles = min(held) > TOGGLE_SECONDS
    return DetectedControl("toggle" if toggles else "button", message, channel, number)


def _controller(
    channel: int, number: int, group: list[tuple[float, Message]]
) -> DetectedControl | None:
    values = [message.value for _, message in group]
    known = Counter(values)

    def found(kind: ControlKind, certain: bool = True) -> DetectedControl:
        return DetectedControl(kind, "cc", channel, number, certain)

    if set(known) <= {0, 127} or (len(known) == 2 and 0 in known and max(known) >= 64):
        return _two_valued("cc", channel, number, [(t, m.value > 0) for t, m in group])
    if len(values) < 3:
        return None
    repeats = sum(a == b for a, b in pairwise(values))
    leaps = sum(abs(a - b) > 48 for a, b in pairwise(values))
    # An absolute control may rest at an end, and repeats only that value.
    if repeats == 0 and leaps == 0:
        # An encoder may repeat nothing for a while, but not over a long or wide movement.
        far = max(values) - min(values) > MAX_ENCODER_STEPS
        return found(
            "knob", len(values) >= MIN_MESSAGES if far else len(values) >= 2 * MIN_MESSAGES
        )
    if len(known) >= 2 * MIN_MESSAGES and leaps == 0 and repeats * 3 < len(values):
        return found("knob")
    up = [v for v in known if 1 <= v <= MAX_ENCODER_STEPS]
    down_twos = [v for v in known if v >= 128 - MAX_ENCODER_STEPS]
    middle = [v for v in known if abs(v - 64) <= MAX_ENCODER_STEPS and v not in up]
    if 0 in known and known[0] > 1:
        return found("knob")
    if up and down_twos and not middle:
        return found("relative-twos")
    if up and middle and not down_twos and min(middle) > 64:
        return found("relative-sign")
    if middle and not up and not down_twos:
        return found("relative-offset", min(middle) < 64 < max(middle))
    if (up and not middle) or (down_twos and not middle):
        # Turned one way only: two's complement is the most common.
        return found("relative-twos", not up)
    return found("knob")
