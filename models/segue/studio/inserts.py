"""Insert effects of instruments: amplifiers, cabinets, rotary speaker, tape.

The corpus draws the knobs of its effects anew for every song; here they stand in the middle of its
ranges. Gains are made for parts at about -20 LUFS, which the bank's calibration sees to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.studio.block import Planes
from models.segue.studio.filters import FilterSection as S


@dataclass(frozen=True)
class Insert:
    """Insert effect: filters, then saturation of `drive` and `bias`, a gain in dB, then filters.

    `sweep` modulates a delay of the whole part: hertz, samples, samples to begin with, share,
    tremolo. `rhythm_db`: how much louder it stands where it plays the chords: driven rhythm guitars
    are louder than the drums.
    """

    before: tuple[S, ...] = ()
    drive: float = 0.0
    bias: float = 0.0
    level_db: float = 0.0
    after: tuple[S, ...] = ()
    sweep: tuple[float, float, float, float, float] | None = None
    mono: bool = False
    rhythm_db: float = 0.0


def amplifier(gain: float, top: float, tight: float = 110.0, bias: float = 0.15,
              level_db: float = 0.0, **more: object) -> Insert:  # fmt: skip
    """Guitar amplifier and cabinet: tight lows, drive, two resonances, no treble."""
    return Insert(
        (S("high", tight),), gain, bias, level_db,
        (S("high", 70), S("peak", 115, 1.2, 3), S("peak", 2400, 1.0, 3.5), S("peak", 500, 0.8, -2),
         S("low", top), S("low", top * 1.1, 0.9)), **more,  # type: ignore[arg-type]
    )  # fmt: skip


CHORUS: Final = (0.7, 100.0, 400.0, 0.32, 0.0)
INSERTS: Final[dict[str, Insert]] = {
    "": Insert(),
    "chorus": Insert(sweep=CHORUS),
    "wah": Insert(level_db=-2.0, after=(S("peak", 900, 1.0, 3.5), S("high", 140))),
    "rotary": Insert((), 1.6, 0.0, 0.0, (S("low", 7500),), (6.1, 12.0, 20.0, 1.0, 0.3)),
    "mellotron": Insert(
        (S("high", 160), S("low", 5200)),
        2.0,
        0.0,
        -3.0,
        (S("peak", 1000, 0.8, 4),),
        (0.6, 42.0, 60.0, 1.0, 0.0),
        True,
    ),
    "warm_amp": amplifier(1.2, 4200, 70, level_db=-2.9),
    "clean_amp": amplifier(1.4, 6500, level_db=-3.6, sweep=(0.8, 90.0, 400.0, 0.2, 0.0)),
    "surf": amplifier(2.2, 6000, level_db=-6.4, sweep=(6.3, 0.0, 1.0, 1.0, 0.35)),
    "funk": amplifier(1.6, 7200, 220),
    "overdrive": amplifier(6.5, 5000, level_db=-9.6, rhythm_db=4.0),
    "distortion": amplifier(16.0, 4900, bias=0.05, level_db=-7.4, rhythm_db=5.5),
    "fuzz": amplifier(36.0, 4200, bias=0.25, level_db=-4.0, rhythm_db=5.5),
    "erhu": Insert(
        level_db=-2.4, after=(S("peak", 900, 2.5, 6), S("peak", 2300, 2, 5), S("high", 250))
    ),
    "buzz": Insert((), 3.0, 0.0, -5.2, (S("peak", 1400, 1.5, 6), S("high", 150))),
    "dark": Insert(after=(S("low", 2600), S("low_shelf", 250, 0.7, 4))),
    "formant": Insert(
        level_db=-1.1, after=(S("peak", 450, 3, 9), S("peak", 1200, 3, 8), S("peak", 2350, 4, 7))
    ),
    "bass_amp": Insert((), 2.0, 0.0, -1.9, (S("low", 4200),)),
    "acid": Insert((), 4.0, 0.0, -3.4, ()),
    "dirt": Insert((), 5.0, 0.05, -3.7, (S("low", 11_000),)),
    "glitch": Insert((), 3.0, 0.0, -4.0, ()),
}
"""By the names that `models.corpus.sound.presets.Sound.effect` uses."""


def saturate(x: Planes, drive: float, bias: float) -> Planes:
    """Soft clipping that keeps the level of a part at -20 LUFS about as it is."""
    y = np.tanh(x * np.float32(drive * 3.0) + np.float32(bias)) - np.float32(np.tanh(bias))
    clipped: NDArray[np.float32] = y * np.float32(0.36 / (1.0 + 0.35 * (drive - 1.0)) ** 0.55)
    return clipped


REACH: Final = 560
"""Samples of a part that a modulated delay reaches back at most."""


def swept(
    x: Planes, past: Planes, start: int, sweep: tuple[float, float, float, float, float]
) -> Planes:
    """Modulated delay of a part: chorus, rotary speaker, tremolo or a tape's flutter.

    Its input is the mid channel of the part, of which `past` (REACH,) are the samples before the
    block, which begins at sample `start`.
    """
    hertz, depth, base, share, tremolo = sweep
    count = x.shape[1]
    out = np.empty_like(x)
    joined = np.concatenate([past, middle(x)])
    for side in range(2):
        moved = cycle(hertz, start, count, 1.9 * side)
        if depth > 0.0:
            late = np.float32(REACH - base - 45.0 * side * (base > 200))
            out[side] = read_at(joined, late + numbers(count) - np.float32(depth) * moved)
        else:
            out[side] = x[side]
        if share < 1.0:
            out[side] = x[side] * np.float32(1 - 0.5 * share) + out[side] * np.float32(share)
        if tremolo:
            lean = moved if base > 1.5 else cycle(hertz, start, count)
            out[side] *= 1.0 - np.float32(tremolo) * (0.5 + 0.5 * lean)
    return out


def middle(x: Planes) -> NDArray[np.float32]:
    """(n,) mid channel, rounded as it is stored, so that blocks join without a step."""
    mid: NDArray[np.float32] = (
        ((x[0] + x[1]) * np.float32(0.5)).astype(np.float16).astype(np.float32)
    )
    return mid


def read_at(x: NDArray[np.float32], place: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples of `x` (n,) at fractional positions by linear interpolation."""
    whole = place.astype(np.int32)
    before, after = x[whole], x[whole + 1]
    return before + (after - before) * (place - whole.astype(np.float32))


@lru_cache(maxsize=8)
def numbers(count: int) -> NDArray[np.float32]:
    """(count,) the numbers 0 to count - 1."""
    return np.arange(count, dtype=np.float32)


def cycle(hertz: float, start: int, count: int, phase: float = 0.0) -> NDArray[np.float32]:
    """(count,) of a sine, from sample `start` of a stream on."""
    turn = 2 * math.pi * hertz / SAMPLE_RATE
    begin = math.fmod(turn * start, 2 * math.pi) + phase
    wave: NDArray[np.float32] = np.sin(np.float32(begin) + np.float32(turn) * numbers(count))
    return wave
