"""Table of a take's notes: a column for each of their numbers.

An hour has tens of thousands of notes, and all of them are sorted and written again and again while
it is recorded. As objects they would hold the interpreter up, and with it the music; as columns
they are copied and sorted by array operations.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class TakeNote:
    """Note from frame `start` to `stop` of the take. pitch and velocity as MIDI has them."""

    start: int
    stop: int
    part: str
    pitch: int
    velocity: int


class NoteTable(Sequence[TakeNote]):
    """Notes that can be appended to, and read as notes or as columns."""

    def __init__(self, notes: Iterable[TakeNote] = ()) -> None:
        self._names: list[str] = []
        self._columns = tuple(array("q") for _ in range(5))
        for note in notes:
            self.append(note)

    def append(self, note: TakeNote) -> None:
        """Add a note behind the others."""
        if note.part not in self._names:
            self._names.append(note.part)
        part = self._names.index(note.part)
        values = (note.start, note.stop, part, note.pitch, note.velocity)
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    def copy(self) -> NoteTable:
        """A copy that does not change when notes are appended to this one."""
        table = NoteTable()
        table._names = self._names[:]
        table._columns = tuple(column[:] for column in self._columns)
        return table

    def in_order(self) -> NoteTable:
        """The notes by their start; of those that start together, by part and pitch."""
        start, stop, part, pitch, velocity = (np.array(column) for column in self._columns)
        rank = np.argsort(np.argsort(np.array(self._names, np.str_)))
        order = np.lexsort((pitch, rank[part] if len(part) else part, start))
        table = NoteTable()
        table._names = self._names[:]
        table._columns = tuple(
            array("q", column[order].tobytes()) for column in (start, stop, part, pitch, velocity)
        )
        return table

    def of_part(self, part: str) -> tuple[Integers, Integers, Integers, Integers]:
        """Starts, stops, pitches and velocities of a part's notes; int64 (n,) each."""
        start, stop, index, pitch, velocity = (np.array(column) for column in self._columns)
        chosen = index == (self._names.index(part) if part in self._names else -1)
        return start[chosen], stop[chosen], pitch[chosen], velocity[chosen]

    @property
    def parts(self) -> frozenset[str]:
        """The parts that have notes."""
        return frozenset(self._names)

    def __len__(self) -> int:
        return len(self._columns[0])

    @overload
    def __getitem__(self, index: int) -> TakeNote: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[TakeNote]: ...

    def __getitem__(self, index: int | slice) -> TakeNote | Sequence[TakeNote]:
        if isinstance(index, slice):
            return tuple(self[at] for at in range(*index.indices(len(self))))
        start, stop, part, pitch, velocity = (column[index] for column in self._columns)
        return TakeNote(start, stop, self._names[part], pitch, velocity)

    def __iter__(self) -> Iterator[TakeNote]:
        return (self[at] for at in range(len(self)))
