"""Channel strips: a part's voices become its dry sound in the mix.

Voices with the same insert share it; then come the part's level, its compressor, saturation, place,
chorus and the pump of the kick, as the corpus' mix has them.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.music.score import DRUMS, PARTS, SAMPLE_RATE
from models.segue.studio.block import BLOCK, Planes
from models.segue.studio.dynamics import CompressorSettings, compress, line, loudness_fast
from models.segue.studio.filters import FilterSection, FilterState, filter_of
from models.segue.studio.inserts import CHORUS, INSERTS, REACH, middle, saturate, swept
from models.segue.studio.production import MixParameters
from models.segue.studio.voices import Motion, SamplerVoice, Tones

CHORDS: Final = PARTS.index("chords")
KICK: Final = DRUMS.index("kick")
BALANCE: Final = (-17.0, -18.5, -21.5, -19.0, -23.0)
"""Loudness of each part in the mix, LUFS, as in the corpus."""
NOMINAL: Final = -20.0
"""Loudness that the bank is calibrated to."""
PLACE: Final = (0.0, 0.0, 0.14, 0.06, 0.24)
WIDTH: Final = (0.9, 0.25, 0.85, 0.85, 0.85)
DRUMS_OPEN_DB: Final = 6.0
"""What the drums get over 4.5 kHz. The tilt of the master (`warmth`) takes as much from all parts,
but on records it is the percussion that carries the highs: the louder it is, the brighter the
spectrum (Elowsson & Friberg, AES 2017).
"""
EQ: Final[tuple[tuple[FilterSection, ...], ...]] = (
    (
        FilterSection("high", 28),
        FilterSection("peak", 70, 1.0, 1.5),
        FilterSection("high_shelf", 4500, 0.7, DRUMS_OPEN_DB),
    ),
    (FilterSection("high", 28), FilterSection("peak", 300, 0.9, -1.5)),
    (FilterSection("high", 120), FilterSection("peak", 350, 0.8, -1.5)),
    (FilterSection("high", 140), FilterSection("peak", 2800, 0.8, 1.0)),
    (FilterSection("high", 130),),
)
GATE_DB: Final = 10.0  # a block so far under the part's level is a rest
FOLLOW: Final = 7.0  # seconds in which the level of a part is evened out
QUICK: Final = 14  # blocks that the calibration counts for against what is measured
REACH_DB: Final = 11.0
MOMENT: Final = 0.36  # a measurement's weight in the power of the last 400 ms


class Channel(NamedTuple):
    """State of an insert: filters before and after the saturation."""

    effect: str
    before: FilterState | None
    after: FilterState


class Strip(NamedTuple):
    """State of a part: its inserts, measured loudness in LUFS, over how many blocks, power of the
    last moments, gain in dB, compressor, the past of a swept delay, what sounds, drive, and the
    compressor's make-up gain (None before the first block).
    """

    channels: tuple[Channel, ...] = ()
    level: float = NOMINAL
    blocks: int = 0
    moment: float = 0.0
    gain_db: float = 0.0
    reduction: float = 0.0
    past: NDArray[np.float16] | None = None
    sweep: tuple[float, float, float, float, float] | None = None
    sound: str = ""
    drive: float = 0.0
    makeup_db: float | None = None


class Pump(NamedTuple):
    """State of the side chain: sample of the last kick."""

    kick: int = -(10**9)


def pump_gain(
    kicks: list[int], state: Pump, depths: tuple[float, float], recover: float, start: int
) -> tuple[NDArray[np.float32] | None, Pump]:
    """Gain (BLOCK,) of everything but the drums; None for 1. Kicks are samples in this block,
    depths those at its beginning and its end.
    """
    last = kicks[-1] if kicks else state.kick
    length = max(2400.0, recover * SAMPLE_RATE)
    if max(depths) < 0.02 or (not kicks and start - state.kick > length):
        return None, Pump(last)
    depth = np.linspace(*depths, BLOCK, endpoint=False)
    gain = np.empty(BLOCK, np.float32)
    edges = [state.kick, *kicks, start + BLOCK]
    at = 0
    level = 1.0
    for index in range(len(edges) - 1):
        end = min(BLOCK, max(at, edges[index + 1] - start))
        since = np.arange(at + start - edges[index], end + start - edges[index], dtype=np.float64)
        shape = 1.0 - depth[at:end] * (1.0 - np.minimum(since / length, 1.0) ** 1.5)
        if index or (since.size and since[0] < 240):
            # Down within 5 ms, from where the last kick had let it come back to.
            before = edges[index - 1] if index else None
            if before is not None:
                back = min((edges[index] - before) / length, 1.0) ** 1.5
                level = 1.0 - depth[min(at, BLOCK - 1)] * (1.0 - back)
            share = np.minimum(since / 240.0, 1.0)
            shape = shape * share + level * (1.0 - share)
        gain[at:end] = shape
        at = end
    return gain, Pump(last)


def play_part(
    part: int, voices: list[SamplerVoice], strip: Strip, tones: Tones, production: MixParameters,
    start: int, motion: Motion, current: str, side: float,
) -> tuple[Planes | None, Strip]:  # fmt: skip
    """The dry sound (2, BLOCK) of a part, before faders and pump; None where all is still."""
    if not voices and not strip.channels and strip.past is None:
        return None, strip
    groups: dict[str, list[SamplerVoice]] = {channel.effect: [] for channel in strip.channels}
    for voice in voices:
        effect = tones.bank.instrument(voice.sound).effect if part else ""
        groups.setdefault(effect, []).append(voice)
    states = {channel.effect: channel for channel in strip.channels}
    channels: list[Channel] = []
    total: Planes | None = None
    # The moving delay is that of who plays now; what still rings of another shares it.
    sweep, louder_db = strip.sweep, 0.0
    if part and current != "none":
        insert = INSERTS[tones.bank.instrument(current).effect]
        sweep, louder_db = insert.sweep, insert.rhythm_db if part == CHORDS else 0.0
    for effect, own in groups.items():
        x = np.zeros((2, BLOCK), np.float32)
        for voice in own:
            tones.add(x, voice, start, motion)
        sound, channel = insert_effect(part, effect, x, states.get(effect))
        if own or float(np.abs(sound).max()) > 1e-7:
            channels.append(channel)
        total = sound if total is None else total + sound
    if total is None or (not channels and not voices):
        return None, strip._replace(channels=(), past=None, sweep=None)
    strip = strip._replace(channels=tuple(channels))
    target = BALANCE[part] + production.levels_db[part] + louder_db
    total, strip = _levelled(part, total, strip, target, current, start)
    squash = 0.3 + 0.5 * production.compress * (1.3 if part < 2 else 0.8)
    # The corpus compresses at a level of 0.1; here parts are at their place in the mix already.
    settings = CompressorSettings(
        target + 6.0 + 12.0 - 14.0 * squash, 1.5 + 4.0 * squash, 0.012 if part == 0 else 0.005,
        0.12, 4.0,
    )  # fmt: skip
    makeup_db = squash * 1.5
    before_db = makeup_db if strip.makeup_db is None else strip.makeup_db
    if before_db == makeup_db:
        total, reduction = compress(total, settings, strip.reduction, 10 ** (makeup_db / 20))
    else:
        total, reduction = compress(total, settings, strip.reduction)
        total = total * line(10 ** (before_db / 20), 10 ** (makeup_db / 20), BLOCK)
    drive = production.drive if part != 1 and production.drive > 0.05 else 0.0
    if drive or strip.drive:
        hard, soft = (line(a, b, BLOCK) for a, b in (
            (1 + 4 * strip.drive, 1 + 4 * drive),
            ((1 + 4 * strip.drive) ** -0.8, (1 + 4 * drive) ** -0.8),
        ))  # fmt: skip
        total = np.tanh(total * hard) * soft
    total = _placed(total, WIDTH[part], side * PLACE[part])
    if production.chorus > 0.05 and part in (2, 4):
        rate, depth, base, _, tremolo = CHORUS
        if sweep is None or sweep[0] == rate:
            sweep = (rate, depth, base, round(0.6 * production.chorus, 3), tremolo)
    strip = strip._replace(reduction=reduction, drive=drive, makeup_db=makeup_db)
    return _swept(total, strip, sweep, start)


def insert_effect(
    part: int, effect: str, x: Planes, channel: Channel | None
) -> tuple[Planes, Channel]:
    """A part's sound through the insert of that name and the equaliser; None begins it."""
    insert = INSERTS[effect]
    after = filter_of(insert.after + EQ[part])
    before = filter_of(insert.before) if insert.before else None
    if channel is None:
        channel = Channel(effect, before.start() if before else None, after.start())
    early = channel.before
    if insert.mono:
        x = np.repeat((x[:1] + x[1:]) * np.float32(0.5), 2, axis=0)
    if before is not None and early is not None:
        x, early = before.run(x, early)
    if insert.drive:
        x = saturate(x, insert.drive, insert.bias)
    if insert.level_db:
        x = x * np.float32(10 ** (insert.level_db / 20))
    x, late = after.run(np.ascontiguousarray(x, np.float32), channel.after)
    return x, Channel(effect, early, late)


