"""Calibration of the levels of instruments and kits on what they typically play.

Each plays a passage of its usual part through the studio's own voices; the gain that brings it to
the studio's nominal loudness goes into the manifest, so that a new instrument comes in at the right
level at once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.corpus.sound.measure import loudness
from models.music.score import DRUMS, PARTS, SAMPLE_RATE
from models.music.voicing import chord_register, part_range, voice
from models.segue.studio.bank import Bank
from models.segue.studio.block import BLOCK
from models.segue.studio.strips import NOMINAL, Strip, insert_effect
from models.segue.studio.voices import Motion, SamplerVoice, Tones, follow

BEAT: Final = 0.55  # seconds


@dataclass(frozen=True)
class PassageNote:
    """Note of a calibration passage."""

    on: float
    off: float
    part: int
    pitch: int
    velocity: int
    open: bool = False


def passage(name: str, part: str) -> list[PassageNote]:
    """Eight beats of what an instrument plays in a part."""
    index = PARTS.index(part)
    if part == "chords":
        notes = []
        before: tuple[int, ...] | None = None
        for beat, root in enumerate((0, 0, 5, 5, 7, 7, 0, 0)):
            symbol = root * 14  # a major triad; see models.music.score.chord_symbol
            before = voice(symbol, 0, name, before)
            for pitch in before:
                notes.append(PassageNote(beat * BEAT, (beat + 0.9) * BEAT, index, pitch, 88))
        return notes
    low, high = part_range(part, name)
    low, high = (low, min(high, low + 17)) if part == "bass" else (low + (high - low) // 4, high)
    scale = [p for p in range(low, high + 1) if p % 12 in (0, 2, 4, 5, 7, 9, 11)]
    steps = (0, 2, 4, 3, 5, 4, 2, 1, 0, 4, 2, 3, 1, 2, 0, 0)
    return [
        PassageNote(i * BEAT / 2, (i + 0.9) * BEAT / 2, index, scale[s % len(scale)], 92)
        for i, s in enumerate(steps)
    ]


def beat_of(kit_hands: bool) -> list[PassageNote]:
    """Two bars of a plain beat, for a kit or for hand drums."""
    names = ("perc_low", "perc_high", "perc_mid") if kit_hands else ("kick", "snare", "hat")
    low, high, tick = (DRUMS.index(name) for name in names)
    hits = []
    for eighth in range(16):
        on = eighth * BEAT / 2
        hits.append(PassageNote(on, on + 0.05, 0, tick, 84 if eighth % 2 else 96))
        if eighth in (7, 15):
            hits.append(PassageNote(on, on + 0.05, 0, DRUMS.index("open_hat"), 96))
        if eighth == 0:
            hits.append(PassageNote(on, on + 0.05, 0, DRUMS.index("crash"), 100))
        if eighth % 4 == 0 or eighth == 10:
            hits.append(PassageNote(on, on + 0.05, 0, low, 104))
        if eighth % 4 == 2:
            hits.append(PassageNote(on, on + 0.05, 0, high, 104))
    return hits


def play(
    notes: list[PassageNote], sound: str, part: int, bank: Bank, tones: Tones,
    effect: str | None = None, gain_db: float = 0.0,
) -> NDArray[np.float32]:  # fmt: skip
    """The passage's sound (n, 2) with a gain, through the insert of that name if one is given."""
    blocks = int(8.5 * BEAT * SAMPLE_RATE / BLOCK)
    voices: tuple[SamplerVoice, ...] = ()
    out = []
    channel = None
    for block in range(blocks):
        start = block * BLOCK
        motion = Motion(start / SAMPLE_RATE / BEAT, 1 / SAMPLE_RATE / BEAT)
        voices = follow(voices, notes, {part: sound}, bank, start, BLOCK, 1)
        x = np.zeros((2, BLOCK), np.float32)
        for one in voices:
            tones.add(x, one, start, motion)
        voices = tuple(v for v in voices if not tones.ended(v, start + BLOCK))
        x *= np.float32(10 ** (gain_db / 20))
        if effect is not None:
            x, channel = insert_effect(part, effect, x, channel)
        out.append(x.T)
    return np.concatenate(out)


HANDS: Final = frozenset({"congas", "bongos", "djembe", "tabla", "frame"})


def calibrate(
    folder: Path, only: Collection[str] | None = None, report: bool = True
) -> dict[str, dict[str, float]]:
    """Corrections of the manifest's gains: {'instruments': {name: dB}, 'kits': {name: dB}}."""
    bank = Bank(folder)
    tones = Tones(bank)
    found: dict[str, dict[str, float]] = {"instruments": {}, "kits": {}}
    by_effect: dict[str, list[float]] = {}
    for name in bank.manifest["instruments"]:
        if only and name not in only:
            continue
        bass = name.endswith("_bass") or name in ("tuba", "didgeridoo")
        parts = ["bass"] if bass else ["lead"]
        if not bass and chord_register(name) != (50, 74):
            parts.append("chords")
        levels, after = [], []
        for part in parts:
            index, notes = PARTS.index(part), passage(name, part)
            levels.append(loudness(play(notes, name, index, bank, tones)))
            effect = bank.instrument(name).effect
            if effect:
                gain_db = NOMINAL - levels[-1]
                wet = loudness(play(notes, name, index, bank, tones, effect, gain_db))
                after.append(wet - NOMINAL)
        level = float(np.mean(levels))
        found["instruments"][name] = NOMINAL - level
        if after:
            by_effect.setdefault(bank.instrument(name).effect, []).append(float(np.mean(after)))
        if report:
            print(f"{name:18} {level:7.1f} LUFS {[round(v, 1) for v in levels]}"
                  f" insert {[round(v, 1) for v in after]}", flush=True)  # fmt: skip
    for name in bank.manifest["kits"]:
        if only and name not in only:
            continue
        level = loudness(play(beat_of(name in HANDS), name, 0, bank, tones))
        found["kits"][name] = NOMINAL - level
        if report:
            print(f"{name:18} {level:7.1f} LUFS", flush=True)
    if report:
        print({effect: round(float(np.mean(v)), 1) for effect, v in by_effect.items()})
    return found


assert Strip().level == NOMINAL
