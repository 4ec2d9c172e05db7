"""Patterns of single parts: a bar that is locked, and a bar that is written anew (re-roll).

A locked part plays the last bar that it played again and again. Its notes move with the harmony by
steps of the scale, from the chord that they were written over to the chord that sounds now; the key
moves them anyway, since pitches count from the tonic.

A re-rolled part is written for one bar without attending to any earlier bar, and away from what it
had at each place. Then that bar takes the place of the earlier ones in what the network attends to,
and until the section ends its odds are raised as those of a theme are, so that it stays.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.music.harmony import chord_intervals, scale_of
from models.music.score import MODES, PARTS
from models.segue.arranger.clock import Tick
from models.segue.arranger.form.themes import Theme
from models.segue.arranger.network import LAGS
from models.segue.arranger.parts.state import HeldBars, PartPatterns, Pattern
from models.segue.arranger.state import Form, History, Row, State
from models.segue.arranger.steps import (
    ACTION,
    DRUM_COLUMNS,
    PITCH_CODES,
    PITCH_ORIGIN,
    STRIKE,
    SYMBOL,
    TOKEN,
    sounding,
)

MEMORY_BARS: Final = 24  # bars back in which the last bar of a part is looked for
SEVEN: Final = {"pentatonic_minor": "minor", "pentatonic_major": "major"}
"""Modes whose steps are counted in a scale of seven notes."""
COLUMNS: Final[tuple[tuple[int, ...], ...]] = tuple(
    tuple(range(DRUM_COLUMNS.stop))
    if part == "drums"
    else (ACTION, ACTION + 1)
    if part == "chords"
    else (TOKEN[part], TOKEN[part] + 1)
    for part in PARTS
)
"""Columns of a row that belong to each of PARTS."""


def begin_parts(state: State, controls: Controls, tick: Tick, step: int, mode: str) -> State:
    """The state from the step that is about to be written: re-rolled bars that are complete have
    taken their place in the memory, and new locks and re-rolls have begun.
    """
    patterns = state.patterns
    for part, first in enumerate(patterns.begun):
        if first < 0 or step - first < tick.steps_per_bar:
            continue
        rows = bar_of(state.history, state.floor, tick, step)
        begun, locked, anew = list(patterns.begun), list(patterns.locked), list(patterns.anew)
        begun[part] = -1
        if rows is not None:
            pattern = anew[part] = Pattern(rows, mode)
            if controls.part_map.locked >> part & 1:
                locked[part] = pattern
            state = state.with_(
                history=remembered(
                    state.history, state.form, part, pattern, state.floor, tick, step
                ),
                themes=in_themes(state.themes, state.form.section, part, pattern),
                loop=None if state.loop is None else in_loop(state.loop, part, pattern),
            )
        patterns = replace(patterns, begun=tuple(begun), locked=tuple(locked), anew=tuple(anew))
    patterns = begun_step(patterns, controls, state.history, state.floor, tick, step, mode)
    return state if patterns is state.patterns else state.with_(patterns=patterns)


def begun_step(
    patterns: PartPatterns,
    controls: Controls,
    history: History,
    floor: int,
    tick: Tick,
    step: int,
    mode: str,
) -> PartPatterns:
    """The patterns that hold from the step that is about to be written.

    Args:
        patterns: before it.
        controls: of this step.
        history: rows before it.
        floor: first row of this metre.
        tick: the step, placed in time.
        step: its number since the start.
        mode: of the key.

    """
    wanted = controls.part_map.locked
    if patterns.idle and not wanted:
        return patterns
    locked, begun, anew = list(patterns.locked), list(patterns.begun), list(patterns.anew)
    due = patterns.due
    for part in range(len(PARTS)):
        bit = 1 << part
        if due & bit and (controls.change_at == "now" or tick.on_bar):
            begun[part], locked[part], anew[part] = step, None, None
            due &= ~bit
        if not wanted & bit:
            locked[part] = None
        elif (
            locked[part] is None and begun[part] < 0 and (tick.on_bar or not patterns.wanted & bit)
        ):
            # A part that has not played yet is locked after its first bar.
            locked[part] = last_bar(history, part, floor, tick, step, mode)
    new = replace(
        patterns,
        locked=tuple(locked),
        begun=tuple(begun),
        anew=tuple(anew),
        due=due,
        wanted=wanted,
    )
    return patterns if new == patterns else new


def moved_token(part: int, source: Row, symbol: int, mode_before: str, mode: str) -> int:
    """The token of a pitched part in `source`, over another chord (+ 1)."""
    code = int(source[COLUMNS[part][0]])
    if PARTS[part] not in TOKEN:
        return code
    return transposed(code, int(source[SYMBOL]), symbol, mode_before, mode)


def last_bar(
    history: History, part: int, floor: int, tick: Tick, step: int, mode: str
) -> Pattern | None:
    """The last bar before a step in which a part sounds, by place; None where there is none."""
    bar = tick.steps_per_bar
    for back in range(MEMORY_BARS):
        rows = bar_of(history, floor, tick, step - back * bar)
        if rows is None:
            return None
        if sounding(rows)[:, part].any():
            return Pattern(rows, mode)
    return None


def bar_of(history: History, floor: int, tick: Tick, end: int) -> NDArray[np.uint8] | None:
    """The bar's length of rows before row `end`, which lies at `tick`'s place; by place in the bar.
    None where they are not all of this metre.
    """
    bar = tick.steps_per_bar
    if end - bar < floor:
        return None
    rows = [history.get(index) for index in range(end - bar, end)]
    known = [row for row in rows if row is not None]
    return np.roll(np.stack(known), tick.step_in_bar, axis=0) if len(known) == bar else None


def transposed(code: int, before: int, now: int, mode_before: str, mode: str) -> int:
    """A token of a line (REST, HOLD, STRIKE + pitch code) moved from one chord to another.

    Args:
        code: the token.
        before: chord symbol + 1 that it was written over, 0 for none.
        now: chord symbol + 1 that sounds.
        mode_before: mode that it was written in.
        mode: mode now.

    """
    if code < STRIKE:
        return code
    old = _scale(mode_before, before)
    new = _scale(mode, now)
    if old == new and (before == now or not before or not now):
        return code
    octave, place = divmod(code - STRIKE - PITCH_ORIGIN, 12)
    degree = max((i for i, tone in enumerate(old) if tone <= place), default=0)
    off = place - old[degree]
    shift = _root_degree(new, now) - _root_degree(old, before) if before and now else 0
    shift = (shift + 3) % 7 - 3  # by the shorter way
    turns, index = divmod(degree + shift, 7)
    pitch = PITCH_ORIGIN + 12 * (octave + turns) + new[index] + off
    return STRIKE + min(max(pitch, pitch % 12), PITCH_CODES - 12 + pitch % 12)


@lru_cache(maxsize=1024)
def _scale(mode: str, symbol: int) -> tuple[int, ...]:
    """The seven steps of a mode, those bent that the chord (+ 1, 0 for none) alters."""
    mode = SEVEN.get(mode, mode)
    bent = scale_of(mode, symbol - 1)
    return tuple(t if t in bent else t + 1 if t + 1 in bent else t - 1 for t in MODES[mode])


def _root_degree(scale: tuple[int, ...], symbol: int) -> int:
    root = chord_intervals(symbol - 1)[0]
    return min(range(len(scale)), key=lambda i: (abs(scale[i] - root), i))


def remembered(
    history: History, form: Form, part: int, pattern: Pattern, floor: int, tick: Tick, step: int
) -> History:
    """The history with a part's new bar in the place of its earlier ones, as far back as the
    network attends within this section.
    """
    bar = tick.steps_per_bar
    end = step - bar
    first = max(floor, min(form.start, step - max(LAGS) * bar), step - MEMORY_BARS * bar)
    rows: list[Row] = []
    for index in range(first, end):
        row = history.get(index)
        if row is None:
            first = index + 1
            rows.clear()
            continue
        place = (tick.step_in_bar + index - step) % bar
        rows.append(with_part(row, part, pattern, place))
    return history.replaced(first, rows)


def in_themes(
    themes: tuple[Theme, ...], section: int, part: int, pattern: Pattern
) -> tuple[Theme, ...]:
    """The themes, that of the section with a part's new bar."""
    return tuple(
        replace(
            theme,
            rows=np.stack([with_part(row, part, pattern, i) for i, row in enumerate(theme.rows)]),
        )
        if theme.section == section and theme.bar == len(pattern.rows)
        else theme
        for theme in themes
    )


def in_loop(loop: HeldBars, part: int, pattern: Pattern) -> HeldBars:
    """The held bars with a part's new bar in each of them."""
    rows = [
        with_part(row, part, pattern, (loop.place + index) % loop.bar)
        for index, row in enumerate(loop.rows)
    ]
    return replace(loop, rows=np.stack(rows))


def with_part(row: Row, part: int, pattern: Pattern, place: int) -> Row:
    """`row` with a part as it is in a pattern, over the row's own chord."""
    out = row.copy()
    copy_part(out, part, pattern.row(place), pattern.mode, pattern.mode)
    return out


def copy_part(row: Row, part: int, source: Row, mode_before: str, mode: str) -> None:
    """Write a part of `source` into a row whose chord is known, transposed from the mode that it
    was in; as it is where that is empty.
    """
    columns = list(COLUMNS[part])
    row[columns] = source[columns]
    if part and mode_before:
        row[columns[0]] = moved_token(part, source, int(row[SYMBOL]), mode_before, mode)
