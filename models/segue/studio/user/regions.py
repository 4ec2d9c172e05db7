"""Region: a sample, the keys and velocities at which it sounds, and how. Read from any format."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.segue.studio.bank import Instrument, Kit, SampleZone

Sound: TypeAlias = NDArray[np.float32]
"""(frames, channels) of a sample."""
ONE_SHOT: Final = 120.0
"""Release in seconds of what plays to its end: longer than any sample."""
MAX_TOGETHER: Final = 4
"""Regions that one note may sound."""


class AmplitudeEnvelope(NamedTuple):
    """Envelope of a region: seconds, and the sustain as a factor."""

    delay: float = 0.0
    attack: float = 0.0
    hold: float = 0.0
    decay: float = 0.0
    sustain: float = 1.0

    @property
    def flat(self) -> bool:
        """Whether it changes nothing."""
        level = self.sustain >= 1.0 or (self.decay <= 0.0 and self.hold <= 0.0)
        return self.delay <= 0.0 and self.attack <= 0.001 and level and self.sustain >= 1.0

    def gains(self, first: int, count: int, rate: int) -> NDArray[np.float32] | np.float32:
        """(count,) of samples `first` on since the note began; a number where it is level."""
        begin = first / rate - self.delay
        end = begin + count / rate
        if begin >= self.settled:
            return np.float32(self.sustain)
        if begin >= self.attack and end <= self.attack + self.hold:
            return np.float32(1.0)
        time = np.arange(count, dtype=np.float32) / np.float32(rate) + np.float32(begin)
        out = np.ones(count, np.float32)
        if begin < self.attack:
            out = np.clip(time / np.float32(max(self.attack, 1e-3)), 0.0, 1.0)
        since = np.maximum(time - np.float32(self.attack + self.hold), 0.0)
        # Falls by 60 dB in `decay` seconds, as SFZ's and SoundFont's decays do, to the sustain.
        fall = np.exp(since * np.float32(-3.0 * math.log(10) / max(self.decay, 1e-3)))
        return np.asarray(out * np.maximum(fall, np.float32(self.sustain)), np.float32)

    @property
    def settled(self) -> float:
        """Seconds after its delay from which on it is at the sustain."""
        decibels = min(-20.0 * math.log10(max(self.sustain, 1e-5)), 100.0)
        return self.attack + self.hold + max(self.decay, 1e-3) * decibels / 60.0


NO_ENVELOPE: Final = AmplitudeEnvelope()


class WaveSource(NamedTuple):
    """Sample as it was read: (frames, channels), its rate, its loop (first frame, and the one after
    the last) and its MIDI note where the file says so.
    """

    sound: Sound
    rate: int
    loop: tuple[int, int] | None = None
    root: int | None = None


@dataclass(frozen=True)
class RegionSpec:
    """Region as a file describes it.

    Attributes:
        source: names the sample among those of the file.
        root: MIDI note of the sample; None where nothing says it.
        keys, velocities: first and last at which it sounds.
        cents: tuning.
        volume: dB.
        pan: -1 to 1.
        loop: first frame and the one after the last; None for the sample's own.
        loop_mode: "loop", "none", "one_shot", "file" (a loop where the sample has one) or "find".
        offset, end: first frame, and the one after the last (None: all).
        envelope, release: of the amplitude, release in seconds.
        sequence: length and position (1 is the first) of a round robin.
        chance: range of 0 to 1 in which a random number must lie.
        group, off_by: of regions that silence each other; 0 for none.
        velocity_track: how much the velocity acts on the level, 0 to 1.
        key_track: cents a key.
        cutoff: Hz of a low-pass filter; None for none.

    """

    source: str
    root: int | None = None
    keys: tuple[int, int] = (0, 127)
    velocities: tuple[int, int] = (0, 127)
    cents: float = 0.0
    volume: float = 0.0
    pan: float = 0.0
    loop: tuple[int, int] | None = None
    loop_mode: str = "file"
    offset: int = 0
    end: int | None = None
    envelope: AmplitudeEnvelope = NO_ENVELOPE
    release: float = 0.05
    sequence: tuple[int, int] = (1, 1)
    chance: tuple[float, float] = (0.0, 1.0)
    group: int = 0
    off_by: int = 0
    velocity_track: float = 1.0
    key_track: float = 100.0
    cutoff: float | None = None


@dataclass(frozen=True)
class UserFile:
    """What a file or folder holds: its regions, how their samples are read (source and most seconds
    of it), and what must be said about it.
    """

    name: str
    regions: tuple[RegionSpec, ...]
    read: Callable[[str, float], WaveSource] = field(repr=False)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """Region that is ready to play: the zone and what `RegionSpec` says of it."""

    zone: SampleZone
    spec: RegionSpec
    gain: float

    def distance(self, pitch: int) -> int:
        """Keys between a pitch and this region's."""
        low, high = self.spec.keys
        return max(low - pitch, pitch - high, 0)

    def velocity_distance(self, velocity: int) -> int:
        """Velocities between one and this region's."""
        low, high = self.spec.velocities
        return max(low - velocity, velocity - high, 0)

    def cents_at(self, pitch: int) -> float:
        """Cents from the sample's pitch to that of a note."""
        return (pitch - self.zone.key) * self.spec.key_track + self.zone.cents


