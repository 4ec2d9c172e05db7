"""Rendering of a song: its parts are played one by one, then mixed.

Deterministic: the same song and random generator give the same samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.corpus.sound.drums import play_drums
from models.corpus.sound.effects import EFFECTS, crush, saturate
from models.corpus.sound.mix import mixdown
from models.corpus.sound.presets import SOUNDS
from models.corpus.sound.voices import fold_octaves, play_part
from models.music.score import DRUMS, PARTS, PITCHED, SAMPLE_RATE
from models.music.song import Song

Audio = NDArray[np.float32]

DROP_SHARE: Final = 0.35
"""Share of clips with muted passages, so that the renderer learns mutes."""


@dataclass(frozen=True)
class Rendered:
    """Rendered song: mastered `mix` float32 (n, 2); `stems` before the master bus, by name."""

    mix: Audio
    stems: dict[str, Audio]


def fit_range(song: Song) -> Song:
    """Transpose notes outside their instrument's range by octaves."""
    notes = {}
    for part, part_notes in song.notes.items():
        sound = SOUNDS.get(song.instruments.get(part, "none"))
        if sound is not None and len(part_notes):
            part_notes = part_notes.copy()
            part_notes["pitch"] = fold_octaves(part_notes["pitch"], sound.low, sound.high)
        notes[part] = part_notes
    return replace(song, notes=notes)


def drop_parts(song: Song, rng: np.random.Generator, seconds: float) -> Song:
    """Randomly remove one or two parts for 4 to 10 s from the score."""
    if rng.random() >= DROP_SHARE:
        return song
    present = [p for p in PITCHED if len(song.notes.get(p, ()))]
    if song.drums.any():
        present.append("drums")
    if len(present) < 2:
        return song
    count = min(len(present) - 1, int(rng.integers(1, 3)))
    notes, drums = dict(song.notes), song.drums.copy()
    for index in rng.permutation(len(present))[:count]:
        part = present[int(index)]
        length = rng.uniform(4, 10)
        begin = float(rng.uniform(0, max(0.1, seconds - length)))
        first, last = (int(s) for s in song.steps_at([begin, begin + length]))
        if part == "drums":
            drums[first:last] = 0
            continue
        part_notes = notes[part].copy()
        part_notes = part_notes[(part_notes["step"] < first) | (part_notes["step"] >= last)]
        overhanging = part_notes["step"] < first
        space = (first - part_notes["step"]).astype(np.float32)
        part_notes["length"][overhanging] = np.minimum(part_notes["length"], space)[overhanging]
        notes[part] = part_notes
    return replace(song, notes=notes, drums=drums)


def _process_kit(kit: str, audio: Audio, rng: np.random.Generator) -> Audio:
    """Effects that belong to a drum kit."""
    if kit == "lofi":
        return crush(
            saturate(audio * np.float32(3), 2.0), int(rng.integers(9, 12)), rng.uniform(9e3, 16e3)
        )
    if kit == "breaks":
        audio = saturate(audio * np.float32(5), rng.uniform(2, 5))
        return crush(audio, 12, rng.uniform(16e3, 26e3))
    if kit == "industrial":
        return saturate(audio * np.float32(3), rng.uniform(1.5, 5))
    if kit in ("dub", "funk"):
        return saturate(audio * np.float32(3), 1.5)
    return audio


def render(song: Song, rng: np.random.Generator, seconds: float, split: str = "train") -> Rendered:
    """Render and mix the first `seconds` of a song."""
    events = song.events()
    events = events[events["on"] < seconds]
    parts: dict[str, Audio] = {}
    instruments: dict[str, str] = {}
    wet: dict[str, float] = {}
    for index, name in enumerate(PARTS):
        part_events = events[events["part"] == index]
        part_rng = np.random.default_rng(rng.integers(2**63))  # independent of other parts
        if not len(part_events):
            continue
        if name == "drums":
            if song.kit == "none":
                continue
            parts[name] = _process_kit(
                song.kit, play_drums(song.kit, part_events, seconds, part_rng), part_rng
            )
            instruments[name] = song.kit
            continue
        instrument = song.instruments.get(name, "none")
        if instrument == "none":
            continue
        audio = play_part(instrument, part_events, seconds, part_rng, song.bpm, split)
        parts[name] = EFFECTS[SOUNDS[instrument].effect](audio, part_rng)
        instruments[name] = instrument
        wet[name] = SOUNDS[instrument].wet
    samples = round(seconds * SAMPLE_RATE)
    if not parts:
        silence = np.zeros((samples, 2), np.float32)
        return Rendered(silence, {"drums": silence, "bass": silence, "other": silence})
    kick = (events["part"] == 0) & (events["pitch"] == DRUMS.index("kick"))
    stems, mix = mixdown(
        parts, instruments, wet, events["on"][kick], song.production, song.bpm, rng
    )
    return Rendered(mix, stems)
