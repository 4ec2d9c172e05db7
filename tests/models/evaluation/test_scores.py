"""Scores as songs: nothing is lost on the way, and the figures say what they name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.engine.controls import Controls
from models.evaluation.scores import describe, form_figures, to_song, write
from models.music.score import chord_symbol
from models.music.song import NOTE, Song
from models.segue.arranger.steps import SYMBOL, TOKEN, encode
from tests.support.arrangers import STYLE, play, untrained
from tests.support.songs import random_song


def test_rows_become_the_song_that_they_were() -> None:
    state, _ = play(untrained(), untrained().start(1), Controls(style=STYLE), 4)
    song = encode(random_song(3, bars=8))
    state = state.with_(setting=song.setting, key=(2, "minor"))
    again = encode(to_song(song.rows, song.section.astype(np.int64), state, None, 0))
    assert np.array_equal(again.rows[:, SYMBOL], song.rows[:, SYMBOL])
    for column in TOKEN.values():
        assert np.array_equal(again.rows[:, column], song.rows[:, column])


def line(pitches: list[int], every: int = 4) -> np.ndarray:
    return np.array([(i * every, every, p, 90) for i, p in enumerate(pitches)], NOTE)


def song_of(lead: list[int], bass: list[int], sections: list[int], symbol: int = 0) -> Song:
    steps = 64
    return replace(
        random_song(1, bars=4),
        tonic=0,
        mode="minor",
        drums=np.zeros((steps, 16), np.uint8),
        notes={"lead": line(lead), "bass": line(bass)},
        chords=np.full(steps, symbol, np.int16),
        sections=np.repeat(np.array(sections, np.int16), 16),
    )


def test_shares_are_counted() -> None:
    minor = chord_symbol(0, "min")
    song = song_of([60, 63, 67, 66] * 4, [36, 36, 43, 36] * 4, [0, 0, 1, 1], minor)
    found = describe(song)
    assert found["scale lead"] == pytest.approx(0.75)
    assert found["scale bass"] == 1.0
    assert found["lead chordal"] == pytest.approx(0.75)
    assert found["bass root"] == pytest.approx(0.75)
    assert found["chords"] == found["tonic chord"] == found["right"] == 1.0
    assert found["chord entropy"] == 0.0 and found["symbols"] == 1.0
    major = song_of([60] * 16, [36] * 16, [0] * 4, chord_symbol(0, "maj"))
    assert describe(major)["chords"] == 0.0


def test_a_return_is_told_from_another_section() -> None:
    theme, other = [60, 63, 67, 63], [65, 68, 72, 68]
    song = song_of(theme * 2 + other * 2, [36] * 16, [0, 0, 1, 1])
    song = replace(
        song,
        drums=np.zeros((128, 16), np.uint8),
        notes={"lead": line((theme * 2 + other * 2) * 2)},
        chords=np.zeros(128, np.int16),
        sections=np.repeat(np.array([0, 0, 1, 1] * 2, np.int16), 16),
    )
    found = form_figures(song)
    assert found["return pitch"] == 1.0 and found["other pitch"] == 0.0
    assert found["return rhythm"] == found["other rhythm"] == 1.0
    assert found["sections"] == 2 and found["contrast"] == pytest.approx(0.0)


def test_what_is_written_is_as_long_as_asked() -> None:
    song = write(untrained(), STYLE, Controls(style=STYLE, bpm=120.0), 6.0, 3)
    assert song.bpm == 120.0 and song.seconds == pytest.approx(6.0, abs=0.5)
    assert any(len(notes) for notes in song.notes.values()) or song.drums.any()
