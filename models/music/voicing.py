"""Ranges of instruments and voicing of chords.

A chord part is (symbol, rest | hold | strike, velocity) a step; `voice` alone determines the
pitches. Voices move as little as possible from chord to chord (the law of the shortest way,
Schoenberg, Harmonielehre).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from models.errors import SegueError
from models.music.score import QUALITIES, QUALITY_NAMES

RANGES: Final[dict[str, tuple[int, int]]] = {
    "none": (48, 84), "piano": (48, 91), "bright_piano": (48, 91), "honky_tonk": (48, 88),
    "electric_piano": (45, 84), "fm_piano": (48, 88), "clavinet": (43, 79),
    "harpsichord": (46, 86), "clavichord": (46, 86), "organ": (45, 84), "church_organ": (43, 84),
    "accordion": (53, 89), "bandoneon": (50, 86), "harmonica": (60, 89), "mellotron": (48, 79),
    "celesta": (60, 96), "glockenspiel": (72, 103), "music_box": (65, 96), "vibraphone": (53, 89),
    "marimba": (48, 88), "xylophone": (65, 96), "tubular_bells": (60, 77), "kalimba": (60, 86),
    "mbira": (48, 79), "steel_drum": (55, 86), "hang_drum": (50, 74), "timpani": (40, 57),
    "dulcimer": (55, 86), "zither": (52, 84), "lyre": (52, 79), "harp": (43, 91),
    "koto": (50, 86), "pipa": (52, 86), "sitar": (48, 79), "sarod": (45, 76), "tanpura": (41, 65),
    "balalaika": (57, 86), "cavaquinho": (62, 86), "charango": (62, 88), "bouzouki": (50, 81),
    "mandolin": (55, 88), "banjo": (50, 81), "ukulele": (60, 81), "lute": (43, 76),
    "nylon_guitar": (43, 79), "flamenco_guitar": (43, 81), "steel_guitar": (43, 79),
    "warm_guitar": (43, 76), "slide_guitar": (45, 79), "jazz_guitar": (45, 79),
    "clean_guitar": (43, 81), "surf_guitar": (43, 79), "funk_guitar": (48, 79),
    "overdrive_guitar": (43, 84), "distortion_guitar": (40, 86), "fuzz_guitar": (40, 82),
    "violin": (55, 91), "fiddle": (55, 86), "viola": (48, 81), "viola_ensemble": (48, 79),
    "cello": (38, 69), "erhu": (60, 86), "hurdy_gurdy": (55, 81), "strings": (48, 88),
    "tremolo_strings": (48, 86), "pizzicato": (45, 84), "flute": (60, 91), "recorder": (65, 91),
    "tin_whistle": (67, 91), "pan_flute": (60, 88), "oboe": (60, 86), "clarinet": (52, 86),
    "bass_clarinet": (38, 67), "bassoon": (36, 67), "woodwinds": (50, 84),
    "soprano_sax": (58, 86), "alto_sax": (52, 80), "tenor_sax": (46, 75),
    "baritone_sax": (38, 67), "trumpet": (55, 82), "muted_trumpet": (55, 82),
    "trombone": (43, 70), "french_horn": (43, 74), "tuba": (29, 55), "brass": (48, 79),
    "bagpipes": (55, 81), "didgeridoo": (33, 45), "choir": (48, 79), "voice_oohs": (50, 79),
    "acoustic_bass": (28, 52), "precision_bass": (28, 55), "picked_bass": (28, 53),
    "slap_bass": (28, 57), "fretless_bass": (28, 58), "synth_bass": (28, 52),
    "sub_bass": (26, 45), "acid_bass": (29, 57), "reese_bass": (26, 48), "wobble_bass": (26, 48),
    "fm_bass": (28, 52), "supersaw": (52, 86), "saw_lead": (50, 88), "square_lead": (50, 88),
    "chip_square": (52, 91), "chip_triangle": (33, 67), "synth_pad": (48, 79),
    "warm_pad": (45, 77), "dream_pad": (48, 81), "pluck_synth": (52, 88), "fm_bell": (60, 91),
    "stab": (48, 79), "dirty_synth": (36, 79), "synth_brass": (48, 79), "glitch_synth": (48, 91),
}  # fmt: skip
"""Comfortable (lowest, highest) MIDI note of a line played on each instrument."""

BASS_RANGES: Final[dict[str, tuple[int, int]]] = {
    "piano": (33, 57), "bright_piano": (33, 57), "honky_tonk": (33, 57),
    "electric_piano": (33, 55), "organ": (33, 55), "church_organ": (31, 53),
    "harpsichord": (36, 58), "clavichord": (38, 60), "accordion": (36, 55), "cello": (36, 58),
    "bassoon": (34, 58), "bass_clarinet": (36, 58), "trombone": (40, 62),
    "baritone_sax": (37, 60), "strings": (36, 57), "viola_ensemble": (40, 60),
    "warm_pad": (33, 52), "synth_pad": (33, 52), "balalaika": (33, 55), "nylon_guitar": (40, 60),
    "flamenco_guitar": (40, 60), "steel_guitar": (40, 60), "warm_guitar": (40, 60),
    "lute": (40, 60), "harp": (33, 57), "mbira": (41, 62), "marimba": (40, 62),
    "dirty_synth": (29, 52), "woodwinds": (38, 60), "timpani": (40, 57),
}  # fmt: skip
"""(lowest, highest) note of the bass part on instruments that are not basses."""

# Voicing: (kind, lowest, highest note, largest number of notes)
_CLOSE_MID: Final = ("close", 50, 74, 4)
_KINDS: Final[dict[str, tuple[str, int, int, int]]] = {
    "piano": ("close", 50, 75, 4), "bright_piano": ("close", 53, 78, 4),
    "honky_tonk": ("close", 52, 74, 4), "electric_piano": ("close", 50, 74, 4),
    "fm_piano": ("close", 52, 76, 4), "clavinet": ("shell", 50, 70, 3),
    "harpsichord": ("close", 52, 76, 4), "clavichord": ("close", 52, 76, 3),
    "organ": ("close", 50, 76, 4), "church_organ": ("open", 46, 77, 4),
    "accordion": ("close", 53, 74, 3), "bandoneon": ("close", 52, 74, 3),
    "harmonica": ("close", 60, 79, 3), "mellotron": ("open", 48, 76, 4),
    "celesta": ("close", 65, 88, 3), "glockenspiel": ("close", 74, 96, 2),
    "music_box": ("close", 67, 91, 3), "vibraphone": ("close", 55, 77, 4),
    "marimba": ("open", 48, 76, 4), "xylophone": ("close", 67, 88, 2),
    "tubular_bells": ("close", 60, 77, 2), "kalimba": ("close", 60, 82, 3),
    "mbira": ("close", 52, 74, 2), "steel_drum": ("close", 58, 79, 3),
    "hang_drum": ("close", 52, 72, 2), "harp": ("open", 48, 79, 4), "lyre": ("open", 52, 76, 3),
    "zither": ("open", 52, 79, 4), "dulcimer": ("close", 57, 79, 3), "koto": ("open", 50, 79, 3),
    "pipa": ("close", 55, 79, 3), "sitar": ("drone", 48, 67, 3), "sarod": ("drone", 45, 64, 3),
    "tanpura": ("drone", 41, 62, 3), "bagpipes": ("drone", 46, 62, 2),
    "hurdy_gurdy": ("drone", 48, 67, 3), "didgeridoo": ("drone", 33, 45, 1),
    "balalaika": ("close", 57, 76, 3), "cavaquinho": ("close", 62, 79, 4),
    "charango": ("close", 62, 79, 4), "bouzouki": ("strum", 43, 71, 4),
    "mandolin": ("close", 58, 76, 4), "banjo": ("close", 55, 74, 4),
    "ukulele": ("close", 60, 76, 4), "lute": ("strum", 43, 69, 4),
    "nylon_guitar": ("strum", 40, 71, 5), "flamenco_guitar": ("strum", 40, 72, 5),
    "steel_guitar": ("strum", 40, 71, 6), "warm_guitar": ("strum", 40, 69, 5),
    "slide_guitar": ("strum", 40, 68, 4), "jazz_guitar": ("shell", 50, 71, 4),
    "clean_guitar": ("shell", 52, 74, 4), "surf_guitar": ("shell", 52, 74, 4),
    "funk_guitar": ("shell", 55, 76, 4), "overdrive_guitar": ("power", 40, 64, 3),
    "distortion_guitar": ("power", 38, 64, 3), "fuzz_guitar": ("power", 40, 64, 3),
    "cello": ("open", 40, 64, 2), "viola_ensemble": ("open", 48, 74, 4),
    "strings": ("open", 48, 79, 4), "tremolo_strings": ("open", 48, 79, 4),
    "pizzicato": ("open", 48, 77, 3), "woodwinds": ("open", 52, 79, 3),
    "french_horn": ("open", 46, 70, 3), "trombone": ("open", 46, 68, 3),
    "tuba": ("power", 34, 55, 1), "brass": ("open", 50, 76, 4), "choir": ("open", 48, 76, 4),
    "voice_oohs": ("close", 53, 74, 3), "supersaw": ("close", 54, 78, 4),
    "chip_square": ("close", 57, 79, 3), "synth_pad": ("open", 48, 77, 4),
    "warm_pad": ("open", 46, 74, 4), "dream_pad": ("open", 50, 79, 4),
    "pluck_synth": ("close", 55, 79, 3), "fm_bell": ("close", 62, 84, 3),
    "stab": ("close", 52, 72, 4), "dirty_synth": ("power", 45, 69, 3),
    "synth_brass": ("close", 50, 74, 4), "glitch_synth": ("close", 57, 81, 3),
}  # fmt: skip

# Chord tones in order of priority, where there are fewer voices than tones.
_TONE_PRIORITY: Final[dict[str, tuple[int, ...]]] = {
    # by position in the chord: root 0, third 1, fifth 2, seventh 3, ninth 4
    "shell": (1, 3, 4, 2, 0),
    "close": (1, 3, 0, 4, 2),
    "open": (0, 1, 3, 4, 2),
}


def instrument_range(instrument: str) -> tuple[int, int]:
    """Comfortable (lowest, highest) MIDI note of `instrument`; SegueError if it is not known."""
    if instrument not in RANGES:
        raise SegueError(f"'{instrument}' is no instrument of the score; see score.INSTRUMENTS.")
    return RANGES[instrument]


def part_range(part: str, instrument: str) -> tuple[int, int]:
    """Comfortable (lowest, highest) note of `instrument` in `part`: the bass part lies low."""
    low, high = instrument_range(instrument)
    if part == "bass" and low > 36:
        return BASS_RANGES.get(instrument, (max(28, low - 12), high - 14))
    return low, high


def chord_register(instrument: str) -> tuple[int, int]:
    """(lowest, highest) MIDI note of the chords that `voice` writes for `instrument`."""
    _, low, high, _ = _KINDS.get(instrument, _CLOSE_MID)
    return low, high


@lru_cache(maxsize=65536)
def voice(
    symbol: int, tonic: int, instrument: str, previous: tuple[int, ...] | None = None
) -> tuple[int, ...]:
    """Voicing of a chord on an instrument, as close as possible to the previous one; deterministic.

    Args:
        symbol: of the chord, relative to `tonic`; -1 for none.
        tonic: 0..11.
        instrument: name in `score.INSTRUMENTS`.
        previous: the voicing before; None or empty at the start.

    Returns:
        Ascending MIDI notes; empty for symbol -1.

    Raises:
        SegueError: an unknown instrument.

    """
    if instrument not in RANGES:
        raise SegueError(f"'{instrument}' is no instrument of the score; see score.INSTRUMENTS.")
    if symbol < 0:
        return ()
    kind, low, high, max_notes = _KINDS.get(instrument, _CLOSE_MID)
    root_step, quality = divmod(symbol, len(QUALITIES))
    root = (tonic + root_step) % 12
    steps = QUALITIES[QUALITY_NAMES[quality]]
    if kind == "drone":
        # Drones stay on the tonic for all chords.
        return _power(tonic % 12, 7, low, high, max_notes)
    if kind == "power":
        return _power(root, 6 if steps[2:3] == (6,) else 7, low, high, max_notes)
    if kind == "strum":
        return _strum(root, steps, low, high, max_notes)
    order = _TONE_PRIORITY[kind]
    if kind == "shell" and len(steps) <= 3:
        order = _TONE_PRIORITY["close"]
    tones = sorted(i for i in [i for i in order if i < len(steps)][:max_notes])
    classes = tuple((root + steps[i]) % 12 for i in tones)
    return _nearest(classes, low, high, max_notes, kind == "open", previous)


def _power(root: int, fifth: int, low: int, high: int, max_notes: int) -> tuple[int, ...]:
    bottom = low + (root - low) % 12
    pitches = (bottom, bottom + fifth, bottom + 12)[:max_notes]
    return tuple(p for p in pitches if p <= high)


def _strum(
    root: int, steps: tuple[int, ...], low: int, high: int, max_notes: int
) -> tuple[int, ...]:
    """Guitar voicing: root at the bottom, the fifth, then the other tones on the upper strings."""
    bottom = low + (root - low) % 12
    fifth = steps[2] if len(steps) > 2 else 7
    third = steps[1] if len(steps) > 2 else 12
    if len(steps) > 3:
        stack = [0, fifth, steps[3], 12 + third, 12 + (steps[4] - 12 if len(steps) > 4 else fifth)]
        stack += [24]
    else:
        stack = [0, fifth, 12, 12 + third, 12 + fifth, 24]
    pitches = sorted({bottom + step for step in stack})
    # Notes above the register are left out.
    return tuple(p for p in pitches if p <= high)[:max_notes]


def _nearest(
    classes: tuple[int, ...],
    low: int,
    high: int,
    max_notes: int,
    spread: bool,
    previous: tuple[int, ...] | None,
) -> tuple[int, ...]:
    """The inversion nearest to `previous`, or to the middle of the register."""
    centre = (low + high) / 2
    best: tuple[float, tuple[int, ...]] | None = None
    ordered = sorted(set(classes))
    for bottom in range(low, high + 1):
        if bottom % 12 not in ordered:
            continue
        pitches = [bottom]
        turn = ordered.index(bottom % 12)
        for offset in range(1, max(len(ordered), min(max_notes, 3))):
            target = ordered[(turn + offset) % len(ordered)]
            pitches.append(pitches[-1] + ((target - pitches[-1]) % 12 or 12))
        if spread and len(pitches) >= 3:
            # Open position: the second voice an octave up.
            pitches[1] += 12
            pitches.sort()
        if pitches[-1] > high + (2 if best is None else 0):
            continue
        mean = sum(pitches) / len(pitches)
        cost = 0.25 * abs(mean - centre)
        if previous:
            cost += sum(min(abs(p - q) for q in previous) for p in pitches)
            cost += 0.5 * abs(pitches[-1] - previous[-1])
        if best is None or cost < best[0]:
            best = (cost, tuple(pitches))
    if best is None:  # a register narrower than the chord: the tones alone, from the bottom up
        return tuple(sorted(low + (c - low) % 12 for c in ordered))[:max_notes]
    return best[1]
