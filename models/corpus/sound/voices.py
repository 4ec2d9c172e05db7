"""Playing of one pitched part: choice of a sound, variation, rendering of its notes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corpus.sound.presets import SOUNDS, Sound
from models.corpus.sound.soundfont import Program, player
from models.corpus.synth import subtractive, tones
from models.errors import SegueError

PLAYERS = {
    "sub": subtractive.play,
    "fm": tones.play_fm,
    "pluck": tones.play_pluck,
    "body": tones.play_body,
}


TUNING = {"F52": 22.0}
"""Corrections in cents of presets that are audibly flat."""


def fold_octaves(pitch: NDArray[np.int16], low: int, high: int) -> NDArray[np.int16]:
    """Transpose notes outside an instrument's range by octaves into it."""
    pitch = np.where(pitch < low, pitch + 12 * -((pitch - low) // 12), pitch)
    return np.where(pitch > high, pitch - 12 * -((high - pitch) // 12), pitch).astype(np.int16)


def remove_overlaps(notes: NDArray[np.void], sound: Sound) -> NDArray[np.void]:
    """Sorted copy within the range; a note ends where its pitch is struck again."""
    notes = np.sort(notes, order=["on", "pitch"])
    notes["pitch"] = fold_octaves(notes["pitch"], sound.low, sound.high)
    last: dict[int, int] = {}
    for index in range(len(notes)):
        pitch = int(notes["pitch"][index])
        before = last.get(pitch)
        if before is not None and notes["off"][before] > notes["on"][index] - 0.004:
            gap = notes["on"][index] - 0.004
            notes["off"][before] = max(notes["on"][before] + 0.005, gap)
        last[pitch] = index
    return notes


def play_recipe(
    recipe: str,
    notes: NDArray[np.void],
    seconds: float,
    rng: np.random.Generator,
    bpm: float,
    sound: Sound,
) -> NDArray[np.float32]:
    """Render notes without overlaps with a recipe -> float32 (n, 2), about -20 dB."""
    mix: NDArray[np.float32] | None = None
    sources = recipe.split("+")
    for source in sources:
        kind, _, name = source.partition(":")
        if name:
            if kind not in PLAYERS:
                raise SegueError(f"'{source}' is no sound source; use sub:, fm:, pluck: or body:.")
            audio = PLAYERS[kind](name, notes, seconds, rng, bpm)
        else:
            controls = {}
            if not sound.plain:
                # Attack, release and brightness (72 to 74), where the preset supports them.
                controls = {
                    73: int(64 + rng.integers(-10, 14)),
                    72: int(64 + rng.integers(-10, 16)),
                    74: int(64 + rng.integers(-16, 12)),
                    1: int(rng.choice([0, 0, 12, 30])),
                    2: 112,  # breath: the "expressive" presets are silent without it
                }
            audio = player().render(
                Program.parse(source),
                notes,
                seconds,
                cents=TUNING.get(source, 0.0) + float(rng.normal(0, 3)),
                scoop=sound.scoop * rng.uniform(0.5, 1.1),
                controls=controls,
            )
        if len(sources) > 1:
            power = float(np.sqrt(np.mean(np.square(audio)))) + 1e-6
            audio = audio * (rng.uniform(0.5, 1.0) * 0.05 / power)
        mix = audio if mix is None else mix + audio
    assert mix is not None
    return mix


def play_part(
    instrument: str,
    notes: NDArray[np.void],
    seconds: float,
    rng: np.random.Generator,
    bpm: float,
    split: str = "train",
) -> NDArray[np.float32]:
    """Render a part with an instrument of the score -> float32 (n, 2), without effects."""
    if instrument not in SOUNDS:
        raise SegueError(f"'{instrument}' is no instrument of the score; see models.music.score.")
    sound = SOUNDS[instrument]
    return play_recipe(
        sound.choose(rng, split), remove_overlaps(notes, sound), seconds, rng, bpm, sound
    )
