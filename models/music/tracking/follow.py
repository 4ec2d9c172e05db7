"""Follow: what the arranger's controls must be to accompany what is heard. Pure logic.

The arranger takes a tempo with its next step, glides to it within about a beat, and plays the keys
that are held as its chord; so tempo, chord and density are steered through the controls that it
has. Phase is steered by tempo: a little faster while behind, a little slower while ahead (the
proportional term of a phase-locked loop), never by a jump. It is the phase within a beat: to come
into the player's bar the band would drift over the beats between for seconds, and downbeats are
heard too badly to be worth that. Look-ahead is in musical time, since the pulse says where its
beats will be when the block that is written now is heard, and the progression which chord will
sound there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from models.music.score import NOTE_NAMES, QUALITIES
from models.music.tracking.harmony import Harmony
from models.music.tracking.progression import Keys, Progression
from models.music.tracking.pulse import Pulse
from models.music.tracking.tracker import Heard

CATCH_UP: Final = 3.0  # beats in which an error of phase is made good
FASTEST: Final = 0.1  # share by which the tempo departs to do so
SURE: Final = 0.45  # confidence of the pulse below which the last tempo stays
CHORD_SURE: Final = 0.5
BAR_SURE: Final = 0.95
"""Confidence with which the place in the bar is told."""
LOWEST: Final = 40.0  # beats a minute of the control
HIGHEST: Final = 240.0
MIDDLE: Final = 60  # MIDI pitch of the octave in which the chord's keys are held
WINDOW: Final = 4.0  # seconds in which onsets are counted
BUSY: Final = 8.0  # onsets a second that count as full
OTHER: Final = 0.04  # by which a tempo differs so that it must stay a while to be followed
PATIENCE: Final = 1.0  # seconds of that while
STALE: Final = 4.0  # seconds after which the place of a beat is no longer known
CHORD_LATENESS: Final = 0.08  # seconds that a chord may take at least to be recognised
STEPS: Final = 4  # of a beat, as most metres have them
ASTRAY: Final = 0.02  # seconds by which a planned beat may be off
DRIFT: Final = 0.006  # share by which a planned tempo may be off
DENSITY_STEP: Final = 0.2
AHEAD: Final = 3.6  # seconds of the plan
NAMES: Final = {"maj": "", "min": "m", "dim": "dim", "sus": "sus", "5": "5", "aug": "aug"}


@dataclass(frozen=True)
class BandPosition:
    """Where the band is: position in beats of a step that it has written.

    Attributes:
        time: seconds at which the step is heard, by the clock of the pulse.
        beat: beats since the start, a whole number on each beat.
        bpm: tempo there; 0 if unknown.

    """

    time: float
    beat: float
    bpm: float = 0.0


@dataclass(frozen=True)
class Understanding:
    """What was understood of the player so far. What is not sure stays as it was.

    Attributes:
        time: seconds of the input.
        pulse: the last that was sure; of tempo 0 before any.
        other: seconds since which a clearly different tempo has been heard; nan for none.
        progression: chords by beat of the pulse, or of the seconds where there is no pulse.
        key: name of the key; empty before any is sure.
        onsets: times of the last seconds, in seconds.
        played: whether anything was played yet.
        level_db: of the last 10 ms.

    """

    time: float = 0.0
    pulse: Pulse = field(default_factory=Pulse)
    other: float = math.nan
    progression: Progression = field(default_factory=Progression)
    key: str = ""
    onsets: tuple[float, ...] = ()
    played: bool = False
    level_db: float = -120.0

    @property
    def density(self) -> float | None:
        """Density that answers the player; None while nothing was played yet."""
        return answering_density(self.onsets, self.time) if self.played else None

    def beat_at(self, time: float) -> float:
        """Beat of the pulse at `time` seconds; seconds where there is no pulse."""
        pulse = self.pulse
        if pulse.bpm <= 0:
            return time
        return pulse.beat + (time - pulse.time) * pulse.bpm / 60

    def chord_at(self, time: float) -> Keys:
        """Keys of the chord heard or expected at `time` seconds."""
        return self.progression.at(self.beat_at(time))


@dataclass(frozen=True)
class Accompaniment:
    """Controls that accompany: None and empty leave a control as it is.

    Attributes:
        bpm: tempo.
        notes: MIDI keys held, the chord.
        key: name of the key.
        density: 0 to 1.
        next_beat: seconds from the block's start to the player's next beat, for a band that does
            not say where it is.

    """

    bpm: float | None = None
    notes: Keys = ()
    key: str | None = None
    density: float | None = None
    next_beat: float | None = None


def understand(before: Understanding, heard: Iterable[Heard]) -> Understanding:
    """What is understood after some more frames of 10 ms."""
    after = before
    for frame in heard:
        after = _with_pulse(after, frame.pulse)
        progression, harmony = after.progression, frame.harmony
        if harmony.root >= 0 and harmony.confidence >= CHORD_SURE:
            beat = after.beat_at(frame.time - CHORD_LATENESS)
            progression = progression.heard(beat, chord_keys(harmony))
        sure = harmony.key_confidence >= CHORD_SURE
        onsets = after.onsets
        if frame.onset is not None:
            onsets = tuple(t for t in (*onsets, frame.onset.time) if t > frame.time - WINDOW)
        after = replace(
            after,
            time=frame.time,
            progression=progression,
            key=harmony.key if sure else after.key,
            onsets=onsets,
            played=after.played or frame.onset is not None,
            level_db=frame.level_db,
        )
    return after


def _with_pulse(before: Understanding, pulse: Pulse) -> Understanding:
    """With another pulse, if it is sure, and has been for a while where its tempo is another."""
    if pulse.bpm <= 0 or pulse.confidence < SURE:
        return replace(before, other=math.nan)
    last = before.pulse.bpm
    if last <= 0:
        return replace(before, pulse=pulse, progression=Progression())
    if abs(pulse.bpm / last - 1) < OTHER:
        return replace(before, pulse=pulse, other=math.nan)
    since = pulse.time if math.isnan(before.other) else before.other
    if pulse.time - since < PATIENCE:
        return replace(before, other=since)
    # Its beats are counted otherwise.
    return replace(before, pulse=pulse, other=math.nan, progression=Progression())


def phase_error(pulse: Pulse, position: BandPosition) -> float:
    """Beats by which the band is ahead of the pulse, within half a beat; negative where behind."""
    heard = pulse.beat + (position.time - pulse.time) * pulse.bpm / 60
    return (position.beat - heard + 0.5) % 1.0 - 0.5


def at_level(pulse: Pulse, bpm: float) -> Pulse:
    """The pulse at half, the same or double its tempo, whichever is nearest to the band's.

    Args:
        pulse: what is heard, of a known tempo.
        bpm: of the band; 0 if unknown.

    """
    if bpm <= 0:
        return pulse
    levels = (1.0, 0.5, 2.0)
    level = min(levels, key=lambda ratio: abs(math.log(pulse.bpm * ratio / bpm)))
    if level == 1.0:
        return pulse
    place = pulse.beat - pulse.downbeat  # so that half of the beats keep the bar's first one
    return replace(pulse, bpm=pulse.bpm * level, beat=place * level, downbeat=0, bar_confidence=0.0)


def steered_bpm(pulse: Pulse, position: BandPosition, amount: float = 1.0) -> float:
    """Tempo in beats a minute that brings the band onto the pulse and keeps it there.

    Args:
        pulse: what is heard, of a known tempo.
        position: of what the band has written.
        amount: 0 to 1, how quickly it catches up.

    """
    wanted = -phase_error(pulse, position) / CATCH_UP
    if abs(position.time - pulse.time) > STALE:
        wanted = 0.0
    bpm = pulse.bpm * (1 + amount * min(FASTEST, max(-FASTEST, wanted)))
    return min(HIGHEST, max(LOWEST, bpm))


def seconds_to_beat(understood: Understanding, time: float) -> float | None:
    """Seconds from `time` to the player's next beat; None where no beat is known any more."""
    pulse = understood.pulse
    if pulse.bpm <= 0 or abs(time - pulse.time) > STALE:
        return None
    beat = understood.beat_at(time)
    return max(0.0, math.ceil(beat - 1e-6) - beat) * 60 / pulse.bpm


