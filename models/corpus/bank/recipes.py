"""Recipes: how each instrument of the score is sampled for the bank.

A line: instrument, source (the words of `models.corpus.sound.presets`), and where they differ from the
usual: `step` semitones between zones, `seconds` of recording, `stereo`, velocity `layers`, seconds
of `release` after the end of a note, `glide` seconds from note to note, `steady` for sounds that
are held as long as the note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Recipe:
    """Recipe of one instrument; times in seconds."""

    source: str
    step: int = 4
    seconds: float = 2.4
    stereo: bool = False
    layers: tuple[int, ...] = (104,)  # MIDI velocities that are recorded
    release: float = 0.12
    glide: float = 0.0
    scoop: float = 0.0  # cents that a note begins below its pitch
    lfo_beats: float = 0.0  # layers are then positions of a filter's oscillator
    overlap: bool = False  # notes ring on into each other, as strings without a damper


R = Recipe

RECIPES: Final[dict[str, Recipe]] = {
    # keys
    "piano": R("M0", 4, 3.4, stereo=True, layers=(45, 78, 112), release=0.22),
    "bright_piano": R("M1", 5, 2.6, stereo=True, layers=(108,), release=0.2),
    "honky_tonk": R("F3", 5, 2.4, stereo=True, release=0.2),
    "electric_piano": R("F4", 4, 2.6, layers=(60, 110), release=0.18),
    "fm_piano": R("F5", 5, 2.6, release=0.2),
    "clavinet": R("F7", 4, 1.6, release=0.06),
    "harpsichord": R("F6", 5, 1.8, release=0.12),
    "clavichord": R("pluck:clavichord+F6", 5, 1.5, release=0.1),
    "organ": R("F16", 5, 1.8, release=0.05),
    "church_organ": R("F19", 5, 2.4, stereo=True, release=0.25),
    "accordion": R("F21", 4, 1.8, release=0.07),
    "bandoneon": R("F23", 4, 1.8, release=0.07),
    "harmonica": R("F22", 4, 1.8, release=0.07),
    "mellotron": R("F48", 5, 2.6, stereo=True, release=0.2),
    # mallets and bells
    "celesta": R("F8", 5, 2.0, release=0.8, overlap=True),
    "glockenspiel": R("F9", 5, 2.2, release=1.2, overlap=True),
    "music_box": R("F10", 5, 2.0, release=1.0, overlap=True),
    "vibraphone": R("F11", 4, 2.6, layers=(60, 110), release=0.7, overlap=True),
    "marimba": R("F12", 4, 1.4, layers=(60, 110), release=0.5, overlap=True),
    "xylophone": R("F13", 5, 1.0, release=0.4, overlap=True),
    "tubular_bells": R("F14", 5, 3.0, release=2.0, overlap=True),
    "kalimba": R("F108", 5, 1.4, release=0.6, overlap=True),
    "mbira": R("body:mbira+F108", 5, 1.6, release=0.6, overlap=True),
    "steel_drum": R("F114", 4, 1.6, release=0.5, overlap=True),
    "hang_drum": R("body:hang_drum", 5, 2.4, release=1.0, overlap=True),
    "timpani": R("F47", 5, 2.0, release=0.8, overlap=True),
    # plucked
    "dulcimer": R("F15", 5, 2.0, release=0.8, overlap=True),
    "zither": R("pluck:zither+F15", 5, 2.0, release=0.9, overlap=True),
    "lyre": R("pluck:lyre+F46", 5, 2.0, release=0.8, overlap=True),
    "harp": R("F46", 4, 2.4, release=1.0, overlap=True),
    "koto": R("F107", 4, 2.0, release=0.5, overlap=True),
    "pipa": R("pluck:pipa+F107", 5, 1.4, release=0.2),
    "sitar": R("F104", 4, 2.4, release=0.5),
    "sarod": R("pluck:sarod+F104", 5, 2.0, release=0.3),
    "tanpura": R("pluck:tanpura", 6, 3.4, release=1.5, overlap=True),
    "balalaika": R("pluck:balalaika+F16.25", 5, 1.4, release=0.15),
    "cavaquinho": R("F8.24+pluck:cavaquinho", 5, 1.4, release=0.12),
    "charango": R("pluck:charango+F8.24", 5, 1.4, release=0.15),
    "bouzouki": R("F16.25+pluck:bouzouki", 5, 1.8, release=0.18),
    "mandolin": R("F16.25", 4, 1.8, release=0.15),
    "banjo": R("F105", 4, 1.4, release=0.15),
    "ukulele": R("F8.24", 4, 1.6, release=0.15),
    "lute": R("F24+pluck:lute", 5, 1.8, release=0.2),
    "nylon_guitar": R("F24", 4, 2.2, layers=(62, 108), release=0.18),
    "flamenco_guitar": R("M24+pluck:flamenco", 5, 1.8, release=0.12),
    "steel_guitar": R("F25", 4, 2.4, layers=(62, 108), release=0.18),
    "warm_guitar": R("F26", 4, 2.2, release=0.15),
    "slide_guitar": R("F27", 4, 2.2, release=0.2, scoop=170),
    "jazz_guitar": R("F26", 4, 2.2, release=0.15),
    "clean_guitar": R("F27", 4, 2.2, release=0.15),
    "surf_guitar": R("F27", 4, 2.2, release=0.15),
    "funk_guitar": R("F28", 4, 1.0, release=0.06),
    "overdrive_guitar": R("F29", 4, 2.0, release=0.1),
    "distortion_guitar": R("F30", 4, 2.0, release=0.1),
    "fuzz_guitar": R("F30", 4, 2.0, release=0.1),
    # bowed
    "violin": R("F40", 4, 2.4, release=0.14),
    "fiddle": R("F110", 4, 1.8, release=0.08),
    "viola": R("F41", 4, 2.4, release=0.14),
    "viola_ensemble": R("F41+M30.49", 5, 2.6, stereo=True, release=0.22),
    "cello": R("F42", 4, 2.4, release=0.14),
    "erhu": R("sub:erhu", 6, 2.0, release=0.12, glide=0.09, scoop=60),
    "hurdy_gurdy": R("sub:hurdy_gurdy", 6, 2.0, release=0.07),
    "strings": R("F48", 5, 2.6, stereo=True, release=0.28),
    "tremolo_strings": R("F44", 5, 2.6, stereo=True, release=0.25),
    "pizzicato": R("F45", 5, 1.0, stereo=True, release=0.3, overlap=True),
    # wind
    "flute": R("F73", 4, 2.4, release=0.09),
    "recorder": R("F74", 4, 1.8, release=0.07),
    "tin_whistle": R("F78", 4, 1.8, release=0.07),
    "pan_flute": R("F75", 4, 2.0, release=0.1),
    "oboe": R("F68", 4, 2.2, release=0.08),
    "clarinet": R("F71", 4, 2.0, release=0.08),
    "bass_clarinet": R("F71", 4, 2.0, release=0.08),
    "bassoon": R("F70", 4, 2.0, release=0.08),
    "woodwinds": R("F71+F73", 5, 2.2, release=0.1),
    "soprano_sax": R("F64", 4, 2.0, release=0.08),
    "alto_sax": R("F65", 4, 2.0, release=0.08),
    "tenor_sax": R("F66", 4, 2.0, release=0.08),
    "baritone_sax": R("F67", 4, 2.0, release=0.08),
    "trumpet": R("F56", 4, 2.0, release=0.09),
    "muted_trumpet": R("F59", 4, 1.8, release=0.08),
    "trombone": R("F57", 4, 2.0, release=0.1),
    "french_horn": R("F60", 4, 2.0, release=0.12),
    "tuba": R("F58", 4, 1.8, release=0.1),
    "brass": R("F61", 4, 2.2, stereo=True, release=0.12),
    "bagpipes": R("F109", 5, 1.8, release=0.05),
    "didgeridoo": R("sub:didgeridoo", 6, 1.4, layers=(0, 32, 64, 96, 127), release=0.15, lfo_beats=1.0),
    # voice
    "choir": R("F52", 5, 2.6, stereo=True, release=0.3),
    "voice_oohs": R("F53", 5, 2.4, stereo=True, release=0.22),
    # basses
    "acoustic_bass": R("F32", 4, 2.0, layers=(62, 108), release=0.1),
    "precision_bass": R("F33", 4, 2.0, layers=(62, 108), release=0.07),
    "picked_bass": R("F34", 4, 2.0, release=0.07),
    "slap_bass": R("F36", 4, 1.8, layers=(62, 112), release=0.06),
    "fretless_bass": R("F35", 4, 2.0, release=0.1, glide=0.05),
    "synth_bass": R("sub:synth_bass", 6, 1.6, layers=(60, 110), release=0.05, glide=0.03),
    "sub_bass": R("sub:sub_bass", 8, 1.2, release=0.07, glide=0.04),
    "acid_bass": R("sub:acid_bass", 5, 1.4, layers=(48, 84, 118), release=0.03, glide=0.06),
    "reese_bass": R("sub:reese_bass", 6, 2.6, stereo=True, release=0.08, glide=0.05),
    "wobble_bass": R("sub:wobble_bass", 8, 1.6, layers=(0, 32, 64, 96, 127), release=0.04, lfo_beats=0.5),
    "fm_bass": R("fm:fm_bass", 6, 1.6, layers=(60, 112), release=0.06),
    # synths
    "supersaw": R("sub:supersaw", 5, 2.4, stereo=True, release=0.25),
    "saw_lead": R("sub:saw_lead", 5, 2.0, stereo=True, release=0.1, glide=0.05),
    "square_lead": R("sub:square_lead", 5, 1.8, release=0.08, glide=0.04),
    "chip_square": R("sub:chip_square", 4, 0.9, release=0.02),
    "chip_triangle": R("sub:chip_triangle", 4, 0.8, release=0.015),
    "synth_pad": R("sub:synth_pad", 6, 4.2, stereo=True, release=0.7),
    "warm_pad": R("sub:warm_pad", 6, 4.2, stereo=True, release=0.9),
    "dream_pad": R("sub:dream_pad", 6, 4.6, stereo=True, release=1.4),
    "pluck_synth": R("sub:pluck_synth", 5, 1.0, stereo=True, layers=(60, 110), release=0.2),
    "fm_bell": R("fm:fm_bell", 5, 2.6, release=0.9, overlap=True),
    "stab": R("sub:stab", 5, 1.0, stereo=True, release=0.12),
    "dirty_synth": R("sub:dirty_synth", 6, 2.0, stereo=True, release=0.06, glide=0.05),
    "synth_brass": R("sub:synth_brass+F62", 5, 2.0, stereo=True, release=0.15),
    "glitch_synth": R("sub:glitch_synth", 6, 0.8, layers=(0, 127), release=0.03, lfo_beats=0.125),
}  # fmt: skip

CENTS: Final[dict[str, tuple[tuple[int, int, float], ...]]] = {
    "f47": ((43, 127, -18.0),),  # timpani
    "f52": ((67, 74, -25.0), (75, 127, -12.0)),  # choir
    "f40": ((93, 127, -19.0),),  # violin
    "f110": ((93, 127, -19.0),),
}
"""By pack: (lowest key, highest key, cents by which the recordings are moved into tune)."""
