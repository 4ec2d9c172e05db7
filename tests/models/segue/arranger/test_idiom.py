"""Idiom: what is learned from counts, and how it acts on what the arranger writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.engine.controls import Controls
from models.errors import SegueError
from models.music.harmony import MINOR_LIKE
from models.music.score import MODE_NAMES, QUALITY_NAMES, chord_symbol
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.clock import Clock
from models.segue.arranger.idiom.acting import line_odds, onset_odds, symbol_odds
from models.segue.arranger.idiom.counts import (
    PLACES,
    STEPS,
    TRIADS,
    WIDEST,
    MusicCounts,
    line_steps,
    total,
    triad,
)
from models.segue.arranger.idiom.idiom import MOST, SHAPES, Idiom, idiom_of, learned_idiom, mixed
from models.segue.arranger.idiom.sounds import SoundIdioms
from models.segue.arranger.part_styles import PartStyles
from models.segue.arranger.setting import SettingNoise, choose_setting
from models.segue.arranger.state import History, empty_row
from models.segue.arranger.steps import BPM_BINS, STRIKE, TOKEN, WIDTH, bpm_bin, onsets
from models.sounds.file import CHANGE, DOWN, UP, LearnedSound
from models.sounds.library import SoundLibrary, base_checksum
from tests.support.arrangers import STYLE, play, untrained

NOTHING = Idiom(**{name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()})


def counted(**changes: object) -> MusicCounts:
    """Plain music, with some counts replaced."""
    plain = MusicCounts(
        onsets=np.full(PLACES, 50.0), bars=100.0, chords=np.full((TRIADS, TRIADS), 0.5),
        beats=400.0, tones=np.full(12, 30.0), steps=np.full(STEPS, 8.0),
        tempo=np.full(BPM_BINS, 10.0), modes=np.array([100.0, 100.0]),
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_the_same_music_and_no_music_change_nothing() -> None:
    for music in (counted(), MusicCounts()):
        idiom = learned_idiom(music, counted())
        for name in SHAPES:
            assert np.abs(getattr(idiom, name)).max() < 0.1, name


def test_what_is_likelier_in_music_is_told() -> None:
    beat = np.full(PLACES, 50.0)
    beat[::4] = 95.0
    beat[1::4] = 5.0
    chords = np.full((TRIADS, TRIADS), 0.5)
    one, four = triad(0, "maj"), triad(5, "maj7")
    chords[one, four] = 60.0
    fast = np.zeros(BPM_BINS)
    fast[bpm_bin(140.0)] = 600.0
    tones = np.full(12, 30.0)
    tones[7] = 400.0
    steps = np.full(STEPS, 8.0)
    steps[WIDEST + 2] = 300.0
    music = counted(
        onsets=beat, chords=chords, tempo=fast, tones=tones, steps=steps,
        modes=np.array([0.0, 300.0]),
    )  # fmt: skip
    idiom = learned_idiom(music, counted())
    assert (idiom.onsets[::4] > 0.2).all() and (idiom.onsets[1::4] < -0.4).all()
    assert idiom.chords[one].argmax() == four and idiom.chords[one, four] > 1.0
    assert np.abs(idiom.chords[triad(2, "min")]).max() < 0.3
    assert idiom.tempo[bpm_bin(140.0)] > 1.0 and idiom.tempo[bpm_bin(90.0)] < 0
    assert idiom.tones.argmax() == 7 and idiom.steps.argmax() == WIDEST + 2
    assert idiom.minor > 0.5
    assert max(np.abs(getattr(idiom, name)).max() for name in SHAPES) <= MOST


def test_little_evidence_counts_little() -> None:
    few, many = (counted(onsets=np.eye(PLACES)[0] * n, bars=float(n)) for n in (2, 200))
    little, much = (learned_idiom(music, counted()).onsets[8] for music in (few, many))
    assert much < -0.5 < -0.2 < little < 0.0


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        ([], {}),
        ([60], {}),
        ([60, 62, 60], {2: 1, -2: 1}),
        ([60, 73, 72, 72], {-1: 1, 0: 1}),
        ([60, 67, 75], {7: 1}),
    ],
)
def test_steps_of_a_line(line: list[int], steps: dict[int, int]) -> None:
    found = line_steps(line)
    assert {int(i) - WIDEST: int(found[i]) for i in np.flatnonzero(found)} == steps


@pytest.mark.parametrize(
    ("root", "quality", "index"), [(0, "maj", 0), (9, "min7", 19), (12, "7", 0), (-3, "dim", 19)]
)
def test_triads(root: int, quality: str, index: int) -> None:
    assert triad(root, quality) == index


def test_counts_add_up_and_mixes_by_their_scales() -> None:
    both = total([counted(), counted()])
    assert both.bars == 200.0 and both.chords.sum() == pytest.approx(TRIADS * TRIADS)
    idiom = learned_idiom(counted(modes=np.array([0.0, 900.0])), counted())
    mix = mixed([(idiom, 0.5), (idiom, 0.25), (NOTHING, 1.0)])
    assert mix is not None and mix.minor[0] == pytest.approx(0.75 * idiom.minor[0])
    assert mixed([]) is None and mixed([(idiom, 0.0)]) is None


def test_tensors_keep_an_idiom_and_touch_no_weights() -> None:
    idiom = learned_idiom(counted(tones=np.arange(12) * 90.0), counted())
    again = idiom_of(idiom.tensors())
    assert again is not None and np.allclose(again.tones, idiom.tones, atol=1e-2)
    assert not any(name.endswith((UP, DOWN, CHANGE)) for name in idiom.tensors())
    for wrong in ({}, {**idiom.tensors(), "idiom.tones": np.zeros(11, np.float16)}):
        assert idiom_of(wrong) is None


def test_where_an_idiom_acts_in_a_step() -> None:
    slope = np.arange(PLACES, dtype=np.float32)
    for per_beat, bar, step, expected in ((4, 16, 5, 5.0), (3, 12, 3, 4.0), (3, 9, 4, 7.5)):
        tick, _ = Clock().tick(120.0, 0.5, per_beat, bar)
        assert onset_odds(slope, replace(tick, step_in_bar=step)) == expected
    chords = np.zeros((TRIADS, TRIADS), np.float32)
    chords[0, 10] = 1.0
    tick, _ = Clock().tick(120.0, 0.5, 4, 16)
    idiom = replace(NOTHING, chords=chords, harmonic_rhythm=np.array([0.5], np.float32))
    four, tonic = chord_symbol(5, "maj7"), chord_symbol(0, QUALITY_NAMES[0])
    odds = symbol_odds(idiom, tonic + 1, tick)
    assert (odds[0], odds[1], odds[2 + four], odds[2 + tonic]) == (0.0, 0.0, 1.5, 0.5)
    assert symbol_odds(idiom, tonic + 1, replace(tick, step_in_bar=1))[2 + tonic] == 0.0
    assert symbol_odds(idiom, 0, tick)[2 + four] == 0.5
    row = empty_row()
    row[TOKEN["lead"]], row[WIDTH] = STRIKE + 50, 0b11111
    history = History().append(row).append(empty_row())
    line = line_odds(replace(NOTHING, steps=np.arange(STEPS, dtype=np.float32)), history)
    assert line is not None and (line[50], line[52], line[70]) == (WIDEST, WIDEST + 2, 0.0)
    assert line_odds(NOTHING, History().append(empty_row())) is None


def test_an_idiom_makes_tempi_and_modes_likelier() -> None:
    net = untrained().setting_net
    fast = np.full(BPM_BINS, -8.0, np.float32)
    fast[bpm_bin(150.0)] = 8.0
    idiom = replace(NOTHING, tempo=fast, minor=np.array([20.0], np.float32))
    for seed in range(6):
        setting = choose_setting(net, STYLE, SettingNoise.of(seed), idiom=idiom)
        assert abs(int(bpm_bin(setting.bpm)) - int(bpm_bin(150.0))) <= 1
        assert MODE_NAMES[setting.mode] in MINOR_LIKE


def rows_of(arranger: Arranger, controls: Controls, blocks: int = 60) -> np.ndarray:  # type: ignore[type-arg]
    state, _ = play(arranger, arranger.start(5), controls, blocks)
    return np.stack([state.history.get(i) for i in range(state.history.length)])  # type: ignore[misc]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> SoundLibrary:
    library = SoundLibrary(tmp_path_factory.mktemp("sounds"))
    busy = replace(NOTHING, onsets=np.full(PLACES, 1.5, np.float32))
    for name, tensors in (("busy", busy.tensors()), ("plain", {})):
        style = np.zeros(128, np.float32)
        library.add(LearnedSound(name, base_checksum(), style, tensors))
    return library


def test_the_arranger_plays_in_the_idiom_of_a_sound(library: SoundLibrary) -> None:
    base = Arranger.load()
    styles = PartStyles.load(base.setting_net)
    arranger = Arranger(base.net, base.setting_net, base.quantiles, SoundIdioms(library), styles)
    controls = Controls(style=STYLE, bpm=120.0)
    plain = rows_of(base, controls)
    # Without a sound, at amount 0, and with one that has no idiom: the same to the bit.
    for sounds in ({}, {"plain": 1.0}):
        assert np.array_equal(rows_of(arranger, controls.with_(sounds=sounds)), plain)
    busy = [
        onsets(rows_of(arranger, controls.with_(sounds={"busy": amount}))[:, :WIDTH])
        for amount in (0.5, 1.0)
    ]
    assert onsets(plain[:, :WIDTH]).mean() < busy[0].mean() < busy[1].mean()
    with pytest.raises(SegueError, match="no learned sound"):
        rows_of(arranger, controls.with_(sounds={"gone": 1.0}), 1)


def test_a_file_with_an_idiom_stays_small(library: SoundLibrary) -> None:
    path: Path = library.path("busy")
    assert path.stat().st_size < 40_000
