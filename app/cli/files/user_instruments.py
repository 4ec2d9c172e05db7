"""Instruments of the performer's own on the command line: files that parts play."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.performance.file import Performance
from models.engine.controls import Controls
from models.engine.interface import EngineInfo
from models.engine.parts import PartMap
from models.errors import SegueError
from models.music.instruments import SUITABLE
from models.music.user_instruments import is_user_instrument

_PRESET = re.compile(r"(.+\.sf[23])#(\d{1,3})\.(\d{1,3})", re.IGNORECASE)


def instrument_of(part: str, text: str) -> str:
    """What `instrument` of a part is for an argument: the name of an instrument, or of a file.

    Args:
        part: name of a part.
        text: an instrument, or the path of a sample, a folder, an SFZ or an SF2; `#BANK.PROGRAM`
            behind the last chooses a preset.

    Raises:
        SegueError: there is no such file.

    """
    if text in SUITABLE.get(part, ()) or is_user_instrument(text):
        return text
    match = _PRESET.fullmatch(text)
    path, preset = Path(text), None
    if match is not None:
        path, preset = Path(match.group(1)), (int(match.group(2)), int(match.group(3)))
    if match is None and not path.suffix and not path.expanduser().exists():
        return text  # the check of parts says what there is
    from models.segue.studio.user.naming import name_of

    return name_of(path, preset)


def load_instruments(controls: Controls, played: Performance | None, info: EngineInfo) -> None:
    """Load all files that parts are to play, and print what must be said of them.

    Args:
        controls: of the command line; a file of theirs that cannot be played is an error.
        played: a performance, whose files may be missing: the automatic instrument plays instead.
        info: of the engine that is to play them.

    Raises:
        SegueError: a file of the command line cannot be played.

    """
    given = {*names_in(controls.part_map)}
    later = {
        found
        for change in (played.changes if played is not None else ())
        for found in names_in(change.controls.get("parts"))
    } - given
    if not given and not later:
        return
    if not info.user_instruments:
        print(
            f"segue: {info.name} cannot play instruments of one's own; its own play instead.",
            file=sys.stderr,
        )
        return
    from models.segue.studio.user.library import user_instruments

    for drums, name in sorted(given | later):
        try:
            remarks = user_instruments().load(name, drums)
        except SegueError as error:
            if (drums, name) in given:
                raise
            print(f"segue: {error}", file=sys.stderr)
            continue
        if remarks:
            print(f"segue: {'; '.join(remarks)}.", file=sys.stderr)


def names_in(parts: object) -> Iterator[tuple[bool, str]]:
    """Whether the drums play it, and name, of each instrument of the performer's own in parts."""
    if not isinstance(parts, Mapping):
        return
    for part, own in parts.items():
        if isinstance(parts, PartMap):
            name = parts.of(part).instrument
        else:
            name = own.get("instrument") if isinstance(own, Mapping) else own.instrument
        if name is not None and is_user_instrument(name):
            yield part == "drums", name
