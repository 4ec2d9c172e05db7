"""A tune as a MIDI file: eight bars of bass, chords, melody and drums."""

from __future__ import annotations

from pathlib import Path

import mido

CHORDS = ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))
"""Am, F, C, G."""
ROOTS = (33, 41, 36, 43)
TICKS = 480


def write_tune(path: Path, only: str = "") -> Path:
    """Write the tune; only: the name of the one track that it has."""
    file = mido.MidiFile(ticks_per_beat=TICKS)
    first = mido.MidiTrack()
    file.tracks.append(first)
    first.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(100)))
    first.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    bass, chords, lead, drums = [], [], [], []
    for bar in range(8):
        at = 4.0 * bar
        bass += [(at + i / 2, 0.45, ROOTS[bar % 4]) for i in range(8)]
        chords += [(at + x, 1.4, p) for x in (0.0, 2.5) for p in CHORDS[bar % 4]]
        lead += [(at + i, 0.9, 72 + (0, 4, 7, 9)[(i + bar) % 4]) for i in range(4)]
        drums += [(at + i, 0.1, 36 if i % 2 == 0 else 38) for i in range(4)]
    for name, channel, notes in (
        ("Track 1", 0, bass), ("Track 2", 1, chords), ("Melody", 2, lead), ("Drums", 9, drums),
    ):  # fmt: skip
        if only and name != only:
            continue
        track = mido.MidiTrack()
        file.tracks.append(track)
        track.append(mido.MetaMessage("track_name", name=name))
        events = sorted(
            event
            for beat, length, pitch in notes
            for event in ((beat, 1, pitch), (beat + length, 0, pitch))
        )
        last = 0.0
        for beat, on, pitch in events:
            kind = "note_on" if on else "note_off"
            ticks = round((beat - last) * TICKS)
            track.append(mido.Message(kind, channel=channel, note=pitch, velocity=90, time=ticks))
            last += ticks / TICKS
    file.save(path)
    return path
