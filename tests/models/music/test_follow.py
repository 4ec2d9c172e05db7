"""Tests of the controls that accompany, against the arranger's own clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.music.tracking.follow import (
    BandPosition,
    Understanding,
    accompany,
    answering_density,
    at_level,
    chord_keys,
    outdated,
    phase_error,
    understand,
    words,
)
from models.music.tracking.harmony import Harmony
from models.music.tracking.onsets import Onset
from models.music.tracking.pitch import UNVOICED
from models.music.tracking.progression import Progression
from models.music.tracking.pulse import Pulse
from models.music.tracking.tracker import Heard
from models.segue.arranger.clock import Clock

LATE = 0.4
"""Seconds between what is heard when a step is written and when the step is heard."""


def frame(
    time: float, pulse: Pulse, harmony: Harmony | None = None, onset: Onset | None = None
) -> Heard:
    """What is heard in 10 ms."""
    return Heard(time, -20.0, 0.0, UNVOICED, onset, pulse, harmony or Harmony())


def play(change: float, offset: float, seconds: float = 40.0) -> list[tuple[float, float]]:
    """(time, error in seconds) of each beat of a clock that follows a pulse.

    The pulse begins at 110 beats a minute, `offset` beats away, and changes its tempo after 20 s.
    """
    clock, understood, errors = Clock(bpm=120.0), Understanding(), []
    while clock.start < seconds:
        now = max(0.0, clock.start - LATE)
        rate = 110.0 if now < 20 else 110.0 * change
        beat = offset + min(now, 20.0) * 110 / 60 + max(0.0, now - 20) * 110 * change / 60
        pulse = Pulse(now, rate, 0.9, beat, 4, 0, 0.0)
        position = BandPosition(clock.start, clock.beats, clock.bpm)
        if clock.on_beat(4):
            errors.append((clock.start, phase_error(pulse, position) * 60 / rate))
        understood = understand(understood, [frame(now, pulse)])
        controls = accompany(understood, clock.start, position)
        assert controls.bpm is not None
        _, clock = clock.tick(controls.bpm, 0.5, 4, 16)
    return errors


@pytest.mark.parametrize("offset", [0.0, 0.3, -0.45])
@pytest.mark.parametrize("change", [1.0, 1.1, 1 / 1.1])
def test_the_clock_locks_onto_a_pulse_and_follows_a_change(change: float, offset: float) -> None:
    errors = play(change, offset)
    assert all(abs(error) < 0.02 for time, error in errors if 12 < time < 20)
    assert all(abs(error) < 0.02 for time, error in errors if time > 32)


@pytest.mark.parametrize(("band", "error"), [(80.0, 0.0), (78.0, 0.0), (80.3, 0.3), (80.6, -0.4)])
def test_the_band_is_brought_onto_the_beat_and_over_none(band: float, error: float) -> None:
    """Wherever the player's bar begins, however sure of it the pulse is."""
    pulse = Pulse(10.0, 120.0, 0.9, 21.0, 4, 20, 1.0)
    position = BandPosition(10.0, band, 120.0)
    assert phase_error(pulse, position) == pytest.approx(error)
    controls = accompany(Understanding(10.0, pulse), 10.1, position)
    assert controls.bpm == pytest.approx(120 * (1 - max(-0.1, min(0.1, error / 3))))


@pytest.mark.parametrize(
    ("root", "quality", "keys"),
    [
        (0, "maj", (60, 64, 67)),
        (9, "min", (57, 60, 64)),
        (5, "sus", (65, 70, 72)),
        (6, "5", (54, 61)),
        (-1, "", ()),
    ],
)
def test_keys_of_a_chord(root: int, quality: str, keys: tuple[int, ...]) -> None:
    assert chord_keys(Harmony(root, quality, 1.0)) == keys


def test_what_is_unsure_stays() -> None:
    band = BandPosition(5.0, 10.0, 100.0)
    chord = Harmony(2, "min", 0.9, 2, True, 0.9)
    sure = understand(Understanding(), [frame(5.0, Pulse(5.0, 100.0, 0.9, 10.0), chord)])
    first = accompany(sure, 5.1, band)
    assert first.bpm == pytest.approx(100.0)
    assert (first.notes, first.key, first.density) == ((62, 65, 69), "D minor", None)
    vague = Harmony(7, "maj", 0.2, 7, False, 0.2)
    unsure = understand(sure, [frame(5.6, Pulse(5.6, 170.0, 0.1, 12.3), vague)])
    second = accompany(unsure, 5.7, BandPosition(5.6, 11.0, 100.0))
    assert second.bpm == pytest.approx(100.0)
    assert (second.notes, second.key) == ((62, 65, 69), "D minor")


