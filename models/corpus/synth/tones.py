"""FM pianos and bells, plucked strings, struck bars and shells.

Notes that start alike are rendered once a clip and pitch, then placed with their own length and
loudness: a plucked or struck body does not know how long the player will let it ring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.corpus.synth import kernels
from models.corpus.synth.subtractive import hertz
from models.music.score import SAMPLE_RATE

Notes = NDArray[np.void]
Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Pairs:
    """An FM sound: pairs of (carrier ratio, modulator ratio, index, level, decay, index decay)."""

    pairs: tuple[tuple[float, float, float, float, float, float], ...]
    attack: float = 0.001
    decay: float = 3.0
    sustain: float = 0.0
    release: float = 0.12


FM: Final[dict[str, Pairs]] = {
    "fm_piano": Pairs(((1, 1, 0.9, 0.6, 6, 2.0), (1, 14, 0.45, 0.25, 2.0, 0.25),
                       (1.002, 1, 0.5, 0.3, 6, 3))),
    "fm_piano_soft": Pairs(((1, 1, 0.5, 0.7, 7, 3.0), (1, 7, 0.3, 0.2, 2, 0.2),
                            (0.998, 2, 0.3, 0.25, 6, 3)), release=0.2),
    "fm_bell": Pairs(((1, 3.5, 1.6, 0.5, 5, 2.5), (1, 1.4, 0.6, 0.3, 6, 4),
                      (2.0, 7.1, 0.8, 0.2, 2, 0.8)), decay=5, release=0.9),
    "fm_bell_glass": Pairs(((1, 4.0, 0.8, 0.6, 5, 3), (3.0, 5.0, 0.7, 0.2, 2.5, 1)), decay=4,
                           release=0.8),
    "fm_bass": Pairs(((1, 1, 2.2, 0.7, 5, 0.5), (1, 2, 1.6, 0.4, 4, 0.25), (0.5, 0.5, 0.2, 0.3, 6, 2)),
                     decay=2.5, sustain=0.3, release=0.05),
    "fm_bass_solid": Pairs(((1, 0.5, 1.4, 0.8, 6, 0.7), (1, 3, 0.9, 0.3, 3, 0.12)), decay=1.8,
                           sustain=0.35, release=0.05),
    "organ": Pairs(((0.5, 1, 0, 0.3, 99, 9), (1, 1, 0, 0.4, 99, 9), (1.5, 1, 0, 0.22, 99, 9),
                    (2, 1, 0, 0.2, 99, 9), (3, 1, 0, 0.1, 99, 9), (4, 1, 0, 0.09, 99, 9)),
                   attack=0.006, sustain=1.0, release=0.04),
    "clav": Pairs(((1, 3, 1.4, 0.6, 1.6, 0.3), (1, 5, 0.8, 0.3, 1.0, 0.15)), decay=1.2,
                  release=0.05),
}  # fmt: skip


def play_fm(name: str, notes: Notes, seconds: float, rng: np.random.Generator, bpm: float) -> Audio:
    """Render notes with a random variation of an FM sound."""
    kind = FM[name]
    table = np.array(kind.pairs)
    table[:, 2] *= rng.uniform(0.6, 1.5)
    table[:, 4:6] *= rng.uniform(0.7, 1.5)
    if name == "organ":
        table[:, 3] *= rng.uniform(0.2, 1.5, len(table))  # drawbars
        table[1, 3] = max(table[1, 3], 0.35)
    out = np.zeros((round(seconds * SAMPLE_RATE), 2))
    for note in notes:
        on, off = float(note["on"]), float(note["off"])
        freq = hertz(float(note["pitch"]))
        low = min(1.6, (500 / freq) ** 0.3)  # lower notes ring longer
        kernels.fm(
            out, round(on * SAMPLE_RATE), max(64, round((off - on) * SAMPLE_RATE)), freq,
            float(note["velocity"]) / 127.0, np.ascontiguousarray(table[:, :2]),
            table[:, 2] * min(1.0, (3000 / freq) ** 0.5), np.ascontiguousarray(table[:, 4:6]) * low,
            np.ascontiguousarray(table[:, 3]), kind.attack, kind.decay * low, kind.sustain,
            kind.release,
        )  # fmt: skip
    return out.astype(np.float32)


@dataclass(frozen=True)
class Pluck:
    """A plucked instrument. `bodies` are resonances (Hz, gain dB, Q); courses are doubled strings."""

    damp: float = 0.3  # 0..0.5: how fast highs die
    t60: float = 3.0  # seconds at middle C
    position: float = 0.18  # where it is plucked, share of the string
    soft: float = 0.5  # 0 plectrum .. 1 thumb
    buzz: float = 0.0  # flat bridge
    courses: int = 1
    detune: float = 5.0  # cents between the strings of a course
    octave: bool = False  # the second string of a course sounds an octave higher
    tremolo: float = 0.0  # strokes a second on notes longer than 0.3 s
    release: float = 0.15
    drop: float = 0.0  # cents that a hard stroke starts sharp
    bodies: tuple[tuple[float, float, float], ...] = ((120, 5, 2), (240, 4, 2), (500, 3, 1.5))


PLUCKS: Final[dict[str, Pluck]] = {
    "koto": Pluck(0.12, 2.8, 0.07, 0.15, drop=25, bodies=((180, 4, 2), (420, 4, 2), (1900, 3, 1))),
    "pipa": Pluck(0.16, 0.9, 0.1, 0.05, tremolo=11, bodies=((330, 6, 2), (750, 6, 2), (2400, 4, 1.2))),
    "sitar": Pluck(0.08, 4.5, 0.08, 0.1, buzz=0.12, drop=30, bodies=((200, 4, 2), (900, 5, 1.5), (2800, 5, 1))),
    "tanpura": Pluck(0.06, 7.0, 0.3, 0.6, buzz=0.06, release=1.5, bodies=((140, 5, 2), (700, 4, 1), (2200, 4, 1))),
    "sarod": Pluck(0.14, 2.2, 0.12, 0.1, buzz=0.3, drop=20, bodies=((210, 6, 2), (620, 5, 2), (1600, 4, 1.5))),
    "balalaika": Pluck(0.2, 0.9, 0.14, 0.1, courses=2, detune=4, tremolo=12, bodies=((280, 6, 2), (650, 5, 2), (1500, 3, 1))),
    "cavaquinho": Pluck(0.15, 0.8, 0.15, 0.1, bodies=((380, 6, 2), (800, 5, 2), (2600, 3, 1))),
    "charango": Pluck(0.18, 1.0, 0.16, 0.2, courses=2, detune=6, octave=True, tremolo=9, bodies=((420, 6, 2), (900, 5, 2), (2000, 3, 1))),
    "bouzouki": Pluck(0.12, 1.8, 0.12, 0.05, courses=2, detune=6, tremolo=10, bodies=((200, 5, 2), (480, 4, 2), (1700, 4, 1))),
    "mandolin": Pluck(0.15, 1.1, 0.13, 0.05, courses=2, detune=5, tremolo=12, bodies=((260, 5, 2), (620, 5, 2), (1900, 3, 1))),
    "lute": Pluck(0.3, 1.6, 0.2, 0.7, courses=2, detune=3, bodies=((150, 5, 2), (310, 5, 2), (700, 3, 1.5))),
    "lyre": Pluck(0.22, 3.0, 0.35, 0.6, release=0.8, bodies=((240, 4, 2), (560, 3, 2))),
    "zither": Pluck(0.1, 3.5, 0.12, 0.1, courses=2, detune=4, release=1.0, bodies=((220, 4, 2), (520, 4, 1.5), (2600, 2, 1))),
    "dulcimer": Pluck(0.14, 2.6, 0.22, 0.3, courses=3, detune=6, release=0.9, bodies=((230, 4, 2), (640, 4, 2), (1700, 3, 1))),
    "banjo": Pluck(0.12, 0.7, 0.12, 0.05, bodies=((380, 8, 2), (850, 7, 2), (2300, 5, 1.5))),
    "ukulele": Pluck(0.34, 0.9, 0.25, 0.7, bodies=((350, 6, 2), (700, 5, 2))),
    "harp": Pluck(0.28, 3.5, 0.4, 0.8, release=1.2, bodies=((160, 3, 1.5), (420, 3, 1.5))),
    "nylon": Pluck(0.33, 2.4, 0.22, 0.7, bodies=((105, 6, 3), (210, 5, 3), (420, 3, 2))),
    "flamenco": Pluck(0.26, 1.6, 0.12, 0.35, bodies=((115, 5, 3), (230, 6, 3), (480, 4, 2), (2500, 3, 1))),
    "steel": Pluck(0.12, 3.0, 0.15, 0.15, bodies=((100, 5, 3), (200, 5, 3), (400, 2, 2), (5000, 3, 1))),
    "clavichord": Pluck(0.2, 1.2, 0.1, 0.25, courses=2, detune=2, bodies=((300, 4, 1.5), (1200, 4, 1))),
    "electric": Pluck(0.16, 4.0, 0.18, 0.2, bodies=((900, 2, 1), (3200, 4, 1.2))),
    "mute": Pluck(0.42, 0.35, 0.16, 0.2, bodies=((180, 3, 1), (1200, 3, 1))),
}  # fmt: skip


def _peaking(x: Audio, hz: float, gain_db: float, q: float) -> Audio:
    """Resonance of a body (Audio EQ Cookbook, peaking EQ)."""
    from scipy.signal import lfilter

    w = 2 * np.pi * hz / SAMPLE_RATE
    a = 10 ** (gain_db / 40)
    alpha = np.sin(w) / (2 * q)
    b = np.array([1 + alpha * a, -2 * np.cos(w), 1 - alpha * a], np.float32)
    d = np.array([1 + alpha / a, -2 * np.cos(w), 1 - alpha / a], np.float32)
    return np.asarray(lfilter(b, d, x, axis=0), np.float32)


def _tremolo(notes: Notes, rate: float, rng: np.random.Generator) -> Notes:
    """Split long notes into repeated strokes."""
    if not rate:
        return notes
    pieces = []
    for note in notes:
        length = note["off"] - note["on"]
        count = int(length * rate)
        if length < 0.3 or count < 3:
            pieces.append(note.reshape(1))
            continue
        strokes = np.repeat(note.reshape(1), count)
        strokes["on"] = note["on"] + np.arange(count) / rate + rng.normal(0, 0.004, count)
        strokes["on"][0] = note["on"]
        strokes["off"] = np.append(strokes["on"][1:], note["off"])
        strokes["velocity"][1:] = strokes["velocity"][1:] * rng.uniform(0.55, 0.8, count - 1)
        pieces.append(strokes)
    return np.concatenate(pieces) if pieces else notes


def _place(out: NDArray[np.float64], note: np.void, sound: Audio, release: float) -> None:
    """Add a decaying sound at the note's time, damped after its end."""
    start = max(0, round(float(note["on"]) * SAMPLE_RATE))
    held = max(64, round(float(note["off"] - note["on"]) * SAMPLE_RATE))
    stop = min(len(out), start + min(len(sound), held + int(release * SAMPLE_RATE)))
    count = stop - start
    if count <= 0:
        return
    piece = sound[:count]
    if count > held:
        fade = np.linspace(1, 0, int(release * SAMPLE_RATE), dtype=np.float32)[: count - held] ** 2
        out[start : start + held] += piece[:held]
        out[start + held : stop] += piece[held:] * fade[:, None]
    else:
        out[start:stop] += piece