def chord_keys(harmony: Harmony) -> Keys:
    """MIDI keys of a chord in close position, its root lowest; empty where there is none."""
    if harmony.root < 0:
        return ()
    root = MIDDLE + (harmony.root + 6) % 12 - 6
    return tuple(sorted(root + (tone - harmony.root) % 12 for tone in harmony.classes))


def answering_density(onsets: Sequence[float], now: float) -> float:
    """Density that answers the player: 1 while nothing is played, 0.1 where it is full.

    Args:
        onsets: times of those of the last seconds.
        now: seconds.

    """
    rate = sum(now - WINDOW <= time <= now for time in onsets) / WINDOW
    return max(0.1, 1.0 - 0.9 * min(1.0, rate / BUSY))


def accompany(
    understood: Understanding,
    end: float,
    band: BandPosition | None = None,
    amount: float = 1.0,
    begin: float | None = None,
) -> Accompaniment:
    """Controls for the block that the band writes next.

    Args:
        understood: of the player.
        end: seconds at which the block's end is heard, by the clock of the input.
        band: where the band is; None where it does not say.
        amount: 0 to 1, how quickly it catches up.
        begin: seconds at which the block's start is heard; None where it needs no beat.

    """
    bpm, middle = None, end
    if band is not None and band.bpm > 0:
        # A step has the chord of its middle, so that a band a little ahead or behind has it too.
        step = 60 / band.bpm / STEPS
        middle = band.time + step * (1.5 if band.time + step < end else 0.5)
    if band is not None and understood.pulse.bpm > 0:
        pulse = at_level(understood.pulse, band.bpm)
        steered = steered_bpm(pulse, band, amount)
        bpm = steered if math.isfinite(steered) else None
    return Accompaniment(
        bpm,
        understood.chord_at(middle),
        understood.key or None,
        understood.density,
        None if begin is None or band is not None else seconds_to_beat(understood, begin),
    )


