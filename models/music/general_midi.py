"""General MIDI: numbers of the score's instruments, kits and drums for synthesisers elsewhere.

Programs are counted from 0 and are those of General MIDI level 1; kits are the programs of the
drum channel in Roland GS and General MIDI level 2. Drums are keys of the percussion map; the
shaker is level 2's.
"""

from __future__ import annotations

from typing import Final

from models.music.score import DRUMS, INSTRUMENTS, KITS

DRUM_CHANNEL: Final = 9
"""Channel of the drums, counted from 0: channel 10 of the specification."""

_KEYS: Final = {
    "kick": 36, "snare": 38, "clap": 39, "rim": 37, "hat": 42, "open_hat": 46, "ride": 51,
    "crash": 49, "tom_low": 45, "tom_high": 50, "shaker": 82, "tambourine": 54, "perc_low": 64,
    "perc_mid": 63, "perc_high": 62, "bell": 56,
}  # fmt: skip
DRUM_KEYS: Final = tuple(_KEYS[drum] for drum in DRUMS)
"""Percussion key of each of DRUMS."""

_PROGRAMS: Final = {
    "piano": 0, "bright_piano": 1, "honky_tonk": 3, "electric_piano": 4, "fm_piano": 5,
    "clavinet": 7, "harpsichord": 6, "clavichord": 7, "organ": 16, "church_organ": 19,
    "accordion": 21, "bandoneon": 23, "harmonica": 22, "mellotron": 73, "celesta": 8,
    "glockenspiel": 9, "music_box": 10, "vibraphone": 11, "marimba": 12, "xylophone": 13,
    "tubular_bells": 14, "kalimba": 108, "mbira": 108, "steel_drum": 114, "hang_drum": 114,
    "timpani": 47, "dulcimer": 15, "zither": 15, "lyre": 46, "harp": 46, "koto": 107, "pipa": 106,
    "sitar": 104, "sarod": 104, "tanpura": 104, "balalaika": 25, "cavaquinho": 24, "charango": 24,
    "bouzouki": 25, "mandolin": 25, "banjo": 105, "ukulele": 24, "lute": 24, "nylon_guitar": 24,
    "flamenco_guitar": 24, "steel_guitar": 25, "warm_guitar": 26, "slide_guitar": 27,
    "jazz_guitar": 26, "clean_guitar": 27, "surf_guitar": 27, "funk_guitar": 28,
    "overdrive_guitar": 29, "distortion_guitar": 30, "fuzz_guitar": 30, "violin": 40,
    "fiddle": 110, "viola": 41, "viola_ensemble": 48, "cello": 42, "erhu": 110, "hurdy_gurdy": 110,
    "strings": 48, "tremolo_strings": 44, "pizzicato": 45, "flute": 73, "recorder": 74,
    "tin_whistle": 72, "pan_flute": 75, "oboe": 68, "clarinet": 71, "bass_clarinet": 71,
    "bassoon": 70, "woodwinds": 71, "soprano_sax": 64, "alto_sax": 65, "tenor_sax": 66,
    "baritone_sax": 67, "trumpet": 56, "muted_trumpet": 59, "trombone": 57, "french_horn": 60,
    "tuba": 58, "brass": 61, "bagpipes": 109, "didgeridoo": 111, "choir": 52, "voice_oohs": 53,
    "acoustic_bass": 32, "precision_bass": 33, "picked_bass": 34, "slap_bass": 36,
    "fretless_bass": 35, "synth_bass": 38, "sub_bass": 39, "acid_bass": 38, "reese_bass": 39,
    "wobble_bass": 39, "fm_bass": 38, "supersaw": 90, "saw_lead": 81, "square_lead": 80,
    "chip_square": 80, "chip_triangle": 82, "synth_pad": 90, "warm_pad": 89, "dream_pad": 94,
    "pluck_synth": 84, "fm_bell": 98, "stab": 62, "dirty_synth": 87, "synth_brass": 62,
    "glitch_synth": 103,
}  # fmt: skip
_KITS: Final = {
    "rock": 16, "metal": 16, "jazz": 32, "funk": 8, "tr808": 25, "trap": 25, "tr909": 24,
    "linn": 24, "electronic": 24, "industrial": 24, "chip": 24, "marching": 48, "orchestral": 48,
}  # fmt: skip


def program_of(sound: str) -> int:
    """Program 0..127 of an instrument or kit of the score; 0 for 'none' and kits of their own.

    Raises:
        ValueError: neither an instrument nor a kit.

    """
    if sound in _PROGRAMS:
        return _PROGRAMS[sound]
    if sound not in KITS and sound not in INSTRUMENTS:
        raise ValueError(f"'{sound}' is neither an instrument nor a kit of the score")
    return _KITS.get(sound, 0)
