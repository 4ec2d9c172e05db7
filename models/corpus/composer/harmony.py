"""Harmony: roman numerals to chords.

The progressions and their notation are in `models.corpus.styles.progressions`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import numpy as np

from models.corpus.styles.progressions import GENERIC, PROGRESSIONS
from models.errors import SegueError
from models.music.score import MODES, chord_symbol

_ROOTS: Final = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
_SUFFIX: Final = {
    "": ("maj", "min"), "7": ("7", "min7"), "maj7": ("maj7", "min7"), "9": ("9", "min9"),
    "maj9": ("maj9", "min9"), "6": ("6", "min"), "sus": ("sus", "sus"), "5": ("5", "5"),
    "o": ("dim", "dim"), "h": ("half_dim", "half_dim"), "+": ("aug", "aug"),
}  # fmt: skip
_NUMERAL: Final = re.compile(r"([b#]?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(.*)")


def parse_chord(text: str) -> int:
    """'bVII', 'ii7', 'V9' -> chord symbol; SegueError if it is not one."""
    match = _NUMERAL.fullmatch(text)
    if not match or match[3] not in _SUFFIX:
        raise SegueError(
            f"'{text}' is not a roman numeral chord; write for example 'bVII' or 'ii7'."
        )
    root = _ROOTS[match[2].upper()] + {"": 0, "b": -1, "#": 1}[match[1]]
    return chord_symbol(root, _SUFFIX[match[3]][0 if match[2].isupper() else 1])


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[tuple[int, ...], ...]:
    """A progression -> chord symbols by bar."""
    return tuple(tuple(parse_chord(chord) for chord in bar.split()) for bar in text.split("|"))


def progression(rng: np.random.Generator, pool: str, mode: str) -> tuple[tuple[int, ...], ...]:
    """A random progression of `pool` in `mode`, as chord symbols by bar."""
    table = PROGRESSIONS[pool]
    if mode not in MODES:
        raise SegueError(f"'{mode}' names no mode that is known; use one of {', '.join(MODES)}.")
    choices = table.get(mode)
    if choices is None:
        fallback = {"pentatonic_minor": "minor", "pentatonic_major": "major"}.get(mode, "")
        choices = table.get(fallback) or GENERIC[mode]
    return parse(choices[int(rng.integers(len(choices)))])
