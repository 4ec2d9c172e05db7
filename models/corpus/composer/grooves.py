"""Drum grooves: patterns, their variation by density, and fills.

A pattern is a string of one or more bars with one character a step: X accent, x hit, o soft, g
ghost, ? sometimes, . rest. Keys are short names of DRUMS.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.fills import write_fill, write_roll
from models.music.form import METRES, adapt
from models.music.score import DRUMS

SHORT: Final = {
    "k": "kick", "s": "snare", "c": "clap", "r": "rim", "h": "hat", "O": "open_hat", "R": "ride",
    "C": "crash", "t": "tom_low", "T": "tom_high", "S": "shaker", "j": "tambourine",
    "l": "perc_low", "m": "perc_mid", "p": "perc_high", "b": "bell",
}  # fmt: skip
LOUDNESS: Final = {"X": 118, "x": 98, "o": 72, "g": 42, "?": 78}
DROP_LIKELIHOOD: Final = {"X": 0.0, "x": 0.35, "o": 0.8, "g": 1.0, "?": 1.0}


@dataclass(frozen=True)
class Groove:
    """Groove: patterns by drum, their metre, and a kind of fill."""

    metre: str
    layers: dict[str, str]
    fill: str = "toms"


def _load() -> dict[str, Groove]:
    """Read grooves.txt, whose first lines describe its format."""
    table = {}
    for line in Path(__file__).with_name("grooves.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, metre, fill, *rest = line.split()
        layers = {SHORT[key]: pattern for key, pattern in zip(rest[::2], rest[1::2], strict=True)}
        table[name] = Groove(metre, layers, fill)
    return table


GROOVES: Final = _load()


def _variant(rng: np.random.Generator, groove: Groove, metre: str) -> dict[str, str]:
    """Random variation of a groove: a layer removed, hits added."""
    layers = {drum: adapt(text, groove.metre, metre) for drum, text in groove.layers.items()}
    droppable = [d for d in layers if d not in ("kick", "snare", "clap", "perc_low")]
    if len(layers) > 2 and droppable and rng.random() < 0.3:
        del layers[droppable[int(rng.integers(len(droppable)))]]
    for drum in list(layers):
        cells = list(layers[drum])
        bar = METRES[metre][1]
        if drum in ("kick", "perc_low", "perc_mid", "perc_high", "bell") and rng.random() < 0.45:
            # An extra hit, repeated in every bar.
            at = int(rng.integers(1, bar))
            if cells[at] == "." and cells[at - 1] == ".":
                for place in range(at, len(cells), bar):
                    cells[place] = "o" if rng.random() < 0.7 else "?"
        layers[drum] = "".join(cells)
    return layers


def _metrical_weight(step: int, beat: int) -> float:
    """Metrical weight of a step: 1 on the beat, 0.5 half-way, 0.2 between."""
    position = step % beat
    if position == 0:
        return 1.0
    return 0.5 if position * 2 == beat or beat == 3 else 0.2


class Drummer:
    """Player of the drums: one groove (and a second) through a song, bar by bar."""

    def __init__(self, rng: np.random.Generator, name: str, metre: str, second: str = "") -> None:
        self.rng = rng
        self.metre = metre
        self.beat, self.bar = METRES[metre]
        self.groove = GROOVES[name]
        self.layers = _variant(rng, self.groove, metre)
        other = GROOVES[second or name]
        self.other = _variant(rng, other, metre)
        self.crash = rng.random() < 0.75 and self.groove.fill in ("toms", "break", "snare_roll")
        self.accents = 1 + 0.12 * rng.normal(size=self.bar).clip(-1.5, 1.5)

    def play(
        self, bar: int, level: float, second: bool, only: frozenset[str] | None
    ) -> NDArray[np.float32]:
        """Velocities (steps_per_bar, 16) of bar `bar` of a section at density `level`."""
        grid = np.zeros((self.bar, len(DRUMS)), np.float32)
        layers = self.other if second else self.layers
        for drum, text in layers.items():
            if only is not None and drum not in only:
                continue
            bars = max(1, len(text) // self.bar)
            cells = text[(bar % bars) * self.bar : (bar % bars + 1) * self.bar]
            column = DRUMS.index(drum)
            for step, cell in enumerate(cells):
                if cell == ".":
                    continue
                if cell == "?" and self.rng.random() > 0.35 * level + 0.1:
                    continue
                if level < 1:
                    drop_chance = DROP_LIKELIHOOD[cell] * (1.4 - _metrical_weight(step, self.beat))
                    if self.rng.random() < drop_chance * (1 - level) * 1.1:
                        continue
                grid[step, column] = LOUDNESS[cell] * self.accents[step]
        if level > 1:
            self._add_hits(grid, layers, level)
        return grid

    def _add_hits(self, grid: NDArray[np.float32], layers: dict[str, str], level: float) -> None:
        """Add hits for a density above 1: in the fastest layers, and ghost notes."""
        fast_layers = [
            d
            for d in ("hat", "ride", "shaker", "tambourine", "perc_high", "perc_mid", "bell")
            if d in layers
        ]
        amount = min(1.0, level - 1.0)
        for drum in fast_layers[:2]:
            column = DRUMS.index(drum)
            for step in range(self.bar):
                if grid[step, column] == 0 and self.rng.random() < 0.8 * amount:
                    grid[step, column] = self.rng.uniform(42, 74)
        column = DRUMS.index("snare" if "snare" in layers else "perc_mid")
        if column == DRUMS.index("snare") or "perc_mid" in layers:
            for step in range(self.bar):
                free = grid[step, column] == 0
                if (
                    free
                    and _metrical_weight(step, self.beat) < 1
                    and self.rng.random() < 0.3 * amount
                ):
                    grid[step, column] = self.rng.uniform(32, 52)

    def fill(self, grid: NDArray[np.float32], big: bool) -> None:
        """Replace the end of a bar with a fill."""
        write_fill(grid, self.groove.fill, self.beat * (2 if big else 1), self.rng)

    def build(self, grid: NDArray[np.float32], progress: float) -> None:
        """Add a snare roll that gets faster as `progress` goes from 0 to 1."""
        write_roll(grid, "snare" if "snare" in self.layers else "clap", self.beat, progress)
