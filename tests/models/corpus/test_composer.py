"""Composer: every term gives a song in its key and range, deterministically."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.corpus.composer.composer import compose
from models.corpus.composer.plan import _kit_term, draw_terms, is_held_out
from models.corpus.styles import PLAYERS, STYLES, TERMS
from models.corpus.styles.base import weights
from models.errors import SegueError
from models.music.form import METRES
from models.music.score import DRUMS, INSTRUMENTS, KITS, MODES, PITCHED
from models.music.song import NOTE, Song
from models.music.tonality import agrees, estimate_key
from models.music.voicing import part_range


def _same(a: Song, b: Song) -> bool:
    return (
        a.bpm == b.bpm
        and a.terms == b.terms
        and a.captions == b.captions
        and a.production == b.production
        and bool((a.drums == b.drums).all())
        and bool((a.chords == b.chords).all())
        and bool((a.events() == b.events()).all())
    )


def test_there_are_120_terms() -> None:
    assert len(TERMS) == 120
    assert len(set(TERMS)) == 120


@pytest.mark.parametrize("term", TERMS)
def test_a_term_composes_a_sound_song(term: str) -> None:
    for seed in (3, 41):
        song = compose(seed, [(term, 1.0)], seconds=20.0)
        assert song.seconds >= 20.0
        assert song.steps % song.steps_per_bar == 0
        assert (song.steps_per_beat, song.steps_per_bar) in METRES.values()
        assert song.drums.shape == (song.steps, len(DRUMS)) and song.drums.max() <= 127
        assert song.kit in KITS and song.mode in MODES and 0 <= song.tonic < 12
        assert len(song.chords) == len(song.sections) == song.steps
        assert set(song.instruments) == set(PITCHED)
        assert song.section_names[song.sections.max()]
        events = song.events()
        assert len(events) > 8
        assert (events["off"] > events["on"]).all() and events["on"].min() >= 0
        assert events["velocity"].min() >= 1 and events["velocity"].max() <= 127
        for part in PITCHED:
            _check_part(song, part)


def _check_part(song: Song, part: str) -> None:
    notes = song.notes[part]
    name = song.instruments[part]
    assert notes.dtype == NOTE and name in INSTRUMENTS
    if name == "none":
        assert not len(notes)
        return
    if not len(notes):
        return
    assert notes["step"].min() >= 0 and (notes["step"] + notes["length"]).max() <= song.steps + 1e-3
    assert (notes["length"] > 0).all()
    assert notes["pitch"].min() >= 21 and notes["pitch"].max() <= 108
    steps = notes["step"]
    assert (np.diff(steps) >= 0).all()
    if part == "chords":
        # One strike at a time: notes of a strike share its step, nothing overlaps the next.
        for step in np.unique(steps)[:-1]:
            mine = notes[steps == step]
            following = steps[steps > step].min()
            assert (step + mine["length"]).max() <= following + 1e-3
            assert len(np.unique(mine["pitch"])) == len(mine)
        return
    assert (np.diff(steps) > 0).all(), "a line has one note a step"
    assert (steps[:-1] + notes["length"][:-1] <= steps[1:] + 1e-3).all(), "and no overlaps"
    low, high = part_range(part, name)
    assert low <= notes["pitch"].min() and notes["pitch"].max() <= high, (part, name)


@pytest.mark.parametrize("term", sorted(PLAYERS))
def test_an_instrument_term_has_its_instrument(term: str) -> None:
    own = set(weights(PLAYERS[term].instrument)[0]) | {"breaks"}
    for seed, company in ((5, None), (6, "Techno"), (7, "Baroque"), (8, "Klezmer")):
        terms = [(term, 0.4)] + ([(company, 0.6)] if company else [])
        song = compose(seed, terms, seconds=60.0)
        if PLAYERS[term].parts == "drums":
            assert song.kit in own and song.drums.any()
            continue
        mine = [part for part in PITCHED if song.instruments[part] in own]
        assert any(len(song.notes[part]) for part in mine), song.instruments


def test_the_same_seed_gives_the_same_song_and_others_differ() -> None:
    songs = [compose(seed, seconds=12.0) for seed in range(24)]
    for seed in (0, 11, 23):
        assert _same(songs[seed], compose(seed, seconds=12.0))
    prints = {(s.bpm, s.tonic, s.events()["on"].sum()) for s in songs}
    assert len(prints) == len(songs)
    one, other = (compose(9, [("Techno", 1.0)], split=split) for split in ("train", "eval"))
    assert not _same(one, other) and one.seed != other.seed


def test_terms_are_balanced_and_held_out_combinations_stay_out_of_training() -> None:
    train = [draw_terms(seed, "train") for seed in range(480)]
    leads = [terms[0][0] for terms in train]
    assert all(leads.count(term) == 4 for term in TERMS)
    for terms in train:
        names = [name for name, _ in terms]
        assert len(set(names)) == len(names)
        assert abs(sum(weight for _, weight in terms) - 1) < 1e-9
        assert min(weight for _, weight in terms) > 0.1
        assert sum(_kit_term(name) for name in names) <= 1
        for i, first in enumerate(names):
            assert not any(is_held_out((first, second)) for second in names[i + 1 :])
    evaluation = [draw_terms(seed, "eval") for seed in range(240)]
    mixed = [frozenset(name for name, _ in terms) for terms in evaluation if len(terms) > 1]
    assert mixed and not set(mixed) & {frozenset(n for n, _ in terms) for terms in train}
    assert 0.3 < np.mean([len(terms) == 1 for terms in train]) < 0.7


def test_songs_sound_in_their_key_and_densities_vary() -> None:
    songs = [compose(seed) for seed in range(120)]
    right = [agrees(s.notes, s.step_seconds, s.tonic, s.mode) for s in songs]
    assert np.mean(right) > 0.85
    density = [s.density_at(np.arange(1.0, s.seconds)).mean() for s in songs]
    low, high = np.percentile(density, [10, 90])
    assert low < 3.2 and high > 6.5
    for song in songs:
        events = song.events()
        heard = np.maximum.accumulate(events["off"])
        assert (events["on"][1:] - heard[:-1]).max() < 4.0, "music does not stop"


def test_tempo_and_key_can_be_asked_for() -> None:
    song = compose(1, [("Trance", 1.0)], bpm=101.0, key="F# dorian")
    assert (song.bpm, song.tonic, song.mode) == (101.0, 6, "dorian")
    hits = np.flatnonzero(song.drums[:, DRUMS.index("kick")])
    seconds = song.seconds_at(hits)
    beats = seconds * 101.0 / 60.0
    assert np.abs(beats - beats.round()).mean() < 0.1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"terms": [("Polka Metal", 1.0)]}, "no term"),
        ({"terms": [("Techno", 0.0)]}, "above zero"),
        ({"terms": [("Techno", float("nan"))]}, "weight"),
        ({"seconds": 0.0}, "1 to 3600"),
        ({"bpm": 2.0}, "30 to 300"),
        ({"key": "H minor"}, "not a key"),
        ({"split": "test"}, "no split"),
        ({"seed": -1}, "zero or more"),
    ],
)
def test_bad_requests_are_refused_in_a_sentence(arguments: dict[str, Any], words: str) -> None:
    given_ = {"seed": 1, **arguments}
    with pytest.raises(SegueError, match=words):
        compose(**given_)


@given(st.integers(0, 500), st.floats(0.0, 30.0))
@settings(max_examples=25, deadline=None)
def test_swing_bends_time_and_back(seed: int, second: float) -> None:
    song = compose(seed % 40, seconds=8.0)
    assert song.seconds_at(song.steps_at(second)) == pytest.approx(second, abs=1e-9)
    grid = song.seconds_at(np.arange(64))
    assert (np.diff(grid) > 0).all()
    assert grid[song.steps_per_beat] == pytest.approx(60.0 / song.bpm)


def test_labels_agree_with_the_notes() -> None:
    song = compose(2, [("Classic Rock", 1.0)], seconds=16.0)
    score = song.frame_labels(0.0, 250)
    assert len(score) == 250
    times = (np.arange(250) + 0.5) * 0.04
    step = np.clip(song.steps_at(times).astype(int), 0, song.steps - 1)
    assert (score.chroma.any(axis=1) == (song.chords[step] >= 0)).all()
    assert np.isnan(score.brightness).all() and np.isfinite(score.density).all()
    assert (score.tempo == np.float32(song.bpm)).all()
    events = song.events()
    drums = events[(events["part"] == 0) & (events["on"] < 9.9)]
    assert score.drums[:, :, :].astype(bool).sum() >= 0.9 * len(drums) > 10
    on_beat = song.seconds_at(np.arange(0, song.steps, song.steps_per_bar))
    frame = (on_beat[1] / 0.04).astype(int)
    assert score.beat[frame, 1] > 0.8 and score.beat[frame, 3] > 0.9


def test_the_key_finder_knows_a_scale() -> None:
    scale = np.zeros(12)
    scale[[2, 4, 6, 7, 9, 11, 1]] = 1.0  # D major
    scale[[2, 9]] += 1.0
    assert estimate_key(scale) == (2, False)


def test_words_in_the_tables_are_known() -> None:
    for player in PLAYERS.values():
        for host in weights(player.hosts)[0]:
            assert host in STYLES or host.replace("_", " ") in STYLES, host
