"""Score of a block: its frames for the renderer, and what the window shows of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from models.engine.controls import Controls
from models.engine.interface import ScoreInfo
from models.music.general_midi import program_of
from models.music.score import (
    FRAME_SECONDS,
    INSTRUMENTS,
    KITS,
    NOTE_NAMES,
    PARTS,
    PITCHED,
    QUALITY_NAMES,
    SAMPLE_RATE,
    FrameScore,
    beat_phase,
    chord_pitch_classes,
    rasterize,
)
from models.segue.arranger.clock import phases
from models.segue.arranger.held_keys import held_harmony
from models.segue.arranger.state import State


@dataclass(frozen=True)
class ArrangerInfo:
    """Description of a written block: the last tempo, key, position in beats and bars (and how
    many samples after the block's beginning that is: `bars_at`), beats in a bar, chord, section,
    instruments by part ('none' where there is none), kit, and how many steps it wrote.
    """

    bpm: float
    key: str
    beats: float
    bars: float
    bars_at: int
    beats_per_bar: int
    chord: str
    section: int
    instruments: dict[str, str]
    kit: str
    steps: int
    density: float  # onsets per second, as written
    section_name: str = ""  # as the form calls it: intro, a, b, build, drop, break, solo


def score_info(info: ArrangerInfo | None, state: State, delay: int) -> ScoreInfo | None:
    """Score information of a block, as engines publish it.

    Args:
        info: of the arranger; None before the first block.
        state: of the arranger, after the block.
        delay: samples by which the engine's sound is behind the score.

    """
    if info is None:
        return None
    end, notes = state.frames * FRAME_SECONDS, dict[str, tuple[int, ...]]()
    for note in state.voices.notes:
        if note.part and note.on < end:
            notes[PARTS[note.part]] = (*notes.get(PARTS[note.part], ()), note.pitch)
    sounds = {"drums": info.kit, **info.instruments}
    sounds = {part: sound for part, sound in sounds.items() if sound != "none"}
    return ScoreInfo(
        tempo=info.bpm,
        key=info.key,
        chord=info.chord,
        beat=info.beats,
        bars=info.bars,
        bars_at=info.bars_at + delay,
        beats_per_bar=info.beats_per_bar,
        notes=notes,
        section=info.section_name,
        instruments=sounds,
        programs={part: program_of(sound) for part, sound in sounds.items()},
    )


def frames_of(
    state: State, controls: Controls, start: float, n_frames: int, without: Iterable[str] = ()
) -> FrameScore:
    """The score of the frames from `start` seconds; all their steps must have been written.

    Density and brightness are left nan. `without`: parts whose notes are left out.
    """
    events = state.voices.events(controls.mute)
    left_out = [PARTS.index(part) for part in without]
    score = rasterize(events[~np.isin(events["part"], left_out)], start, n_frames)
    times = start + (np.arange(n_frames, dtype=np.float64) + 0.5) * FRAME_SECONDS
    index, beats, bars = phases(state.ticks, times)
    tonic = state.key[0]
    chroma = np.zeros((n_frames, 12), np.float32)
    held = held_harmony(controls.notes, *state.key)
    for frame, tick in enumerate(index):
        classes = chord_pitch_classes(state.symbols[tick] - 1, tonic)
        if held is not None and controls.strength_of("notes") > 0.5:
            classes = held.classes
        chroma[frame, list(classes)] = 1.0
    return score.with_(
        instruments=np.array([state.timbres[i].instruments for i in index], np.int16),
        kit=np.array([state.timbres[i].kit for i in index], np.int16),
        chroma=chroma,
        beat=beat_phase(beats, bars),
        tempo=np.array([state.ticks[i].bpm for i in index], np.float32),
    )


def info_of(state: State, written: int, start: float) -> ArrangerInfo:
    """Description of a block that ends with the last step; `start` of the block in seconds."""
    tick, setting = state.ticks[-1], state.timbres[-1]
    tonic, mode = state.key
    names = [INSTRUMENTS[i] for i in setting.instruments]
    return ArrangerInfo(
        bpm=tick.bpm,
        key=f"{NOTE_NAMES[tonic]} {mode.replace('_', ' ')}",
        beats=tick.beats,
        bars=tick.bars,
        bars_at=round((tick.start - start) * SAMPLE_RATE),
        beats_per_bar=tick.steps_per_bar // tick.steps_per_beat,
        chord=chord_name(state.symbol - 1, tonic),
        section=state.form.section,
        instruments=dict(zip(PITCHED, names, strict=True)),
        kit=KITS[setting.kit],
        steps=written,
        density=state.busy,
        section_name=state.plan.name,
    )


def chord_name(symbol: int, tonic: int) -> str:
    """Name of a chord: 'Am7', 'C', 'Gsus'; '' for no chord."""
    if symbol < 0:
        return ""
    root, quality = divmod(symbol, len(QUALITY_NAMES))
    name = QUALITY_NAMES[quality].replace("min", "m")
    name = {"maj": "", "half_dim": "m7b5"}.get(name, name)
    return NOTE_NAMES[(tonic + root) % 12] + name
