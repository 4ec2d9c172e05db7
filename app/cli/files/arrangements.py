"""Arrangements of the performer's own on the command line: MIDI files that parts play."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from models.engine.controls import Controls
from models.errors import SegueError
from models.music.arrangement.arrangement import ROLES, read_arrangement
from models.music.hearing.sketch import Sketch


def with_arrangements(controls: Controls, arguments: Sequence[str]) -> Controls:
    """The controls with what MIDI files give: parts' scores, harmony, examples; and with the first
    file's tempo and key, where those are not set. Prints what must be said of a file.

    Args:
        controls: of the command line.
        arguments: such as tune.mid, tune.mid=lead or tune.mid=harmony.

    Raises:
        SegueError: a file that cannot be read, or two for one part.

    """
    found: list[Sketch] = []
    for argument in arguments:
        path, equals, role = argument.rpartition("=")
        if not equals:
            path, role = argument, "all"
        if role not in (*ROLES, "all"):
            raise SegueError(f"'{argument}' names no role '{role}': write all, {', '.join(ROLES)}.")
        arrangement = read_arrangement(Path(path))
        if arrangement.remarks:
            print(f"segue: {path}: {'; '.join(arrangement.remarks)}.", file=sys.stderr)
        found += arrangement.sketches(role)
        if controls.bpm is None:
            controls = controls.with_(bpm=arrangement.bpm)
        if controls.key is None and arrangement.key:
            controls = controls.with_(key=arrangement.key)
    return controls.with_(sketches=tuple(found)) if found else controls
