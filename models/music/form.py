"""Metres, and forms: which parts play in which section."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

METRES: Final[dict[str, tuple[int, int]]] = {
    # name: (steps per beat, steps per bar)
    "4/4": (4, 16),
    "3/4": (4, 12),
    "12/8": (3, 12),
    "6/8": (3, 6),
    "7/8": (4, 14),
}


def _convert(cells: str, steps: int) -> str:
    """One beat of four or three cells, converted to `steps` cells."""
    if len(cells) == steps:
        return cells
    if steps == 3:  # swung: the second half of the beat becomes the last triplet
        late = cells[2] if cells[2] not in ".-" or cells[3] in ".-" else cells[3]
        return cells[:2] + late
    first, middle, last = cells[0], cells[1], cells[2]
    return first + ("-" if middle == "-" else ".") + last + ("-" if last == "-" else ".")


@lru_cache(maxsize=4096)
def adapt(pattern: str, source: str, target: str) -> str:
    """A pattern of one or more bars in metre `source`, converted to metre `target`.

    Beats are converted one by one; a shorter bar omits its last beats, a longer one repeats the
    first.
    """
    if source == target:
        return pattern
    beat_from, bar_from = METRES[source]
    beat_to, bar_to = METRES[target]
    result = ""
    for start in range(0, len(pattern), bar_from):
        whole = bar_from // beat_from
        beats = [
            _convert(pattern[start + b * beat_from : start + (b + 1) * beat_from], beat_to)
            for b in range(whole)
        ]
        count = -(-bar_to // beat_to)
        result += "".join(beats[b % whole] for b in range(count))[:bar_to]
    return result


@dataclass(frozen=True)
class Section:
    """Section: bars with the same material and the same parts."""

    name: str
    index: int  # same index, same material
    bars: int
    parts: frozenset[str]
    level: float  # density multiplier
    second: bool = False  # the drummer's second groove
    drums_only: frozenset[str] | None = None  # subset of the kit


# (label, choices of parts, density) in cyclic order.
# Parts: D drums, B bass, C chords, L lead, E extra.
FORMS: Final[dict[str, tuple[tuple[str, str, float], ...]]] = {
    "song": (
        ("intro", "DC/CE/BDC/C/CL", 0.7),
        ("a", "DBCL/DBCLE/BCL/DBC", 0.9),
        ("b", "DBCLE/DBCL", 1.15),
        ("a", "DBCL/DBCLE/DBCE", 1.0),
        ("break", "CL/DBE/BC/DC/CE", 0.6),
        ("b", "DBCLE/DBCL", 1.2),
    ),
    "club": (
        ("intro", "D/DE/DB", 0.8),
        ("a", "DBE/DB/DBC/DCE", 0.9),
        ("a", "DBCE/DBCLE/DBL", 1.0),
        ("break", "CE/CL/C/E/CLE", 0.6),
        ("build", "DCE/DCL/DC", 0.9),
        ("drop", "DBCLE/DBCL/DBCE", 1.25),
        ("drop", "DBCLE/DBLE/DBCE", 1.1),
    ),
    "groove": (
        ("a", "DB/DBE/DBC", 0.9),
        ("a", "DBC/DBCE/DBCL", 1.0),
        ("b", "DBCL/DBCLE", 1.1),
        ("break", "DB/DE/DBL/BC", 0.7),
        ("b", "DBCL/DBCLE/DBLE", 1.1),
    ),
    "jam": (
        ("a", "DBCL/DBCLE", 1.0),
        ("solo", "DBCL/DBL/DBCLE", 1.2),
        ("a", "DBCL/BCL/DBCE", 0.85),
        ("solo", "DBCL/DBCE", 1.1),
        ("break", "DB/DL/BL/CL", 0.7),
    ),
    "ambient": (
        ("a", "C/CE/E/CB", 0.7),
        ("a", "CE/CLE/CBL/CBE", 0.9),
        ("b", "CBLE/DCBE/CLE", 1.0),
        ("b", "DCBLE/CLE/CL", 1.1),
        ("a", "C/CE/CL/BCE", 0.7),
    ),
    "chamber": (
        ("a", "BCL/CL/BCLE/LE", 0.9),
        ("a", "BCLE/BCL/BLE", 1.0),
        ("b", "BCLE/DBCLE/CLE", 1.1),
        ("break", "BL/CE/LE/CL", 0.7),
        ("a", "BCLE/DBCLE/BCL", 1.1),
    ),
    "rise": (
        ("a", "C/CE/CL", 0.6),
        ("a", "BCE/BCL/CLE", 0.75),
        ("b", "DBCE/DBCL", 0.95),
        ("b", "DBCLE", 1.25),
        ("b", "DBCLE", 1.4),
        ("break", "C/CE/E", 0.5),
    ),
    "dub": (
        ("a", "DB/DBC", 0.9),
        ("a", "DBC/DBCL/DBCE", 1.0),
        ("break", "D/B/DB/BE", 0.7),
        ("a", "DBCL/DBCLE/DBE", 1.0),
        ("break", "DC/BC/DE", 0.6),
    ),
    "tune": (
        ("a", "CL/DCL/BCL/L/DBCL", 0.95),
        ("b", "DBCL/DBCLE/BCL", 1.05),
        ("a", "DBCLE/DBCL/BCLE", 1.05),
        ("b", "DBCLE/DBCL", 1.1),
    ),
    "raga": (
        ("alap", "CL/BCL", 0.6),
        ("a", "DCL/DBCL/CL", 0.9),
        ("b", "DCLE/DBCLE/DCL", 1.15),
        ("a", "DCL/DCLE", 1.0),
        ("b", "DBCLE/DCL", 1.35),
    ),
    "drums": (
        ("a", "D", 0.9),
        ("a", "D/DB/DE", 1.0),
        ("b", "D/DB/DBC", 1.15),
        ("break", "D/DL/DE", 0.7),
        ("b", "DB/DBC/DBCE", 1.2),
    ),
}
LETTERS: Final = {"D": "drums", "B": "bass", "C": "chords", "L": "lead", "E": "extra"}


def sections(
    rng: np.random.Generator,
    form: str,
    bars: int,
    bar_seconds: float,
    used: frozenset[str],
    focus: frozenset[str],
    spread: float = 1.0,
) -> list[Section]:
    """Random sections that fill `bars` bars, from a random place in the form.

    The density multiplier (0.3 .. 1.8) is drawn for the song and for each section, independent of
    the style. `used`: parts of the song; `focus`: those that do not rest for long.
    """
    plan = FORMS[form]
    at = int(rng.integers(len(plan))) if rng.random() < 0.6 else 0
    song_level = float(np.exp(rng.normal(0.0, 0.38 * spread)))
    unit = 8 if bar_seconds < 1.3 else 4 if bar_seconds < 2.6 else 2
    result: list[Section] = []
    indices: dict[str, int] = {}
    filled = 0
    while filled < bars:
        name, choices, factor = plan[at % len(plan)]
        at += 1
        length = unit * (2 if name not in ("break", "build", "intro") and rng.random() < 0.3 else 1)
        if rng.random() < 0.12:
            length = max(2, unit // 2)
        options = choices.split("/")
        letters = options[int(rng.integers(len(options)))]
        parts = frozenset(LETTERS[letter] for letter in letters) & used
        if not parts & focus and (rng.random() < 0.85 or not parts):
            parts = parts | focus
        if len(parts) == 1 and len(used) > 1 and rng.random() < 0.5:
            rest = sorted(used - parts)
            parts = parts | {rest[int(rng.integers(len(rest)))]}
        level = song_level * factor * float(np.exp(rng.normal(0.0, 0.28 * spread)))
        only = None
        if "drums" in parts and name in ("intro", "break") and rng.random() < 0.5:
            groups = (
                ("kick", "hat", "shaker", "perc_low"),
                ("hat", "open_hat", "shaker", "tambourine", "rim", "perc_mid", "perc_high", "ride"),
                ("kick", "clap", "snare", "perc_low", "perc_high"),
            )
            only = frozenset(groups[int(rng.integers(3))])
        length = min(length, bars - filled)
        result.append(
            Section(
                name,
                indices.setdefault(name, len(indices)),
                length,
                parts,
                float(np.clip(level, 0.3, 1.8)),
                name in ("b", "drop", "solo") and rng.random() < 0.6,
                only,
            )
        )
        filled += length
    return result
