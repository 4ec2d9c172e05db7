"""Moment of a performance: a stream's snapshot and its place."""

from __future__ import annotations

from dataclasses import dataclass

from models.engine.interface import Snapshot
from models.storage.serialisation import PackedState


@dataclass(frozen=True, eq=False)
class Moment:
    """Place in the music that a performer can go back to.

    position: plan position in frames; below 0 in another performance than the current one.
    snapshot: of the stream, from before the block that holds the position.
    skip: frames into that block. engine: its name. packed: the snapshot in a form for files; the
    snapshot may be None then.
    """

    position: int
    snapshot: Snapshot | None
    skip: int = 0
    engine: str = ""
    packed: PackedState | None = None
