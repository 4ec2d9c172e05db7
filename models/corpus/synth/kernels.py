"""Inner loops of the synthesiser, compiled by numba.

Oscillators are band-limited by polynomial steps (Valimaki & Huovilainen, "Antialiasing oscillators
in subtractive synthesis", IEEE SPM 2007, section on PolyBLEP); the filter is the trapezoidal state
variable filter (Zavalishin, "The Art of VA Filter Design", chapter 4); strings follow Jaffe & Smith,
"Extensions of the Karplus-Strong plucked-string algorithm" (CMJ 1983).
"""

from __future__ import annotations

from math import cos, exp, pi, sin, tan, tanh
from typing import Any

import numpy as np
from numba import njit

from models.music.score import SAMPLE_RATE

SR = float(SAMPLE_RATE)
Array = Any  # numba infers; the callers are typed

# Positions in the parameter vector of `subtractive`; see `subtractive.Voice` for meanings.
(SAW, PULSE, TRI, SINE, SUB, NOISE, WIDTH, PWM, PWM_RATE, UNISON, DETUNE, SPREAD) = range(12)
(ATTACK, DECAY, SUSTAIN, RELEASE, CUTOFF, TRACK, ENV, F_ATTACK, F_DECAY, F_SUSTAIN) = range(12, 22)
(RES, MODE, LFO_RATE, LFO_OCT, LFO_SHAPE, VIB_RATE, VIB, VIB_DELAY, DRIVE) = range(22, 31)
(GLIDE, VEL_CUT, TREM_RATE, TREM) = range(31, 35)
PARAMETERS = 35


@njit(cache=True, fastmath=True, inline="always")
def _blep(t: float, dt: float) -> float:
    if t < dt:
        t /= dt
        return t + t - t * t - 1.0
    if t > 1.0 - dt:
        t = (t - 1.0) / dt
        return t * t + t + t + 1.0
    return 0.0


