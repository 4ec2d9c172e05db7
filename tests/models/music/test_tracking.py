"""Tests of the streaming trackers: tables of synthetic sounds whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.score import QUALITIES, SAMPLE_RATE
from models.music.tracking.pulse import Pulse
from models.music.tracking.tracker import EarState, Heard, initial_ears, listen
from models.music.tracking.weights import load_ear_weights, read_ear_weights
from models.storage.serialisation import classes_of, pack, unpack

Line = NDArray[np.float32]


def hear(sound: Line, sizes: Sequence[int] = (4800,)) -> list[Heard]:
    """Everything heard in a sound that comes in blocks of these sizes in turn."""
    weights = load_ear_weights()
    state = initial_ears(weights)
    heard: list[Heard] = []
    at = turn = 0
    while at < len(sound):
        size = sizes[turn % len(sizes)]
        state, frames = listen(weights, state, sound[at : at + size])
        heard += frames
        at, turn = at + size, turn + 1
    return heard


def hits(times: Sequence[float], seconds: float, seed: int = 0) -> Line:
    """Short bursts of noise at these times."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    for time in times:
        start = round(time * SAMPLE_RATE)
        size = min(4800, len(sound) - start)
        if size > 0:
            fade = np.exp(-np.arange(size) / 900)
            sound[start : start + size] += 0.2 * fade * rng.standard_normal(size)
    return sound


