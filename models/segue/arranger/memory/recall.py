"""Recall: what a step's sources are before the network sees them.

After a break the drummer's last groove, and what the performer played in, in their places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from models.engine.controls import Controls
from models.segue.arranger.clock import Tick
from models.segue.arranger.memory.recollection import HeardMusic, recollect
from models.segue.arranger.state import Form, History, Row, empty_row
from models.segue.arranger.step_targets import StepPosition, StepTargets
from models.segue.arranger.steps import DRUM_COLUMNS, Setting

GROOVE_BARS: Final = 24  # bars back in which a drummer looks for the last groove


def groove(history: History, form: Form, place: StepPosition, steps_per_bar: int) -> Row | None:
    """The row at this place of the last bar with drums, where the drums should play and have been
    silent for half a bar; None where they play, or never did.

    A network that attends to bars without drums writes none, again and again: after a break it
    attends to what was played before it.
    """
    if not form.active & 1:
        return None
    for back in range(1, GROOVE_BARS * steps_per_bar):
        row = history.get(place.step - back)
        if row is None or place.step - back < place.floor:
            return None
        if row[DRUM_COLUMNS].any():
            if back <= steps_per_bar // 2:
                return None
            # Half a bar before the last hit, which may be the crash that a break begins with.
            bars = -(-(back + steps_per_bar // 2) // steps_per_bar)
            return history.get(place.step - bars * steps_per_bar)
    return None


def with_drums(row: Row | None, drums: Row) -> Row:
    """`row` with the drums of another."""
    patched = empty_row() if row is None else row.copy()
    patched[DRUM_COLUMNS] = drums[DRUM_COLUMNS]
    return patched


def with_groove(
    rows: Sequence[Row | None], history: History, form: Form, place: StepPosition, bar: int
) -> list[Row | None]:
    """The sources with the last groove's drums after a silence of the drums; `bar` in steps."""
    remembered = groove(history, form, place, bar)
    return list(rows) if remembered is None else [with_drums(row, remembered) for row in rows]


def recalled(
    rows: Sequence[Row | None],
    targets: StepTargets,
    played: HeardMusic | None,
    controls: Controls,
    tick: Tick,
    setting: Setting,
    tonic: int,
    form: Form,
    seed: int,
) -> tuple[list[Row | None], StepTargets]:
    """The rows that the network may copy from, and the targets, with what was played in.

    Args:
        rows: the sources of the step.
        targets: of the step.
        played: what was played; None while the send is closed.
        controls: amount and mode of the send.
        tick: of the step.
        setting: the band.
        tonic: pitch class that rows count from.
        form: whose parts may play.
        seed: of the stream.

    """
    found = None
    if played is not None:
        found = recollect(played, controls, tick, setting, tonic, form.active, seed)
    if found is None:
        return list(rows), targets
    # The tonal balance would pull the notes back to the key.
    tones = (1.0 - (controls.memory or 0.0)) * targets.tones + found.tones
    bias = targets.bias + found.rhythm
    return found.patched(rows), replace(targets, recollection=found, bias=bias, tones=tones)
