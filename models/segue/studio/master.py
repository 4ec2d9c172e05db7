"""Master bus: the corpus' effects on a whole mix, then loudness control and limiter."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.studio.block import BLOCK, Planes
from models.segue.studio.dynamics import (
    CompressorSettings,
    LimiterState,
    compress,
    limit,
    line,
    loudness,
)
from models.segue.studio.filters import FilterSection, FilterState, filter_of
from models.segue.studio.inserts import cycle, numbers, read_at
from models.segue.studio.production import OPEN_HZ, MixParameters
from models.segue.studio.warmth import AIR, WARMTH_DB, tilt_sections

TARGET: Final = -16.0  # LUFS
GATE_DB: Final = 14.0
MOMENT: Final = 0.36  # a measurement's weight in the power of the last 400 ms
WINDOW: Final = 0.5  # seconds over which the loudness is measured
PULL: Final = 0.7  # seconds in which it is led back
REACH_DB: Final = 12.0
SUDDEN_DB: Final = 1.5  # over the target within the last moments
LOSS_SECONDS: Final = 2.0
MAX_LOSS_DB: Final = 6.0  # what is squeezed harder than that is not turned up for it
PAST: Final = 320  # samples that a tape's flutter looks back to


class MasterState(NamedTuple):
    """State of the master bus: effects, then of the loudness control the gain, the loudness (LUFS)
    and the power of the last moments of what comes in, all as at this gain, the power that went
    out, and how much of the loudness compressor and limiter take away.
    """

    tone: FilterState | None = None
    past: NDArray[np.float16] | None = None
    crushed: tuple[float, float] = (0.0, 0.0)
    gain_db: float = -1.5  # typical of the styles
    measured: float = TARGET
    moment: float = 10 ** (TARGET / 10)
    blocks: int = 0
    reduction: float = 0.0
    production: MixParameters = MixParameters()
    brightness: float = 0.0
    limiter: LimiterState = LimiterState.start()
    incoming: float = 10 ** (TARGET / 10)
    loss_db: float = 1.5


def tone_sections(production: MixParameters, brightness: float) -> tuple[FilterSection, ...]:
    """High-pass, tilt about 1 kHz, low-pass of old media and air, quantised so that filters
    repeat.
    """
    slope = 0.7 * min(max(production.tilt_db, -9.0), 9.0) + brightness - WARMTH_DB
    slope = round(slope * 4) / 4
    taped = 19_500.0 * 0.32**production.tape if production.tape > 0.02 else OPEN_HZ
    pressed = 17_500.0 * 0.6**production.vinyl if production.vinyl > 0.02 else OPEN_HZ
    closed = min(production.lowpass_hz, taped, pressed)
    step = round(24 * math.log2(min(closed, OPEN_HZ) / OPEN_HZ))
    return (
        FilterSection("high", 25.0),
        *tilt_sections(slope),
        FilterSection("low", OPEN_HZ * 2.0 ** (step / 24)),
        FilterSection("low_shelf", 110.0, 0.7, round(2 * production.tape * 4) / 4),
        AIR,
    )


def master(
    mix: Planes, state: MasterState, production: MixParameters, brightness: float, target: float,
    start: int, seed: int,
) -> tuple[Planes, MasterState]:  # fmt: skip
    """The finished block (2, BLOCK), AHEAD samples late, and the state after it."""
    before = state.production
    stored = None
    if production.tape > 0.02 or production.phaser > 0.05:
        stored = mix[:, -PAST:].astype(np.float16)
        stored.setflags(write=False)
    mix = _moved(mix, state, production, start)
    mix, crushed = _crushed(mix, state, production, start)
    noise = _noise(production, start, seed)
    if noise is not None:
        mix = mix + noise
    bright = state.brightness + (brightness - state.brightness) * 0.3
    bright = brightness if abs(brightness - bright) < 0.05 else bright
    tone = filter_of(tone_sections(production, bright))
    mix, tone_state = tone.run(np.ascontiguousarray(mix), tone.resumed(state.tone))
    middle = (mix[0] + mix[1]) * np.float32(0.5)
    aside = (mix[0] - mix[1]) * line(0.5 * before.width, 0.5 * production.width, BLOCK)
    mix = np.stack([middle + aside, middle - aside])
    gain_db = _led_gain(state, target)
    change_db = gain_db - state.gain_db
    mix = mix * line(10 ** (state.gain_db / 20), 10 ** (gain_db / 20), BLOCK)
    led = mix
    squeeze = production.compress
    # What is squeezed away is made up before, so that a lower threshold would chase itself.
    settings = CompressorSettings(-10.0 - 6.0 * squeeze, 1.5 + 2.0 * squeeze, 0.02, 0.18, 6.0)
    mix, reduction = compress(mix, settings, state.reduction)
    if production.drive > 0.02 or before.drive > 0.02:
        hard, soft = (line(a, b, BLOCK) for a, b in (
            (1 + before.drive, 1 + production.drive),
            ((1 + before.drive) ** -0.75, (1 + production.drive) ** -0.75),
        ))  # fmt: skip
        mix = np.tanh(mix * hard) * soft
    out, limiter = limit(mix, state.limiter)
    # What was measured is told as it would be at this gain: a control that waits for the answer to
    # its own change overshoots.
    power = 10 ** (change_db / 10)
    now = state._replace(
        tone=tone_state, past=stored, crushed=crushed, gain_db=gain_db, reduction=reduction,
        production=production, brightness=bright, limiter=limiter,
        measured=state.measured + change_db, moment=state.moment * power,
        incoming=state.incoming * power,
    )  # fmt: skip
    odd = start // BLOCK % 2  # every other block is enough
    return out, _measured(now, loudness(led), loudness(out)) if odd else now


def _led_gain(state: MasterState, target: float) -> float:
    """The gain in dB that leads the loudness to `target`, in LUFS, by one block."""
    gain_db = state.gain_db
    if not state.blocks:
        return gain_db
    # The further away, and the less has been measured, the faster.
    error = target + state.loss_db - state.measured
    haste = (1.0 + min(error * error / 6.0, 3.0)) * (1.0 + 2.0 * (state.blocks < 40))
    # Too loud is worse than too soft.
    haste *= 2.0 if error < -0.7 else 1.6
    gain_db += error * min(0.3, haste * 0.08 / PULL)
    # An entry after a quiet passage is held at once.
    over = 10 * math.log10(state.moment + 1e-12) - target - SUDDEN_DB
    gain_db -= 0.4 * max(over, 0.0)
    return min(max(gain_db, -REACH_DB), REACH_DB)


def _measured(state: MasterState, before: float, after: float) -> MasterState:
    """The state with a block's loudness, in LUFS, before the compressor and after the limiter."""
    # As the standard's blocks of 400 ms: the rests of a beat belong to it.
    incoming = state.incoming + (10 ** (before / 10) - state.incoming) * MOMENT
    moment = state.moment + (10 ** (after / 10) - state.moment) * MOMENT
    state = state._replace(incoming=incoming, moment=moment)
    now = 10 * math.log10(incoming + 1e-12)
    if now <= state.measured - GATE_DB or now <= -50.0:
        return state  # a rest is no reason to turn up
    power = 10 ** (state.measured / 10)
    pull = 1.0 - math.exp(-0.16 / WINDOW)
    measured = 10 * math.log10(power + (incoming - power) * pull)
    lost = min(max(before - after, 0.0), MAX_LOSS_DB)
    weight = min(10 ** ((before - measured) / 10), 1.5) * 0.16 / LOSS_SECONDS
    return state._replace(
        measured=measured,
        blocks=min(state.blocks + 2, 1000),
        loss_db=state.loss_db + (lost - state.loss_db) * weight,
    )