def _levelled(
    part: int, x: Planes, strip: Strip, target: float, current: str, start: int
) -> tuple[Planes, Strip]:
    """The sound at the part's loudness `target`, in LUFS: by the calibration at first, then as
    measured.
    """
    level, blocks = strip.level, strip.blocks
    if current != strip.sound:
        blocks = min(blocks, QUICK)
        if strip.sound:
            level = 0.5 * (level + NOMINAL)
    # As the standard's blocks of 400 ms: the rests of a beat belong to it.
    moment = strip.moment
    measure = (start // BLOCK + part) % 2 or not strip.blocks  # every other block is enough
    if measure:
        moment += (10 ** (loudness_fast(x) / 10) - moment) * (MOMENT if strip.blocks else 0.6)
    now = 10 * math.log10(moment + 1e-12)
    if measure and now > level - GATE_DB and now > -52.0:
        blocks += 2
        weight = max(2.0 / (blocks + QUICK), 0.16 / FOLLOW)
        power = 10 ** (level / 10)
        level = 10 * math.log10(power + (moment - power) * weight)
    gain_db = target - NOMINAL + min(max(NOMINAL - level, -REACH_DB), REACH_DB)
    if strip.blocks == 0 and strip.gain_db == 0.0:
        begin = gain_db
    else:
        begin = strip.gain_db
        gain_db = begin + (gain_db - begin) * 0.25
    out = x * line(10 ** (begin / 20), 10 ** (gain_db / 20), BLOCK)
    return out, strip._replace(
        level=level, blocks=blocks, moment=moment, gain_db=gain_db, sound=current
    )


def _placed(x: Planes, width: float, place: float) -> Planes:
    """Stereo width, then panning with constant power."""
    angle = (place + 1) * math.pi / 4
    left, right = math.cos(angle) * math.sqrt(2), math.sin(angle) * math.sqrt(2)
    same, other = 0.5 + 0.5 * width, 0.5 - 0.5 * width
    out = np.empty_like(x)
    out[0] = x[0] * np.float32(same * left) + x[1] * np.float32(other * left)
    out[1] = x[1] * np.float32(same * right) + x[0] * np.float32(other * right)
    return out


def _swept(
    x: Planes, strip: Strip, sweep: tuple[float, float, float, float, float] | None, start: int
) -> tuple[Planes, Strip]:
    """Modulated delay of the part; a new setting is crossfaded within the block."""
    if sweep is None and strip.sweep is None:
        return x, strip
    past = strip.past
    before = np.zeros(REACH, np.float32) if past is None else past.astype(np.float32)
    out = x if sweep is None else swept(x, before, start, sweep)
    if sweep != strip.sweep:
        old = x if strip.sweep is None else swept(x, before, start, strip.sweep)
        out = old + (out - old) * line(0.0, 1.0, BLOCK)
    if sweep is None:
        return out, strip._replace(past=None, sweep=None)
    stored = middle(x[:, -REACH:]).astype(np.float16)
    stored.setflags(write=False)
    return out, strip._replace(past=stored, sweep=sweep)


assert len(BALANCE) == len(PARTS)
