"""Follow: what the arranger's controls must be to accompany what is heard. Pure logic.

The arranger takes a tempo with its next step, glides to it within about a beat, and plays the keys
that are held as its chord; so tempo, chord and density are steered through the controls that it
has. Phase is steered by tempo: a little faster while behind, a little slower while ahead (the
proportional term of a phase-locked loop), never by a jump. Look-ahead is in musical time, since the
pulse says where its beats will be when the block that is written now is heard.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.music.tracking.harmony import Harmony
from models.music.tracking.onsets import Onset
from models.music.tracking.pulse import Pulse

CATCH_UP: Final = 4.0  # beats in which an error of phase is made good
FASTEST: Final = 0.08  # share by which the tempo departs to do so
SURE: Final = 0.45  # confidence of the pulse below which the last tempo stays
CHORD_SURE: Final = 0.5
BAR_SURE: Final = 0.8
LOWEST: Final = 40.0  # beats a minute of the control
HIGHEST: Final = 240.0
MIDDLE: Final = 60  # MIDI pitch of the octave in which the chord's keys are held
WINDOW: Final = 4.0  # seconds in which onsets are counted
BUSY: Final = 8.0  # onsets a second that count as full


@dataclass(frozen=True)
class BandPosition:
    """Where the arranger is: position in beats, and in its bar, of what it writes next.

    Attributes:
        time: seconds at which it will be heard, by the clock of the pulse.
        beat: beats since the start, a whole number on each beat.
        beat_in_bar: 0 to before beats_per_bar.
        beats_per_bar: of its metre.

    """

    time: float
    beat: float
    beat_in_bar: float
    beats_per_bar: int


@dataclass(frozen=True)
class FollowState:
    """What the controls were last: tempo (0 before any), keys of the chord."""

    bpm: float = 0.0
    keys: tuple[int, ...] = ()


@dataclass(frozen=True)
class Accompaniment:
    """Controls that accompany: None and empty leave a control as it is.

    Attributes:
        bpm: tempo.
        notes: MIDI keys held, the chord.
        key: name of the key.
        density: 0 to 1.

    """

    bpm: float | None
    notes: tuple[int, ...]
    key: str | None
    density: float | None


def phase_error(pulse: Pulse, position: BandPosition) -> float:
    """Beats by which the band is ahead of the pulse; negative where it is behind.

    Within half a beat; where both agree on the metre and the pulse is sure of its bar, within half
    a bar.
    """
    heard = pulse.beat + (position.time - pulse.time) * pulse.bpm / 60
    cycle, ours = 1.0, position.beat
    if pulse.bar_confidence >= BAR_SURE and pulse.beats_per_bar == position.beats_per_bar:
        cycle, ours = float(pulse.beats_per_bar), position.beat_in_bar
        heard -= pulse.downbeat
    return (ours - heard + cycle / 2) % cycle - cycle / 2


def steered_bpm(pulse: Pulse, position: BandPosition) -> float:
    """Tempo in beats a minute that brings the band onto the pulse and keeps it there.

    Args:
        pulse: what is heard, of a known tempo.
        position: of what the band writes next.

    """
    wanted = -phase_error(pulse, position) / CATCH_UP
    bpm = pulse.bpm * (1 + min(FASTEST, max(-FASTEST, wanted)))
    return min(HIGHEST, max(LOWEST, bpm))


def chord_keys(harmony: Harmony) -> tuple[int, ...]:
    """MIDI keys of a chord in close position, its root lowest; empty where there is none."""
    if harmony.root < 0:
        return ()
    root = MIDDLE + (harmony.root + 6) % 12 - 6
    return tuple(sorted(root + (tone - harmony.root) % 12 for tone in harmony.classes))


def answering_density(onsets: Sequence[Onset], now: float) -> float:
    """Density that answers the player: 1 while nothing is played, 0.1 where it is full.

    Args:
        onsets: those of the last seconds.
        now: seconds.

    """
    rate = sum(now - WINDOW <= onset.time <= now for onset in onsets) / WINDOW
    return max(0.1, 1.0 - 0.9 * min(1.0, rate / BUSY))


def accompany(
    state: FollowState,
    pulse: Pulse,
    harmony: Harmony,
    position: BandPosition,
    onsets: Sequence[Onset] | None = None,
) -> tuple[FollowState, Accompaniment]:
    """Controls for the block that the arranger writes next.

    What is not sure stays as it was: the tempo goes on, the chord is held.

    Args:
        state: after the block before.
        pulse: beat and tempo heard.
        harmony: chord and key heard.
        position: of what the arranger writes next.
        onsets: of the last seconds, where density shall answer the player.

    Returns:
        The state after it, and the controls.

    """
    bpm = state.bpm
    if pulse.bpm > 0 and pulse.confidence >= SURE:
        bpm = steered_bpm(pulse, position)
    keys = state.keys
    if harmony.root >= 0 and harmony.confidence >= CHORD_SURE:
        keys = chord_keys(harmony)
    key = harmony.key if harmony.key_confidence >= CHORD_SURE else ""
    density = None if onsets is None else answering_density(onsets, pulse.time)
    steady = bpm if math.isfinite(bpm) and bpm > 0 else None
    return FollowState(steady or 0.0, keys), Accompaniment(steady, keys, key or None, density)
