"""Sketches: are the notes that were sung, and the beats that were tapped, what is played? Offline.

Sampled voices sing melodies in time with the music, each note up to 40 ms beside its beat; a finger
taps rhythms on a table as loosely. What the lead and the kit then play is compared with what was
meant: the note's pitch, and the sixteenth.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models import open_engine
from models.corpus.sound.presets import SOUNDS
from models.corpus.sound.voices import fold_octaves, play_part
from models.engine.interface import Controls, Engine
from models.evaluation.tracking.command import VOICES
from models.music.hearing.sketch import Sketch, sketch_of
from models.music.hearing.transcriber import transcript_of
from models.music.score import EVENT, MODES, SAMPLE_RATE
from models.music.tracking.weights import load_ear_weights
from models.storage.json_types import JsonObject

Audio = NDArray[np.float32]
BPM: Final = 100.0
BEAT: Final = 60.0 / BPM
BEATS: Final = 16
LOOSE: Final = 0.04  # seconds by which a player is early or late at most
BEFORE: Final = 0.5  # seconds of silence before the first bar


def melody(voice: str, number: int) -> tuple[Audio, list[tuple[float, int]]]:
    """A sung line (n, 2), and (beat, pitch) of what was meant."""
    rng = np.random.default_rng([number, 0x51])
    low = 69 if voice == "tin_whistle" else 60
    scale = [low + step for step in MODES["major"]] + [low + 12]
    meant, events, step, degree = [], [], 0, 3
    while step < BEATS * 4 - 2:
        length = int(rng.choice([2, 2, 3, 4, 6]))
        degree = int(np.clip(degree + rng.integers(-3, 4), 0, len(scale) - 1))
        beat = step / 4
        start = BEFORE + beat * BEAT + rng.uniform(-LOOSE, LOOSE)
        events.append((start, start + length / 4 * BEAT - 0.05, 3, scale[degree], 96))
        meant.append((beat, scale[degree]))
        step += length + int(rng.choice([0, 0, 1]))
    table = np.array(events, EVENT)
    table["pitch"] = fold_octaves(table["pitch"], SOUNDS[voice].low, SOUNDS[voice].high)
    meant = [(beat, int(pitch)) for (beat, _), pitch in zip(meant, table["pitch"], strict=True)]
    seconds = BEFORE + BEATS * BEAT + 1.0
    return play_part(voice, table, seconds, rng, BPM, "eval"), meant


def taps(number: int) -> tuple[Audio, list[float]]:
    """A finger on a table (n, 2), and the beats that were meant."""
    rng = np.random.default_rng([number, 0x7A])
    steps = np.sort(rng.choice(BEATS * 4 - 2, 22, replace=False))
    steps = steps[np.concatenate([[True], np.diff(steps) > 1])]
    line = 0.001 * rng.standard_normal(round((BEFORE + BEATS * BEAT + 1) * SAMPLE_RATE))
    at = np.arange(3000) / SAMPLE_RATE
    for step in steps:
        start = BEFORE + step / 4 * BEAT + rng.uniform(-LOOSE, LOOSE)
        tone = np.sin(2 * np.pi * rng.uniform(160, 240) * at) * np.exp(-at / 0.012)
        knock = 0.5 * tone + 0.3 * rng.standard_normal(3000) * np.exp(-at / 0.004)
        first = round(start * SAMPLE_RATE)
        line[first : first + 3000] += knock * rng.uniform(0.4, 0.9)
    return np.repeat(line[:, None], 2, axis=1).astype(np.float32), [s / 4 for s in steps]


def sketched(sound: Audio) -> Sketch | None:
    """The sketch of a sound whose first bar begins after BEFORE seconds."""
    beats = [float(beat) for beat in range(0, 2 * BEATS, 4)]
    times = [BEFORE + beat * BEAT for beat in beats]
    transcript = transcript_of(load_ear_weights(), sound)
    return sketch_of(transcript, beats, times, 4, since=0.2)


def played(engine: Engine, sketch: Sketch) -> list[tuple[float, int]]:
    """(beat, pitch) of what the part plays in the first turn."""
    stream, found, at = engine.start(2), [], 0
    controls = Controls(bpm=BPM, key="C major", sketches=(replace(sketch, in_key=False),))
    while at < (sketch.beats * BEAT + 0.2) * SAMPLE_RATE:
        at += len(stream.render(controls))
        score = stream.score
        assert score is not None and score.beat is not None and score.bars_at is not None
        for event in score.events:
            if event.velocity and event.part == sketch.part:
                late = (event.frame - score.bars_at) / SAMPLE_RATE
                found.append((score.beat + late / BEAT, event.pitch))
    return [(beat, pitch) for beat, pitch in found if beat < sketch.beats - 0.05]


def line_case(engine: Engine, voice: str, number: int) -> JsonObject:
    """Shares of the notes of a sung line that are played."""
    sound, meant = melody(voice, number)
    sketch = sketched(sound)
    notes = [] if sketch is None else played(engine, sketch)
    pitched = placed = 0
    for beat, pitch in meant:
        near = [note for note in notes if abs(note[0] - beat) < 0.2]
        placed += any(abs(note[0] - beat) * BEAT < 0.03 for note in near)
        # By octaves: the part plays in its instrument's register.
        pitched += any((note[1] - pitch + 1) % 12 <= 2 for note in near)
    return {
        "voice": voice,
        "notes": len(meant),
        "played": len(notes),
        "within_a_semitone": pitched / len(meant),
        "within_30_ms": placed / len(meant),
    }


def tap_case(engine: Engine, number: int) -> JsonObject:
    """Share of the taps that are played within 30 ms of the sixteenth that was meant."""
    sound, meant = taps(number)
    sketch = sketched(sound)
    hits = [] if sketch is None else played(engine, sketch)
    good = [any(abs(hit[0] - beat) * BEAT < 0.03 for hit in hits) for beat in meant]
    return {"taps": len(meant), "played": len(hits), "within_30_ms": float(np.mean(good))}


def main(arguments: Sequence[str]) -> int:
    """Run the measurement."""
    parser = argparse.ArgumentParser(
        prog="python -m models.evaluation sketch", description="Measure sketches."
    )
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    engine = open_engine("segue")
    lines = [line_case(engine, voice, number) for number, voice in enumerate(VOICES)]
    tapped = [tap_case(engine, number) for number in range(len(VOICES))]
    mean = {
        "within_a_semitone": _mean(lines, "within_a_semitone"),
        "sung_within_30_ms": _mean(lines, "within_30_ms"),
        "tapped_within_30_ms": _mean(tapped, "within_30_ms"),
    }
    figures = {"mean": mean, "lines": lines, "taps": tapped}
    (asked.out / "sketch.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(json.dumps(figures, indent=1))
    return 0


def _mean(cases: Sequence[JsonObject], name: str) -> float:
    return float(np.mean([float(str(case[name])) for case in cases]))