def play_pluck(
    name: str, notes: Notes, seconds: float, rng: np.random.Generator, bpm: float
) -> Audio:
    """Render notes with a random variation of a plucked instrument."""
    kind = PLUCKS[name]
    damp = float(np.clip(kind.damp * rng.uniform(0.7, 1.4), 0.03, 0.5))
    ring = kind.t60 * rng.uniform(0.7, 1.5)
    position = float(np.clip(kind.position * rng.uniform(0.7, 1.4), 0.04, 0.48))
    soft = float(np.clip(kind.soft + rng.uniform(-0.2, 0.2), 0, 1))
    shift = 2.0 ** (rng.uniform(-0.12, 0.12))
    if kind.tremolo and rng.random() < 0.6:
        notes = _tremolo(notes, kind.tremolo * rng.uniform(0.85, 1.15), rng)
    out = np.zeros((round(seconds * SAMPLE_RATE), 2))
    cache: dict[tuple[int, int], Audio] = {}
    for note in notes:
        pitch, hardness = int(note["pitch"]), int(note["velocity"]) // 26
        sound = cache.get((pitch, hardness))
        if sound is None:
            freq = hertz(pitch)
            t60 = ring * (262 / freq) ** 0.5
            samples = int(SAMPLE_RATE * min(t60 * 1.1, 6.0))
            smooth = 1 + int(soft * 10 * (1.3 - hardness / 5))
            sound = np.zeros((samples, 2), np.float32)
            for course in range(kind.courses):
                cents = (course - (kind.courses - 1) / 2) * kind.detune
                up = 2.0 if kind.octave and course == 1 else 1.0
                burst = rng.uniform(-1, 1, 4096)
                burst = np.convolve(burst, np.ones(smooth) / smooth**0.6, mode="same")
                one = kernels.string(
                    burst, samples, up * freq * 2 ** (cents / 1200), damp, t60, position, kind.buzz
                )
                side = 0.5 + 0.2 * (course - (kind.courses - 1) / 2)
                sound[:, 0] += one * (1 - side) * 2
                sound[:, 1] += one * side * 2
            cache[pitch, hardness] = sound
        level = (float(note["velocity"]) / 127.0) ** 1.3 * 0.4
        _place(out, note, sound * level, kind.release)
    result = out.astype(np.float32)
    for hz, gain_db, q in kind.bodies:
        result = _peaking(result, hz * shift, gain_db * rng.uniform(0.7, 1.2), q)
    return result


