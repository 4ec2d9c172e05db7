"""Small random songs, independent of the composer, for tests of what reads songs."""

from __future__ import annotations

import numpy as np

from models.music.score import chord_symbol
from models.music.song import NOTE, Song
from models.music.voicing import voice


def random_song(
    seed: int, bars: int = 24, steps_per_beat: int = 4, steps_per_bar: int = 16
) -> Song:
    """A song of repeated bars with small changes; lengths are halves of a step."""
    rng = np.random.default_rng(seed)
    steps = bars * steps_per_bar
    tonic = int(rng.integers(12))
    symbols = [chord_symbol(int(r), "maj") for r in rng.choice([0, 5, 7, 9], 4)]
    chords = np.array([symbols[(s // steps_per_bar) % 4] for s in range(steps)], np.int16)
    beat = (rng.random((steps_per_bar, 16)) < 0.12) * rng.integers(30, 127, (steps_per_bar, 16))
    drums = np.tile(beat, (bars, 1)).astype(np.uint8)
    drums[: 4 * steps_per_bar] = 0

    def line(low: int, high: int, odds: float) -> np.ndarray[tuple[int], np.dtype[np.void]]:
        at = np.flatnonzero(rng.random(steps) < odds)
        notes = np.zeros(len(at), NOTE)
        notes["step"] = at
        gap = np.diff([*at.tolist(), steps])
        notes["length"] = np.minimum(rng.integers(1, 9, len(at)) / 2, gap)
        notes["pitch"] = rng.integers(low, high, len(at))
        notes["velocity"] = rng.integers(30, 127, len(at))
        return notes

    strikes = line(60, 61, 0.2)
    chord_notes, before = [], None
    for strike in strikes:
        before = voice(int(chords[strike["step"]]), tonic, "piano", before)
        chord_notes += [
            (strike["step"], strike["length"], pitch, strike["velocity"]) for pitch in before
        ]
    return Song(
        seed=seed,
        terms=(("Accordion", 0.6), ("Ambient", 0.4)),
        captions=("a test",),
        bpm=float(rng.uniform(70, 170)),
        swing=0.5,
        steps_per_beat=steps_per_beat,
        steps_per_bar=steps_per_bar,
        tonic=tonic,
        mode="major",
        kit="acoustic",
        instruments={"bass": "precision_bass", "chords": "piano", "lead": "flute", "extra": "none"},
        drums=drums,
        notes={
            "bass": line(30, 52, 0.3),
            "chords": np.array(chord_notes, NOTE),
            "lead": line(60, 90, 0.3),
            "extra": np.zeros(0, NOTE),
        },
        chords=chords,
        sections=(np.arange(steps) // (8 * steps_per_bar) % 2).astype(np.int16),
        section_names=("a", "b"),
    )
