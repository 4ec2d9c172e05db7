"""MIDI messages, parsed and encoded.

After the MIDI 1.0 Detailed Specification (MIDI Association, 96-1-4), tables 1 to 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "note_off", "note_on", "pressure", "cc", "program", "aftertouch", "bend", "sysex", "time_code",
    "position", "song", "tune", "clock", "start", "continue", "stop", "sensing", "reset",
]  # fmt: skip

_CHANNEL: Final[dict[int, tuple[Kind, int]]] = {
    0x80: ("note_off", 3),
    0x90: ("note_on", 3),
    0xA0: ("pressure", 3),
    0xB0: ("cc", 3),
    0xC0: ("program", 2),
    0xD0: ("aftertouch", 2),
    0xE0: ("bend", 3),
}
_SYSTEM: Final[dict[int, tuple[Kind, int]]] = {
    0xF1: ("time_code", 2),
    0xF2: ("position", 3),
    0xF3: ("song", 2),
    0xF6: ("tune", 1),
    0xF8: ("clock", 1),
    0xFA: ("start", 1),
    0xFB: ("continue", 1),
    0xFC: ("stop", 1),
    0xFE: ("sensing", 1),
    0xFF: ("reset", 1),
}
_CHANNEL_STATUS: Final = {kind: status for status, (kind, _) in _CHANNEL.items()}
_SYSTEM_STATUS: Final = {kind: status for status, (kind, _) in _SYSTEM.items()}
REALTIME: Final = frozenset({"clock", "start", "continue", "stop"})

SUSTAIN: Final = 64
ALL_SOUND_OFF: Final = 120
RESET_CONTROLLERS: Final = 121
"""Puts the pedal up (MIDI Association, RP-015), but ends no note whose key is down."""
LOCAL_CONTROL: Final = 122
ALL_NOTES_OFF: Final = 123


@dataclass(frozen=True, slots=True)
class Message:
    """A MIDI message.

    channel: 1..16, 0 where the message has none. number: note or controller 0..127, else 0.
    value: 0..127; 0..16383 for "bend" (8192 is the middle) and "position" (in sixteenths).
    data: the bytes of a "sysex", F0 and F7 included. A note on with velocity 0 is a note off.
    """

    kind: Kind
    channel: int = 0
    number: int = 0
    value: int = 0
    data: bytes = b""

    @property
    def text(self) -> str:
        """The message as the monitor displays it."""
        if self.kind == "sysex":
            return "sysex " + self.data.hex(" ")
        where = f"ch {self.channel} " if self.channel else ""
        if self.kind in ("note_on", "note_off", "pressure", "cc"):
            return f"{where}{self.kind.replace('_', ' ')} {self.number} = {self.value}"
        if self.kind in ("program", "aftertouch", "bend", "position", "song", "time_code"):
            return f"{where}{self.kind.replace('_', ' ')} = {self.value}"
        return self.kind


def parse(data: Sequence[int]) -> Message | None:
    """Parse one whole message; None where the bytes are invalid. Never raises for bytes 0..255."""
    if not data:
        return None
    status = data[0]
    if status == 0xF0:
        whole = len(data) >= 2 and data[-1] == 0xF7 and all(0 <= b < 128 for b in data[1:-1])
        return Message("sysex", data=bytes(data)) if whole else None
    found = _CHANNEL.get(status & 0xF0) if 0x80 <= status < 0xF0 else _SYSTEM.get(status)
    if found is None or len(data) != found[1] or not all(0 <= b < 128 for b in data[1:]):
        return None
    kind = found[0]
    channel = (status & 0x0F) + 1 if status < 0xF0 else 0
    if kind in ("bend", "position"):
        return Message(kind, channel, 0, data[1] | data[2] << 7)
    if len(data) == 3:
        if kind == "note_on" and data[2] == 0:
            kind = "note_off"
        return Message(kind, channel, data[1], data[2])
    return Message(kind, channel, 0, data[1] if len(data) == 2 else 0)


def encode(message: Message) -> bytes:
    """Encode a message as bytes; the inverse of `parse`."""
    kind = message.kind
    if kind == "sysex":
        return message.data
    if kind in _SYSTEM_STATUS:
        status, length = _SYSTEM_STATUS[kind], _SYSTEM[_SYSTEM_STATUS[kind]][1]
    else:
        status = _CHANNEL_STATUS[kind]
        length = _CHANNEL[status][1]
        status |= (message.channel - 1) & 0x0F
    if kind in ("bend", "position"):
        return bytes((status, message.value & 0x7F, message.value >> 7 & 0x7F))
    if length == 3:
        return bytes((status, message.number & 0x7F, message.value & 0x7F))
    return bytes((status, message.value & 0x7F) if length == 2 else (status,))


def parse_hex(text: str) -> bytes | None:
    """Bytes of one whole message in hexadecimal, 'F0 00 20 29 F7'; None where it is invalid."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return None
    return data if parse(data) is not None else None
