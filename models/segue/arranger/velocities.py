"""Velocities of the levels in which the arranger writes: what the corpus' notes of a level have.

The network decides one of three levels; a level is wide (62 to 96 is one). Its velocity is the mean
of the corpus' notes of the level, by drum and by part: a loud bass is not as loud as a loud kick.
"""

from __future__ import annotations

from typing import Final

from models.music.score import DRUMS, PARTS
from models.segue.arranger.steps import LEVEL_EDGES

SPREAD: Final = 6  # most that one note differs from the mean
DRUM_VELOCITIES: Final[dict[str, tuple[int, int, int]]] = {
    "kick": (46, 86, 115), "snare": (44, 81, 115), "clap": (54, 86, 113), "rim": (54, 84, 110),
    "hat": (47, 82, 107), "open_hat": (54, 87, 107), "ride": (53, 82, 109), "crash": (54, 82, 108),
    "tom_low": (54, 89, 106), "tom_high": (54, 85, 105), "shaker": (45, 78, 107),
    "tambourine": (54, 80, 107), "perc_low": (54, 85, 116), "perc_mid": (51, 78, 108),
    "perc_high": (52, 79, 113), "bell": (54, 84, 108),
}  # fmt: skip
"""Mean velocity of the soft, middle and loud hits of a drum over 300 songs of the training split;
54 for drums that the corpus hardly ever plays softly.
"""
PART_VELOCITIES: Final[dict[str, tuple[int, int, int]]] = {
    "bass": (49, 85, 101), "chords": (60, 82, 100), "lead": (58, 81, 102), "extra": (58, 76, 99),
}  # fmt: skip
"""The same of the notes of a part."""


def drum_velocity(drum: int, level: int, chance: float) -> int:
    """Velocity of a hit: index into DRUMS, level 1 to 3, and a number in [0, 1) by which hits of a
    level differ.
    """
    return _within(DRUM_VELOCITIES[DRUMS[drum]][level - 1], level, chance)


def part_velocity(part: int, level: int, chance: float) -> int:
    """Velocity of a note of a pitched part (index into PARTS); otherwise as `drum_velocity`."""
    return _within(PART_VELOCITIES[PARTS[part]][level - 1], level, chance)


def _within(mean: int, level: int, chance: float) -> int:
    """A velocity near the mean that is still of its level: what is read back is what was meant."""
    lowest = int(LEVEL_EDGES[level - 1])
    highest = int(LEVEL_EDGES[level]) - 1 if level < len(LEVEL_EDGES) else 127
    return min(max(mean + round(2 * SPREAD * chance) - SPREAD, lowest), highest)
