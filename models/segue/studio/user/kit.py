"""Drum kits from regions: by the names of the pieces, or by the keys of General MIDI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.general_midi import DRUM_KEYS
from models.music.score import DRUMS
from models.segue.studio.bank import AFTER, BEFORE, Hit, Kit, SampleZone
from models.segue.studio.user.build import built_samples, loudness_of
from models.segue.studio.user.reading import read_within_memory
from models.segue.studio.user.regions import Built, RegionSpec, UserFile, WaveSource, pan_gains

DRUM_LOUDNESS: Final = {
    "kick": -18.7, "snare": -21.5, "clap": -23.9, "rim": -30.0, "hat": -31.6, "open_hat": -29.5,
    "ride": -27.4, "crash": -20.5, "tom_low": -21.0, "tom_high": -23.7, "shaker": -31.6,
    "tambourine": -30.5, "perc_low": -21.3, "perc_mid": -23.2, "perc_high": -28.1, "bell": -31.0,
}  # fmt: skip
"""Loudness of a hit's first 0.3 s, LUFS: the median of the kits that ship."""
MORE_KEYS: Final = {
    "kick": (35,), "snare": (40,), "hat": (44,), "ride": (59, 53), "crash": (57, 55, 52),
    "tom_low": (43, 41, 47), "tom_high": (48,), "shaker": (70, 69), "perc_low": (61, 66),
    "perc_mid": (60,), "perc_high": (65,), "bell": (76, 75, 67),
}  # fmt: skip
"""Keys of the percussion map that do as well."""


def build_kit(file: UserFile, name: str, serial: int, drum_of: Mapping[str, str] | None) -> Built:
    """A drum kit; pieces that it lacks have no hits.

    Args:
        file: what was read.
        name: of the kit.
        serial: of this loading.
        drum_of: by source the piece; None where the keys of General MIDI say it.

    Raises:
        SegueError: nothing in it is a drum, or it cannot be read.

    """
    pieces = _by_key(file) if drum_of is None else _by_name(file, drum_of)
    used = tuple(spec for hits in pieces.values() for group, _ in hits for spec in group)
    if not used:
        raise SegueError(f"{file.name} has nothing on the keys of General MIDI's drums: "
                         "give it to another part.")  # fmt: skip
    kept, sources, remarks = read_within_memory(replace(file, regions=used))
    left = set(map(id, kept))
    samples: dict[int, NDArray[np.float32]] = {}
    drums: list[tuple[Hit, ...]] = []
    off = []
    for drum in DRUMS:
        hits: list[Hit] = []
        for group, layer in pieces.get(drum, ()):
            if not all(id(spec) in left for spec in group):
                continue
            key = DRUM_KEYS[DRUMS.index(drum)] if drum_of is None else 60
            planes, rate = _mixed_hit(group, sources, key)
            number = len(samples)
            samples[number] = planes
            zone = SampleZone(
                f"{name}@{serial}", number, 0, 0, rate, planes.shape[1] - BEFORE - AFTER,
                planes.shape[0], 1.0, name=drum,
            )  # fmt: skip
            hits.append(Hit(zone, 1.0, layer))
        if hits:
            loud = [loudness_of(samples[hit.zone.number], hit.zone.rate) for hit in hits]
            away = DRUM_LOUDNESS[drum] - max(loud)
            off.append(away)
            if drum_of is not None:  # single files are mostly at full level, whatever they are
                gain = 10 ** (min(max(away, -50.0), 40.0) / 20)
                hits = [replace(hit, gain=gain) for hit in hits]
        drums.append(tuple(hits))
    gain = 1.0 if drum_of is not None else 10 ** (float(np.clip(np.median(off), -40, 40)) / 20)
    return Built(Kit(name, tuple(drums), gain, serial), samples, (*file.remarks, *remarks))


def _by_name(
    file: UserFile, drum_of: Mapping[str, str]
) -> dict[str, list[tuple[tuple[RegionSpec, ...], int]]]:
    """By piece its hits: the regions that sound together, and 1 for those of soft ones."""
    found: dict[str, list[tuple[tuple[RegionSpec, ...], int]]] = {}
    for spec in file.regions:
        layer = int(spec.velocities[1] < 78)
        found.setdefault(drum_of[spec.source], []).append(((spec,), layer))
    for hits in found.values():
        if all(layer for _, layer in hits):
            hits[:] = [(group, 0) for group, _ in hits]
    return found


def _by_key(file: UserFile) -> dict[str, list[tuple[tuple[RegionSpec, ...], int]]]:
    """As `_by_name`, by General MIDI's keys."""
    found: dict[str, list[tuple[tuple[RegionSpec, ...], int]]] = {}
    for drum, key in zip(DRUMS, DRUM_KEYS, strict=True):
        for candidate in (key, *MORE_KEYS.get(drum, ())):
            own = [s for s in file.regions if s.keys[0] <= candidate <= s.keys[1]]
            if own and max(s.keys[1] - s.keys[0] for s in own) < 60:
                found[drum] = _layers([replace(s, cents=s.cents + s.key_track * (candidate - key))
                                       for s in own])  # fmt: skip
                break
    return found


def _layers(own: list[RegionSpec]) -> list[tuple[tuple[RegionSpec, ...], int]]:
    """Hits of one key: the loud ones, and the soft ones where they are others."""
    out = []
    for velocity, layer in ((112, 0), (56, 1)):
        fit = [s for s in own if s.velocities[0] <= velocity <= s.velocities[1]]
        if layer and (not fit or fit == [s for s in own if s.velocities[1] >= 112]):
            continue
        if not fit:
            fit = [max(own, key=lambda s: s.velocities[1])]
        turns = sorted({(s.sequence, s.chance) for s in fit})
        for turn in turns[:4]:
            group = tuple(s for s in fit if (s.sequence, s.chance) == turn)[:4]
            out.append((group, layer))
    return out


def _mixed_hit(
    group: tuple[RegionSpec, ...], sources: Mapping[str, WaveSource], key: int
) -> tuple[NDArray[np.float32], int]:
    """Regions that sound together as one hit, at the rate that gives the key's pitch."""
    parts = []
    for spec in group:
        hit = replace(spec, loop_mode="one_shot", root=spec.root or 60)
        made = built_samples(sources[spec.source], hit)
        cents = (key - (hit.root or 60)) * spec.key_track + spec.cents
        rate = round(made.rate * 2 ** (cents / 1200))
        left, right = pan_gains(spec.pan, made.planes.shape[0])
        level = 10 ** (spec.volume / 20)
        both = np.stack([made.planes[0] * left, made.planes[-1] * right]) * np.float32(level)
        parts.append((both.astype(np.float32), min(max(rate, 2000), 400_000)))
    rate = parts[0][1]
    same = [planes for planes, own in parts if own == rate]
    out = np.zeros((2, max(planes.shape[1] for planes in same)), np.float32)
    for planes in same:
        out[:, : planes.shape[1]] += planes
    out.setflags(write=False)
    return out, rate
