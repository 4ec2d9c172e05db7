"""Tests of the scores by which the trackers are measured."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.evaluation.tracking.scores import (
    any_level,
    f_measure,
    foreseen_beats,
    local_bpm,
    pitch_score,
    tempo_error,
)
from models.music.score import EVENT
from models.music.tracking.harmony import Harmony
from models.music.tracking.pitch import Pitch
from models.music.tracking.pulse import Pulse
from models.music.tracking.tracker import Heard


def heard(time: float, pulse: Pulse | None = None, midi: float = math.nan) -> Heard:
    """A frame in which only this is heard."""
    pitch = Pitch(midi, 0.0 if math.isnan(midi) else 1.0)
    return Heard(time, -20.0, 0.0, pitch, None, pulse or Pulse(time), Harmony())


@pytest.mark.parametrize(
    ("truth", "found", "score"),
    [
        ([1, 2, 3], [1.01, 2.05, 2.96], 1.0),
        ([1, 2, 3], [1.01, 1.02, 3.2], 2 / 6),
        ([1, 2], [], 0.0),
        ([1, 2, 3, 4], [1, 3], 4 / 6),
    ],
)
def test_f_measure(truth: list[float], found: list[float], score: float) -> None:
    assert f_measure(truth, found, 0.07) == pytest.approx(score)


def test_f_measure_of_nothing_is_unknown() -> None:
    assert math.isnan(f_measure([], [1.0], 0.07))


@pytest.mark.parametrize("found", [[1, 3, 5], [2, 4], [1.5, 2.5, 3.5, 4.5]])
def test_other_levels_of_the_beat(found: list[float]) -> None:
    truth = np.arange(1.0, 6.0)
    assert f_measure(truth, found, 0.07) < 0.8
    assert any_level(truth, found) == pytest.approx(1.0)


@pytest.mark.parametrize(("bpm", "strict", "free"), [(101, 0.01, 0.01), (202, 1.02, 0.01)])
def test_tempo_error(bpm: float, strict: float, free: float) -> None:
    pulse = Pulse(5.0, bpm, 1.0)
    assert tempo_error(pulse, 100.0, False) == pytest.approx(strict)
    assert tempo_error(pulse, 100.0, True) == pytest.approx(free)
    assert tempo_error(Pulse(), 100.0, True) == math.inf


def test_beats_count_when_they_were_foreseen_first() -> None:
    """From 6 s on the tracker says otherwise; beats before 7.5 s were announced already."""
    frames = []
    for number in range(1, 1001):
        time = number / 100
        late = 0.2 if time >= 6 else 0.0
        frames.append(heard(time, Pulse(time, 60.0, 1.0, time - late, 4, 0, 1.0)))
    beats, downbeats = foreseen_beats(frames, 1.5)
    early = [beat for beat in beats if beat < 7.4]
    assert early == pytest.approx([0, 1, 2, 3, 4, 5, 6, 7], abs=0.001)
    assert [beat for beat in beats if beat > 7.5] == pytest.approx(
        [8.2, 9.2, 10.2, 11.2], abs=0.001
    )
    assert downbeats == pytest.approx([0.0, 4.0, 8.2], abs=0.001)


def test_pitch_score() -> None:
    notes = np.array([(0.0, 0.5, 3, 60, 90), (0.5, 1.0, 3, 64, 90)], EVENT)
    frames = [heard(n / 100, midi=60.4 if n < 52 else 76.0) for n in range(1, 110)]
    frames_right, notes_right = pitch_score(frames, notes)
    assert frames_right == pytest.approx(0.5, abs=0.03)
    assert notes_right == 0.5


@pytest.mark.parametrize("bpm", [100.0, 99.5, 172.0])
def test_a_local_tempo_is_finer_than_the_frames_of_the_beats(bpm: float) -> None:
    frame = 512 / 44_100
    drifting = np.cumsum(60 / np.linspace(bpm - 5, bpm + 5, 60))
    for beats, at in ((60 / bpm * np.arange(60), 12.0), (drifting, float(drifting[30]))):
        heard = frame * np.round(beats / frame)
        assert local_bpm(heard, at) == pytest.approx(bpm, rel=3e-3)
    assert math.isnan(local_bpm([1.0, 2.0, 3.0], 2.0))
    assert math.isnan(tempo_error(Pulse(bpm=100.0), math.nan, False))