@dataclass(frozen=True)
class Body:
    """A struck body: (frequency ratio, gain, decay seconds at middle C) of its modes."""

    modes: tuple[tuple[float, float, float], ...]
    hard: float = 0.0003  # contact time of mallet or finger, seconds
    thump: float = 0.0  # noise of the stroke
    tracking: float = 0.5  # higher notes decay faster by this power
    release: float = 0.3


BODIES: Final[dict[str, Body]] = {
    "marimba": Body(((1, 1, 0.7), (3.93, 0.35, 0.15), (9.24, 0.12, 0.06)), 0.0006, 0.03),
    "xylophone": Body(((1, 1, 0.35), (3.0, 0.5, 0.15), (6.1, 0.3, 0.08)), 0.0001, 0.05),
    "vibraphone": Body(((1, 1, 2.6), (4.0, 0.3, 0.8), (10.2, 0.1, 0.2)), 0.0005, 0.02, 0.3, 0.5),
    "kalimba": Body(((1, 1, 1.1), (5.4, 0.25, 0.15), (6.3, 0.15, 0.1), (12.6, 0.05, 0.05)), 0.0004, 0.06),
    "mbira": Body(((1, 1, 1.3), (2.01, 0.2, 0.7), (5.2, 0.35, 0.25), (6.1, 0.2, 0.2), (14.0, 0.1, 0.1)), 0.0003, 0.1),
    "hang_drum": Body(((1, 1, 2.2), (2.0, 0.55, 1.8), (3.0, 0.35, 1.4), (4.02, 0.1, 0.6), (0.41, 0.18, 0.4)), 0.0012, 0.05, 0.3, 1.0),
    "steel_drum": Body(((1, 1, 0.8), (2.0, 0.8, 0.7), (3.01, 0.4, 0.5), (4.03, 0.3, 0.4), (5.1, 0.15, 0.3)), 0.0003, 0.04, 0.4),
    "glockenspiel": Body(((1, 1, 2.0), (2.756, 0.4, 1.2), (5.404, 0.25, 0.6)), 0.00005, 0.02, 0.3, 1.0),
    "music_box": Body(((1, 1, 1.6), (2.9, 0.2, 0.5), (6.2, 0.15, 0.3), (11.0, 0.06, 0.1)), 0.0001, 0.05, 0.4, 0.8),
    "tubular_bells": Body(((1, 0.7, 3.5), (2.0, 1, 4.5), (2.98, 0.8, 3.5), (4.1, 0.6, 2.5), (5.3, 0.4, 1.6), (0.5, 0.25, 5)), 0.0002, 0.03, 0.2, 2.0),
    "timpani": Body(((1, 1, 1.4), (1.5, 0.6, 1.1), (1.98, 0.4, 0.8), (2.44, 0.25, 0.6), (0.6, 0.25, 0.3)), 0.002, 0.1, 0.2, 0.8),
}  # fmt: skip


