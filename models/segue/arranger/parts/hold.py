"""Hold: the last bars as a loop, with variation.

In each bar the harmony and every part draw whether they vary, with the variation as probability.
What does not vary plays what the loop has, moved with the harmony as a locked part is; what varies
is written by the network, with the odds of the loop's notes raised the more the less it varies.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from models.engine.control_values import HOLD_BARS
from models.engine.controls import Controls
from models.music.score import PARTS
from models.segue.arranger.clock import Tick
from models.segue.arranger.parts.state import HeldBars
from models.segue.arranger.parts.targets import KEEP, PartTargets
from models.segue.arranger.state import State
from models.segue.arranger.steps import SYMBOL, WIDTH, sounding

HARMONY: Final = len(PARTS)
"""Bit of the harmony, behind those of the parts."""


def begin_hold(state: State, controls: Controls, tick: Tick, mode: str) -> State:
    """The state from the step that is about to be written: the loop is taken, changed or gone."""
    loop = state.loop
    if not controls.hold:
        return state if loop is None else state.with_(loop=None)
    if loop is None or (loop.asked, loop.bar) != (controls.hold, tick.steps_per_bar):
        loop = last_bars(state, controls.hold, tick, mode)
    if loop is not None and loop.variation != controls.variation:
        loop = replace(loop, variation=controls.variation)
    return state if loop is state.loop else state.with_(loop=loop)


def last_bars(state: State, count: int, tick: Tick, mode: str) -> HeldBars | None:
    """The last bars before the step at `tick` as a loop: `count`, or as many as have been played;
    None where not even one has.
    """
    step, bar = state.history.length, tick.steps_per_bar
    for bars in reversed(HOLD_BARS):
        if bars > count or step - bars * bar < state.floor:
            continue
        rows = [state.history.get(index) for index in range(step - bars * bar, step)]
        known = [row for row in rows if row is not None]
        if len(known) == len(rows):
            return HeldBars(np.stack(known), mode, step, tick.step_in_bar, bar, count)
    return None


def held_parts(state: State) -> int:
    """Bits of the parts that sound in a loop that is held."""
    loop = state.loop
    if loop is None or loop.variation >= 1.0:
        return 0
    return int(sum(1 << part for part in np.flatnonzero(sounding(loop.rows).any(axis=0))))


def held_active(state: State, step: int) -> int:
    """Bits of the parts that sound in this bar: the form's, and where a loop is held its own."""
    loop, active = state.loop, state.form.active
    if loop is None:
        return active
    free = varied(loop, state.seed, step)
    return (active & free) | (int(loop.row(step)[WIDTH]) & ~free)


def held_targets(targets: PartTargets, state: State, step: int) -> PartTargets:
    """The targets of a step while a loop is held; parts that are locked or written anew stay so."""
    loop = state.loop
    if loop is None or loop.variation >= 1.0:
        return targets
    row, free = loop.row(step), varied(loop, state.seed, step)
    locked, modes, anew = list(targets.locked), list(targets.modes), list(targets.anew)
    for part in range(len(PARTS)):
        if locked[part] is not None or targets.is_renewed(part):
            continue
        if free >> part & 1:
            anew[part] = row
        else:
            locked[part], modes[part] = row, loop.mode
    return PartTargets(
        tuple(locked),
        tuple(modes),
        tuple(anew),
        targets.renewed,
        targets.avoid,
        KEEP * (1.0 - loop.variation),
        None if free >> HARMONY & 1 else int(row[SYMBOL]),
    )


def varied(loop: HeldBars, seed: int, step: int) -> int:
    """Bits of the parts, and of the harmony, that vary in the bar of the loop at a step."""
    begin = step - (step - loop.first) % loop.bar
    counter = (begin << 16) + 0x8000  # apart from the noise of the steps
    draws = np.random.Generator(np.random.Philox(key=seed, counter=counter)).random(HARMONY + 1)
    return sum(1 << index for index, draw in enumerate(draws) if draw < loop.variation)
