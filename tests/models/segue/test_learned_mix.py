"""The mix of a learned sound: what is measured, what it changes, and how amounts add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.music.score import SAMPLE_RATE
from models.segue.codec import bands as B
from models.segue.dream.tone import CENTRES
from models.segue.learned_mix import (
    BOOST_DB,
    CUT_DB,
    PITCHED_DB,
    PITCHED_HZ,
    RENDERER,
    STUDIO,
    WIDER_DB,
    WIDEST,
    LearnedMixes,
    MixChange,
    change_towards,
    measures,
    mix_change_of,
    mixed_changes,
    piece_changes,
)
from models.segue.room import DRY, Room
from models.segue.studio.production import MixParameters
from models.segue.studio.warmth import tilt_gains
from models.sounds.file import LearnedSound, SoundPiece
from models.sounds.library import SoundLibrary, base_checksum
from models.sounds.pieces import Turn

TONES = (250.0, 1000.0, 4000.0)
FLAT = np.zeros(len(CENTRES), np.float32)


def sound(levels_db: tuple[float, ...], side_db: float, seconds: float = 5.0) -> np.ndarray:
    """Sines of TONES in the middle, and one of 1 kHz at the side, (n, 2)."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    waves = [
        0.05 * 10 ** (level / 20) * np.sin(2 * np.pi * hertz * time)
        for level, hertz in zip(levels_db, TONES, strict=True)
    ]
    middle = np.sum(waves, axis=0)
    side = np.cos(2 * np.pi * 1000.0 * time)
    side *= np.sqrt(np.mean(middle**2) / np.mean(side**2)) * 10 ** (side_db / 20)
    return np.stack([middle + side, middle - side], axis=1).astype(np.float32)


def test_levels_of_bands_and_side_are_measured_and_rests_left_out() -> None:
    (row,) = measures(sound((0.0, -60.0, -12.0), -10.0))
    levels = dict(zip(CENTRES, row, strict=False))
    assert levels[250.0] - levels[4000.0] == pytest.approx(12.0, abs=0.2)
    assert row[-1] == pytest.approx(-10.0, abs=0.1)
    louder = measures(4 * sound((0.0, -60.0, -12.0), -10.0))
    assert np.allclose(louder, row, atol=0.01)
    assert measures(np.zeros((6 * SAMPLE_RATE, 2), np.float32)).shape == (0, len(CENTRES) + 1)
    assert len(measures(sound((0.0, 0.0, 0.0), -10.0, 12.0))) == 2


def test_opposite_channels_have_a_side_alone() -> None:
    noise = np.random.default_rng(1).standard_normal(6 * SAMPLE_RATE).astype(np.float32) * 0.1
    (row,) = measures(np.stack([noise, -noise], axis=1))
    assert np.isfinite(row).all() and row[-1] > 60.0


def test_the_change_leads_one_mix_to_another() -> None:
    own, music = sound((0.0, -20.0, -12.0), -12.0), sound((0.0, -20.0, -6.0), -6.0)
    change = change_towards(measures(music), measures(own))
    assert change.width_db == pytest.approx(6.0, abs=0.1)
    tone = dict(zip(CENTRES, change.tone_db, strict=True))
    assert tone[4000.0] - tone[250.0] == pytest.approx(6.0, abs=0.3)
    assert -1.0 < tone[250.0] < 0.0  # what is loud about keeps its level
    # As the renderer plays it: on the codec's bands and images.
    bands, images = B.analyse(own)
    bins = [round(hertz * B.WINDOW / SAMPLE_RATE) for hertz in (250.0, 4000.0)]
    shown, wanted = (
        20 * np.log10(B.to_magnitudes(each[40:80]).mean(axis=0)[bins])
        for each in (B.scaled(bands, change.gains), B.analyse(music)[0])
    )
    assert np.ptp(shown - wanted) < 0.5
    moved = change.widened(images)
    loud = B.STEREO_BAND_OF_BIN[round(1000 * B.WINDOW / SAMPLE_RATE)]
    ratio = [(1 - c) / (1 + c) for c in (images[15, 20 + loud], moved[15, 20 + loud])]
    assert 10 * np.log10(ratio[1] / ratio[0]) == pytest.approx(change.width_db, abs=0.2)


