"""Note events of the studio: when each note begins and ends in a block's sound.

They come from the voices that really play, so that a choked hat, a string that is struck again, a
muted part and a cleared stream end notes as they are heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from models.engine.interface import NoteEvent
from models.music.general_midi import DRUM_KEYS
from models.music.score import PARTS, SAMPLE_RATE
from models.segue.studio.block import BLOCK
from models.segue.studio.dynamics import AHEAD
from models.segue.studio.voices import OPEN, SamplerVoice

HIT: Final = round(0.05 * SAMPLE_RATE)
"""Nominal samples of a drum hit."""


class StartedNote(NamedTuple):
    """Note that is on: index into PARTS, MIDI pitch, velocity, and the sample of the stream at
    which its voice began.
    """

    part: int
    pitch: int
    velocity: int
    start: int


def note_events(
    voices: Iterable[SamplerVoice],
    audible: Sequence[bool],
    started: Sequence[StartedNote],
    start: int,
) -> tuple[tuple[NoteEvent, ...], tuple[StartedNote, ...]]:
    """Events of the block that begins at sample `start` of the stream.

    The sound is AHEAD samples behind the voices, and so are the events: the last AHEAD samples'
    are the next block's.

    Args:
        voices: all that sound in the block.
        audible: whether each of PARTS is heard; one that is not has no notes.
        started: the notes that are on before the block.
        start: samples since the stream began.

    Returns:
        The events in the order of their frames, each pitch off before it is on again; and the
        notes that are on after them.

    """
    low, high = start - AHEAD, start + BLOCK - AHEAD
    ends: dict[StartedNote, int] = {}
    fresh: list[StartedNote] = []
    for voice in voices:
        pitch = voice.pitch if voice.part else DRUM_KEYS[voice.pitch]
        note = StartedNote(voice.part, pitch, min(max(voice.velocity, 1), 127), voice.start)
        end = voice.start + HIT if not voice.part else high
        if voice.stop != OPEN:
            end = min(end, voice.stop) if not voice.part else voice.stop
        ends[note] = max(end, voice.start + 1, low)
        if low <= voice.start < high and audible[voice.part]:
            fresh.append(note)
    # (sample, on after off, note)
    changes = [(note.start, 1, note) for note in fresh]
    for note in {*started, *fresh}:
        end = ends.get(note, low) if audible[note.part] else low
        if end < high:
            changes.append((end, 0, note))
    changes.sort()
    on = {(note.part, note.pitch): note for note in started}
    events: list[NoteEvent] = []
    for sample, begins, note in changes:
        key, frame = (note.part, note.pitch), sample - low
        playing = on.get(key)
        if not begins and playing != note:
            continue
        if playing is not None:
            if begins and playing.start == note.start:
                continue  # two voices of one note
            events.append(NoteEvent(frame, PARTS[note.part], note.pitch, 0))
            del on[key]
        if begins:
            events.append(NoteEvent(frame, PARTS[note.part], note.pitch, note.velocity))
            on[key] = note
    return tuple(events), tuple(on.values())
