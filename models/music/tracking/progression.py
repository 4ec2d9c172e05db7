"""Progression: the chord of each beat that was heard, and of the beats to come.

A chord is recognised some tenths of a second after it began, which is late on the beat. Most music
repeats its chords, so the chord of a beat to come is that of the same beat one turn earlier, where
the beats before it have repeated too; otherwise the last chord stays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

Keys: TypeAlias = tuple[int, ...]
"""MIDI keys of a chord, its root lowest; empty for none."""

BEATS: Final = 96  # that are remembered
TURNS: Final = (4, 8, 16, 32, 3, 6, 12, 24)  # beats after which chords may repeat
LEAST: Final = 4  # beats that must have repeated
COMPARED: Final = 32  # beats at most
AGREEMENT: Final = 0.8  # share of them that must have the same root
PREFERENCE: Final = 0.04  # by which a turn that comes later in TURNS must be better
MARGIN: Final = 1e-6


@dataclass(frozen=True)
class Progression:
    """Chords by beat.

    Attributes:
        first: number of the first beat.
        chords: keys of the beats from there on; the last one is still sounding.

    """

    first: int = 0
    chords: tuple[Keys, ...] = ()

    def heard(self, beat: float, keys: Keys) -> Progression:
        """With a chord that sounds at a beat; the newest of a beat wins. A place far from the last
        one begins anew.
        """
        number, last = math.floor(beat), self.first + len(self.chords) - 1
        if not self.chords or not self.first < number <= last + LEAST:
            return Progression(number, (keys,))
        if number == last and keys == self.chords[-1]:
            return self
        if number <= last:
            # The pulse may step back a little: what came later is heard again.
            return Progression(self.first, (*self.chords[: number - self.first], keys))
        between = (self.chords[-1],) * (number - last - 1)
        chords = (*self.chords, *between, keys)[-BEATS:]
        return Progression(number + 1 - len(chords), chords)

    @cached_property
    def turn(self) -> int:
        """Beats after which the chords repeat; 0 where they do not."""
        settled = self.chords[:-1]
        best, turn = AGREEMENT - PREFERENCE, 0
        for beats in TURNS:
            count = min(len(settled) - beats, COMPARED)
            if count < LEAST or count < min(beats, COMPARED) // 2:
                continue
            now, before = settled[-count:], settled[-count - beats : -beats]
            share = sum(map(_same_root, now, before)) / count
            if share >= best + PREFERENCE and _same_root(now[-1], before[-1]):
                best, turn = share, beats
        return turn

    def at(self, beat: float) -> Keys:
        """Keys of the chord at a beat: that was heard, or that is to be expected.

        Of the beat that still sounds the expected chord is given where there is one, since what is
        heard may still be the end of the chord before.
        """
        if not self.chords:
            return ()
        number, last = math.floor(beat + MARGIN), self.first + len(self.chords) - 1
        if number < last:
            return self.chords[max(0, number - self.first)]
        turn = self.turn
        if not turn:
            return self.chords[-1]
        back = number - turn * math.ceil((number - last + 1) / turn)
        return self.chords[back - self.first]


def _same_root(one: Keys, other: Keys) -> bool:
    return one[:1] == other[:1]
