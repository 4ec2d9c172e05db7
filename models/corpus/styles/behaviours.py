"""Table of melodic behaviours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Behaviour:
    """How a player of melodies behaves."""

    rate: float = 1.6  # onsets a beat at density 1
    feel: str = "straight"  # FEELS: which steps are liked
    leap: float = 0.2  # odds that a motif moves by more than a scale step
    span: int = 12  # semitones that the line ranges over
    chordal: float = 0.7  # odds that a strong note is a chord tone
    scale: str = "mode"  # mode, pentatonic, blues, or a name in MODES
    legato: float = 0.9  # sounding share of the time to the next onset
    rest: float = 0.2  # odds that the end of a bar is left open
    ornament: float = 0.05  # odds of a grace or turn before a note
    repeat: float = 0.8  # odds that a bar of the same letter keeps its rhythm
    height: float = 0.5  # where in the instrument's range, 0 low .. 1 high
    plans: tuple[str, ...] = ("AABA", "ABAC", "AABC", "ABAB")
    repeated: float = 0.1  # odds that a motif repeats its note
    longest: float = 4.0  # beats
    arpeggio: float = 0.0  # odds that a motif walks along the chord instead of the scale


FEELS: Final[dict[str, tuple[float, float, float, float]]] = {
    # liking of: the beat, its half, the second sixteenth, the last sixteenth (or of a triplet's
    # first, third, second, -)
    "straight": (1.0, 0.55, 0.06, 0.1),
    "quarter": (1.0, 0.2, 0.02, 0.03),
    "eighth": (1.0, 0.9, 0.05, 0.05),
    "sixteenth": (1.0, 0.8, 0.6, 0.6),
    "dotted": (1.0, 0.15, 0.08, 0.6),
    "sync": (0.7, 0.7, 0.3, 0.65),
    "offbeat": (0.35, 1.0, 0.1, 0.2),
    "swing": (0.9, 0.75, 0.12, 0.12),
    "triplet": (1.0, 0.8, 0.8, 0.0),
    "long": (1.0, 0.08, 0.01, 0.01),
    "ragtime": (0.8, 0.75, 0.5, 0.45),
    "three": (0.0, 0.0, 0.0, 0.0),  # every third step, see _liking
}

ABAC: Final = ("ABAC", "AABA", "ABAB")
RIFF: Final = ("AAAA", "AAAB", "ABAB")
FREE: Final = ("ABCD", "ABAC", "AABC")
BEHAVIOURS: Final[dict[str, Behaviour]] = {
    "vocal": Behaviour(1.5, "sync", 0.2, 12, 0.65, "mode", 0.9, 0.35, 0.04),
    "lyric": Behaviour(1.0, "straight", 0.25, 14, 0.75, "mode", 0.98, 0.15, 0.05),
    "ballad": Behaviour(0.8, "dotted", 0.25, 14, 0.75, "mode", 0.98, 0.25, 0.04),
    "long": Behaviour(0.35, "long", 0.2, 12, 0.85, "mode", 1.0, 0.1, 0.0, longest=8),
    "ambient": Behaviour(0.4, "straight", 0.35, 16, 0.8, "pentatonic", 1.0, 0.35, 0.0, 0.5, 0.6, FREE, longest=8),
    "riff": Behaviour(1.8, "sync", 0.2, 10, 0.6, "pentatonic", 0.75, 0.2, 0.02, 0.95, 0.4, RIFF, 0.25),
    "blues": Behaviour(1.5, "triplet", 0.2, 14, 0.55, "blues", 0.85, 0.4, 0.12, 0.6, 0.5, ABAC, 0.2),
    "blues_rock": Behaviour(1.8, "sync", 0.2, 15, 0.55, "blues", 0.85, 0.35, 0.1, 0.6, 0.6, ABAC, 0.2),
    "bebop": Behaviour(1.9, "swing", 0.25, 18, 0.6, "mode", 0.85, 0.35, 0.06, 0.35, 0.55, FREE, 0.03, arpeggio=0.3),
    "cool": Behaviour(1.2, "swing", 0.25, 15, 0.65, "mode", 0.95, 0.4, 0.03, 0.5, 0.5, ABAC),
    "fiddle": Behaviour(3.4, "sixteenth", 0.2, 16, 0.6, "mode", 0.85, 0.02, 0.05, 0.8, 0.5, ABAC, 0.12, arpeggio=0.3),
    "jig": Behaviour(2.8, "triplet", 0.2, 16, 0.65, "mode", 0.85, 0.02, 0.04, 0.85, 0.5, ABAC, 0.08, arpeggio=0.3),
    "air": Behaviour(1.0, "dotted", 0.25, 14, 0.7, "mode", 0.98, 0.1, 0.2, 0.7, 0.55),
    "ragtime": Behaviour(2.8, "ragtime", 0.3, 19, 0.7, "mode", 0.75, 0.05, 0.02, 0.75, 0.65, ABAC, 0.1, arpeggio=0.5),
    "baroque": Behaviour(2.6, "sixteenth", 0.15, 17, 0.75, "mode", 0.85, 0.02, 0.06, 0.8, 0.6, ("AABB", "ABAC", "AABC"), 0.04, arpeggio=0.35),
    "renaissance": Behaviour(1.4, "dotted", 0.12, 12, 0.8, "mode", 0.9, 0.08, 0.08, 0.75, 0.55, ("AABB", "AABA", "ABAC")),
    "classical": Behaviour(1.5, "straight", 0.25, 16, 0.8, "mode", 0.9, 0.1, 0.06, 0.75, 0.6, arpeggio=0.3),
    "theme": Behaviour(0.9, "dotted", 0.3, 16, 0.8, "mode", 0.97, 0.1, 0.0, 0.85, 0.6, longest=4),
    "hook": Behaviour(1.8, "sync", 0.25, 10, 0.75, "mode", 0.7, 0.2, 0.0, 0.95, 0.55, RIFF, 0.2),
    "trance": Behaviour(2.2, "sync", 0.3, 14, 0.85, "mode", 0.8, 0.05, 0.0, 0.95, 0.6, RIFF, 0.25, arpeggio=0.35),
    "stabs": Behaviour(1.3, "offbeat", 0.2, 8, 0.85, "mode", 0.4, 0.3, 0.0, 0.95, 0.5, RIFF, 0.5),
    "minimal": Behaviour(1.0, "three", 0.15, 7, 0.8, "pentatonic", 0.45, 0.3, 0.0, 0.95, 0.45, RIFF, 0.5),
    "acid": Behaviour(3.2, "sixteenth", 0.4, 15, 0.6, "pentatonic", 0.55, 0.1, 0.0, 1.0, 0.3, RIFF, 0.4),
    "raga": Behaviour(1.7, "sixteenth", 0.12, 15, 0.6, "mode", 0.95, 0.2, 0.25, 0.4, 0.5, FREE, 0.15),
    "alap": Behaviour(0.8, "straight", 0.12, 12, 0.6, "mode", 1.0, 0.3, 0.3, 0.3, 0.4, FREE, longest=6),
    "klezmer": Behaviour(2.2, "sixteenth", 0.2, 15, 0.65, "mode", 0.85, 0.08, 0.2, 0.8, 0.6, ABAC, 0.12),
    "oriental": Behaviour(1.4, "dotted", 0.2, 14, 0.7, "pentatonic", 0.95, 0.2, 0.18, 0.7, 0.6),
    "oriental_fast": Behaviour(2.8, "sixteenth", 0.2, 17, 0.65, "pentatonic", 0.8, 0.08, 0.1, 0.75, 0.55, ABAC, 0.3),
    "surf": Behaviour(2.2, "eighth", 0.2, 12, 0.65, "mode", 0.75, 0.1, 0.05, 0.9, 0.35, ABAC, 0.35),
    "shred": Behaviour(3.3, "sixteenth", 0.15, 22, 0.6, "mode", 0.95, 0.1, 0.06, 0.6, 0.7, FREE, 0.05, arpeggio=0.3),
    "solo": Behaviour(2.0, "sync", 0.22, 18, 0.6, "pentatonic", 0.9, 0.25, 0.1, 0.5, 0.65, FREE, 0.1),
    "march": Behaviour(1.5, "dotted", 0.35, 14, 0.85, "mode", 0.75, 0.05, 0.02, 0.85, 0.6, ABAC, 0.2, arpeggio=0.3),
    "fanfare": Behaviour(1.2, "dotted", 0.4, 13, 0.95, "mode", 0.8, 0.2, 0.0, 0.8, 0.6, ABAC, 0.35, arpeggio=0.6),
    "mariachi": Behaviour(1.6, "straight", 0.2, 13, 0.8, "mode", 0.85, 0.2, 0.05, 0.8, 0.6, ABAC, 0.2, arpeggio=0.2),
    "tango": Behaviour(1.5, "dotted", 0.25, 16, 0.7, "mode", 0.85, 0.15, 0.1, 0.65, 0.55, ABAC, 0.12),
    "bossa": Behaviour(1.3, "offbeat", 0.2, 12, 0.65, "mode", 0.95, 0.25, 0.03, 0.75, 0.5, ABAC, 0.25),
    "montuno": Behaviour(2.4, "sync", 0.35, 14, 0.9, "mode", 0.7, 0.02, 0.0, 0.95, 0.6, RIFF, 0.05, arpeggio=0.8),
    "chip": Behaviour(2.4, "sixteenth", 0.35, 17, 0.8, "mode", 0.75, 0.08, 0.02, 0.85, 0.65, ABAC, 0.15, arpeggio=0.4),
    "funk": Behaviour(2.0, "sync", 0.2, 10, 0.6, "blues", 0.5, 0.3, 0.05, 0.9, 0.5, RIFF, 0.3),
    "afro": Behaviour(1.9, "sync", 0.15, 10, 0.65, "pentatonic", 0.7, 0.2, 0.02, 0.92, 0.55, RIFF, 0.25),
    "ostinato": Behaviour(2.4, "sync", 0.35, 14, 0.8, "pentatonic", 0.9, 0.0, 0.0, 1.0, 0.5, RIFF, 0.05, arpeggio=0.4),
    "mbira": Behaviour(2.6, "triplet", 0.45, 19, 0.9, "mode", 1.0, 0.0, 0.0, 1.0, 0.5, RIFF, 0.0, arpeggio=0.6),
    "hang": Behaviour(2.0, "sync", 0.4, 14, 0.75, "pentatonic", 1.0, 0.1, 0.02, 0.85, 0.45, RIFF, 0.15, arpeggio=0.3),
    "bells": Behaviour(0.9, "straight", 0.4, 15, 0.85, "mode", 1.0, 0.3, 0.0, 0.8, 0.55, ABAC, arpeggio=0.4, longest=3),
    "flamenco": Behaviour(2.8, "sixteenth", 0.15, 15, 0.6, "mode", 0.85, 0.2, 0.12, 0.55, 0.5, FREE, 0.2, arpeggio=0.2),
    "slide": Behaviour(1.2, "triplet", 0.2, 14, 0.6, "blues", 0.95, 0.4, 0.15, 0.6, 0.6, ABAC, 0.15),
    "picking": Behaviour(3.0, "sixteenth", 0.35, 17, 0.9, "mode", 1.0, 0.02, 0.0, 0.95, 0.5, RIFF, 0.0, arpeggio=0.8),
    "drone": Behaviour(0.25, "long", 0.1, 7, 1.0, "mode", 1.0, 0.0, 0.0, 0.9, 0.3, RIFF, 0.6, longest=8),
    "didgeridoo": Behaviour(2.2, "sync", 0.0, 1, 1.0, "tonic", 1.0, 0.05, 0.0, 0.9, 0.4, RIFF, 1.0),
    "bass_solo": Behaviour(2.0, "sync", 0.3, 17, 0.65, "pentatonic", 0.75, 0.15, 0.04, 0.7, 0.45, ABAC, 0.2),
    "tuba": Behaviour(1.1, "dotted", 0.3, 14, 0.75, "mode", 0.75, 0.12, 0.02, 0.75, 0.5, ABAC, 0.15),
    "glitch": Behaviour(2.2, "sixteenth", 0.45, 18, 0.7, "pentatonic", 0.4, 0.3, 0.0, 0.7, 0.6, RIFF, 0.35),
    "talk": Behaviour(1.8, "sync", 0.25, 12, 0.7, "blues", 0.6, 0.45, 0.04, 0.85, 0.5, RIFF, 0.2),
}
