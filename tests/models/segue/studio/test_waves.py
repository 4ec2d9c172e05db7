"""Recorded notes at any pitch: exact pitch, nothing folded, and no memory of who asked before."""

from __future__ import annotations

import sys
import threading
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.studio.bank import AFTER, BEFORE, SampleZone
from models.segue.studio.waves import PIECE, Wave, Waves


class Tone:
    """A bank whose one zone is a tone at a thousandth of its rate times `cycles`, looped."""

    def __init__(self, hertz: float, loop: bool = True) -> None:
        frames = 48_000
        self.zone = SampleZone("tone", 0, 0, 0, 48_000, frames, 1, 1.0,
                         loop=(24_000, 48_000) if loop else None)  # fmt: skip
        x = np.sin(2 * np.pi * hertz * np.arange(frames) / 48_000)
        self.data = np.zeros((1, BEFORE + frames + AFTER), np.float32)
        self.data[0, BEFORE : BEFORE + frames] = x
        if loop:
            self.data[0, BEFORE + frames :] = self.data[
                0, BEFORE + 24_000 : BEFORE + 24_000 + AFTER
            ]

    def samples(self, zone: SampleZone) -> NDArray[np.float32]:
        return self.data


def waves_of(tone: Tone) -> Waves:
    return Waves(tone)  # type: ignore[arg-type]


@pytest.mark.parametrize("ratio", [0.5, 0.749, 1.0, 1.122, 1.335])
@pytest.mark.parametrize("hertz", [220.0, 3000.0])
def test_pitch_and_purity(ratio: float, hertz: float) -> None:
    tone = Tone(hertz)
    x = waves_of(tone).read(Wave(tone.zone, ratio), 4800, 90_000)[0].astype(np.float64)
    window = np.blackman(len(x))
    power = np.abs(np.fft.rfft(x * window)) ** 2
    bins = np.arange(len(power)) * SAMPLE_RATE / len(x)
    assert bins[power.argmax()] == pytest.approx(hertz * ratio, abs=1.0)
    near = np.abs(bins - hertz * ratio) < 12.0
    assert 10 * np.log10(power[~near].sum() / power[near].sum()) < -66.0


@pytest.mark.parametrize("hertz", [17_000.0, 21_000.0, 23_500.0])
def test_nothing_folds_down_to_where_it_is_audible(hertz: float) -> None:
    tone = Tone(hertz)
    x = waves_of(tone).read(Wave(tone.zone, 1.26), 4800, 48_000)[0]
    power = np.abs(np.fft.rfft(x * np.blackman(len(x)))) / (0.42 * len(x) / 2)
    assert 20 * np.log10(power[:16_000].max()) < -70.0


def test_reading_does_not_depend_on_what_was_read_before() -> None:
    tone = Tone(440.0)
    wave = Wave(tone.zone, 1.06, 2)
    one, other = waves_of(tone), waves_of(tone)
    for start in (50_000, 3, 8000, 121_000):
        other.read(wave, start, 2500)
    whole = one.read(wave, 0, 40 * PIECE)
    parts = [other.read(wave, k * 1111, 1111) for k in range(120)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole[:, : 120 * 1111])


def test_a_piece_costs_no_more_for_a_longer_recording() -> None:
    """Every piece made an array of all stretches of its recording: 320 MB of these 20."""
    tone = Tone(440.0, loop=False)
    tone.data = np.zeros((1, 5_000_000), np.float32)
    waves = waves_of(tone)
    waves.read(Wave(tone.zone, 1.06), 0, 10)  # the table of the filter is made once
    tracemalloc.start()
    try:
        waves.read(Wave(tone.zone, 1.06), PIECE, PIECE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_a_glide_begins_where_it_comes_from_and_arrives() -> None:
    tone = Tone(440.0)
    x = waves_of(tone).read(Wave(tone.zone, 1.0, 0, -1200.0, 0.1), 0, 40_000)[0]
    crossings = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    assert SAMPLE_RATE / np.diff(crossings)[0] == pytest.approx(240, abs=25)
    assert SAMPLE_RATE / np.diff(crossings)[-20:].mean() == pytest.approx(440, abs=1)


def test_a_soft_note_is_darker() -> None:
    low, high = Tone(440.0), Tone(9000.0)
    for dark in (1, 2, 3):
        kept = [np.abs(waves_of(t).read(Wave(t.zone, 1.01, dark), 4800, 20_000)).max()
                for t in (low, high)]  # fmt: skip
        assert kept[0] > 0.97 and kept[1] < 1.0 - 0.12 * dark


def test_a_hit_is_over_when_it_is_over() -> None:
    tone = Tone(440.0, loop=False)
    waves = waves_of(tone)
    wave = Wave(tone.zone, 1.1)
    length = waves.length(wave)
    assert length is not None and not waves.read(wave, length, 9000).any()


def test_threads_may_read_at_once_while_the_cache_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stems of the past are rendered beside the music."""
    monkeypatch.setattr("models.segue.studio.waves.MEMORY", 3 * PIECE * 4)
    tone, interval = Tone(440.0), sys.getswitchinterval()
    waves, wave = waves_of(tone), Wave(tone.zone, 1.0)
    expected = [waves.read(wave, at * PIECE, PIECE).copy() for at in range(6)]
    wrong: list[object] = []

    def read(first: int) -> None:
        try:
            for step in range(1500):
                at = (first + step // 2) % 6
                if not np.array_equal(waves.read(wave, at * PIECE, PIECE), expected[at]):
                    wrong.append(at)
        except KeyError as error:
            wrong.append(error)

    threads = [threading.Thread(target=read, args=(first,)) for first in (0, 1, 3)]
    try:
        sys.setswitchinterval(1e-6)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
    assert waves._cached_bytes == sum(piece.nbytes for piece in waves._pieces.values())