@pytest.mark.parametrize("pan", [-0.9, -0.3, 0.0, 0.6])
@pytest.mark.parametrize("coherence", [-0.4, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("width_db", [-9.0, 0.0, 6.0])
def test_images_are_those_of_a_widened_sound(pan: float, coherence: float, width_db: float) -> None:
    image = np.array([[pan] * 20 + [coherence] * 20], np.float32)
    found = MixChange(FLAT, width_db).widened(image)[0]
    left, right = (1 + pan) / 2, (1 - pan) / 2
    covariance = np.array([[left, coherence * np.sqrt(left * right)], [0.0, right]])
    covariance[1, 0] = covariance[0, 1]
    gain = 10 ** (width_db / 20)
    turn = 0.5 * np.array([[1 + gain, 1 - gain], [1 - gain, 1 + gain]])
    (first, cross), (_, second) = turn @ covariance @ turn.T
    assert found[0] == pytest.approx((first - second) / (first + second), abs=1e-4)
    assert found[20] == pytest.approx(cross / np.sqrt(first * second), abs=1e-3)


def test_changes_have_limits_and_nothing_to_compare_changes_nothing() -> None:
    rows = np.zeros((2, len(CENTRES) + 1), np.float32)
    far = rows + np.r_[np.full(7, -90.0), np.full(8, 90.0), 90.0]
    change = change_towards(far.astype(np.float32), rows)
    assert change.tone_db.min() >= CUT_DB and change.tone_db.max() <= BOOST_DB
    steep = change_towards((rows + np.r_[np.full(7, -30.0), np.zeros(9)]).astype(np.float32), rows)
    pitched = np.array(CENTRES) < PITCHED_HZ  # no part goes under where its notes are
    assert np.abs(steep.tone_db[pitched]).max() == PITCHED_DB < np.abs(steep.tone_db).max()
    assert change.width_db == WIDER_DB
    for music, own in ((rows[:0], rows), (rows, rows[:0]), (rows, rows)):
        none = change_towards(music, own)
        assert not none.tone_db.any() and none.width_db == 0.0


@pytest.mark.parametrize(
    ("spread", "rows", "least", "most"),
    [(0.1, 9, 3.9, 4.0), (4.0, 5, 1.5, 3.7), (8.0, 3, 0.1, 2.5)],
)
def test_the_less_sure_a_difference_is_the_less_of_it_acts(
    spread: float, rows: int, least: float, most: float
) -> None:
    own = np.repeat(np.linspace(-spread, spread, rows)[:, None], len(CENTRES) + 1, axis=1)
    change = change_towards((own + 4.0).astype(np.float32), own.astype(np.float32))
    assert least < change.width_db < most


@pytest.mark.parametrize("slope", [-4.0, 0.0, 3.0])
def test_the_studio_takes_a_tilt_and_a_width(slope: float) -> None:
    tone = 20 * np.log10(tilt_gains(np.asarray(CENTRES), slope))
    mix = MixChange(tone.astype(np.float32), 3.0).of_production(MixParameters())
    assert mix.tilt_db == pytest.approx(slope, abs=0.25)
    assert mix.width == pytest.approx(10 ** (3 / 20), rel=1e-3)
    wide = MixChange(FLAT, 9.0).of_production(MixParameters(width=1.5))
    assert wide.width == WIDEST


def test_amounts_scale_and_sounds_add_up(tmp_path: Path) -> None:
    library, style = SoundLibrary(tmp_path), np.zeros(128, np.float32)
    tone = np.linspace(-3, 3, len(CENTRES), dtype=np.float32)
    bright = MixChange(tone, 2.0, Room(0.1, 2.0))
    for name, change in (("a", bright.tensors(RENDERER)), ("b", {})):
        library.add(LearnedSound(name, base_checksum(), style, change))
    mixes = LearnedMixes(library, RENDERER)
    half = mixes({"a": 0.5, "b": 0.5}, Turn())
    assert half is not None and mixes({"a": 0.5, "b": 0.5}, Turn()) is half
    assert np.allclose(half.tone_db, bright.tone_db / 2, atol=2e-3)
    assert half.width_db == pytest.approx(1.0) and half.room == pytest.approx((0.05, 2.0), abs=1e-3)
    assert mixes({}, Turn()) is None and mixes({"b": 1.0}, Turn()) is None
    assert LearnedMixes(library, STUDIO)({"a": 1.0}, Turn()) is None
    both = mixed_changes([(bright, 1.0), (bright, 0.5)])
    assert both is not None and both.width_db == pytest.approx(3.0)


def test_tensors_of_another_shape_are_no_change() -> None:
    good = MixChange(FLAT + 1, 1.0).tensors(RENDERER)
    assert mix_change_of(good, RENDERER) is not None
    for name in good:
        assert mix_change_of({**good, name: np.zeros(3, np.float16)}, RENDERER) is None
        left = mix_change_of({k: v for k, v in good.items() if k != name}, RENDERER)
        if name == f"{RENDERER}.room":  # as in files of before there were rooms
            assert left is not None and left.room == DRY
        else:
            assert left is None


def levels(middle: float, spread: float, rows: int, seed: int) -> np.ndarray:
    """Rows of measures around a level, each of one level throughout."""
    rng = np.random.default_rng(seed)
    drawn = middle + spread * rng.standard_normal((rows, 1))
    return np.repeat(drawn, len(CENTRES) + 1, axis=1).astype(np.float32)


def test_each_piece_has_the_mix_that_it_lacks() -> None:
    music = [levels(width, 0.3, 20, number) for number, width in enumerate((-4.0, 6.0))]
    own = [levels(0.0, 0.3, 4, 5 + number) for number in range(2)]
    narrow, wide = piece_changes(music, own)
    assert narrow.width_db == pytest.approx(-4.0, abs=0.6)
    assert wide.width_db == pytest.approx(6.0, abs=0.6)
    # What may be chance is left.
    loose = np.repeat(np.array([[-20.0], [0.0], [20.0]], np.float32), len(CENTRES) + 1, axis=1)
    first, second = piece_changes(music, [loose, loose])
    assert abs(first.width_db - second.width_db) < 1.0
    # A passage in which hardly anybody plays says nothing.
    sparse = [np.concatenate([rows, rows[:1] - 40.0]) for rows in own]
    for one, other in zip(piece_changes(music, sparse), (narrow, wide), strict=True):
        assert one.width_db == pytest.approx(other.width_db, abs=0.6)
    alone = change_towards(music[0], sparse[0])
    assert alone.width_db == pytest.approx(-4.0, abs=0.6)
    # Of a piece in which nothing was measured, that of all.
    none = np.zeros((0, len(CENTRES) + 1), np.float32)
    first, second = piece_changes([music[0], none], own)
    assert second.width_db == pytest.approx(first.width_db, abs=1.0)
    assert [c.width_db for c in piece_changes([none], [none])] == [0.0]


def test_a_pieces_mix_acts_at_its_turn(tmp_path: Path) -> None:
    library, style = SoundLibrary(tmp_path), np.zeros(128, np.float32)
    parts = [MixChange(FLAT + level, level).tensors(RENDERER) for level in (-2.0, 4.0)]
    pieces = tuple(SoundPiece((f"{n}.wav",), 60.0, style, part) for n, part in enumerate(parts))
    whole = MixChange(FLAT, 1.0).tensors(RENDERER)
    library.add(LearnedSound("a", base_checksum(), style, whole, pieces=pieces))
    mixes = LearnedMixes(library, RENDERER)
    found = [mixes({"a": 0.5}, Turn(number)) for number in range(12)]
    assert {change.width_db for change in found if change} == {-1.0, 2.0}
    number = next(n for n in range(1, 12) if found[n] != found[n - 1] and found[n] is not None)
    between = mixes({"a": 1.0}, Turn(number, 0.5))
    assert between is not None and between.width_db == pytest.approx(1.0)