def tone(pitch: float, seconds: float, harmonics: int = 6, level: float = 0.1) -> Line:
    """A steady tone of falling harmonics with soft edges."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    sound = sum(np.sin(2 * np.pi * frequency * h * time) / h for h in range(1, harmonics + 1))
    edge = np.minimum(1, np.minimum(time, time[::-1]) / 0.01)
    return (level * sound * edge).astype(np.float32)


def chord(root: int, quality: str, seconds: float) -> Line:
    """A pad in close position over its root in the bass."""
    voices = [tone(36 + root, seconds)]
    voices += [tone(60 + (root + step) % 12, seconds, level=0.07) for step in QUALITIES[quality]]
    return np.sum(voices, axis=0, dtype=np.float32)


@pytest.mark.parametrize("bpm", [70.0, 92.0, 118.0, 127.5, 140.0])
def test_tempo_and_coming_beats_of_a_pulse(bpm: float) -> None:
    period = 60 / bpm
    beats = 0.4 + period * np.arange(int(21 / period))
    heard = hear(hits(list(beats), 21))
    for moment, tolerance in ((6.0, 0.02), (20.0, 0.005)):
        pulse = heard[round(moment * 100) - 1].pulse
        ratio = pulse.bpm / bpm
        assert min(abs(ratio / level - 1) for level in (0.5, 1, 2)) < tolerance
    pulse = heard[1500].pulse
    coming = [time for time, _ in pulse.beats_between(16.0, 19.0)]
    assert coming
    nearest = [np.abs(beats - time).min() for time in coming]
    if pulse.bpm < 1.5 * bpm:
        assert max(nearest) < 0.03


@pytest.mark.parametrize("change", [1.1, 1 / 1.1])
def test_a_change_of_tempo_is_followed_within_eight_seconds(change: float) -> None:
    times, period, time = [], 60 / 112, 0.3
    while time < 27:
        times.append(time)
        time += period if time < 15 else period / change
    heard = hear(hits(times, 27))
    assert heard[1450].pulse.bpm == pytest.approx(112, rel=0.01)
    assert heard[2300].pulse.bpm == pytest.approx(112 * change, rel=0.01)
    coming = [found for found, _ in heard[2300].pulse.beats_between(23.5, 26.0)]
    assert max(min(abs(found - beat) for beat in times) for found in coming) < 0.05


def test_onsets_are_found_where_they_are() -> None:
    times = [0.5 + 0.31 * k + 0.013 * (k % 3) for k in range(20)]
    found = [frame.onset.time for frame in hear(hits(times, 8)) if frame.onset is not None]
    assert len(found) == len(times)
    assert np.abs(np.array(found) - times).max() < 0.015


@pytest.mark.parametrize("harmonics", [1, 8])
def test_pitch_of_a_melody(harmonics: int) -> None:
    pitches = [48, 55, 60, 62, 64.5, 72, 79, 84, 60, 67]
    sound = np.concatenate([tone(pitch, 0.4, harmonics) for pitch in pitches])
    heard = hear(sound)
    for number, pitch in enumerate(pitches):
        inside = heard[40 * number + 8 : 40 * number + 39]
        assert all(frame.pitch.voiced for frame in inside)
        assert max(abs(frame.pitch.midi - pitch) for frame in inside) < 0.2


def test_noise_has_no_pitch() -> None:
    rng = np.random.default_rng(1)
    heard = hear((0.1 * rng.standard_normal(2 * SAMPLE_RATE)).astype(np.float32))
    assert np.mean([frame.pitch.voiced for frame in heard]) < 0.02


def test_chords_of_pads() -> None:
    played = [(0, "maj"), (9, "min"), (5, "maj"), (7, "maj"), (4, "min"), (2, "min")]
    heard = hear(np.concatenate([chord(root, quality, 2.0) for root, quality in played]))
    for number, (root, quality) in enumerate(played):
        harmony = heard[200 * number + 100].harmony  # a second after it began
        assert (harmony.root, harmony.quality) == (root, quality)
    assert heard[-1].harmony.key in ("C major", "A minor")


def test_what_nobody_wants_changes_nothing_else() -> None:
    weights = load_ear_weights()
    sound = hits(np.arange(0.1, 3.9, 0.5).tolist(), 4.0) + tone(60, 4.0)
    _, whole = listen(weights, initial_ears(weights), sound)
    _, rhythm = listen(weights, initial_ears(weights), sound, pitch=False)
    _, melody = listen(weights, initial_ears(weights), sound, pulse=False)
    assert [h.pulse for h in rhythm] == [h.pulse for h in whole]
    assert [h.harmony for h in rhythm] == [h.harmony for h in whole]
    assert not any(h.pitch.voiced for h in rhythm)
    assert [h.onset for h in melody] == [h.onset for h in whole]
    assert repr([h.pitch for h in melody]) == repr([h.pitch for h in whole])
    assert melody[-1].pulse == initial_ears(weights).beats.pulse


def test_silence_and_what_is_not_a_number() -> None:
    sound = hits([0.2 + 0.5 * k for k in range(12)], 12)
    sound[6 * SAMPLE_RATE : 7 * SAMPLE_RATE] = np.nan
    sound[7 * SAMPLE_RATE : 8 * SAMPLE_RATE] = np.inf
    heard = hear(sound)
    assert len(heard) == 1200
    assert all(math.isfinite(frame.level_db) and math.isfinite(frame.pulse.bpm) for frame in heard)
    last = heard[-1]
    assert (last.level_db, last.pulse.bpm, last.harmony.root) == (-120.0, 0.0, -1)
    assert math.isnan(last.brightness) and not last.pitch.voiced
    assert math.isnan(last.pulse.next_beat()) and last.pulse.beats_between(0, 9) == ()


def test_silence_from_the_start_hears_nothing() -> None:
    heard = hear(np.zeros(4 * SAMPLE_RATE, np.float32))
    assert all(frame.onset is None and not frame.pitch.voiced for frame in heard)
    assert heard[-1].pulse.bpm == 0.0
    assert heard[-1].harmony.quality == "" and heard[-1].harmony.key == ""


def test_the_split_into_blocks_changes_no_bit() -> None:
    rng = np.random.default_rng(3)
    sound = hits([0.3 + 0.42 * k for k in range(9)], 4) + 0.3 * chord(9, "min", 4)
    sound += (0.001 * rng.standard_normal(len(sound))).astype(np.float32)
    whole = hear(sound, (len(sound),))
    for sizes in ((480,), (64,), (1, 4799, 333), (1920, 7)):
        assert [repr(frame) for frame in hear(sound, sizes)] == [repr(frame) for frame in whole]


def test_level_and_channels() -> None:
    sound = 0.5 * np.sin(2 * np.pi * 2000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    line = sound.astype(np.float32)
    heard = hear(line)
    assert heard[-1].level_db == pytest.approx(-9.03, abs=0.05)
    assert heard[-1].brightness == pytest.approx(1.0, abs=0.15)
    eighteen = np.repeat(line[:, None], 18, axis=1)
    assert hear(eighteen)[-1].level_db == pytest.approx(-9.03, abs=0.05)


def test_a_state_is_stored_and_taken_up_again() -> None:
    weights = load_ear_weights()
    sound = hits([0.3 + 0.5 * k for k in range(6)], 4) + 0.3 * chord(2, "min", 4)
    state, _ = listen(weights, initial_ears(weights), sound[: 2 * SAMPLE_RATE + 123])
    tree, arrays = pack(state)
    assert len(tree) + sum(array.nbytes for array in arrays) < 400_000
    again = unpack(tree, arrays, classes_of(EarState))
    rest = sound[2 * SAMPLE_RATE + 123 :]
    _, first = listen(weights, state, rest)
    _, second = listen(weights, again, rest)
    assert [repr(frame) for frame in first] == [repr(frame) for frame in second]


def test_listening_does_not_change_the_state() -> None:
    weights = load_ear_weights()
    sound = hits([0.1, 0.5, 0.9], 1.2)
    state, _ = listen(weights, initial_ears(weights), sound[:24_000])
    before = pack(state)
    listen(weights, state, sound[24_000:])
    after = pack(state)
    assert before[0] == after[0]
    assert all(np.array_equal(a, b) for a, b in zip(before[1], after[1], strict=True))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (10.0, 11.1, [(10.25, False), (10.75, True)]),
        (10.25, 10.75, [(10.25, False)]),
        (10.3, 10.4, []),
    ],
)
def test_beats_foreseen(start: float, end: float, expected: list[tuple[float, bool]]) -> None:
    pulse = Pulse(time=10.0, bpm=120.0, confidence=1.0, beat=7.5, beats_per_bar=3, downbeat=0)
    found = pulse.beats_between(start, end)
    assert [(round(time, 6), down) for time, down in found] == expected
    assert pulse.next_beat() == pytest.approx(10.25)
    assert pulse.next_beat(10.3) == pytest.approx(10.75)


def test_weights_that_are_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(SegueError, match="is missing"):
        read_ear_weights(tmp_path / "ears.safetensors")
    (tmp_path / "ears.safetensors").write_bytes(b"not weights")
    with pytest.raises(SegueError, match="is damaged"):
        read_ear_weights(tmp_path / "ears.safetensors")
