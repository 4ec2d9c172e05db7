"""Ears for a guided renderer: chroma agreement, onsets, their F1."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.evaluation.guides import chroma_agreement, f1, onsets
from models.music.score import SAMPLE_RATE


def tones(*pitches: float, seconds: float = 1.5) -> NDArray[np.float32]:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = sum(np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * time) for p in pitches)
    return np.repeat(np.asarray(sound, np.float32)[:, None], 2, axis=1) * np.float32(0.2)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((60, 64, 67), (60, 64, 67), 0.999, 1.01),
        ((60, 64, 67), (72, 76, 67), 0.95, 1.01),  # other octaves
        ((60, 64, 67), (61, 65, 68), 0.0, 0.3),
        ((60, 64, 67), (60, 63, 67), 0.5, 0.9),
    ],
)
def test_chroma_agreement(
    one: tuple[int, ...], other: tuple[int, ...], low: float, high: float
) -> None:
    assert low <= chroma_agreement(tones(*one), tones(*other)) <= high


def test_silence_has_no_agreement() -> None:
    silence = np.zeros((SAMPLE_RATE, 2), np.float32)
    assert np.isnan(chroma_agreement(silence, silence))


def test_onsets_are_where_the_clicks_are() -> None:
    rng = np.random.default_rng(1)
    times = np.array([0.3, 0.8, 1.05, 1.6])
    sound = np.zeros((2 * SAMPLE_RATE, 2), np.float32)
    for time in times:
        at = round(time * SAMPLE_RATE)
        decay = np.exp(-np.arange(4800) / 800).astype(np.float32)
        sound[at : at + 4800] += (rng.standard_normal(4800).astype(np.float32) * decay)[:, None]
    assert f1(onsets(0.3 * sound), times) == 1.0


@pytest.mark.parametrize(
    ("found", "true", "expected"),
    [
        ([], [], 1.0),
        ([1.0], [], 0.0),
        ([], [1.0], 0.0),
        ([1.0, 2.0], [1.04, 2.0], 1.0),
        ([1.0], [1.06], 0.0),
        ([1.0, 1.01], [1.0], 2 / 3),  # each matched once
        ([1.0, 3.0], [1.0, 2.0, 3.0], 0.8),
    ],
)
def test_f1(found: list[float], true: list[float], expected: float) -> None:
    assert f1(np.array(found), np.array(true)) == pytest.approx(expected)
