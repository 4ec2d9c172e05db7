"""Messages that come back: a controller whose output is wired to its own input.

Without this a toggle undoes itself: its LED's message comes back as a press.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from app.control.midi.message import Message, parse

ECHO_SECONDS: Final = 0.06
"""Longest way round, in seconds, of the message last sent to an LED or a ring. Shorter than the
time between two presses of one button.
"""
OLD_ECHO_SECONDS: Final = 0.02
"""The same where another value was sent or played since, such as the button's release."""
LOOP_ECHOES: Final = 3
"""Echoes from one port that are no chance. A motor fader that reports where it arrives also sends
what was sent, but other positions before it.
"""
MAX_SENT: Final = 256
_NOTES: Final = ("note_on", "note_off")


class EchoFilter:
    """Tells messages that come back from played ones, and loops from chance. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: deque[tuple[Message, float]] = deque(maxlen=MAX_SENT)
        self._echoes: dict[str, int] = {}

    def sent(self, data: bytes, now: float) -> None:
        """Bytes are about to be sent. now: time.monotonic seconds."""
        message = parse(data)
        if message is not None and message.channel:
            with self._lock:
                self._sent.append((message, now))

    def is_echo(self, port: str, message: Message, when: float) -> bool:
        """Whether a message of a port is one that was sent; true once for each one sent."""
        longest = ECHO_SECONDS
        with self._lock:
            for index in range(len(self._sent) - 1, -1, -1):
                sent, since = self._sent[index]
                if when - since > longest:
                    break
                if sent == message:
                    del self._sent[index]
                    self._echoes[port] = self._echoes.get(port, 0) + 1
                    return True
                if _place(sent) == _place(message):
                    longest = OLD_ECHO_SECONDS
            # It was played, perhaps a release: the next press may come soon.
            earlier = ECHO_SECONDS - OLD_ECHO_SECONDS
            for index, (sent, since) in enumerate(self._sent):
                if _place(sent) == _place(message):
                    self._sent[index] = sent, since - earlier
        if message.kind not in _NOTES:
            self._echoes.pop(port, None)
        return False

    def is_loop(self, port: str) -> bool:
        """Whether the latest echo of this port is the first that shows a loop."""
        return self._echoes.get(port) == LOOP_ECHOES

    def forget(self, port: str) -> None:
        """The port was closed; a loop would be new."""
        self._echoes.pop(port, None)


def _place(message: Message) -> tuple[bool | str, int, int]:
    """What a message is the state of: an LED, a ring, a fader."""
    note = message.kind in _NOTES
    return note or message.kind, message.channel, message.number