def play_body(
    name: str, notes: Notes, seconds: float, rng: np.random.Generator, bpm: float
) -> Audio:
    """Render notes with a random variation of a struck body."""
    kind = BODIES[name]
    table = np.array(kind.modes)
    table[1:, 0] *= 1 + rng.normal(0, 0.004, len(table) - 1)
    table[1:, 1] *= rng.uniform(0.6, 1.4, len(table) - 1)
    table[:, 2] *= rng.uniform(0.7, 1.5)
    hard = kind.hard * 2 ** rng.uniform(-1, 1)
    rattle = name == "mbira"
    out = np.zeros((round(seconds * SAMPLE_RATE), 2))
    cache: dict[tuple[int, int], Audio] = {}
    for note in notes:
        pitch, force = int(note["pitch"]), int(note["velocity"]) // 32
        sound = cache.get((pitch, force))
        if sound is None:
            freq = hertz(pitch)
            decays = table[:, 2] * (262 / freq) ** kind.tracking
            samples = int(SAMPLE_RATE * min(float(decays.max()) * 1.2, 6.0))
            one = kernels.modes(
                samples, freq * table[:, 0], decays, table[:, 1], hard * (1.6 - force / 4)
            )
            click = rng.standard_normal(480) * np.exp(-np.arange(480) / 90) * kind.thump
            one[: min(480, samples)] += click[:samples]
            if rattle:
                buzz = np.abs(one) * rng.standard_normal(samples) * 0.25
                one = one + buzz * (np.abs(one) > 0.15)
            pan = 0.5 + 0.25 * (pitch - 60) / 24
            pan = float(np.clip(pan, 0.2, 0.8))
            sound = np.stack([one * (1 - pan) * 2, one * pan * 2], 1).astype(np.float32)
            cache[pitch, force] = sound
        level = (float(note["velocity"]) / 127.0) ** 1.4 * 0.35
        _place(out, note, sound * level, kind.release)
    return out.astype(np.float32)