def _moved(mix: Planes, state: MasterState, production: MixParameters, start: int) -> Planes:
    """Wow and flutter of a tape; a phaser is a second, shorter copy."""
    tape = [p.tape if p.tape > 0.02 else 0.0 for p in (state.production, production)]
    phase = [p.phaser if p.phaser > 0.05 else 0.0 for p in (state.production, production)]
    if not any(tape) and not any(phase):
        return mix
    past = np.zeros((2, PAST), np.float16) if state.past is None else state.past
    joined = np.concatenate([past, mix.astype(np.float16)], axis=1).astype(np.float32)
    joined = np.pad(joined, ((0, 0), (0, 1)))
    place = np.float32(PAST) + numbers(BLOCK)
    out = mix
    if any(phase):
        amount = np.float32(0.6) * line(phase[0], phase[1], BLOCK)
        sweep = 36.0 + 30.0 * cycle(0.3, start, BLOCK)
        out = (
            out
            + np.stack([read_at(side, np.asarray(place - sweep, np.float32)) for side in joined])
            * amount
        )
    if any(tape):
        slow = 60.0 * cycle(0.6, start, BLOCK) + 40.0 * cycle(0.13, start, BLOCK)
        late = 130.0 + slow + 2.5 * cycle(6.8, start, BLOCK)
        depth = line(0.5 * tape[0], 0.5 * tape[1], BLOCK)
        place = np.asarray(place - late * depth, np.float32)
        out = np.stack([read_at(side, place) for side in joined])
        hard = np.float32(1 + 1.5 * production.tape)
        out = np.tanh(out * (2 * hard)) / np.float32(2 * hard**0.9)
    return out