def outdated(planned: Understanding, now: Understanding) -> bool:
    """Whether a plan made with one understanding must be made again with another."""
    before, pulse = planned.pulse, now.pulse
    if (before.bpm > 0) != (pulse.bpm > 0) or planned.key != now.key:
        return True
    beat = 60 / pulse.bpm if pulse.bpm > 0 else 0.5
    if pulse.bpm > 0:
        soon = now.time + 1.0
        gap = planned.beat_at(soon) - now.beat_at(soon)
        astray = abs((gap + 0.5) % 1.0 - 0.5) * beat
        if astray > ASTRAY or abs(before.bpm / pulse.bpm - 1) > DRIFT:
            return True
    if abs((planned.density or 0.0) - (now.density or 0.0)) > DENSITY_STEP:
        return True
    steps = range(1, math.ceil(AHEAD / beat))
    return any(
        planned.chord_at(now.time + step * beat) != now.chord_at(now.time + step * beat)
        for step in steps
    )


def words(understood: Understanding, time: float) -> str:
    """What was understood, as of `time` seconds: '124 bpm, beat 3 of 4, A minor: Dm, then G'."""
    pulse, parts = understood.pulse, []
    if pulse.bpm > 0:
        parts.append(f"{pulse.bpm:.0f} bpm")
        if pulse.bar_confidence >= BAR_SURE:
            place = math.floor(understood.beat_at(time) - pulse.downbeat) % pulse.beats_per_bar
            parts.append(f"beat {place + 1} of {pulse.beats_per_bar}")
    if understood.key:
        parts.append(understood.key)
    text, chord = ", ".join(parts), understood.chord_at(time)
    if not chord:
        return text
    beat = 60 / pulse.bpm if pulse.bpm > 0 else 1.0
    later = (understood.chord_at(time + step * beat) for step in range(1, 9))
    after = next((keys for keys in later if keys != chord), ())
    names = name_of(chord) + (f", then {name_of(after)}" if after else "")
    return f"{text}: {names}" if text else names


def name_of(keys: Keys) -> str:
    """Name of a chord of `chord_keys`: 'Am', 'C', 'Gsus'; empty for none."""
    if not keys:
        return ""
    for root in (key % 12 for key in keys):
        for quality, name in NAMES.items():
            if {(root + step) % 12 for step in QUALITIES[quality]} == {key % 12 for key in keys}:
                return NOTE_NAMES[root] + name
    return NOTE_NAMES[keys[0] % 12]