def test_another_tempo_is_followed_when_it_stays() -> None:
    understood = understand(Understanding(), [frame(1.0, Pulse(1.0, 100.0, 0.9, 1.0))])
    for tenth in range(1, 15):
        time = 1.0 + tenth / 10
        understood = understand(understood, [frame(time, Pulse(time, 140.0, 0.9, time))])
        assert understood.pulse.bpm == (140.0 if tenth > 10 else 100.0)


def test_nothing_heard_steers_nothing() -> None:
    controls = accompany(Understanding(), 1.0, BandPosition(0.0, 0.0, 120.0))
    assert (controls.bpm, controls.notes, controls.key, controls.density) == (None, (), None, None)


@pytest.mark.parametrize(
    ("heard", "band", "taken"),
    [(70.0, 140.0, 140.0), (150.0, 80.0, 75.0), (100.0, 120.0, 100.0), (90.0, 0.0, 90.0)],
)
def test_the_band_keeps_its_level_of_the_tempo(heard: float, band: float, taken: float) -> None:
    pulse = at_level(Pulse(3.0, heard, 0.9, 7.0, 4, 4, 0.9), band)
    assert pulse.bpm == pytest.approx(taken)
    assert pulse.beat % 1 in (0.0, 0.5)


def test_the_less_is_played_the_more_is_answered() -> None:
    densities = [
        answering_density([10 - k / rate for k in range(4 * rate)], 10.0)
        for rate in (1, 2, 4, 8, 16)
    ]
    assert densities == sorted(densities, reverse=True)
    assert densities[-1] == pytest.approx(0.1)
    assert answering_density([1.0], 10.0) == 1.0


C, F, G = (60, 64, 67), (65, 69, 72), (55, 59, 62)


def progression(chords: str) -> Progression:
    """Beats whose chords are named by letters, each as the ears find it: late by half a beat."""
    found, names = Progression(), {"C": C, "F": F, "G": G}
    for beat, name in enumerate(chords):
        late = names[chords[max(0, beat - 1)]]
        found = found.heard(beat, late).heard(beat + 0.6, names[name])
    return found


@pytest.mark.parametrize(
    ("chords", "beat", "keys"),
    [
        ("CCCCFFFF", 3, C),
        ("CCCCFFFF", 4, F),
        ("CCCCFFFF", 9, F),  # nothing has repeated yet
        ("CCFFCCFFCCF", 11, F),
        ("CCFFCCFFCCFF", 12, C),
        ("CCFFCCFFCCFF", 14, F),
        ("CCCCFFFFGGGGFFFF" * 2, 32, C),
        ("CCCCFFFFGGGGFFFF" * 2, 41, G),
        ("CCFFCCFFCCFFGGG", 15, G),  # it has left the pattern
        ("CCCFFF" * 4, 27, F),  # three in a bar
    ],
)
def test_the_next_chord_is_expected(chords: str, beat: int, keys: tuple[int, ...]) -> None:
    assert progression(chords).at(beat) == keys


def test_a_leap_of_the_beats_forgets_the_chords() -> None:
    assert progression("CCFFCCFF").heard(500.0, G).chords == (G,)
    assert Progression().at(3.0) == () and Progression().turn == 0


def test_plans_are_made_again_only_where_they_no_longer_fit() -> None:
    pulse = Pulse(10.0, 120.0, 0.9, 20.0)
    now = Understanding(10.0, pulse, progression=progression("CCFFCCFFCCFFCCFFCCFFC"))
    assert not outdated(now, now)
    later = replace(now, time=10.1, pulse=replace(pulse, time=10.1, beat=20.2 + 0.01))
    assert not outdated(now, later)
    assert outdated(now, replace(later, pulse=replace(later.pulse, beat=20.3)))
    assert outdated(now, replace(later, pulse=replace(later.pulse, bpm=121.0)))
    assert outdated(now, replace(later, key="A minor"))
    assert outdated(now, replace(later, played=True))
    assert outdated(now, replace(later, progression=progression("CCFFCCFFCCFFCCFFCCGGG")))


def test_what_was_understood_in_words() -> None:
    assert words(Understanding(), 0.0) == ""
    pulse = Pulse(8.0, 120.0, 0.9, 16.0, 4, 0, 0.96)
    chords = progression("CCFFCCFFCCFFCCFFC")
    understood = Understanding(8.0, pulse, progression=chords, key="C major")
    assert words(understood, 8.1) == "120 bpm, beat 1 of 4, C major: C, then F"
    assert words(replace(understood, key="", progression=Progression()), 8.6) == (
        "120 bpm, beat 2 of 4"
    )
