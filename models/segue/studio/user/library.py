"""Library of the performer's own instruments: what is loaded, and the loading.

Loading reads files and takes as long as it takes: it is done by whoever can wait, never by the
inference thread, which only asks what is there. What is not there sounds as the part's automatic
instrument.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.user_instruments import UserInstrumentName, parse_user_instrument
from models.segue.studio.bank import AFTER, BEFORE, Kit, SampleZone
from models.segue.studio.user.naming import kind_of
from models.segue.studio.user.regions import Built, UserInstrument

MEMORY: Final = 512_000_000
"""Bytes of all that is loaded; what was played longest ago goes."""
Reading: TypeAlias = Callable[[UserInstrumentName, int, bool], Built]


def read_here(parsed: UserInstrumentName, serial: int, drums: bool) -> Built:
    """Read an instrument in this thread. What reads it is imported then: few sessions need it."""
    from models.segue.studio.user.opening import open_instrument

    return open_instrument(parsed, serial, drums)


class UserInstruments:
    """Loaded instruments and kits; may be used by any thread."""

    def __init__(self, memory: int = MEMORY) -> None:
        self.memory = memory
        self.read: Reading = read_here
        """Reads an instrument; the window has it read in a process of its own."""
        self._loaded: OrderedDict[tuple[str, bool], Built] = OrderedDict()
        self._samples: dict[tuple[str, int], NDArray[np.float32]] = {}
        self._serial = 0
        self._lock = threading.Lock()  # of the tables, held for a moment
        self._loading = threading.Lock()  # one is loaded at a time

    def load(self, name: str, drums: bool) -> tuple[str, ...]:
        """Load an instrument or kit, if it is not there yet. Blocks.

        Args:
            name: as a part's `instrument` has it.
            drums: whether the drums play it.

        Returns:
            What must be said about it, in clauses without a full stop.

        Raises:
            SegueError: it is not there, or cannot be played.

        """
        parsed = parse_user_instrument(name)
        if parsed is None:
            raise SegueError(f"'{name}' names no file: give a sample, a folder, an SFZ or an SF2.")
        with self._loading:
            with self._lock:
                found = self._loaded.get((name, drums))
            if found is not None:
                return found.remarks
            self._serial += 1
            kind_of(Path(parsed.path))  # what is gone is said at once
            try:
                built = self.read(parsed, self._serial, drums)
            except SegueError:
                raise
            except (OSError, ValueError, MemoryError, RecursionError) as error:
                raise SegueError(
                    f"{parsed.path} cannot be played ({error}): give another file."
                ) from error
            self._put((name, drums), built)
            return built.remarks

    def _put(self, key: tuple[str, bool], built: Built) -> None:
        pack = _pack_of(built)
        with self._lock:
            self._loaded[key] = built
            for number, planes in built.samples.items():
                self._samples[pack, number] = planes
            while sum(b.size for b in self._loaded.values()) > self.memory:
                if len(self._loaded) == 1:
                    break
                _, old = self._loaded.popitem(last=False)
                gone = _pack_of(old)
                for number in old.samples:
                    self._samples.pop((gone, number), None)

    def unload(self, name: str) -> None:
        """Forget an instrument; notes of it that sound fall silent."""
        with self._lock:
            for drums in (False, True):
                old = self._loaded.pop((name, drums), None)
                if old is not None:
                    for number in old.samples:
                        self._samples.pop((_pack_of(old), number), None)

    def instrument(self, name: str) -> UserInstrument | None:
        """A pitched instrument; None where it is not loaded. Never blocks for long."""
        found = self._sound(name, drums=False)
        return found if isinstance(found, UserInstrument) else None

    def kit(self, name: str) -> Kit | None:
        """A drum kit; None where it is not loaded."""
        found = self._sound(name, drums=True)
        return found if isinstance(found, Kit) else None

    def has(self, name: str, drums: bool) -> bool:
        """Whether an instrument or kit is loaded."""
        return self._sound(name, drums) is not None

    def _sound(self, name: str, drums: bool) -> UserInstrument | Kit | None:
        with self._lock:
            found = self._loaded.get((name, drums))
            if found is None:
                return None
            self._loaded.move_to_end((name, drums))
            return found.sound

    def samples(self, zone: SampleZone) -> NDArray[np.float32]:
        """(channels, BEFORE + frames + AFTER) of a zone; silence where it has gone."""
        found = self._samples.get(zone.identity)
        if found is None:
            return np.zeros((zone.channels, BEFORE + zone.frames + AFTER), np.float32)
        return found


@lru_cache(maxsize=1)
def user_instruments() -> UserInstruments:
    """The library of this process: what the window has loaded, the engine plays."""
    return UserInstruments()


def _pack_of(built: Built) -> str:
    if isinstance(built.sound, UserInstrument):
        return built.sound.regions[0].zone.pack
    return next(hit.zone.pack for hits in built.sound.drums for hit in hits)
