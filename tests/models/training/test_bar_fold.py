"""Tests of the fold network's training: a beat is told from its rivals, and is shipped so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.music.tracking.bar_fold import BAR_PLACES
from models.music.tracking.beat_states import INTERVALS
from models.music.tracking.rhythm import FRAME, PLACES
from models.training.bar_fold import (
    BarNet,
    HeardSong,
    fit,
    moments,
    moments_of,
    shipped,
    truth_of,
)

INTERVAL = 0.48


def rock(seed: int, metre: int = 4, interval: float = INTERVAL) -> HeardSong:
    """Lows on one and three, middles on two and four, highs on eighths; the networks say little."""
    rng = np.random.default_rng(seed)
    first = rng.uniform(0.1, 0.9)
    beats = np.array([first + interval * number for number in range(int(18 / interval))])
    words = rng.uniform(0.1, 0.3, (900, 4)).astype(np.float32)
    flux = rng.uniform(0, 0.2, (900, 3)).astype(np.float32)
    for number, beat in enumerate(beats):
        for half in (0, 1):
            at = round((beat + half * interval / 2 + 0.025) / FRAME) - 1
            if at < len(flux):
                flux[at, 2] += 1.0
                flux[at, number % 2] += 2.0 * (half == 0)
    return HeardSong(words, flux, beats, beats[::metre])


def test_the_truth_is_at_the_tempo_and_the_place() -> None:
    song, nearest = rock(1), np.array(INTERVALS, np.float32)
    time = float(song.bars[2] + 1.5 * INTERVAL)
    truth = truth_of(song, time, nearest)
    assert truth is not None and truth.sum() == pytest.approx(1.0, abs=1e-5)
    interval, place = divmod(int(truth.argmax()), BAR_PLACES)
    assert (INTERVALS[interval], place) == (24, 18)
    waltz = truth_of(rock(1, 3), time, nearest)
    assert waltz is not None
    places = waltz.sum(axis=0)
    assert np.allclose(places[:PLACES], places[PLACES : 2 * PLACES]), "any beat of another metre"
    assert truth_of(song, 17.9, nearest) is None, "after the last beat nothing is known"


def test_a_beat_is_told_from_its_rivals() -> None:
    tempi = (0.48, 0.44, 0.52, 0.6)
    songs = [rock(seed, interval=tempi[seed % 4]) for seed in range(8)]
    network = fit(moments(songs), epochs=8)
    song, right = rock(99, interval=0.5), []
    for bars, tempo, truth in moments_of(song, (6.0, 9.0, 12.0)):
        interval, place = divmod(int(network.scores(bars, tempo).argmax()), BAR_PLACES)
        wanted, at = divmod(int(truth.argmax()), BAR_PLACES)
        away = (place - at + PLACES) % (2 * PLACES) - PLACES  # its bars repeat after two beats
        right.append(abs(interval - wanted) <= 1 and abs(away) <= 1)
    assert right == [True] * 3


def test_it_is_shipped_as_it_was_trained() -> None:
    torch.manual_seed(2)
    net = BarNet().eval()
    rng = np.random.default_rng(0)
    bars = rng.uniform(0, 2, (5, BAR_PLACES, 7)).astype(np.float32)
    tempo = rng.standard_normal((5, 3)).astype(np.float32)
    mean, spread = bars.mean(axis=(0, 1)), bars.std(axis=(0, 1))
    turning = torch.fft.rfft(torch.from_numpy((bars - mean) / spread), dim=1).conj()
    with torch.no_grad():
        whole = net(turning[None].resolve_conj(), torch.from_numpy(tempo)[None])[0].numpy()
    found = shipped(net, mean, spread).scores(bars, tempo)
    assert np.allclose(found, np.maximum(whole - whole.max(), -8.0), atol=1e-4)
