"""SoundFont presets as regions.

Generators of a preset's zones are added to those of its instruments' zones (SoundFont 2.04, section
9.4); key and velocity ranges are intersected. What moves a filter or the pitch is left out but for
the filter's own cut-off.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from models.errors import SegueError
from models.segue.studio.user.regions import AmplitudeEnvelope, RegionSpec, UserFile, WaveSource
from models.segue.studio.user.soundfont_file import ROM, Preset, SoundFont, open_soundfont

DRUM_BANK: Final = 128
LOOP_START, LOOP_END, LOOP_START_COARSE, LOOP_END_COARSE = 2, 3, 45, 50
CUTOFF, PAN = 8, 17
DELAY, ATTACK, HOLD, DECAY, SUSTAIN, RELEASE = 33, 34, 35, 36, 37, 38
INSTRUMENT, KEYS, VELOCITIES, ATTENUATION = 41, 43, 44, 48
COARSE, FINE, SAMPLE, MODES, SCALE, GROUP, ROOT = 51, 52, 53, 54, 56, 57, 58
DEFAULTS: Final = {
    CUTOFF: 13_500, DELAY: -12_000, ATTACK: -12_000, HOLD: -12_000, DECAY: -12_000,
    RELEASE: -12_000, SCALE: 100, ROOT: -1,
}  # fmt: skip
ADDED: Final = (
    CUTOFF, PAN, DELAY, ATTACK, HOLD, DECAY, SUSTAIN, RELEASE, ATTENUATION, COARSE, FINE, SCALE,
)  # fmt: skip
"""Generators of a preset that are added to the instrument's."""
ATTENUATION_SHARE: Final = 0.4
"""Sound cards have always played 0.4 of the attenuation, and banks are made for it."""
RELEASE_SHARE: Final = 0.45
"""A SoundFont's release falls evenly by 100 dB, the studio's by 20 dB in its first half."""
MAX_REGIONS: Final = 4000


def read_soundfont(path: Path, chosen: tuple[int, int] | None, drums: bool) -> UserFile:
    """One preset of a SoundFont.

    Args:
        path: of an SF2 or SF3 file.
        chosen: bank and program; None for the first that suits.
        drums: whether a kit is wanted.

    Raises:
        SegueError: it cannot be read, or has no such preset.

    """
    font = open_soundfont(path)
    preset = _preset(font, chosen, drums)
    specs: list[RegionSpec] = []
    for zone, keys, velocities, own in _zones(font, "p", preset.place, INSTRUMENT):
        for inner, inner_keys, inner_velocities, sample in _zones(font, "i", own, SAMPLE):
            spec = _spec(
                font, sample, {**DEFAULTS, **inner}, zone,
                _both(keys, inner_keys), _both(velocities, inner_velocities),
            )  # fmt: skip
            if spec is not None:
                specs.append(spec)
            if len(specs) > MAX_REGIONS:
                raise SegueError(f"{path.name} has too many regions in '{preset.name}'.")
    if not specs:
        raise SegueError(f"'{preset.name}' of {path.name} has no samples: choose another preset.")

    def read(source: str, seconds: float) -> WaveSource:
        number, first, last = (int(word) for word in source.split(","))
        return font.read(number, seconds, (first, last) if first or last else None)

    return UserFile(preset.name or path.stem, tuple(specs), read)


def _preset(font: SoundFont, chosen: tuple[int, int] | None, drums: bool) -> Preset:
    presets = font.presets
    if chosen is None:
        fitting = [p for p in presets if (p.bank == DRUM_BANK) == drums]
        return (fitting or list(presets))[0]
    for preset in presets:
        if (preset.bank, preset.program) == chosen:
            return preset
    raise SegueError(f"{font.path.name} has no preset {chosen[0]}.{chosen[1]}: choose another.")


def _zones(
    font: SoundFont, level: str, place: int, link: int
) -> list[tuple[dict[int, int], tuple[int, int], tuple[int, int], int]]:
    """Zones of a preset or instrument with a link: generators, keys, velocities and the link."""
    common: dict[int, int] = {}
    found = []
    for index, own in enumerate(font.generators(level, place)):
        if link not in own:
            if index == 0:
                common = own
            continue
        zone = {**common, **own}
        found.append((zone, _range(zone, KEYS), _range(zone, VELOCITIES), zone[link] & 0xFFFF))
    return found


def _range(zone: Mapping[int, int], kind: int) -> tuple[int, int]:
    value = zone.get(kind)
    if value is None:
        return 0, 127
    low, high = value & 0xFF, value >> 8 & 0xFF
    return min(low, high), max(low, high)


def _both(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), min(one[1], other[1])


def _spec(
    font: SoundFont,
    sample: int,
    zone: Mapping[int, int],
    preset: Mapping[int, int],
    keys: tuple[int, int],
    velocities: tuple[int, int],
) -> RegionSpec | None:
    """Region of a sample; None where it has none, or no key."""
    rows = font.tables[b"shdr"]
    empty = keys[0] > keys[1] or velocities[0] > velocities[1]
    if empty or sample >= len(rows) - 1 or int(rows[sample]["type"]) & ROM:
        return None
    value = {kind: zone.get(kind, 0) + preset.get(kind, 0) for kind in ADDED}
    first = zone.get(LOOP_START, 0) + 32768 * zone.get(LOOP_START_COARSE, 0)
    last = zone.get(LOOP_END, 0) + 32768 * zone.get(LOOP_END_COARSE, 0)
    row = rows[sample]
    root = zone[ROOT] if 0 <= zone[ROOT] <= 127 else int(row["root"])
    hertz = 8.176 * 2 ** (min(max(value[CUTOFF], 1500), 13_500) / 1200)
    sustain = 10 ** (-min(max(value[SUSTAIN], 0), 1000) / 200)
    return RegionSpec(
        f"{sample},{first},{last}",
        root if root < 128 else 60,
        keys,
        velocities,
        float(100 * value[COARSE] + value[FINE] + int(row["cents"])),
        -ATTENUATION_SHARE * min(max(value[ATTENUATION], 0), 1440) / 10,
        min(max(value[PAN] / 500, -1.0), 1.0),
        loop_mode="file" if zone.get(MODES, 0) & 3 in (1, 3) else "none",
        envelope=AmplitudeEnvelope(
            _seconds(value[DELAY]),
            _seconds(value[ATTACK]),
            _seconds(value[HOLD]),
            _seconds(value[DECAY]),
            sustain,
        ),
        release=max(0.03, RELEASE_SHARE * _seconds(value[RELEASE])),
        group=zone.get(GROUP, 0) & 0x7F,
        off_by=zone.get(GROUP, 0) & 0x7F,
        key_track=float(value[SCALE]),
        cutoff=hertz if hertz < 14_000 else None,
    )


def _seconds(timecents: int) -> float:
    """Seconds of a time in timecents; those that are as good as none are none."""
    return 0.0 if timecents <= -11_000 else min(float(2 ** (timecents / 1200)), 60.0)
