"""Voices of the score: from rows of steps to notes in seconds.

A note's end is not known when it begins: it is written to the end of its step and drawn out by
every step that holds it. Every step whose onset lies in a block is written before the block is
drawn, so what a block shows of a note is final.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import EVENT, INSTRUMENTS, KITS, PARTS, PITCHED, STEM_OF_PART
from models.music.song import MACHINES, STRUMMED
from models.music.voicing import voice
from models.segue.arranger.clock import Tick, lateness, scramble
from models.segue.arranger.held_keys import HeldHarmony, voice_held
from models.segue.arranger.steps import (
    ACTION,
    DRUM_COLUMNS,
    HOLD,
    HOLD_HALF,
    NOTE_PARTS,
    STRIKE,
    SYMBOL,
    TOKEN,
    Setting,
    code_pitch,
)
from models.segue.arranger.velocities import drum_velocity, part_velocity

GAP: Final = 0.004  # seconds between the end of a note and what follows, as in the corpus
HIT: Final = 0.05  # nominal length of a drum hit in seconds
TIMING_SPREAD: Final = 0.0022  # spread of timing in seconds
STRUM: Final = 0.011  # maximum seconds from string to string


@dataclass(frozen=True)
class SoundingNote:
    """A note or hit: fields of score.EVENT, and whether the next step may still draw it out."""

    on: float
    off: float
    part: int
    pitch: int
    velocity: int
    open: bool = False


@dataclass(frozen=True)
class Voices:
    """Notes that sound or will, and the chord part's last voicing."""

    notes: tuple[SoundingNote, ...] = ()
    voicing: tuple[int, ...] = ()

    def events(self, mute: Iterable[str]) -> NDArray[np.void]:
        """The notes as an EVENT array, without those of muted stems."""
        muted = set(mute)
        unmuted = [n for n in self.notes if STEM_OF_PART[PARTS[n.part]] not in muted]
        events = np.zeros(len(unmuted), EVENT)
        for index, note in enumerate(unmuted):
            off = max(note.off - GAP, note.on + 0.02) if note.part else note.off
            events[index] = (note.on, off, note.part, note.pitch, note.velocity)
        return events

    def since(self, time: float) -> Voices:
        """Without what is over before `time` and can no longer be drawn out."""
        notes = tuple(n for n in self.notes if n.off > time or n.open)
        return replace(self, notes=notes)

    def cut(self, time: float, parts: Sequence[int] = (1, 2, 3, 4)) -> Voices:
        """End the notes of these parts at `time`; forget those that begin later."""
        notes = []
        for note in self.notes:
            if note.part in parts:
                if note.on >= time:
                    continue
                note = replace(note, off=min(note.off, time), open=False)
            notes.append(note)
        return replace(self, notes=tuple(notes))


def _touch(value: int) -> tuple[int, bool]:
    level, short = divmod(value, 2)
    return level + 1, bool(short)


def play_row(
    voices: Voices,
    row: NDArray[np.uint8],
    tick: Tick,
    setting: Setting,
    tonic: int,
    held: HeldHarmony | None,
    seed: int,
    step: int,
    octaves: Sequence[int] = (0,) * len(PARTS),
) -> Voices:
    """The voices after one more step. `seed` and `step` decide the players' small deviations;
    `octaves`, by PARTS, moves notes that begin.
    """
    middle = tick.start + 0.5 * tick.length
    out: list[SoundingNote] = []
    for note in voices.notes:
        if not note.open:
            out.append(note)
            continue
        column = ACTION if PARTS[note.part] == "chords" else TOKEN[PARTS[note.part]]
        code = int(row[column])
        if code == HOLD:
            out.append(replace(note, off=tick.end))
        elif code == HOLD_HALF:
            out.append(replace(note, off=middle, open=False))
        else:
            out.append(replace(note, open=False))
    loose = 0.0 if KITS[setting.kit] in MACHINES else TIMING_SPREAD
    for drum in np.flatnonzero(row[DRUM_COLUMNS]):
        on = tick.start + lateness(seed, step, int(drum), loose)
        chance = scramble(seed, step, int(drum), 3)
        velocity = drum_velocity(int(drum), int(row[drum]), chance)
        out.append(SoundingNote(on, on + HIT, 0, int(drum), velocity))
    for part in NOTE_PARTS:
        code, index = int(row[TOKEN[part]]), PARTS.index(part)
        if code < STRIKE:
            continue
        level, short = _touch(int(row[TOKEN[part] + 1]))
        on = tick.start + lateness(seed, step, 20 + index, loose)
        pitch = in_octave(code_pitch(code - STRIKE, tonic), octaves[index])
        off = middle if short else tick.end
        velocity = part_velocity(index, level, scramble(seed, step, index, 3))
        out.append(SoundingNote(on, off, index, pitch, velocity, not short))
    voicing = voices.voicing
    if row[ACTION] == STRIKE:
        instrument = INSTRUMENTS[setting.instruments[PITCHED.index("chords")]]
        symbol = int(row[SYMBOL]) - 1
        before = voicing or None
        if held is not None:
            voicing = voice_held(held, tonic, instrument, before)
        else:
            voicing = voice(symbol, tonic, instrument, before)
        moved = octaves[PARTS.index("chords")]
        pitches = tuple(in_octave(pitch, moved) for pitch in voicing)
        out += _chord(pitches, row, tick, instrument, loose, seed, step)
    return Voices(tuple(out), voicing)


def in_octave(pitch: int, octaves: int) -> int:
    """A MIDI note moved by octaves, as far as there are notes."""
    moved = pitch + 12 * octaves
    return moved if 0 <= moved <= 127 else moved % 12 if moved < 0 else 108 + moved % 12


def _chord(
    pitches: tuple[int, ...],
    row: NDArray[np.uint8],
    tick: Tick,
    instrument: str,
    loose: float,
    seed: int,
    step: int,
) -> list[SoundingNote]:
    """The notes of a struck chord; plucked instruments strum, down on the beat and up off it."""
    level, short = _touch(int(row[ACTION + 1]))
    velocity = part_velocity(PARTS.index("chords"), level, scramble(seed, step, 40, 3))
    late = lateness(seed, step, 40, loose)
    spread = min(STRUM, 0.05 * tick.length) if instrument in STRUMMED else 0.0
    odd = tick.step_in_bar % 2 == 1 if tick.steps_per_beat == 4 else tick.step_in_bar % 3 == 2
    off = tick.start + 0.5 * tick.length if short else tick.end
    notes = []
    for rank, pitch in enumerate(pitches):
        order = len(pitches) - 1 - rank if odd else rank
        on = tick.start + late + order * spread
        notes.append(SoundingNote(on, off, PARTS.index("chords"), pitch, velocity, not short))
    return notes