@dataclass(frozen=True)
class UserInstrument(Instrument):
    """Pitched instrument of the performer's own."""

    regions: tuple[Region, ...] = ()
    layered: bool = False  # whether velocity chooses between samples
    _near: dict[tuple[int, int], tuple[Region, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def chosen(self, pitch: int, velocity: int, number: int) -> tuple[Region, ...]:
        """Regions of a note; the nearest where none is meant for it. number: varies them."""
        near = self._nearest(pitch, velocity)
        if len(near) < 2:
            return near
        draw = (number >> 12 & 1023) / 1024
        turn = number >> 22
        found = [
            r
            for r in near
            if turn % r.spec.sequence[0] == r.spec.sequence[1] - 1
            and r.spec.chance[0] <= draw < r.spec.chance[1]
        ]
        return tuple((found or near[:1])[:MAX_TOGETHER])

    def _nearest(self, pitch: int, velocity: int) -> tuple[Region, ...]:
        """Regions of a key and a velocity, remembered."""
        found = self._near.get((pitch, velocity))
        if found is None:
            order = [(r.distance(pitch), r.velocity_distance(velocity)) for r in self.regions]
            best = min(order, default=(0, 0))
            near = [r for r, place in zip(self.regions, order, strict=True) if place == best]
            # Where none is meant for the key, of several equally near the first.
            found = self._near[pitch, velocity] = tuple(near[:1] if best[0] else near)
        return found

    def release_of(self, pitch: int, velocity: int) -> float:
        """Seconds in which a note falls silent."""
        chosen = self.chosen(self.fold(pitch), velocity, 0)
        releases = [ONE_SHOT if r.spec.loop_mode == "one_shot" else r.spec.release for r in chosen]
        return max(releases, default=self.release)

    def silences(self, pitch: int, velocity: int, before: int, before_velocity: int) -> bool:
        """Whether a note ends one that sounds, by their groups."""
        begins = self.chosen(self.fold(pitch), velocity, 0)
        sounds = self.chosen(self.fold(before), before_velocity, 0)
        groups = {region.spec.group for region in begins if region.spec.group}
        return any(region.spec.off_by in groups for region in sounds)


@dataclass(frozen=True)
class Built:
    """Instrument or kit with its samples by the numbers of their zones."""

    sound: UserInstrument | Kit
    samples: dict[int, NDArray[np.float32]]
    remarks: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of the samples."""
        return sum(planes.nbytes for planes in self.samples.values())


def pan_gains(pan: float, channels: int) -> tuple[float, float]:
    """Gains of left and right: constant power for one channel, balance for two."""
    if channels == 1:
        angle = (pan + 1) * np.pi / 4
        return float(np.sqrt(2) * np.cos(angle)), float(np.sqrt(2) * np.sin(angle))
    return min(1.0, 1.0 - pan), min(1.0, 1.0 + pan)
