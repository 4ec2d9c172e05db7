"""System exclusive messages that have no end, or others inside.

JACK's driver in rtmidi collects every byte after an F0 until an F7 comes: a message that was cut
makes the port deaf, and takes clocks and note offs with it. So an F7 is sent to our own port when
it has been silent (`EndOfSysex`), and what was collected is taken apart (`split`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

SYSEX: Final = 0xF0
END: Final = 0xF7
SILENT_SECONDS: Final = 0.4
"""Seconds without a message after which the end is sent: longer than a short message takes, and
short enough that a port recovers within a second.
"""
_LENGTHS: Final = {0xC: 2, 0xD: 2, 0xF1: 2, 0xF2: 3, 0xF3: 2, 0xF6: 1}
"""Bytes of a message by status byte, or by its upper half; 3 for other channel messages."""


def split(data: Sequence[int]) -> list[Sequence[int]]:
    """Messages inside the bytes that began with F0 or F7.

    Real-time messages stand first, since they may come inside any other (MIDI 1.0 Detailed
    Specification, "System Real Time Messages"). Then the exclusive message, without its F7 where
    another status byte ended it; then what followed, running status included. What is not whole is
    left out, and so is an end without a beginning.

    Args:
        data: Bytes 0..255.

    Returns:
        Messages as their bytes.

    """
    real_time: list[Sequence[int]] = [(byte,) for byte in data if byte >= 0xF8]
    found: list[Sequence[int]] = []
    message: list[int] = []
    running = 0
    for byte in (byte for byte in data if byte < 0xF8):
        if byte == END:
            if message[:1] == [SYSEX]:
                found.append((*message, END))
            message, running = [], 0
        elif byte >= 0x80:
            if message[:1] == [SYSEX]:
                found.append(tuple(message))
            message, running = [byte], byte if byte < 0xF0 else 0
        elif message or running:
            message = [*message, byte] if message else [running, byte]
        if message and message[0] != SYSEX and len(message) == _length(message[0]):
            found.append(tuple(message))
            message = []
    if message[:1] == [SYSEX]:
        found.append(tuple(message))
    return real_time + found


def _length(status: int) -> int:
    return _LENGTHS.get(status if status >= 0xF0 else status >> 4, 3)


class EndOfSysex:
    """Sends an F7 to our own input when it has been silent, in case it waits for one.

    send: sends bytes to the input; may raise OSError.
    """

    def __init__(self, send: Callable[[bytes], None], now: float) -> None:
        self._send = send
        self._last = now

    def received(self, when: float) -> None:
        """A message has arrived."""
        self._last = max(self._last, when)

    def tick(self, now: float) -> None:
        """Send the end where it is due."""
        if now - self._last >= SILENT_SECONDS:
            self._last = now
            self._send(bytes((END,)))