@njit(cache=True, fastmath=True)
def subtractive(
    out: Array, start: int, held: int, f_from: float, f_to: float, vel: float, p: Array,
    phase: Array, seed: int,
) -> None:  # fmt: skip
    """Add one note to `out` (n, 2): oscillators -> drive -> filter -> amplifier."""
    n = out.shape[0]
    release = int(p[RELEASE] * SR) + 1
    stop = min(n, start + held + release)
    voices = int(p[UNISON])
    ratio = np.empty(voices)
    gl = np.empty(voices)
    gr = np.empty(voices)
    for u in range(voices):
        place = 0.0 if voices == 1 else 2.0 * u / (voices - 1) - 1.0
        ratio[u] = 2.0 ** (place * p[DETUNE] / 1200.0)
        side = place * p[SPREAD] * (1.0 if u % 2 == 0 else -1.0)
        angle = (side + 1.0) * pi / 4.0
        gl[u] = cos(angle) * 1.414 / voices**0.6
        gr[u] = sin(angle) * 1.414 / voices**0.6
    sub_phase = phase[voices]
    state = seed * 2654435761 % 4294967296
    l1 = l2 = r1 = r2 = l3 = l4 = r3 = r4 = 0.0
    g = k = a1 = a2 = a3 = 0.0
    env = 0.0
    attack = max(p[ATTACK], 0.0008)
    f_attack = max(p[F_ATTACK], 0.0005)
    amp_decay = max(p[DECAY], 0.001)
    f_decay = max(p[F_DECAY], 0.001)
    level_at_off = 0.0
    mode = int(p[MODE])
    base = p[CUTOFF] * (f_to / 261.6) ** p[TRACK] * 2.0 ** (p[VEL_CUT] * (vel - 0.7))
    freq = f_to
    for i in range(start, stop):
        j = i - start
        t = j / SR
        now = i / SR
        if j % 16 == 0:
            freq = f_to
            if p[GLIDE] > 0.0 and f_from != f_to:
                freq = f_to * (f_from / f_to) ** exp(-t * 4.0 / p[GLIDE])
            if p[VIB] > 0.0 and t > p[VIB_DELAY]:
                depth = p[VIB] * min(1.0, (t - p[VIB_DELAY]) / 0.3)
                freq *= 2.0 ** (depth * sin(2 * pi * p[VIB_RATE] * t) / 1200.0)
            shape = 1.0
            if t < f_attack:
                shape = t / f_attack
            else:
                shape = p[F_SUSTAIN] + (1.0 - p[F_SUSTAIN]) * exp(-(t - f_attack) * 3.0 / f_decay)
            octaves = p[ENV] * shape
            if p[LFO_OCT] != 0.0:
                turn = p[LFO_RATE] * now % 1.0
                if p[LFO_SHAPE] < 0.5:
                    wave = -cos(2 * pi * turn)
                elif p[LFO_SHAPE] < 1.5:
                    wave = 1.0 - 2.0 * turn
                else:
                    wave = 1.0 if turn < 0.5 else -1.0
                octaves += p[LFO_OCT] * wave
            cut = min(20000.0, max(25.0, base * 2.0**octaves))
            g = tan(pi * cut / SR)
            k = 2.0 * (1.0 - 0.97 * p[RES])
            a1 = 1.0 / (1.0 + g * (g + k))
            a2 = g * a1
            a3 = g * a2
        if j < held:
            if t < attack:
                env = t / attack
            else:
                env = p[SUSTAIN] + (1.0 - p[SUSTAIN]) * exp(-(t - attack) * 3.0 / amp_decay)
            level_at_off = env
        else:
            env = level_at_off * exp(-(j - held) * 5.0 / release)
            env *= 1.0 - (j - held) / release
        left = right = 0.0
        width = p[WIDTH] + p[PWM] * sin(2 * pi * p[PWM_RATE] * now)
        for u in range(voices):
            dt = freq * ratio[u] / SR
            ph = phase[u]
            s = 0.0
            if p[SAW] > 0.0:
                s += p[SAW] * (2.0 * ph - 1.0 - _blep(ph, dt))
            if p[PULSE] > 0.0:
                other = ph + 1.0 - width
                if other >= 1.0:
                    other -= 1.0
                q = (1.0 if ph < width else -1.0) + _blep(ph, dt) - _blep(other, dt)
                s += p[PULSE] * (q - (2.0 * width - 1.0))
            if p[TRI] > 0.0:
                s += p[TRI] * (4.0 * abs(ph - 0.5) - 1.0)
            if p[SINE] > 0.0:
                s += p[SINE] * sin(2 * pi * ph)
            ph += dt
            if ph >= 1.0:
                ph -= 1.0
            phase[u] = ph
            left += s * gl[u]
            right += s * gr[u]
        if p[SUB] > 0.0:
            sub_phase += 0.5 * freq / SR
            if sub_phase >= 1.0:
                sub_phase -= 1.0
            s = p[SUB] * sin(2 * pi * sub_phase)
            left += s
            right += s
        if p[NOISE] > 0.0:
            state = (state * 1664525 + 1013904223) % 4294967296
            s = p[NOISE] * (state / 2147483648.0 - 1.0)
            left += s
            right += s
        if p[DRIVE] > 0.0:
            left = tanh(left * (1.0 + p[DRIVE]))
            right = tanh(right * (1.0 + p[DRIVE]))
        v3 = left - l2
        v1 = a1 * l1 + a2 * v3
        v2 = l2 + a2 * l1 + a3 * v3
        l1 = 2.0 * v1 - l1
        l2 = 2.0 * v2 - l2
        y = v2 if mode == 0 or mode == 3 else (k * v1 if mode == 1 else left - k * v1 - v2)
        if mode == 3:
            v3 = y - l4
            v1 = a1 * l3 + a2 * v3
            v2 = l4 + a2 * l3 + a3 * v3
            l3 = 2.0 * v1 - l3
            l4 = 2.0 * v2 - l4
            y = v2
        gain = env * vel
        if p[TREM] > 0.0:
            gain *= 1.0 - p[TREM] * (0.5 + 0.5 * sin(2 * pi * p[TREM_RATE] * now))
        out[i, 0] += y * gain
        if voices == 1:
            out[i, 1] += y * gain
            continue
        v3 = right - r2
        v1 = a1 * r1 + a2 * v3
        v2 = r2 + a2 * r1 + a3 * v3
        r1 = 2.0 * v1 - r1
        r2 = 2.0 * v2 - r2
        y = v2 if mode == 0 or mode == 3 else (k * v1 if mode == 1 else right - k * v1 - v2)
        if mode == 3:
            v3 = y - r4
            v1 = a1 * r3 + a2 * v3
            v2 = r4 + a2 * r3 + a3 * v3
            r3 = 2.0 * v1 - r3
            r4 = 2.0 * v2 - r4
            y = v2
        out[i, 1] += y * gain


