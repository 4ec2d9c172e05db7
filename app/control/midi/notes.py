"""Keys that are held: several keyboards, sustain pedal, latch, panic. GUI lane; pure.

A note sounds while its key is down, the pedal of its channel is, or latch keeps it. Every note
belongs to a port and a channel, so that unplugging a keyboard lets go of its notes and no other's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.control.midi.message import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    SUSTAIN,
    Message,
)

Place = tuple[str, int]
"""Port and channel."""
MOST: Final = 16
"""Notes that are handed to the engine at once: the latest ones."""


class HeldNotes:
    """Which notes are held. `on_change` is told the sorted notes whenever they change."""

    def __init__(self) -> None:
        self.on_change: Callable[[tuple[int, ...]], None] | None = None
        # A key (not a note: the octave may be another one when it is let go) and what it plays.
        self._down: dict[tuple[Place, int], int] = {}  # oldest first
        self._kept: dict[tuple[Place, int], int] = {}  # let go under a pedal or latch
        self._pedals: set[Place] = set()
        self._latch = False
        self._told: tuple[int, ...] = ()

    @property
    def held(self) -> tuple[int, ...]:
        """MIDI numbers that are to sound, sorted, each once; at most the `MOST` latest."""
        order = [*self._kept.values(), *self._down.values()]
        latest = list(dict.fromkeys(reversed(order)))[:MOST]
        return tuple(sorted(latest))

    @property
    def keys_down(self) -> int:
        return len(self._down)

    @property
    def latch(self) -> bool:
        return self._latch

    @latch.setter
    def latch(self, on: bool) -> None:
        """With latch a chord stays until the next one; switching it off lets go of it."""
        self._latch = on
        if not on:
            for key in [key for key in self._kept if key[0] not in self._pedals]:
                del self._kept[key]
        self._tell()

    def receive(self, port: str, message: Message, transpose: int = 0) -> bool:
        """A message of a keyboard; True when it was about notes. transpose in semitones."""
        place = (port, message.channel)
        if message.kind == "note_on":
            self._press(place, message.number, transpose)
        elif message.kind == "note_off":
            self._release((place, message.number))
        elif message.kind == "cc" and message.number == SUSTAIN:
            self._pedal(place, message.value >= 64)
        elif message.kind == "cc" and message.number >= ALL_SOUND_OFF:
            # 122 is local control, the rest of 120..127 all end notes.
            if message.number == 122:
                return False
            self._all_off(place, pedal=message.number != ALL_NOTES_OFF)
        elif message.kind == "reset":
            self.release_port(port)
        else:
            return False
        self._tell()
        return True

    def _press(self, place: Place, number: int, transpose: int) -> None:
        note = number + transpose
        if not 0 <= note <= 127:
            return
        if self._latch and not self._down:
            # A new chord begins: the latched one makes room.
            for key in [key for key in self._kept if key[0] not in self._pedals]:
                del self._kept[key]
        key = (place, number)
        self._kept.pop(key, None)
        self._down.pop(key, None)
        self._down[key] = note

    def _release(self, key: tuple[Place, int]) -> None:
        note = self._down.pop(key, None)
        if note is not None and (self._latch or key[0] in self._pedals):
            self._kept[key] = note

    def _pedal(self, place: Place, down: bool) -> None:
        if down:
            self._pedals.add(place)
            return
        self._pedals.discard(place)
        if not self._latch:
            for key in [key for key in self._kept if key[0] == place]:
                del self._kept[key]

    def _all_off(self, place: Place, *, pedal: bool) -> None:
        """All notes off obeys the pedal (as the specification has it); all sound off does not."""
        under = place in self._pedals and not pedal
        for key in [key for key in self._down if key[0] == place]:
            note = self._down.pop(key)
            if under:
                self._kept[key] = note
        if not under:
            self._pedals.discard(place)
            for key in [key for key in self._kept if key[0] == place]:
                del self._kept[key]

    def release_port(self, port: str) -> None:
        """A keyboard is gone: so are its keys, pedals and what they kept."""
        for table in (self._down, self._kept):
            for key in [key for key in table if key[0][0] == port]:
                del table[key]
        self._pedals = {place for place in self._pedals if place[0] != port}
        self._tell()

    def panic(self) -> None:
        """Nothing is held any more, whatever keys and pedals say."""
        self._down.clear()
        self._kept.clear()
        self._pedals.clear()
        self._tell()

    def _tell(self) -> None:
        held = self.held
        if held != self._told:
            self._told = held
            if self.on_change is not None:
                self.on_change(held)
