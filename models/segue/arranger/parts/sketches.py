"""Sketches in the score: a part plays what was sung, tapped or drawn.

A sketch that is new begins with the next bar, on the grid of the metre that is played then, and
goes round or ends. While it plays, its part is not written by the network, which hears it as it
hears a locked part.
"""

from __future__ import annotations

from dataclasses import replace

from models.engine.controls import Controls
from models.music.hearing.sketch import Sketch, on_grid, pitch_in_key
from models.music.score import DRUMS, INSTRUMENTS, KITS, PARTS, PITCHED
from models.music.voicing import part_range
from models.segue.arranger.clock import Tick
from models.segue.arranger.parts.instruments import USUAL
from models.segue.arranger.parts.targets import NO_TARGETS, PartTargets
from models.segue.arranger.state import Row, StartedSketch, State, empty_row
from models.segue.arranger.steps import (
    HOLD,
    HOLD_HALF,
    STRIKE,
    TOKEN,
    Setting,
    levels_of,
    pitch_code,
)


def begin_sketches(state: State, controls: Controls, tick: Tick) -> State:
    """The state at a step: new sketches begin on a bar, those that are gone end."""
    wanted, known = controls.sketches, state.sketches
    if not wanted and not known:
        return state
    kept = tuple(started for started in known if started.sketch in wanted)
    if tick.on_bar:
        have = {started.sketch for started in kept}
        kept += tuple(StartedSketch(s, tick.beats) for s in wanted if s not in have)
    return state if kept == known else state.with_(sketches=kept)


def playing(state: State, tick: Tick) -> tuple[tuple[Sketch, float], ...]:
    """Sketches that sound in a step, with the beat at which they are."""
    found = []
    for started in state.sketches:
        beat = tick.beats - started.beat + 1e-6
        if started.sketch.loop or beat < started.sketch.beats:
            found.append((started.sketch, beat % started.sketch.beats))
    return tuple(found)


def sketched_setting(setting: Setting, controls: Controls) -> Setting:
    """The setting with an instrument for each part that has a sketch."""
    for sketch in controls.sketches:
        if sketch.part == "drums":
            setting = replace(setting, kit=setting.kit or KITS.index(USUAL["drums"]))
            continue
        instruments = list(setting.instruments)
        index = PITCHED.index(sketch.part)
        if not instruments[index]:
            chords = instruments[PITCHED.index("chords")]
            low = sketch.part == "bass" or not chords
            instruments[index] = INSTRUMENTS.index(USUAL[sketch.part]) if low else chords
            bass, chords, lead, extra = instruments
            setting = replace(setting, instruments=(bass, chords, lead, extra))
    return setting


def sketched_targets(
    targets: PartTargets, state: State, tick: Tick, setting: Setting, tonic: int, mode: str
) -> PartTargets:
    """The targets of a step in which sketches play as locked parts do."""
    rows, modes = list(targets.locked), list(targets.modes)
    found = playing(state, tick)
    for sketch, beat in found:
        part = PARTS.index(sketch.part)
        if rows[part] is None:  # a locked part stays as it is
            rows[part] = sketched_row(sketch, beat, tick.steps_per_beat, setting, tonic, mode)
            modes[part] = ""
    if not found:
        return targets
    base = PartTargets() if targets is NO_TARGETS else targets
    return replace(base, locked=tuple(rows), modes=tuple(modes))


def sketched_bits(state: State, tick: Tick) -> int:
    """Bits of the parts that play a sketch in a step."""
    return sum(1 << PARTS.index(sketch.part) for sketch, _ in playing(state, tick))


def sketched_row(
    sketch: Sketch, beat: float, per_beat: int, setting: Setting, tonic: int, mode: str
) -> Row:
    """What a sketch has at a beat (of its own), as a row."""
    row, step = empty_row(), round(beat * per_beat - 1e-4)
    placed = on_grid(sketch, per_beat)
    if sketch.part == "drums":
        for hit in placed.hits:
            if round(hit.beat * per_beat) == step:
                drum = DRUMS.index(hit.drum)
                row[drum] = max(int(row[drum]), int(levels_of(hit.velocity)))
        return row
    column, notes = TOKEN[sketch.part], placed.notes
    for index, note in enumerate(notes):
        start = round(note.beat * per_beat)
        if start > step:
            break
        after = round(notes[index + 1].beat * per_beat) if index + 1 < len(notes) else None
        if after is not None and after <= step and after > start:
            continue
        halves = max(1, round(note.length * per_beat * 2))
        if start == step:
            pitch = pitch_in_key(note.pitch, tonic, mode) if sketch.in_key else round(note.pitch)
            name = INSTRUMENTS[setting.instruments[PITCHED.index(sketch.part)]]
            row[column] = STRIKE + pitch_code(_in_reach(pitch, sketch.part, name), tonic)
            row[column + 1] = 2 * (max(1, int(levels_of(note.velocity))) - 1) + (halves == 1)
        elif 2 * (step - start) < halves:
            row[column] = HOLD if 2 * (step - start) + 1 < halves else HOLD_HALF
    return row


def _in_reach(pitch: int, part: str, instrument: str) -> int:
    """The pitch, by octaves within what the instrument can play."""
    low, high = part_range(part, instrument) if instrument != "none" else (28, 96)
    while pitch < low - 5:
        pitch += 12
    while pitch > high + 5:
        pitch -= 12
    return pitch


def with_course(controls: Controls, state: State) -> Controls:
    """Controls of a block, with the brightness that a sketch has there."""
    if not state.sketches or not state.ticks:
        return controls
    for sketch, beat in playing(state, state.ticks[-1]):
        if sketch.brightness and controls.brightness is None:
            course = sketch.brightness
            place = min(int(beat / sketch.beats * len(course)), len(course) - 1)
            return controls.with_(brightness=min(1.0, max(0.0, course[place])))
    return controls
