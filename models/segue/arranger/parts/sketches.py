"""Sketches in the score: a part plays what was sung, tapped or drawn, or what a MIDI file has.

A sketch that is new begins with the next bar, on the grid of the metre that is played then, and
goes round or ends. While it plays, its part is not written by the network, which hears it as it
hears a locked part. A sketch with chords decides the harmony of all parts as long. An
example is played by nobody (see `example`).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import Final, NamedTuple

from models.engine.controls import Controls
from models.music.hearing.sketch import Sketch, SketchChord, SketchNote, on_grid, pitch_in_key
from models.music.score import DRUMS, INSTRUMENTS, KITS, PARTS, PITCHED, chord_symbol, parse_key
from models.music.voicing import part_range
from models.segue.arranger.clock import Tick
from models.segue.arranger.parts.instruments import USUAL
from models.segue.arranger.parts.targets import NO_TARGETS, PartTargets
from models.segue.arranger.state import Row, StartedSketch, State, empty_row
from models.segue.arranger.steps import (
    ACTION,
    HOLD,
    HOLD_HALF,
    STRIKE,
    TOKEN,
    Setting,
    levels_of,
    pitch_code,
)

EXAMPLE: Final = "example"
REMEMBERED: Final = 24
"""Sketches that are kept as they lie on the grid."""


class GridSketch(NamedTuple):
    """A sketch on the grid, and the steps at which its notes and hits begin."""

    sketch: Sketch
    notes: tuple[int, ...]
    hits: tuple[int, ...]


def begin_sketches(state: State, controls: Controls, tick: Tick) -> State:
    """The state at a step: new sketches begin on a bar, those that are gone end."""
    wanted, known = controls.sketches, state.sketches
    if not wanted and not known:
        return state
    kept = tuple(started for started in known if started.sketch in wanted)
    if tick.on_bar:
        have = {id(started.sketch) for started in kept}
        fresh = [s for s in wanted if id(s) not in have]
        fresh = [s for s in fresh if all(s != started.sketch for started in kept)]
        kept += tuple(StartedSketch(s, tick.beats) for s in fresh)
    return state if kept == known else state.with_(sketches=kept)


def playing(state: State, tick: Tick) -> tuple[tuple[Sketch, float], ...]:
    """Sketches that act in a step, with the beat at which they are."""
    found = []
    for started in state.sketches:
        beat = tick.beats - started.beat + 1e-6
        if started.sketch.loop or beat < started.sketch.beats:
            found.append((started.sketch, beat % started.sketch.beats))
    return tuple(found)


def sketched_setting(setting: Setting, controls: Controls) -> Setting:
    """The setting with an instrument for each part that has a sketch."""
    for sketch in controls.sketches:
        if sketch.part not in PARTS:
            continue
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
    rows, modes, symbol = list(targets.locked), list(targets.modes), targets.symbol
    found = playing(state, tick)
    for sketch, beat in found:
        # The harmony by itself comes before the one that a part brings along.
        if (
            sketch.chords
            and sketch.part != EXAMPLE
            and (symbol is None or sketch.part == "harmony")
        ):
            symbol = symbol_at(sketch, beat, tonic)
        if sketch.part not in PARTS:
            continue
        part = PARTS.index(sketch.part)
        if rows[part] is None:  # a locked part stays as it is
            rows[part] = sketched_row(sketch, beat, tick.steps_per_beat, setting, tonic, mode)
            modes[part] = ""
    if not found:
        return targets
    base = PartTargets() if targets is NO_TARGETS else targets
    return replace(base, locked=tuple(rows), modes=tuple(modes), symbol=symbol)


def sketched_bits(state: State, tick: Tick) -> int:
    """Bits of the parts that play a sketch in a step."""
    return sum(1 << PARTS.index(s.part) for s, _ in playing(state, tick) if s.part in PARTS)


def symbol_at(sketch: Sketch, beat: float, tonic: int) -> int:
    """The chord symbol + 1 that a sketch has at a beat."""
    chords = sketch.chords
    index = bisect_right(chords, beat + 1e-6, key=_beat_of) - 1
    chord = chords[max(0, index)]
    origin = parse_key(sketch.key)[0] if sketch.key else tonic
    return chord_symbol(chord.root - origin, chord.quality) + 1


def sketched_row(
    sketch: Sketch, beat: float, per_beat: int, setting: Setting, tonic: int, mode: str
) -> Row:
    """What a sketch of a part has at a beat (of its own), as a row."""
    row, step = empty_row(), round(beat * per_beat - 1e-4)
    placed = _placed(sketch, per_beat)
    if sketch.part == "drums":
        last = bisect_right(placed.hits, step)
        for hit in placed.sketch.hits[bisect_right(placed.hits, step - 1) : last]:
            drum = DRUMS.index(hit.drum)
            row[drum] = max(int(row[drum]), int(levels_of(hit.velocity)))
        return row
    index = bisect_right(placed.notes, step) - 1
    if index < 0:
        return row
    note, start = placed.sketch.notes[index], placed.notes[index]
    column = ACTION if sketch.part == "chords" else TOKEN[sketch.part]
    halves = max(1, round(note.length * per_beat * 2))
    if start == step:
        code = 0 if sketch.part == "chords" else _code(sketch, note, setting, tonic, mode)
        row[column] = STRIKE + code
        row[column + 1] = 2 * (max(1, int(levels_of(note.velocity))) - 1) + (halves == 1)
    elif 2 * (step - start) < halves:
        row[column] = HOLD if 2 * (step - start) + 1 < halves else HOLD_HALF
    return row


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


def _code(sketch: Sketch, note: SketchNote, setting: Setting, tonic: int, mode: str) -> int:
    """Pitch code of a note, in the key of the music where the sketch moves with it."""
    pitch = note.pitch
    if sketch.key:
        pitch += (tonic - parse_key(sketch.key)[0] + 6) % 12 - 6
    whole = pitch_in_key(pitch, tonic, mode) if sketch.in_key else round(pitch)
    name = INSTRUMENTS[setting.instruments[PITCHED.index(sketch.part)]]
    return int(pitch_code(_in_reach(whole, sketch.part, name), tonic))


def _in_reach(pitch: int, part: str, instrument: str) -> int:
    """The pitch, by octaves within what the instrument can play."""
    low, high = part_range(part, instrument) if instrument != "none" else (28, 96)
    while pitch < low - 5:
        pitch += 12
    while pitch > high + 5:
        pitch -= 12
    return pitch


def _beat_of(chord: SketchChord) -> float:
    return chord.beat


# It keeps the sketches, so that an identity is of the one that was kept. What is kept does not
# change what is written.
_grids: dict[tuple[int, int], tuple[Sketch, GridSketch]] = {}


def _placed(sketch: Sketch, per_beat: int) -> GridSketch:
    """A sketch on the grid, remembered."""
    found = _grids.get((id(sketch), per_beat))
    if found is not None and found[0] is sketch:
        return found[1]
    placed = on_grid(sketch, per_beat)
    placed = replace(placed, hits=tuple(sorted(placed.hits, key=lambda hit: hit.beat)))
    made = GridSketch(
        placed,
        tuple(round(note.beat * per_beat) for note in placed.notes),
        tuple(round(hit.beat * per_beat) for hit in placed.hits),
    )
    if len(_grids) >= REMEMBERED:
        _grids.clear()
    _grids[id(sketch), per_beat] = (sketch, made)
    return made
