"""Presets: the sounds that play each instrument of the score.

A recipe is a sum of sources: 'F24' is FluidR3's program 24, 'M8.24' MuseScore General's program 24
of bank 8, 'sub:', 'fm:', 'pluck:' and 'body:' are patches of `models.corpus.synth`;
'F107+pluck:koto' layers two. The recipes in `Sound.held` are for evaluation only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np


@dataclass(frozen=True)
class Sound:
    """Sounds of an instrument; notes are transposed by octaves into MIDI notes `low`..`high`."""

    recipes: tuple[str, ...]
    low: int = 36
    high: int = 84
    held: tuple[str, ...] = ()
    level: float = 0.0  # dB against other instruments of the same part
    wet: float = 1.0  # factor of the reverb send
    scoop: float = 0.0  # cents; every note slides up
    effect: str = ""  # name of an insert effect in `mix.EFFECTS`
    plain: bool = False  # no random envelope controllers

    def choose(self, rng: np.random.Generator, split: str) -> str:
        """A random recipe; held-out ones only for `split` 'eval'."""
        pool = self.held if split == "eval" and self.held and rng.random() < 0.5 else self.recipes
        return str(pool[int(rng.integers(len(pool)))])


def sound(recipes: str, low: int = 36, high: int = 84, held: str = "", **more: object) -> Sound:
    """A `Sound` from recipes separated by blanks."""
    return Sound(tuple(recipes.split()), low, high, tuple(held.split()), **more)  # type: ignore[arg-type]


SOUNDS: Final[dict[str, Sound]] = {
    # keys
    "piano": sound("F0 F1 M0 M8.0 M1", 24, 103, held="F0+F1"),
    "bright_piano": sound("F1 M1 F2 M2", 24, 103),
    "honky_tonk": sound("F3 M3 F3+F0", 30, 96),
    "electric_piano": sound("F4 M4 F8.4 M8.4 fm:fm_piano_soft", 28, 96, held="F4+F8.4", effect="chorus"),
    "fm_piano": sound("F5 M5 F8.5 fm:fm_piano fm:fm_piano_soft", 28, 100, held="M8.5", effect="chorus"),
    "clavinet": sound("F7 M7 fm:clav F7+fm:clav", 31, 86, effect="wah"),
    "harpsichord": sound("F6 M6 F8.6 M8.6", 31, 89),
    "clavichord": sound("pluck:clavichord pluck:clavichord+F6 F7+pluck:clavichord", 33, 86),
    "organ": sound("F16 F17 F18 M16 M17 M18 F8.16 M8.17 fm:organ", 30, 96, held="F8.17", effect="rotary"),
    "church_organ": sound("F19 M19 F8.19 M8.19", 24, 96, wet=1.6),
    "accordion": sound("F21 M21 F8.21 M8.21", 41, 93),
    "bandoneon": sound("F23 M23 M17.23 F8.21", 36, 91),
    "harmonica": sound("F22 M22 M17.22", 48, 93),
    "mellotron": sound("F48 F73 F52 M49 M73 M52 F50 sub:slow_strings", 43, 84, held="F49", effect="mellotron"),
    # mallets and bells
    "celesta": sound("F8 M8", 60, 103, wet=1.2),
    "glockenspiel": sound("F9 M9 body:glockenspiel", 67, 105),
    "music_box": sound("F10 M10 body:music_box", 60, 100),
    "vibraphone": sound("F11 M11 body:vibraphone", 50, 91),
    "marimba": sound("F12 M12 body:marimba F12+body:marimba", 40, 91),
    "xylophone": sound("F13 M13 body:xylophone", 60, 105),
    "tubular_bells": sound("F14 M14 body:tubular_bells F8.14", 48, 79, wet=1.3),
    "kalimba": sound("F108 M108 body:kalimba F108+body:kalimba", 52, 91),
    "mbira": sound("body:mbira body:mbira+F108", 45, 84),
    "steel_drum": sound("F114 M114 body:steel_drum F114+body:steel_drum", 48, 88),
    "hang_drum": sound("body:hang_drum body:hang_drum body:hang_drum+F114", 45, 77, wet=1.3),
    "timpani": sound("F47 M47 body:timpani", 36, 60, wet=1.3),
    # plucked
    "dulcimer": sound("F15 M15 pluck:dulcimer F15+pluck:dulcimer", 43, 88),
    "zither": sound("pluck:zither pluck:zither+F15 F46+pluck:zither", 43, 91),
    "lyre": sound("pluck:lyre pluck:lyre+F46", 43, 84),
    "harp": sound("F46 M46 pluck:harp F46+pluck:harp", 28, 100, wet=1.2),
    "koto": sound("F107 M107 pluck:koto F107+pluck:koto F8.107", 43, 88),
    "pipa": sound("pluck:pipa pluck:pipa+F107 pluck:pipa+F105", 45, 91),
    "sitar": sound("F104 M104 pluck:sitar F104+pluck:sitar", 43, 84),
    "sarod": sound("pluck:sarod pluck:sarod+F104 pluck:sarod+F105", 40, 79),
    "tanpura": sound("pluck:tanpura pluck:tanpura+F104", 36, 67, wet=1.2),
    "balalaika": sound("pluck:balalaika pluck:balalaika+F16.25", 52, 91),
    "cavaquinho": sound("pluck:cavaquinho pluck:cavaquinho+F8.24 F8.24+pluck:cavaquinho", 55, 91),
    "charango": sound("pluck:charango pluck:charango+F8.24 pluck:charango+F16.25", 52, 91),
    "bouzouki": sound("pluck:bouzouki pluck:bouzouki+F8.25 F16.25+pluck:bouzouki", 43, 86),
    "mandolin": sound("F16.25 M16.25 pluck:mandolin F16.25+pluck:mandolin", 50, 93),
    "banjo": sound("F105 M105 F105+pluck:banjo pluck:banjo", 45, 88),
    "ukulele": sound("F8.24 M8.24 pluck:ukulele F8.24+pluck:ukulele", 55, 86),
    "lute": sound("pluck:lute pluck:lute+F24 F24+pluck:lute", 38, 82),
    "nylon_guitar": sound("F24 M24 pluck:nylon F24+pluck:nylon", 38, 86),
    "flamenco_guitar": sound("F24+pluck:flamenco pluck:flamenco M24+pluck:flamenco", 38, 86),
    "steel_guitar": sound("F25 M25 F8.25 M8.25 pluck:steel F25+pluck:steel", 38, 86),
    "warm_guitar": sound("F26 M26 F27 pluck:electric F24", 38, 84, effect="warm_amp"),
    "slide_guitar": sound("F25 F27 F8.26 M8.26 F29", 40, 86, scoop=170, effect="clean_amp"),
    "jazz_guitar": sound("F26 M26", 38, 84, effect="warm_amp"),
    "clean_guitar": sound("F27 M27 pluck:electric F27+pluck:electric", 38, 88, effect="clean_amp"),
    "surf_guitar": sound("F27 M27 pluck:electric", 38, 88, effect="surf"),
    "funk_guitar": sound("F28 M28 F8.28 M8.28 F27 pluck:mute", 40, 83, effect="funk"),
    "overdrive_guitar": sound("F29 M29 F27 pluck:electric", 36, 88, effect="overdrive"),
    "distortion_guitar": sound("F30 M30 F27 F29", 33, 86, effect="distortion"),
    "fuzz_guitar": sound("F27 F30 M29 pluck:electric", 33, 86, effect="fuzz"),
    # bowed
    "violin": sound("F40 M40 M8.40 F8.40", 55, 100, wet=1.1),
    "fiddle": sound("F110 M110 F40", 55, 96),
    "viola": sound("F41 M41 M17.41", 48, 88, wet=1.1),
    "viola_ensemble": sound("M30.48 M30.49 F41+M30.49 F41+M41", 48, 88, wet=1.2),
    "cello": sound("F42 M42 M17.42", 36, 79, wet=1.1),
    "erhu": sound("sub:erhu sub:erhu+F110 F40+sub:erhu", 55, 93, scoop=60, wet=1.1, effect="erhu"),
    "hurdy_gurdy": sound("sub:hurdy_gurdy sub:hurdy_gurdy+F110", 43, 86, effect="buzz"),
    "strings": sound("F48 F49 M48 M49 F48+M49 M20.49 F48+sub:slow_strings", 31, 96, held="M20.48", wet=1.2),
    "tremolo_strings": sound("F44 M44 M20.44", 36, 93, wet=1.2),
    "pizzicato": sound("F45 M45 M20.45", 36, 93, wet=1.1),
    # wind
    "flute": sound("F73 M73 M17.73", 60, 96, wet=1.1),
    "recorder": sound("F74 M74", 60, 93),
    "tin_whistle": sound("F78 M78 F72", 67, 98),
    "pan_flute": sound("F75 M75 F75+F77", 55, 93, wet=1.2),
    "oboe": sound("F68 M68", 58, 91),
    "clarinet": sound("F71 M71", 50, 91),
    "bass_clarinet": sound("F71 M71", 34, 72, effect="dark"),
    "bassoon": sound("F70 M70", 34, 75),
    "woodwinds": sound("F71+F73 F68+F71 M71+M73 F68+F73 M68+M71", 48, 91, held="F70+F73", wet=1.1),
    "soprano_sax": sound("F64 M64", 54, 88),
    "alto_sax": sound("F65 M65", 49, 81),
    "tenor_sax": sound("F66 M66", 44, 77),
    "baritone_sax": sound("F67 M67", 36, 69),
    "trumpet": sound("F56 M56", 52, 86),
    "muted_trumpet": sound("F59 M59", 52, 86),
    "trombone": sound("F57 M57", 38, 74),
    "french_horn": sound("F60 M60", 38, 77, wet=1.2),
    "tuba": sound("F58 M58", 28, 58),
    "brass": sound("F61 M61 F8.61 M8.61 F56+F57", 38, 86, held="F56+F61", wet=1.1),
    "bagpipes": sound("F109 M109 F109+sub:hurdy_gurdy", 48, 84),
    "didgeridoo": sound("sub:didgeridoo", 26, 50, effect="formant"),
    # voice
    "choir": sound("F52 M52 F52+F53 M52+F52", 40, 86, held="F52+M53", wet=1.4),
    "voice_oohs": sound("F53 M53 F54 M54", 43, 86, wet=1.3),
    # basses
    "acoustic_bass": sound("F32 M32", 24, 60, wet=0.5),
    "precision_bass": sound("F33 M33", 24, 60, wet=0.3, effect="bass_amp"),
    "picked_bass": sound("F34 M34", 24, 60, wet=0.3, effect="bass_amp"),
    "slap_bass": sound("F36 F37 M36 M37", 24, 62, wet=0.3),
    "fretless_bass": sound("F35 M35", 24, 62, wet=0.4),
    "synth_bass": sound("F38 F39 M38 M39 sub:synth_bass sub:square_bass F8.38 sub:synth_bass", 24, 62, held="M8.39", wet=0.2),
    "sub_bass": sound("sub:sub_bass sub:sub_bass sub:sub_bass_808", 22, 55, wet=0.0),
    "acid_bass": sound("sub:acid_bass sub:acid_square", 24, 72, wet=0.3, effect="acid"),
    "reese_bass": sound("sub:reese_bass", 22, 60, wet=0.1),
    "wobble_bass": sound("sub:wobble_bass", 22, 60, wet=0.1),
    "fm_bass": sound("fm:fm_bass fm:fm_bass_solid", 24, 62, wet=0.2),
    # synths
    "supersaw": sound("sub:supersaw sub:supersaw M20.81+sub:supersaw", 36, 96),
    "saw_lead": sound("F81 M81 sub:saw_lead sub:saw_lead M20.81", 36, 96),
    "square_lead": sound("F80 M80 sub:square_lead sub:square_lead", 36, 96),
    "chip_square": sound("sub:chip_square sub:chip_square_25 sub:chip_square_12", 31, 103, wet=0.4),
    "chip_triangle": sound("sub:chip_triangle", 24, 96, wet=0.3),
    "synth_pad": sound("sub:synth_pad F90 M90 F95 sub:synth_pad F50 M51", 33, 91, held="M95", wet=1.2),
    "warm_pad": sound("F89 M89 sub:warm_pad sub:warm_pad F89+sub:warm_pad", 33, 88, wet=1.2),
    "dream_pad": sound("F88 M88 F94 F99 sub:dream_pad sub:dream_pad F92 M91", 36, 93, held="M99", wet=1.4),
    "pluck_synth": sound("sub:pluck_synth sub:pluck_synth sub:pluck_synth+fm:fm_bell", 36, 96),
    "fm_bell": sound("fm:fm_bell fm:fm_bell_glass F98 M98", 48, 103, wet=1.3),
    "stab": sound("sub:stab sub:stab F90 sub:stab+F62", 36, 88),
    "dirty_synth": sound("sub:dirty_synth sub:dirty_hoover sub:dirty_synth F87+sub:dirty_synth", 30, 84, effect="dirt"),
    "synth_brass": sound("F62 F63 M62 M63 sub:synth_brass sub:synth_brass", 36, 88),
    "glitch_synth": sound("sub:glitch_synth sub:glitch_synth+fm:fm_bell_glass", 36, 96, effect="glitch"),
}  # fmt: skip
