"""Tests of the trackers' training, on examples of which the truth is plain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.music.tracking.beat_network import RecurrentLayer
from models.music.tracking.chroma import find_chroma, initial_chroma
from models.music.tracking.front_end import SAMPLE_RATE, analyse, initial_front_end
from models.music.tracking.harmony import CHORD_QUALITIES, ChordNetwork, turn
from models.music.tracking.rhythm import PLACES, RhythmPatterns
from models.training.ears import ChordSong, fit_chords, fit_patterns, tapped_example


def test_patterns_of_taps_are_loudest_on_the_beat() -> None:
    four = [tapped_example(seed) for seed in range(4)]
    three = [replace(e, metre=3, places=e.places % (3 * PLACES)) for e in four]
    table = fit_patterns(four + three)
    patterns = RhythmPatterns(*(table[f"rhythm.{name}"] for name in ("codebook", "four", "three")))
    assert np.allclose(patterns.four.sum(axis=2), 1, atol=1e-4)
    for chances, beats in ((patterns.four, 4), (patterns.three, 3)):
        flux = (chances @ patterns.codebook.sum(axis=1)).mean(axis=0).reshape(beats, PLACES)
        on_beat, between = flux[:, 0].mean(), flux[:, PLACES // 2].mean()
        assert on_beat > 3 * between


def test_a_chord_network_learns_what_it_is_shown() -> None:
    shown = []
    for root, steps in ((0, (0, 4, 7)), (0, (0, 3, 7)), (5, (0, 4, 7)), (9, (0, 3, 7))):
        time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
        pitches = [48 + root, *(60 + root + step for step in steps)]
        sound = sum(np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * time) for p in pitches)
        state, found = initial_chroma(), None
        for frame in analyse(initial_front_end(), np.asarray(0.1 * sound, np.float32))[1]:
            state, chroma = find_chroma(state, frame)
            found = chroma or found
        assert found is not None
        quality = CHORD_QUALITIES.index("maj" if 4 in steps else "min")
        shown.append((found, root * len(CHORD_QUALITIES) + quality))
    songs = [
        ChordSong(np.repeat(turn(chroma)[None], 6, axis=0), np.full(6, label))
        for chroma, label in shown
    ]
    table = fit_chords(songs, steps=80)
    parts = ("input_weight", "state_weight", "input_bias", "state_bias")
    memory = RecurrentLayer(*(table[f"chord.memory.{part}"] for part in parts))
    enter, leave = (
        (table[f"chord.{name}.weight"], table[f"chord.{name}.bias"]) for name in ("enter", "leave")
    )
    network = ChordNetwork(*enter, memory, *leave)
    for song, (_, label) in zip(songs, shown, strict=True):
        hidden = np.zeros((12, memory.units), np.float32)
        for row in song.inputs:
            hidden, chances = network.step(hidden, row)
        assert int(chances.argmax()) == label
