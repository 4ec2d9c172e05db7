"""Mixdown and mastering of a song's parts.

Parts are balanced by loudness, with EQ, compression and panning; reverb, delay, side-chain
compression, tape, vinyl and sampler effects follow the song's `Production`; the master bus has
tilt, compressor and limiter, at -16 LUFS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from models.corpus.sound import effects as fx
from models.corpus.sound.measure import loudness
from models.corpus.sound.reverb import convolve, impulse
from models.corpus.synth import lines
from models.music.score import PARTS, SAMPLE_RATE, STEM_OF_PART, STEMS
from models.music.song import Production

Audio = NDArray[np.float32]
Rng = np.random.Generator

TARGET_LUFS: Final = -16.0
CEILING: Final = 0.93
BALANCE: Final = {"drums": -17.0, "bass": -18.5, "chords": -21.5, "lead": -19.0, "extra": -23.0}
"""Loudness of each part before the bus, LUFS."""
LOW_CUT: Final = {"drums": 28.0, "bass": 28.0, "chords": 120.0, "lead": 140.0, "extra": 130.0}
SEND: Final = {"drums": 0.5, "bass": 0.12, "chords": 1.0, "lead": 1.1, "extra": 1.2}
PAN_WIDTH: Final = {"drums": 0.0, "bass": 0.05, "chords": 0.3, "lead": 0.15, "extra": 0.5}


def db(value: float) -> np.float32:
    """Decibels to gain."""
    return np.float32(10 ** (value / 20))


def total_of(sounds: list[Audio]) -> Audio:
    """Sum of sounds of equal length."""
    total = sounds[0].copy()
    for sound in sounds[1:]:
        total += sound
    return total


def width(x: Audio, amount: float) -> Audio:
    """Scale the side signal; 0 is mono."""
    mid = (x[:, 0] + x[:, 1]) * np.float32(0.5)
    side = (x[:, 0] - x[:, 1]) * np.float32(0.5 * amount)
    return np.stack([mid + side, mid - side], axis=1)


def pan(x: Audio, position: float) -> Audio:
    """Balance, -1 left .. 1 right, constant power."""
    angle = (position + 1) * np.pi / 4
    return x * (np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(np.sqrt(2)))


def tilt(x: Audio, db_per_decade: float) -> Audio:
    """Zero-phase spectral tilt about 1 kHz, by FFT; flat below 40 Hz and over 16 kHz."""
    size = fft.next_fast_len(len(x), real=True)
    hertz = np.clip(fft.rfftfreq(size, 1 / SAMPLE_RATE), 40, 16000)
    gain = (10 ** (db_per_decade * np.log10(hertz / 1000) / 20)).astype(np.float32)
    out = np.empty_like(x)
    for side in range(2):
        out[:, side] = fft.irfft(fft.rfft(x[:, side], size) * gain, size)[: len(x)]
    return out


def duck(samples: int, kicks: NDArray[np.float64], depth: float, recover: float) -> Audio:
    """Gain of a side-chain compressor triggered at the times of the kicks."""
    gain = np.ones(samples, np.float32)
    length = int(recover * SAMPLE_RATE)
    shape = (1 - depth * (1 - np.linspace(0, 1, length) ** 1.5)).astype(np.float32)
    attack = np.linspace(1, shape[0], 240).astype(np.float32)
    shape = np.concatenate([attack, shape])
    for time in kicks:
        start = max(0, int(time * SAMPLE_RATE) - 120)
        count = min(len(shape), samples - start)
        if count > 0:
            gain[start : start + count] = np.minimum(gain[start : start + count], shape[:count])
    return gain


def vinyl(samples: int, rng: Rng, amount: float) -> Audio:
    """Crackle, rumble and hiss of vinyl, (samples, 2)."""
    noise = np.zeros((samples, 2), np.float32)
    count = rng.poisson(samples / SAMPLE_RATE * (4 + 26 * amount))
    at = rng.integers(0, samples, count)
    noise[at] += (rng.standard_t(3, (count, 1)) * 0.05 + rng.normal(0, 0.01, (count, 2))).clip(
        -0.4, 0.4
    )
    noise = fx.biquad(fx.biquad(noise, "low", 7000), "high", 300)
    hiss = rng.standard_normal((samples, 2), dtype=np.float32) * np.float32(0.0008)
    rumble = fx.biquad(rng.standard_normal((samples, 2), dtype=np.float32), "low", 60) * np.float32(
        0.02
    )
    return np.asarray((noise + hiss + rumble) * np.float32(amount))


def _channel_strip(name: str, x: Audio, instrument: str, rng: Rng, production: Production) -> Audio:
    """Channel strip of one part."""
    x = fx.biquad(x, "high", LOW_CUT[name] * rng.uniform(0.7, 1.3))
    x = fx.biquad(
        x, "peak", float(np.exp(rng.uniform(np.log(200), np.log(6000)))), 0.9, rng.uniform(-4, 4)
    )
    if name == "drums":
        x = fx.biquad(x, "peak", rng.uniform(55, 90), 1.0, rng.uniform(-1, 4))
        x = fx.biquad(x, "high_shelf", 7000, 0.7, rng.uniform(-2, 4))
    x = fx.normalise_rms(x, 0.1)
    compression = 0.3 + 0.5 * production.compress * (1.3 if name in ("drums", "bass") else 0.8)
    threshold = 20 * np.log10(0.1) + 12 - 14 * compression
    attack = 0.012 if name == "drums" else 0.005
    gain = lines.compress(x, threshold, 1.5 + 4 * compression, attack, rng.uniform(0.06, 0.2), 4.0)
    x = x * gain[:, None]
    if production.drive > 0.05 and name != "bass":
        x = fx.saturate(x, 1 + 5 * production.drive * rng.random())
    x = width(x, rng.uniform(0.15, 0.5) if name == "bass" else rng.uniform(0.7, 1.2))
    return pan(x, rng.uniform(-1, 1) * PAN_WIDTH[name])


def _delay(sends: Audio, production: Production, bpm: float, rng: Rng) -> Audio:
    samples = round(production.delay_beats * 60 / bpm * SAMPLE_RATE)
    samples = min(max(samples, 2400), 2 * SAMPLE_RATE)
    return np.asarray(
        lines.echo(
            sends, samples, min(0.75, production.delay_feedback), rng.uniform(0.15, 0.55),
            rng.uniform(0.01, 0.05), float(rng.choice([0.0, 0.0, 0.7, 1.0])), 0.5 * production.tape,
        ),
        np.float32,
    )  # fmt: skip


def _degrade(mix: Audio, production: Production, rng: Rng) -> Audio:
    """Sampler, tape and vinyl effects on the mix."""
    if production.bits or production.rate_hz:
        mix = fx.crush(mix, production.bits, production.rate_hz)
    if production.tape > 0.02:
        amount = production.tape
        mix = fx.wow(mix, rng, 0.5 * amount)
        mix = fx.saturate(mix * np.float32(4), 1 + 1.5 * amount) / np.float32(4)
        mix = fx.biquad(mix, "low", 19000 * (0.32**amount))
        mix = fx.biquad(mix, "low_shelf", 110, 0.7, 2 * amount)
        hiss = rng.standard_normal(mix.shape, dtype=np.float32) * np.float32(0.0007 * amount)
        mix = mix + fx.biquad(hiss, "high", 1500)
    if production.vinyl > 0.02:
        mix = mix + vinyl(len(mix), rng, production.vinyl) * np.float32(0.5)
        mix = fx.biquad(mix, "low", 17000 * (0.6**production.vinyl))
    if production.lowpass_hz:
        mix = fx.biquad(mix, "low", production.lowpass_hz)
    return mix


def mixdown(
    parts: Mapping[str, Audio],
    instruments: Mapping[str, str],
    wet: Mapping[str, float],
    kicks: NDArray[np.float64],
    production: Production,
    bpm: float,
    rng: Rng,
) -> tuple[dict[str, Audio], Audio]:
    """Mix and master dry parts.

    Args:
        parts: float32 (n, 2) by name in PARTS.
        instruments: of the parts.
        wet: factor of each part's reverb send.
        kicks: times in seconds, for side-chain compression.
        production: effects and mix.
        bpm: for the delay.
        rng: of random variations.

    Returns:
        Stems before the master bus, and the mastered mix, float32 (n, 2).

    """
    samples = len(next(iter(parts.values())))
    stems = {stem: np.zeros((samples, 2), np.float32) for stem in STEMS}
    reverb_response = impulse(production.reverb, rng) if production.reverb != "none" else None
    pump = None
    if production.pump > 0.02 and len(kicks):
        pump = duck(samples, kicks, min(0.92, production.pump), rng.uniform(0.45, 0.85) * 60 / bpm)
    strips: dict[str, Audio] = {}
    for name in PARTS:
        x = parts.get(name)
        if x is None or not float(np.abs(x).max()) > 1e-6:
            continue
        strip = _channel_strip(name, x, instruments.get(name, "none"), rng, production)
        measured = loudness(strip)
        target = BALANCE[name] + production.level(name) + rng.normal(0, 1.3)
        strip = strip * db(float(np.clip(target - measured, -40, 40)))
        if production.chorus > 0.05 and name in ("chords", "extra"):
            strip = fx.chorus(strip, rng, production.chorus)
        if pump is not None and name != "drums":
            strip = strip * pump[:, None]
        strips[name] = strip
    # One reverb per stem, so that a stem includes its tail.
    for stem in STEMS:
        names = [n for n in strips if STEM_OF_PART[n] == stem]
        if not names:
            continue
        total = total_of([strips[n] for n in names])
        send = total_of([strips[n] * np.float32(SEND[n] * wet.get(n, 1.0)) for n in names])
        if production.delay > 0.02 and stem == "other":
            echo = _delay(send, production, bpm, rng) * np.float32(0.9 * production.delay)
            total = total + echo
            send = send + echo
        if reverb_response is not None and production.reverb_amount > 0.01 and stem != "bass":
            tail = convolve(fx.biquad(send, "high", 180), reverb_response)
            tail *= np.float32(1.1 * production.reverb_amount)
            if pump is not None and stem == "other":
                tail = tail * pump[:, None]
            total = total + tail
        stems[stem] = total
    return stems, master(total_of(list(stems.values())), production, rng)


def master(mix: Audio, production: Production, rng: Rng) -> Audio:
    """Master bus: effects, width, tilt, compressor, loudness, limiter. Peak at most CEILING."""
    if production.phaser > 0.05:
        sweep = (3 + 2.5 * np.sin(2 * np.pi * 0.3 * np.arange(len(mix)) / SAMPLE_RATE)) * 12
        mix = mix + lines.warp(mix, sweep.astype(np.float32)) * np.float32(0.6 * production.phaser)
    mix = _degrade(mix, production, rng)
    mix = width(mix, production.width)
    # Independent of the style, so that brightness can be learnt as a control.
    slope = float(np.clip(production.tilt_db + rng.uniform(-5.5, 5.5), -9, 9)) * 0.7
    mix = tilt(mix, slope)
    mix = fx.biquad(mix, "high", 25)
    mix = mix * db(TARGET_LUFS - 2 - loudness(mix))
    gain = lines.compress(
        mix, -12 - 8 * production.compress, 1.5 + 2 * production.compress, 0.02, 0.18, 6.0
    )
    mix = mix * gain[:, None]
    mix = fx.saturate(mix, 1.0 + production.drive)
    for _ in range(2):  # twice, since the limiter reduces the loudness
        mix = mix * db(float(np.clip(TARGET_LUFS - loudness(mix), -40, 40)))
        mix = np.ascontiguousarray(mix, np.float32)
        lines.limit(mix, CEILING, 240, 0.12)
    edge = np.linspace(0, 1, 96, dtype=np.float32)[:, None]
    mix[:96] *= edge
    return mix
