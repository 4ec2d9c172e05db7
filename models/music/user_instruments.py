"""Names of the performer's own instruments: what a part's `instrument` says where it is a file.

`user:DIGEST:PATH`, and `#BANK.PROGRAM` behind it for one preset of a SoundFont. The digest tells
whether the file is still the one that was meant. Pure logic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

USER_PREFIX: Final = "user:"
MAX_LENGTH: Final = 4096
_FORM: Final = re.compile(r"user:([0-9a-f]{16}):(.+?)(?:#(\d{1,3})\.(\d{1,3}))?", re.DOTALL)


@dataclass(frozen=True)
class UserInstrumentName:
    """Parts of such a name. preset: bank and program in a SoundFont, None for none."""

    digest: str
    path: str
    preset: tuple[int, int] | None = None

    def __str__(self) -> str:
        behind = "" if self.preset is None else f"#{self.preset[0]}.{self.preset[1]}"
        return f"{USER_PREFIX}{self.digest}:{self.path}{behind}"

    @property
    def label(self) -> str:
        """Name of the file, as it is read."""
        stem = PurePath(self.path).stem or self.path
        return stem if self.preset is None else f"{stem} {self.preset[0]}.{self.preset[1]}"


def is_user_instrument(name: object) -> bool:
    """Whether a name is of one of the performer's own instruments."""
    return parse_user_instrument(name) is not None


def parse_user_instrument(name: object) -> UserInstrumentName | None:
    """The parts of a name; None where it is none.

    Args:
        name: what a part's `instrument` is.

    """
    if not isinstance(name, str) or not name.startswith(USER_PREFIX) or len(name) > MAX_LENGTH:
        return None
    match = _FORM.fullmatch(name)
    if match is None or "\0" in name:
        return None
    digest, path, bank, program = match.groups()
    preset = None if bank is None else (int(bank), int(program))
    return UserInstrumentName(digest, path, preset)
