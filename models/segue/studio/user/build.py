"""Instruments from regions: samples cut, filtered, looped and levelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.studio.bank import AFTER, BEFORE, RISE, SampleZone
from models.segue.studio.dynamics import loudness_fast
from models.segue.studio.strips import NOMINAL
from models.segue.studio.user.loops import levels_db, make_loop
from models.segue.studio.user.pitch_of_sample import pitch_of
from models.segue.studio.user.reading import read_within_memory
from models.segue.studio.user.regions import (
    Built,
    Region,
    RegionSpec,
    Sound,
    UserFile,
    UserInstrument,
    WaveSource,
)

STRETCH: Final = 12  # semitones beyond the outer notes of a folder
STRETCH_ONE: Final = 24
STEADY_DB: Final = 1.5  # a held note's tail begins so far under its level


class BuiltSamples(NamedTuple):
    """Sample as the studio reads it (channels, BEFORE + frames + AFTER), and what is in it."""

    planes: NDArray[np.float32]
    rate: int
    loop: tuple[int, int] | None
    decay: float


def build_instrument(file: UserFile, name: str, serial: int, open_ends: bool) -> Built:
    """A pitched instrument.

    Args:
        file: what was read.
        name: of the instrument.
        serial: of this loading.
        open_ends: whether its outer notes are stretched beyond their keys.

    Raises:
        SegueError: nothing in it sounds, or it cannot be read.

    """
    kept, sources, remarks = read_within_memory(file)
    regions: list[Region] = []
    samples: dict[int, NDArray[np.float32]] = {}
    made: dict[object, SampleZone] = {}
    unpitched = False
    for spec in kept:
        source = sources[spec.source]
        key = (spec.source, spec.offset, spec.end, spec.loop, spec.loop_mode, spec.cutoff)
        zone = made.get(key)
        if zone is None:
            part = built_samples(source, spec)
            root, cents = _root(spec, source)
            unpitched |= root is None
            samples[len(made)] = part.planes
            zone = made[key] = SampleZone(
                f"{name}@{serial}", len(made), 0, 0, part.rate,
                part.planes.shape[1] - BEFORE - AFTER, part.planes.shape[0], 1.0,
                60 if root is None else root, loop=part.loop, decay=part.decay, cents=cents,
            )  # fmt: skip
        root = zone.key if spec.root is None else spec.root
        own = replace(zone, key=root, cents=spec.cents + (zone.cents if spec.root is None else 0))
        regions.append(Region(own, spec, 10 ** (spec.volume / 20)))
    gain = _gain(regions, samples)
    if open_ends:
        regions = _spread(regions)
    low, high = min(r.spec.keys[0] for r in regions), max(r.spec.keys[1] for r in regions)
    if unpitched:
        remarks.append("no pitch is clear in it, so its sound counts as C4")
    layered = len({r.spec.velocities for r in regions}) > 1
    instrument = UserInstrument(
        name, (), low, high, 0.12, 0.0, 0.0, 0.0, True, 0.35, "", gain, tuple(regions),
        layered, serial=serial,
    )  # fmt: skip
    return Built(instrument, samples, (*file.remarks, *remarks))


def built_samples(source: WaveSource, spec: RegionSpec) -> BuiltSamples:
    """A region's samples, cut, filtered and looped."""
    sound, rate = source.sound, source.rate
    end = len(sound) if spec.end is None else min(spec.end, len(sound))
    first = min(spec.offset, max(0, end - 16))
    loop = spec.loop or source.loop
    mode = spec.loop_mode
    decay = 0.0
    if mode == "loop" and loop is None:
        loop = (first, end)
    if mode in ("none", "one_shot"):
        loop = None
    sound = sound[first:end]
    if loop is not None:
        loop = (loop[0] - first, min(loop[1], end) - first)
        if not 0 <= loop[0] < loop[1] - 8:
            loop = None
    if spec.cutoff is not None and spec.cutoff < 0.45 * rate:
        sound = _low_passed(sound, spec.cutoff, rate)
    if mode == "find" and loop is None:
        sound, loop, decay = found_loop(sound, rate)
    if loop is None:
        sound = _faded(sound, rate)
    stop = loop[1] if loop else len(sound)
    planes = np.zeros((sound.shape[1], BEFORE + stop + AFTER), np.float32)
    planes[:, BEFORE : BEFORE + stop] = sound[:stop].T
    count = min(len(RISE), stop)
    planes[:, BEFORE : BEFORE + count] *= RISE[:count]
    if loop:
        again = (np.arange(AFTER) % (loop[1] - loop[0])) + loop[0]
        planes[:, BEFORE + stop :] = planes[:, BEFORE + again]
    planes.setflags(write=False)
    return BuiltSamples(planes, rate, loop, decay)


