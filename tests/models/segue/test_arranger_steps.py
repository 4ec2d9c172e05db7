"""Songs as rows: what is kept, and that rows turned into sound are the song again."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.music.score import EVENT, PARTS
from models.music.song import Song
from models.segue.arranger.clock import Clock
from models.segue.arranger.steps import (
    ACTION,
    BPM_BINS,
    DRUM_COLUMNS,
    HOLD,
    PITCH_CODES,
    STRIKE,
    TOKEN,
    StepSong,
    active_bits,
    bpm_at,
    bpm_bin,
    code_pitch,
    encode,
    levels_of,
    onset_density,
    onsets,
    pitch_code,
    section_code,
)
from models.segue.arranger.voices import Voices, play_row
from tests.support.songs import random_song


def replay(song: Song, steps: StepSong) -> NDArray[np.void]:
    """All events of the rows, as the arranger would play them."""
    clock, voices, done = Clock(), Voices(), []
    for index, row in enumerate(steps.rows):
        tick, clock = clock.tick(song.bpm, song.swing, song.steps_per_beat, song.steps_per_bar)
        before = {id(n) for n in voices.notes if not n.open and n.off <= tick.start}
        done += [n for n in voices.notes if id(n) in before]
        voices = Voices(tuple(n for n in voices.notes if id(n) not in before), voices.voicing)
        voices = play_row(voices, row, tick, steps.setting, song.tonic, None, 1, index)
    done += voices.notes
    return Voices(tuple(done)).events(())


def step_of(on: NDArray[np.float64], song: Song) -> NDArray[np.int64]:
    """The step of an onset that may be a hand's lateness after it."""
    return np.floor((on + 0.001) / song.step_seconds).astype(np.int64)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("metre", [(4, 16), (3, 12)])
def test_rows_played_again_are_the_song(seed: int, metre: tuple[int, int]) -> None:
    song = random_song(seed, 12, *metre)
    wanted = song.events(humanise=False)
    got = replay(song, encode(song))
    assert got.dtype == EVENT
    for part in range(len(PARTS)):
        a = wanted[wanted["part"] == part]
        b = got[got["part"] == part]
        assert len(a) == len(b), PARTS[part]
        a, b = (x[np.lexsort((x["pitch"], step_of(x["on"], song)))] for x in (a, b))
        assert (a["pitch"] == b["pitch"]).all()
        assert np.abs(a["on"] - b["on"]).max(initial=0) <= 0.008
        if part:  # lengths are kept to the half step, but for the song's very end
            inside = a["off"] < song.seconds - 1
            assert np.abs(a["off"] - b["off"])[inside].max(initial=0) < 0.02
        assert (levels_of(a["velocity"]) == levels_of(b["velocity"])).all()


def test_rows_do_not_depend_on_the_key() -> None:
    from dataclasses import replace

    song = random_song(5)
    up = song.tonic + 1
    if up > 6:
        up, shift = song.tonic - 1, -1
    else:
        shift = 1
    notes = {k: v.copy() for k, v in song.notes.items()}
    for line in notes.values():
        line["pitch"] += shift
    moved = replace(song, tonic=up, notes=notes)
    assert (encode(song).rows == encode(moved).rows).all()


def test_long_notes_are_held() -> None:
    steps = encode(random_song(1))
    line = steps.rows[:, TOKEN["bass"]]
    starts = np.flatnonzero(line[:-1] >= STRIKE)
    assert (line[starts + 1] == HOLD).any()
    assert ((line == HOLD) <= (np.roll(line, 1) != 0)).all()


def test_pitch_codes_round_trip_and_fold() -> None:
    for tonic in range(12):
        for pitch in range(24, 104):
            assert code_pitch(int(pitch_code(pitch, tonic)), tonic) == pitch
    assert 0 <= pitch_code(0, 6) < PITCH_CODES and 0 <= pitch_code(127, 7) < PITCH_CODES
    assert (127 - code_pitch(int(pitch_code(127, 7)), 7)) % 12 == 0


def test_levels() -> None:
    assert levels_of([0, 1, 61, 62, 96, 97, 127]).tolist() == [0, 1, 1, 2, 2, 3, 3]


def test_tempo_bins_round_trip() -> None:
    assert bpm_bin([bpm_at(i + 0.5) for i in range(BPM_BINS)]).tolist() == list(range(BPM_BINS))


def test_active_bits_are_by_bar() -> None:
    song = random_song(2)
    steps = encode(song)
    bits = active_bits(steps.rows, 16)
    hits = steps.rows[:, DRUM_COLUMNS].reshape(-1, 16 * 16)
    drums = (hits > 0).any(axis=1)
    assert np.array_equal((bits.reshape(-1, 16) & 1)[:, 0] > 0, drums)
    assert not (bits[: 4 * 16] & 1).any() and not (bits & (1 << PARTS.index("extra"))).any()


def test_returns_point_to_the_same_place_of_the_same_section() -> None:
    steps = encode(random_song(3, bars=40))
    eight = 8 * 16
    assert (steps.returns[: 2 * eight] == -1).all()
    assert steps.returns[2 * eight] == 0 and steps.returns[2 * eight + 17] == 17
    assert steps.section_bar[eight + 16] == 1


def test_density_counts_what_an_ear_counts() -> None:
    rows = np.zeros((64, encode(random_song(0)).rows.shape[1]), np.uint8)
    rows[::4, 0] = 3
    rows[::4, ACTION] = STRIKE
    assert onsets(rows)[0] == pytest.approx(1.2)
    density = onset_density(rows, 8.0, 16)
    assert density[32] == pytest.approx(8 * 1.2 / 4, rel=0.05)


@pytest.mark.parametrize(
    ("name", "code"), [("a", "a"), ("Verse 2", "a"), ("drop", "drop"), ("zzz", "other")]
)
def test_section_names(name: str, code: str) -> None:
    from models.segue.arranger.steps import SECTIONS

    assert SECTIONS[section_code(name)] == code
