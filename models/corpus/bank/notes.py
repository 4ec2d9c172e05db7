"""Single notes of every source, as raw material of the bank."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.corpus.sound.soundfont import Program, player
from models.corpus.sound.voices import TUNING
from models.corpus.synth import kernels, subtractive, tones
from models.music.score import EVENT, SAMPLE_RATE

Audio = NDArray[np.float32]

LOFT = {"didgeridoo": 0.55, "wobble_bass": 1.3, "glitch_synth": 1.1}
"""Octaves to each side that a filter's oscillator moves the cut-off of sounds sampled at its turns."""


def _one(key: int, velocity: int, seconds: float) -> NDArray[np.void]:
    note = np.zeros(1, EVENT)
    note["off"], note["pitch"], note["velocity"] = seconds, key, velocity
    return note


def _subtractive(name: str, key: int, velocity: int, seconds: float, moved: bool) -> Audio:
    """A note of the synthesiser as its recipe has it, its slow filter movement left out."""
    voice = replace(subtractive.VOICES[name], glide=0.0, lfo_beats=0.0, trem=0.0)
    if voice.lfo_rate < 0.6:
        voice = replace(voice, lfo_oct=0.0)
    strength = velocity / 127.0
    if moved:
        octaves = LOFT[name] * (velocity / 63.5 - 1.0)
        voice = replace(voice, lfo_oct=0.0, vib=0.0, cutoff=voice.cutoff * 2.0**octaves)
        strength = 0.8
    rng = np.random.default_rng(zlib.crc32(f"{name} {key}".encode()))
    out = np.zeros((round(seconds * SAMPLE_RATE), 2))
    hertz = subtractive.hertz(key)
    kernels.subtractive(
        out, 0, len(out), hertz, hertz, strength, voice.vector(120.0),
        rng.random(voice.unison + 1), 7919,
    )  # fmt: skip
    return out.astype(np.float32)


@lru_cache(maxsize=64)
def _whole_tone(kind: str, name: str) -> str:
    """The name of a plucked sound without its tremolo."""
    if kind != "pluck" or not tones.PLUCKS[name].tremolo:
        return name
    tones.PLUCKS["single " + name] = replace(tones.PLUCKS[name], tremolo=0.0)
    return "single " + name


def play_note(source: str, key: int, velocity: int, seconds: float, moved: bool = False) -> Audio:
    """A held note (n, 2) of a source, which may be a sum of equally loud ones."""
    parts = source.split("+")
    total = np.zeros((round(seconds * SAMPLE_RATE), 2), np.float32)
    for part in parts:
        kind, _, name = part.partition(":")
        if not name:
            audio = player().render(
                Program.parse(part), _one(key, velocity, seconds + 1), seconds,
                cents=TUNING.get(part, 0.0), controls={2: 112},
            )  # fmt: skip
        elif kind == "sub":
            audio = _subtractive(name, key, velocity, seconds, moved)
        else:
            # The same seed for every key: one instrument, not many.
            rng = np.random.default_rng(zlib.crc32(part.encode()))
            play = {"fm": tones.play_fm, "pluck": tones.play_pluck, "body": tones.play_body}[kind]
            audio = play(
                _whole_tone(kind, name), _one(key, velocity, seconds + 1), seconds, rng, 120.0
            )
        if len(parts) > 1:
            head = audio[: SAMPLE_RATE // 2]
            audio = audio * np.float32(0.1 / (np.sqrt(np.mean(np.square(head))) + 1e-6))
        total += audio
    return total
