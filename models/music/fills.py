"""Drum fills, and the roll that leads to a drop. Pure numpy."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import DRUMS

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "toms": ("snare", "tom_high", "tom_low"),
    "snare_roll": ("snare", "snare", "clap"),
    "break": ("snare", "snare", "kick", "tom_high"),
    "ghost": ("snare", "tom_high", "kick"),
    "jazz": ("snare", "tom_high", "tom_low", "ride"),
    "roll": ("snare",),
    "timbale": ("perc_high", "perc_mid", "tom_high"),
    "hand": ("perc_high", "perc_mid", "perc_low"),
}
"""Drums that a fill goes through, by its kind; `tihai` and `drop` have none of their own."""

KIT_FILLS: Final[dict[str, str]] = {
    **dict.fromkeys(("acoustic", "rock", "metal", "dub"), "toms"),
    **dict.fromkeys(("tr808", "tr909", "linn", "electronic", "industrial"), "snare_roll"),
    **dict.fromkeys(("chip", "trap"), "snare_roll"),
    **dict.fromkeys(("congas", "bongos", "djembe", "frame"), "hand"),
    **dict.fromkeys(("marching", "orchestral"), "roll"),
    "breaks": "break",
    "funk": "ghost",
    "jazz": "jazz",
    "latin": "timbale",
    "lofi": "drop",
    "tabla": "tihai",
}
"""The kind of fill that suits a kit where no groove says so."""


def write_fill(grid: NDArray[np.float32], kind: str, length: int, rng: np.random.Generator) -> None:
    """Write a fill over the end of a bar.

    Args:
        grid: (steps, drums) velocities of the bar, changed in place.
        kind: one of KINDS, `tihai` (a word said over and over) or `drop` (the bar thins out).
        length: steps that the fill takes, at most the bar.
        rng: of the variations.

    """
    length = min(len(grid), length)
    start = len(grid) - length
    at = {name: DRUMS.index(name) for name in DRUMS}
    if kind == "drop":
        grid[start:, :] *= (rng.random((length, 1)) < 0.35).astype(np.float32)
        return
    keep = [at["kick"], at["perc_low"]]
    under = grid[start:, keep].copy()
    grid[start:, :] = 0
    grid[start:, keep] = under * (rng.random(under.shape) < 0.6)
    ramp = np.linspace(62, 112, length)
    if kind == "tihai":
        word = rng.random(max(2, length // 3)) < 0.75
        for step in range(length):
            if word[step % len(word)]:
                drum = "perc_high" if step % 2 == 0 else "perc_mid"
                grid[start + step, at[drum]] = ramp[step]
        return
    # Drawn for every kind, so that one kind's draws do not shift another's.
    swapped = rng.random() >= 0.7
    voices = ("clap", "snare") if kind == "snare_roll" and swapped else KINDS[kind]
    chance = {"roll": 0.95, "snare_roll": 0.9, "jazz": 0.55}.get(kind, 0.7)
    for step in range(length):
        if rng.random() < chance or step == 0:
            index = min(len(voices) - 1, int(step / length * len(voices)))
            grid[start + step, at[voices[index]]] = ramp[step] * rng.uniform(0.8, 1.05)


def write_roll(grid: NDArray[np.float32], drum: str, beat: int, progress: float) -> None:
    """A roll of `drum` that doubles its pace as `progress` goes from 0 to 1.

    Args:
        grid: (steps, drums) velocities of the bar, changed in place.
        drum: one of DRUMS.
        beat: steps in a beat.
        progress: of the roll, 0 to 1.

    """
    every = beat if progress < 0.5 else max(1, beat // 2) if progress < 0.8 else 1
    column = DRUMS.index(drum)
    for step in range(0, len(grid), every):
        grid[step, column] = max(grid[step, column], 55 + 55 * progress)
