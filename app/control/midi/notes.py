"""Held notes of several keyboards: keys, sustain pedal, latch, panic.

A note sounds while its key is down, the pedal of its channel is down, or latch holds it. Each note
belongs to a port and channel, so that unplugging a keyboard releases only its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.control.midi.message import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    LOCAL_CONTROL,
    RESET_CONTROLLERS,
    SUSTAIN,
    Message,
)

NoteSource = tuple[str, int]
"""Port and channel."""
MAX_NOTES: Final = 16
"""The latest notes that are sent to the engine."""


class HeldNotes:
    """Held notes. `on_change` gets the sorted notes whenever they change."""

    def __init__(self) -> None:
        self.on_change: Callable[[tuple[int, ...]], None] | None = None
        # By key, not by note: the octave may have changed before the release.
        self._down: dict[tuple[NoteSource, int], int] = {}  # oldest first
        self._sustained: dict[tuple[NoteSource, int], int] = {}  # held by pedal or latch
        self._pedals: set[NoteSource] = set()
        self._latch = False
        self._reported: tuple[int, ...] = ()

    @property
    def held(self) -> tuple[int, ...]:
        """MIDI numbers that sound, sorted, without duplicates; at most the `MAX_NOTES` latest."""
        order = [*self._sustained.values(), *self._down.values()]
        latest = list(dict.fromkeys(reversed(order)))[:MAX_NOTES]
        return tuple(sorted(latest))

    @property
    def keys_down(self) -> int:
        return len(self._down)

    @property
    def latch(self) -> bool:
        return self._latch

    @latch.setter
    def latch(self, on: bool) -> None:
        """Hold each chord until the next one; switching it off releases the chord."""
        self._latch = on
        if not on:
            for key in [key for key in self._sustained if key[0] not in self._pedals]:
                del self._sustained[key]
        self._tell()

    def receive(self, port: str, message: Message, transpose: int = 0) -> bool:
        """Handle a message of a keyboard; True when it concerned notes. transpose: semitones."""
        source = (port, message.channel)
        if message.kind == "note_on":
            self._press(source, message.number, transpose)
        elif message.kind == "note_off":
            self._release((source, message.number))
        elif message.kind == "cc" and message.number == SUSTAIN:
            self._pedal(source, message.value >= 64)
        elif message.kind == "cc" and message.number >= ALL_SOUND_OFF:
            # 120 and 123..127 end notes; local control (122) does not.
            if message.number == LOCAL_CONTROL:
                return False
            if message.number == RESET_CONTROLLERS:
                self._pedal(source, False)
                self._tell()
                return True
            self._all_off(source, pedal=message.number != ALL_NOTES_OFF)
        elif message.kind == "reset":
            self.release_port(port)
        else:
            return False
        self._tell()
        return True

    def _press(self, source: NoteSource, number: int, transpose: int) -> None:
        note = number + transpose
        if not 0 <= note <= 127:
            return
        if self._latch and not self._down:
            # A new chord begins and replaces the latched one.
            for key in [key for key in self._sustained if key[0] not in self._pedals]:
                del self._sustained[key]
        key = (source, number)
        self._sustained.pop(key, None)
        self._down.pop(key, None)
        self._down[key] = note

    def _release(self, key: tuple[NoteSource, int]) -> None:
        note = self._down.pop(key, None)
        if note is not None and (self._latch or key[0] in self._pedals):
            self._sustained[key] = note

    def _pedal(self, source: NoteSource, down: bool) -> None:
        if down:
            self._pedals.add(source)
            return
        self._pedals.discard(source)
        if not self._latch:
            for key in [key for key in self._sustained if key[0] == source]:
                del self._sustained[key]

    def _all_off(self, source: NoteSource, *, pedal: bool) -> None:
        """All notes off respects the pedal (MIDI 1.0 specification); all sound off does not."""
        under = source in self._pedals and not pedal
        for key in [key for key in self._down if key[0] == source]:
            note = self._down.pop(key)
            if under:
                self._sustained[key] = note
        if not under:
            self._pedals.discard(source)
            for key in [key for key in self._sustained if key[0] == source]:
                del self._sustained[key]

    def release_port(self, port: str) -> None:
        """Release keys, pedals and held notes of a port that was unplugged."""
        for table in (self._down, self._sustained):
            for key in [key for key in table if key[0][0] == port]:
                del table[key]
        self._pedals = {source for source in self._pedals if source[0] != port}
        self._tell()

    def panic(self) -> None:
        """Release everything, whatever keys and pedals do."""
        self._down.clear()
        self._sustained.clear()
        self._pedals.clear()
        self._tell()

    def _tell(self) -> None:
        held = self.held
        if held != self._reported:
            self._reported = held
            if self.on_change is not None:
                self.on_change(held)
