"""List of the performer's own instruments, which outlasts sessions. Pure logic and one file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from app.files import write_text
from models.errors import SegueError
from models.music.user_instruments import parse_user_instrument

MAX_ENTRIES: Final = 3000


@dataclass(frozen=True)
class UserInstrumentEntry:
    """Instrument in the list: its name as a part's `instrument`, what it is called, and whether it
    is a drum kit.
    """

    name: str
    label: str
    drums: bool


class UserInstrumentList:
    """The list, and the file that keeps it.

    Args:
        path: of the file; what cannot be read in it is left out.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: tuple[UserInstrumentEntry, ...] = _read(path)

    def of(self, drums: bool) -> tuple[UserInstrumentEntry, ...]:
        """Kits, or pitched instruments, in the order of what they are called."""
        own = [entry for entry in self.entries if entry.drums == drums]
        return tuple(sorted(own, key=lambda entry: entry.label.casefold()))

    def label_of(self, name: str) -> str:
        """What an instrument is called; "" where it is none of the performer's own."""
        for entry in self.entries:
            if entry.name == name:
                return entry.label
        parsed = parse_user_instrument(name)
        return "" if parsed is None else parsed.label

    def add(self, found: Iterable[tuple[str, str]], drums: bool) -> None:
        """Add instruments of a file, instead of those that it had before.

        Args:
            found: name and what it is called, of each.
            drums: whether they are drum kits.

        Raises:
            SegueError: the list cannot be saved; it is changed all the same.

        """
        new = [UserInstrumentEntry(name, label, drums) for name, label in found]
        places = {_place(entry) for entry in new}
        kept = [entry for entry in self.entries if _place(entry) not in places]
        self.entries = (*kept, *new)[-MAX_ENTRIES:]
        self._save()

    def remove(self, name: str, drums: bool) -> None:
        """Take all instruments of this one's file out of the list; the file stays.

        Raises:
            SegueError: the list cannot be saved; it is changed all the same.

        """
        place = _place(UserInstrumentEntry(name, "", drums))
        self.entries = tuple(entry for entry in self.entries if _place(entry) != place)
        self._save()

    def _save(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SegueError(f"The list of instruments cannot be saved ({error}).") from error
        write_text(self._path, json.dumps([asdict(entry) for entry in self.entries], indent=1))


def _place(entry: UserInstrumentEntry) -> tuple[str, bool]:
    parsed = parse_user_instrument(entry.name)
    return (entry.name if parsed is None else parsed.path), entry.drums


def _read(path: Path) -> tuple[UserInstrumentEntry, ...]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    found = []
    for item in data[:MAX_ENTRIES] if isinstance(data, list) else ():
        if not isinstance(item, dict):
            continue
        name, label, drums = (item.get(key) for key in ("name", "label", "drums"))
        known = isinstance(name, str) and parse_user_instrument(name) is not None
        if known and isinstance(label, str) and isinstance(drums, bool):
            found.append(UserInstrumentEntry(str(name), label[:200], drums))
    return tuple(found)