def _low_passed(sound: Sound, cutoff: float, rate: int) -> Sound:
    """A sound through a Butterworth low-pass filter of second order."""
    size = 1 << (len(sound) + rate // 20).bit_length()
    place = 1j * np.fft.rfftfreq(size, 1 / rate)[:, None] / cutoff
    spectrum = np.fft.rfft(sound, size, axis=0) / (place * place + np.sqrt(2) * place + 1)
    return np.asarray(np.fft.irfft(spectrum, size, axis=0)[: len(sound)], np.float32)


def found_loop(sound: Sound, rate: int) -> tuple[Sound, tuple[int, int] | None, float]:
    """A note with a loop, if it can have one: samples, loop, and the decay in dB a second that was
    taken out of it.
    """
    hop = rate // 50
    if len(sound) < rate // 2:
        return sound, None, 0.0
    level = levels_db(sound, hop)
    loud = level > level.max() - 60.0
    begin, last = int(np.argmax(loud)), len(loud) - int(np.argmax(loud[::-1]))
    body = level[begin + (last - begin) // 5 : begin + 3 * (last - begin) // 5]
    if len(body) < 8:
        return sound, None, 0.0
    slope = float(np.polyfit(np.arange(len(body)) * hop / rate, body, 1)[0])
    if slope > -3.0:
        # Held, and let go at the end: the loop must lie before that.
        held = np.flatnonzero(level > np.median(body) - STEADY_DB)
        sound = sound[: (int(held[-1])) * hop]
    if len(sound) < rate // 2:
        return sound, None, 0.0
    note = make_loop(np.ascontiguousarray(sound), rate, 0.15)
    return note.samples, note.loop, note.decay


def _root(spec: RegionSpec, source: WaveSource) -> tuple[int | None, float]:
    """MIDI note of a sample and the cents that bring it into tune; None where nothing tells it."""
    if spec.root is not None:
        return spec.root, 0.0
    if source.root is not None:
        return source.root, 0.0
    pitch = pitch_of(source.sound[spec.offset : spec.end], source.rate)
    if pitch is None:
        return None, 0.0
    return round(pitch), 100 * (round(pitch) - pitch)


def _spread(regions: list[Region]) -> list[Region]:
    """Regions of single notes, each up to half the way to the next."""
    roots = sorted({region.zone.key for region in regions})
    out = STRETCH_ONE if len(roots) == 1 else STRETCH
    edges = [max(0, roots[0] - out)]
    edges += [(low + high) // 2 + 1 for low, high in pairwise(roots)]
    edges.append(min(127, roots[-1] + out) + 1)
    spans = {
        root: (first, after - 1)
        for root, first, after in zip(roots, edges, edges[1:], strict=False)
    }
    return [
        replace(region, spec=replace(region.spec, keys=spans[region.zone.key]))
        for region in regions
    ]


def _gain(regions: list[Region], samples: Mapping[int, NDArray[np.float32]]) -> float:
    """Gain that brings an instrument to the studio's nominal loudness."""
    loud = [r for r in regions if r.spec.velocities[0] <= 100 <= r.spec.velocities[1]] or regions
    some = loud[:: max(1, len(loud) // 16)]
    levels = [
        loudness_of(samples[r.zone.number], r.zone.rate, 0.8) + 20 * np.log10(r.gain + 1e-9)
        for r in some
    ]
    return float(10 ** (np.clip(NOMINAL + 1.0 - np.median(levels), -40, 60) / 20))


def _faded(sound: Sound, rate: int) -> Sound:
    """A sound without loop, its end faded and silence behind it cut."""
    above = np.flatnonzero(np.abs(sound).max(axis=1) > 1e-4)
    sound = sound[: int(above[-1]) + 1 if len(above) else 16].copy()
    count = min(len(sound) // 4, rate // 100)
    if count:
        sound[len(sound) - count :] *= np.linspace(1, 0, count, dtype=np.float32)[:, None]
    return sound


def loudness_of(planes: NDArray[np.float32], rate: int, seconds: float = 0.3) -> float:
    """Loudness of the beginning of samples, LUFS."""
    count = round(seconds * SAMPLE_RATE)
    place = np.arange(count) * (rate / SAMPLE_RATE)
    whole = np.arange(planes.shape[1] - BEFORE)
    both = [np.interp(place, whole, plane[BEFORE:], right=0.0) for plane in planes]
    return loudness_fast(np.stack([both[0], both[-1]]).astype(np.float32))
