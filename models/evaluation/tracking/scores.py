"""Scores of tracked beats, tempo, chords, pitches and onsets. Pure logic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import QUALITIES, chord_pitch_classes
from models.music.song import Song
from models.music.tracking.follow import Understanding, understand
from models.music.tracking.harmony import Harmony
from models.music.tracking.progression import Keys
from models.music.tracking.pulse import Pulse
from models.music.tracking.tracker import Heard

Times = NDArray[np.float64]
LOCAL: Final = 4.0
"""Seconds to either side in which beats tell a local tempo."""
FEWEST: Final = 4
"""Beats that it takes."""
TOLERANCE: Final = 0.07
"""Seconds by which a beat may be off (MIREX)."""


def f_measure(
    truth: Sequence[float] | Times, found: Sequence[float] | Times, tolerance: float
) -> float:
    """F1 of times in seconds, each matched once at most; nan where there is nothing to find."""
    wanted, given = sorted(truth), sorted(found)
    if not wanted:
        return math.nan
    hits = first = second = 0
    while first < len(wanted) and second < len(given):
        gap = given[second] - wanted[first]
        if abs(gap) <= tolerance:
            hits, first, second = hits + 1, first + 1, second + 1
        elif gap > 0:
            first += 1
        else:
            second += 1
    return 2 * hits / (len(wanted) + len(given))


def any_level(truth: Times, found: Sequence[float] | Times, tolerance: float = TOLERANCE) -> float:
    """The best F1 where half or double the tempo, or the off-beats, count as the beat too."""
    middle = (truth[1:] + truth[:-1]) / 2
    levels = (truth, truth[::2], truth[1::2], middle, np.sort(np.concatenate([truth, middle])))
    return max(f_measure(level, found, tolerance) for level in levels if len(level))


def foreseen_beats(heard: Sequence[Heard], ahead: float) -> tuple[list[float], list[float]]:
    """Beats and downbeats that were announced `ahead` seconds before they came.

    A beat is announced once; what is said of it later does not count.
    """
    beats: list[float] = []
    downbeats: list[float] = []
    until = 0.0
    for frame in heard:
        horizon = frame.time + ahead
        for time, down in frame.pulse.beats_between(until, horizon):
            if beats and time - beats[-1] < 30 / frame.pulse.bpm:
                continue  # announced already, a little earlier
            beats.append(time)
            if down:
                downbeats.append(time)
        until = horizon
    return beats, downbeats


def within(times: Sequence[float] | Times, start: float, end: float) -> Times:
    """Times from `start` to before `end`."""
    line = np.asarray(times, np.float64)
    return line[(line >= start) & (line < end)]


def local_bpm(beats: Sequence[float] | Times, time: float) -> float:
    """Tempo at a time by the beats around it: the slope of a line through them; nan where few are.

    A player drifts, and offline trackers place beats on frames of 10 ms and more: the median
    interval of a whole excerpt is off by as much as a per cent.

    Args:
        beats: seconds.
        time: seconds.

    """
    near = within(beats, time - LOCAL, time + LOCAL)
    if len(near) < FEWEST:
        return math.nan
    return 60.0 / float(np.polyfit(np.arange(len(near)), near, 1)[0])


def tempo_error(pulse: Pulse, bpm: float, octaves: bool) -> float:
    """Relative error of the tempo; with `octaves`, half and double count as right. inf if none is
    heard, nan if there is none to compare.
    """
    if pulse.bpm <= 0:
        return math.inf
    if math.isnan(bpm):
        return math.nan
    ratios = (1.0, 0.5, 2.0) if octaves else (1.0,)
    return min(abs(pulse.bpm / (bpm * ratio) - 1) for ratio in ratios)


def played_chords(heard: Sequence[Heard]) -> list[tuple[float, Harmony]]:
    """(seconds, chord) that the band plays to what was heard: what Follow expects of each beat."""
    understood, found = Understanding(), []
    for frame in heard:
        understood = understand(understood, [frame])
        found.append((frame.time, _harmony(understood.chord_at(frame.time))))
    return found


def _harmony(keys: Keys) -> Harmony:
    """The chord of keys whose root is lowest."""
    steps = tuple(sorted((key - keys[0]) % 12 for key in keys))
    for quality, classes in QUALITIES.items():
        if keys and steps == tuple(sorted(classes)):
            return Harmony(keys[0] % 12, quality, 1.0)
    return Harmony()


def chord_scores(
    heard: Sequence[tuple[float, Harmony]], song: Song, start: float, end: float
) -> tuple[float, float]:
    """Share of time with the right chord, as major or minor triads, and with the right root.

    Time without a chord, and chords that have neither a major nor a minor triad, are left out of
    the first (as MIREX does for its majmin vocabulary).

    Args:
        heard: seconds and chord, at equal distances.
        song: what was played.
        start: seconds from which on it counts.
        end: seconds.

    """
    triads = [0, 0]
    roots = [0, 0]
    edges = song.seconds_at(np.arange(song.steps))
    for time, harmony in heard:
        if not start <= time < end:
            continue
        step = int(np.searchsorted(edges, time, side="right")) - 1
        symbol = int(song.chords[min(max(step, 0), song.steps - 1)])
        if symbol < 0:
            continue
        classes = chord_pitch_classes(symbol, song.tonic)
        roots[1] += 1
        roots[0] += harmony.root == classes[0]
        for third, quality in ((4, "maj"), (3, "min")):
            triad = {(classes[0] + step) % 12 for step in (0, third, 7)}
            if triad <= set(classes):
                triads[1] += 1
                triads[0] += _is(harmony, classes[0], quality)
    return (_share(triads), _share(roots))


def _is(harmony: Harmony, root: int, quality: str) -> bool:
    return harmony.root == root and set(QUALITIES[quality]) <= set(
        QUALITIES.get(harmony.quality, ())
    )


def _share(counts: list[int]) -> float:
    return counts[0] / counts[1] if counts[1] else math.nan


def pitch_score(heard: Sequence[Heard], notes: NDArray[np.void]) -> tuple[float, float]:
    """Share of the frames inside notes, and of the notes by their median, within a semitone.

    Args:
        heard: frames.
        notes: dtype EVENT of one voice.

    """
    late = 0.021  # a pitch belongs to the middle of its window
    times = np.array([frame.time - late for frame in heard])
    pitches = np.array([frame.pitch.midi if frame.pitch.voiced else np.nan for frame in heard])
    right: list[float] = []
    notes_right: list[bool] = []
    for note in notes:
        inside = pitches[(times > note["on"] + 0.05) & (times < note["off"] - 0.03)]
        if len(inside) < 3:
            continue
        right += list(np.abs(inside - note["pitch"]) < 1.0)  # nan is not
        voiced = inside[~np.isnan(inside)]
        notes_right.append(bool(len(voiced)) and abs(np.median(voiced) - note["pitch"]) < 1.0)
    return (
        float(np.mean(right)) if right else math.nan,
        float(np.mean(notes_right)) if notes_right else math.nan,
    )
