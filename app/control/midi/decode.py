"""Decoding of control messages: relative encoders, 14-bit controllers, NRPN, buttons and pads.

14-bit controllers and non-registered parameters after the MIDI 1.0 Detailed Specification, "Control
Change"; the relative formats as manufacturers document them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from app.control.midi.message import Message

ControlKind = Literal[
    "knob", "knob14", "relative-twos", "relative-offset", "relative-sign", "button", "toggle",
    "pad", "bend", "aftertouch", "pressure", "program", "nrpn",
]  # fmt: skip
KIND_LABELS: Final[dict[ControlKind, str]] = {
    "knob": "knob or fader",
    "knob14": "14-bit fader",
    "relative-twos": "relative encoder (two's complement)",
    "relative-offset": "relative encoder (binary offset)",
    "relative-sign": "relative encoder (sign magnitude)",
    "button": "button",
    "toggle": "toggle button",
    "pad": "pad with velocity",
    "bend": "pitch bend",
    "aftertouch": "aftertouch",
    "pressure": "polyphonic key pressure",
    "program": "program change",
    "nrpn": "parameter number (NRPN)",
}
KINDS: Final = tuple(KIND_LABELS)


def is_relative(kind: str) -> bool:
    return kind.startswith("relative-")


def is_button_kind(kind: str) -> bool:
    """Whether a control of the kind is pressed rather than moved."""
    return kind in ("button", "toggle", "pad", "program")


def twos_complement(value: int) -> int:
    """Steps of a relative encoder: 1 is one up, 127 one down."""
    return value if value < 64 else value - 128


def binary_offset(value: int) -> int:
    """Steps of a relative encoder: 65 is one up, 63 one down."""
    return value - 64


def sign_magnitude(value: int) -> int:
    """Steps of a relative encoder: 1 is one up, 65 one down (bit 6 is the sign)."""
    return -(value & 0x3F) if value & 0x40 else value


RELATIVE_DECODERS: Final[dict[str, Callable[[int], int]]] = {
    "relative-twos": twos_complement,
    "relative-offset": binary_offset,
    "relative-sign": sign_magnitude,
}


@dataclass(frozen=True, slots=True)
class Gesture:
    """A gesture of the performer on one control.

    "move": position 0..1. "turn": signed steps of an encoder. "press": position is the velocity
    0..1 (for "program" the number is in `steps`). "release": end of a press.
    """

    kind: Literal["move", "turn", "press", "release"]
    position: float = 0.0
    steps: int = 0


@dataclass
class Cc14Decoder:
    """Decoder of a 14-bit controller, which joins coarse (MSB) and fine (LSB) messages.

    A device sends the coarse or the fine half first, and either half only when it changes (MIDI 1.0
    Detailed Specification, "Control Change"). The order is read from the first messages; a value is
    complete with the second half, so that it never passes through a wrong one. A controller that
    sends only MSBs is recognised at its second message.
    """

    coarse: int | None = None
    fine: int | None = None
    waiting: Literal["", "coarse", "fine"] = ""
    fine_first: bool = False
    fine_count: int = 0
    """Fine halves before the first coarse one."""
    fine_alone: bool = False
    """Whether fine halves come without a coarse one where that has not changed."""

    def msb(self, value: int) -> int | None:
        waiting, self.waiting = self.waiting, "coarse"
        first, self.coarse = self.coarse is None, value
        self.fine_first = self.fine_first or (first and self.fine_count == 1)
        if self.fine_first and self.fine is not None:
            self.waiting = ""
            return value << 7 | self.fine
        # 7 bits stretched to 14, so that 127 is the maximum.
        return (value << 7 | value) if waiting == "coarse" else None

    def lsb(self, value: int) -> int | None:
        before, self.fine = self.fine, value
        if self.coarse is None:
            self.fine_count += 1
            return None
        waiting, self.waiting = self.waiting, "fine"
        if self.fine_first:
            self.fine_alone = self.fine_alone or waiting == "fine"
            # A leap across the seam: the coarse half follows.
            seam = before is None or abs(value - before) > 64
            if not self.fine_alone or seam:
                return None
        return self.coarse << 7 | value


@dataclass
class NrpnDecoder:
    """Decoder of the NRPN messages of one channel: 99/98 select, 6/38 set, 96/97 step by one."""

    msb: int | None = None
    lsb: int | None = None
    values: dict[int, int] = field(default_factory=dict)
    has_fine: set[int] = field(default_factory=set)
    """Parameters that have sent an LSB of their data (38)."""

    def receive(self, controller: int, value: int) -> tuple[int, int] | None:
        """(parameter 0..16383, value 0..16383) when one has been set, else None."""
        if controller == 99:
            self.msb = value
        elif controller == 98:
            self.lsb = value
        elif controller in (100, 101):  # a registered parameter
            self.msb = self.lsb = None
        elif self.msb is not None and self.lsb is not None and (self.msb, self.lsb) != (127, 127):
            number = self.msb << 7 | self.lsb
            now = self.values.get(number, 0)
            if controller == 6:
                now = self._coarse(number, now, value)
            elif controller == 38:
                now = (now & ~0x7F) | value
                self.has_fine.add(number)
            elif controller == 96:
                now = min(now + 1, 16383)
            elif controller == 97:
                now = max(now - 1, 0)
            else:
                return None
            self.values[number] = now
            return number, now
        return None

    def _coarse(self, number: int, now: int, value: int) -> int:
        """The value at a new MSB of the data, before its LSB."""
        if number not in self.has_fine:
            # 7 bits stretched to 14, so that 127 is the maximum.
            return value << 7 | value
        # The LSB of the value before does not belong to the new one: the end that is passed first.
        if value == now >> 7:
            return now
        return value << 7 | (0 if value > now >> 7 else 127)


def read_gesture(kind: ControlKind, message: Message) -> Gesture | None:
    """The gesture that a message of a control of this kind means; None where it means none.

    14-bit controllers and NRPN are decoded before, by `Cc14Decoder` and `NrpnDecoder`.
    """
    value = message.value
    if is_relative(kind):
        steps = RELATIVE_DECODERS[kind](value)
        return Gesture("turn", steps=steps) if steps else None
    if kind == "program":
        return Gesture("press", 1.0, value)
    if kind == "bend":
        # The middle is 8192, so the upper half is one step shorter; both ends are reached.
        half = value - 8192
        return Gesture("move", 0.5 + half / (16384 if half < 0 else 16382))
    if kind in ("button", "toggle", "pad"):
        down = message.kind != "note_off" and value > 0
        return Gesture("press", value / 127) if down else Gesture("release")
    return Gesture("move", value / (16383 if kind in ("knob14", "nrpn") else 127))