@njit(cache=True, fastmath=True)
def fm(
    out: Array, start: int, held: int, freq: float, vel: float, ratios: Array, index: Array,
    decays: Array, levels: Array, attack: float, amp_decay: float, sustain: float, release: float,
) -> None:  # fmt: skip
    """Add one note of pairs of sines: pair m has carrier ratio ratios[m, 0], modulator [m, 1]."""
    n = out.shape[0]
    tail = int(release * SR) + 1
    stop = min(n, start + held + tail)
    at_off = 0.0
    pairs = ratios.shape[0]
    for i in range(start, stop):
        j = i - start
        t = j / SR
        if j < held:
            if t < attack:
                env = t / attack
            else:
                env = sustain + (1.0 - sustain) * exp(-(t - attack) * 3.0 / amp_decay)
            at_off = env
        else:
            env = at_off * exp(-(j - held) * 5.0 / tail) * (1.0 - (j - held) / tail)
        s = 0.0
        w = 2 * pi * freq * t
        for m in range(pairs):
            depth = index[m] * (0.3 + 0.7 * vel) * exp(-t * 3.0 / decays[m, 1])
            s += (
                levels[m]
                * exp(-t * 3.0 / decays[m, 0])
                * sin(w * ratios[m, 0] + depth * sin(w * ratios[m, 1]))
            )
        s *= env * vel
        out[i, 0] += s
        out[i, 1] += s


@njit(cache=True, fastmath=True)
def string(
    burst: Array, samples: int, freq: float, damp: float, t60: float, position: float, buzz: float
) -> Array:
    """One plucked string -> (samples,). `damp` 0..0.5 lowpass in the loop, `t60` seconds."""
    period = SR / freq
    total = period - damp  # the two-point average delays by `damp` samples at low frequencies
    length = int(total - 0.3)
    frac = total - length
    coefficient = (1.0 - frac) / (1.0 + frac)
    gain = 10.0 ** (-3.0 / (freq * t60))
    line = np.zeros(length)
    comb = max(1, int(position * period))
    mean = 0.0
    for i in range(length):
        s = burst[i % burst.shape[0]]
        if i >= comb:
            s -= burst[(i - comb) % burst.shape[0]]
        line[i] = s
        mean += s
    mean /= length
    for i in range(length):
        line[i] -= mean
    out = np.empty(samples)
    last = x1 = y1 = 0.0
    at = 0
    for i in range(samples):
        x = line[at]
        out[i] = x
        low = (1.0 - damp) * x + damp * last
        last = x
        low *= gain
        y = coefficient * low + x1 - coefficient * y1
        x1 = low
        y1 = y
        if buzz > 0.0 and y > buzz:  # the string lies on a flat bridge: its tops are pressed flat
            y = buzz + (y - buzz) * 0.55
        line[at] = y
        at += 1
        if at == length:
            at = 0
    return out


@njit(cache=True, fastmath=True)
def modes(samples: int, freqs: Array, decays: Array, gains: Array, hard: float) -> Array:
    """A struck body: sum of decaying sines. `hard` seconds is the contact time of the mallet."""
    out = np.zeros(samples)
    ramp = max(1, int(hard * SR))
    for m in range(freqs.shape[0]):
        if freqs[m] > 20000.0:
            continue
        w = 2 * pi * freqs[m] / SR
        r = exp(-6.9 / (decays[m] * SR))
        y1 = 0.0
        y2 = -sin(w) / r
        c = 2.0 * r * cos(w)
        soft = gains[m] / (1.0 + (freqs[m] * hard) ** 2)
        for i in range(samples):
            y = c * y1 - r * r * y2
            y2 = y1
            y1 = y
            out[i] += soft * y
    for i in range(min(ramp, samples)):
        out[i] *= i / ramp
    return out
