"""Example: music from a MIDI file that the arranger goes on from.

It is played by nobody. Its last bars stand where the network looks for what was before the bar in
which it began, and for some bars what it has at each place is made more likely, less and less. What
is written then is what the network copies from later on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from models.music.hearing.sketch import Sketch
from models.music.score import DRUMS, PARTS
from models.segue.arranger.clock import Tick
from models.segue.arranger.memory.recollection import Recollection
from models.segue.arranger.network import LAGS
from models.segue.arranger.parts.patterns import copy_part
from models.segue.arranger.parts.sketches import EXAMPLE, sketched_row, symbol_at
from models.segue.arranger.state import Row, State, empty_row
from models.segue.arranger.step_targets import StepTargets
from models.segue.arranger.steps import DRUM_COLUMNS, SYMBOL, WIDTH, Setting

WEIGHT: Final = 3.0
"""Log-odds of what the example has at a place, in its first bar."""
FADES: Final = 16
"""Bars in which they fade."""
RHYTHM: Final = 1.0
"""Log-odds of an onset where the example has one, and against one where it has none."""
REMEMBERED: Final = 16
"""Parts of examples that are kept."""


def with_example(
    rows: Sequence[Row | None],
    targets: StepTargets,
    state: State,
    tick: Tick,
    setting: Setting,
    tonic: int,
    mode: str,
) -> tuple[list[Row | None], StepTargets]:
    """The rows that the network may copy from, and the targets, with an example.

    Args:
        rows: the sources of the step.
        targets: of the step.
        state: with the sketches that have begun.
        tick: of the step.
        setting: the band.
        tonic: pitch class that rows count from.
        mode: of the key.

    """
    out, per_beat, bar = list(rows), tick.steps_per_beat, tick.steps_per_bar
    for started in state.sketches:
        sketch = started.sketch
        if sketch.part != EXAMPLE:
            continue
        since = round((tick.beats - started.beat) * per_beat)
        whole = max(1, round(sketch.beats * per_beat))
        if since >= max(FADES, max(LAGS)) * bar:
            continue

        def row_at(step: int, sketch: Sketch = sketch, whole: int = whole) -> Row:
            return example_row(sketch, step % whole / per_beat, per_beat, setting, tonic, mode)

        for index, lag in enumerate(LAGS):
            if (back := lag * bar - since) > 0:
                out[index] = row_at(whole - back)
        weight = WEIGHT * (1.0 - since / (FADES * bar))
        if targets.recollection is None and weight > 0.0:
            row = row_at(since)
            struck = bool(row[DRUM_COLUMNS].any())
            found = Recollection(
                row, weight, 0.0, np.zeros(12, np.float32),
                tuple(range(len(DRUMS))) if row[WIDTH] & 1 else (), (None,) * (len(LAGS) + 1),
            )  # fmt: skip
            bias = targets.bias + RHYTHM * weight / WEIGHT * (0.5 if struck else -0.5)
            targets = replace(targets, recollection=found, bias=bias)
    return out, targets


def example_row(
    sketch: Sketch, beat: float, per_beat: int, setting: Setting, tonic: int, mode: str
) -> Row:
    """What an example has at a beat, all parts of it, as a row."""
    row = empty_row()
    if sketch.chords:
        row[SYMBOL] = symbol_at(sketch, beat, tonic)
    for index, part in enumerate(PARTS):
        own = _part_of(sketch, part)
        if own is None:
            continue
        played = sketched_row(own, beat, per_beat, setting, tonic, mode)
        copy_part(row, index, played, "", mode)
        row[WIDTH] |= 1 << index
    return row


# It keeps the examples, so that an identity is of the one that was kept.
_parts: dict[tuple[int, str], tuple[Sketch, Sketch | None]] = {}


def _part_of(sketch: Sketch, part: str) -> Sketch | None:
    """What one part of an example plays, remembered; None where it plays nothing."""
    found = _parts.get((id(sketch), part))
    if found is not None and found[0] is sketch:
        return found[1]
    notes = tuple(note for note in sketch.notes if note.part == part)
    hits = sketch.hits if part == "drums" else ()
    own = replace(sketch, part=part, notes=notes, hits=hits) if notes or hits else None
    if len(_parts) >= REMEMBERED:
        _parts.clear()
    _parts[id(sketch), part] = (sketch, own)
    return own