def _crushed(
    mix: Planes, state: MasterState, production: MixParameters, start: int
) -> tuple[Planes, tuple[float, float]]:
    """Bit and sample rate reduction of an early sampler."""
    share = (state.production.crush, production.crush)
    if max(share) < 0.02:
        return mix, (float(mix[0, -1]), float(mix[1, -1]))
    dirty = mix
    if production.rate_hz < 47_000.0:
        ratio = production.rate_hz / SAMPLE_RATE
        clock = np.floor((start + np.arange(BLOCK)) * ratio)
        at = np.ceil(clock / ratio).astype(np.int64) - start
        held = np.take(mix, np.clip(at, 0, BLOCK - 1), axis=1)
        held[:, at < 0] = np.array(state.crushed, np.float32)[:, None]
        dirty = held
    scale = np.float32(2.0 ** (production.bits - 1))
    dirty = np.asarray(np.round(dirty * scale) / scale, np.float32)
    last = (float(dirty[0, -1]), float(dirty[1, -1]))
    return mix + (dirty - mix) * line(share[0], share[1], BLOCK), last


def _noise(production: MixParameters, start: int, seed: int) -> Planes | None:
    """Crackle and hiss: a function of the time, not of the state."""
    vinyl = production.vinyl if production.vinyl > 0.02 else 0.0
    hiss = 0.0007 * production.tape + 0.0006 * vinyl
    if hiss < 2e-5:
        return None
    rng = np.random.Generator(np.random.Philox(key=seed & 0xFFFFFFFF, counter=start))
    table = _hiss()
    at = int(rng.integers(table.shape[1] - BLOCK))
    noise = table[:, at : at + BLOCK] * np.float32(hiss)
    if vinyl:
        count = int(rng.poisson(0.08 * (4 + 26 * vinyl)))
        for at, size in zip(
            rng.integers(0, BLOCK - 24, count), rng.standard_t(3, count), strict=True
        ):
            shape = np.hanning(2 + abs(int(size * 7)) % 18 + 3).astype(np.float32)
            noise[:, at : at + len(shape)] += shape * np.float32(
                min(max(float(size) * 0.03, -0.2), 0.2) * vinyl
            )
    return noise


@lru_cache(maxsize=1)
def _hiss() -> Planes:
    """(2, four seconds) of white noise, of which each block takes a piece."""
    return np.random.default_rng(1977).standard_normal((2, 4 * SAMPLE_RATE), np.float32)
