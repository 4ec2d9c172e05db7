"""Score: the symbolic representation shared by composer, arranger and renderer.

In the corpus the score is exact, since the corpus is composed; in the engine the arranger writes it
(Lyria RealTime's self-conditioning made explicit: p(audio, controls) = p(audio | controls)
p(controls), "Live Music Models", section 4).

Time is seconds from the start of the stream. A latent frame is 40 ms (1920 samples at 48 kHz); the
piano roll stores an onset's 10 ms slot within its frame, so rhythm is finer than the frame rate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError

SAMPLE_RATE: Final = 48_000
"""Sample rate in Hz of every engine, file and plan of Segue: declared here only."""
FRAME_SAMPLES: Final = 1920
FRAME_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE
SLOTS: Final = 4  # 10 ms sub-slots of a frame

PARTS: Final = ("drums", "bass", "chords", "lead", "extra")
"""Voices of the score. `extra` is a second line: arpeggio, counter-melody, riff or drone."""
PITCHED: Final = PARTS[1:]
STEMS: Final = ("drums", "bass", "other")
"""Groups of parts that the performer can mute: chords, lead and extra are `other`."""
STEM_OF_PART: Final = {
    "drums": "drums", "bass": "bass", "chords": "other", "lead": "other", "extra": "other",
}  # fmt: skip

LOW_PITCH: Final = 21
PITCHES: Final = 88  # MIDI 21 (A0) to 108 (C8)

DRUMS: Final = (
    "kick", "snare", "clap", "rim", "hat", "open_hat", "ride", "crash", "tom_low", "tom_high",
    "shaker", "tambourine",
    "perc_low",  # low conga, bongo or djembe bass, tabla ge, surdo
    "perc_mid",  # open tone, tabla tin, tin drum
    "perc_high",  # slap, high bongo, tabla na, timbale
    "bell",  # cowbell, agogo, clave, wood block
)  # fmt: skip

KITS: Final = (
    "none", "acoustic", "rock",
    "jazz",  # brushes and ride
    "funk", "tr808", "tr909", "linn", "electronic", "industrial", "lofi",
    "breaks",  # sampled and squashed break
    "chip", "marching", "orchestral", "latin", "congas", "bongos", "djembe", "tabla",
    "frame",  # frame drum, bodhran, cajon
    "metal", "trap", "dub",
)  # fmt: skip

INSTRUMENTS: Final = (
    "none",
    # keys
    "piano", "bright_piano", "honky_tonk", "electric_piano", "fm_piano", "clavinet", "harpsichord",
    "clavichord", "organ", "church_organ", "accordion", "bandoneon", "harmonica", "mellotron",
    # mallets and bells
    "celesta", "glockenspiel", "music_box", "vibraphone", "marimba", "xylophone", "tubular_bells",
    "kalimba", "mbira", "steel_drum", "hang_drum", "timpani",
    # plucked
    "dulcimer", "zither", "lyre", "harp", "koto", "pipa", "sitar", "sarod", "tanpura", "balalaika",
    "cavaquinho", "charango", "bouzouki", "mandolin", "banjo", "ukulele", "lute", "nylon_guitar",
    "flamenco_guitar", "steel_guitar", "warm_guitar", "slide_guitar", "jazz_guitar",
    "clean_guitar", "surf_guitar", "funk_guitar", "overdrive_guitar", "distortion_guitar",
    "fuzz_guitar",
    # bowed
    "violin", "fiddle", "viola", "viola_ensemble", "cello", "erhu", "hurdy_gurdy", "strings",
    "tremolo_strings", "pizzicato",
    # wind
    "flute", "recorder", "tin_whistle", "pan_flute", "oboe", "clarinet", "bass_clarinet",
    "bassoon", "woodwinds", "soprano_sax", "alto_sax", "tenor_sax", "baritone_sax", "trumpet",
    "muted_trumpet", "trombone", "french_horn", "tuba", "brass", "bagpipes", "didgeridoo",
    # voice
    "choir", "voice_oohs",
    # basses
    "acoustic_bass", "precision_bass", "picked_bass", "slap_bass", "fretless_bass", "synth_bass",
    "sub_bass", "acid_bass", "reese_bass", "wobble_bass", "fm_bass",
    # synths
    "supersaw", "saw_lead", "square_lead", "chip_square", "chip_triangle", "synth_pad", "warm_pad",
    "dream_pad", "pluck_synth", "fm_bell", "stab", "dirty_synth", "synth_brass", "glitch_synth",
)  # fmt: skip

QUALITIES: Final[dict[str, tuple[int, ...]]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "9": (0, 4, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
    "min9": (0, 3, 7, 10, 14),
    "sus": (0, 5, 7),
    "5": (0, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "6": (0, 4, 7, 9),
    "half_dim": (0, 3, 6, 10),
}
QUALITY_NAMES: Final = tuple(QUALITIES)
CHORDS: Final = 12 * len(QUALITIES)
"""A chord symbol is root_relative_to_tonic * len(QUALITIES) + quality index; -1 means no chord."""

MODES: Final[dict[str, tuple[int, ...]]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
    "phrygian_dominant": (0, 1, 4, 5, 7, 8, 10),
    "pentatonic_minor": (0, 3, 5, 7, 10),
    "pentatonic_major": (0, 2, 4, 7, 9),
}
MODE_NAMES: Final = tuple(MODES)
NOTE_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_LETTER: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

EVENT: Final = np.dtype(
    [
        ("on", np.float64),  # seconds
        ("off", np.float64),  # seconds; for drums on + a nominal 0.05
        ("part", np.int8),  # index into PARTS
        ("pitch", np.int16),  # MIDI note, or index into DRUMS for the drum part
        ("velocity", np.int16),  # 1..127
    ]
)


def parse_key(text: str) -> tuple[int, str]:
    """Tonic 0..11 and mode (a name in MODES) of a key such as 'A minor', 'Bb', 'f# dorian', 'Am'.

    Raises:
        SegueError: not a key.

    """
    match = re.fullmatch(r"\s*([A-Ga-g])\s*([#b♯♭]?)\s*[- ]?\s*([A-Za-z_ ]*)\s*", text)
    if not match:
        raise SegueError(f"'{text}' is not a key; write for example 'A minor' or 'F# dorian'.")
    letter, accidental, rest = match.groups()
    tonic = _LETTER[letter.upper()]
    tonic += {"#": 1, "♯": 1, "b": -1, "♭": -1, "": 0}[accidental]
    mode = "_".join(rest.lower().split())
    mode = {"": "major", "maj": "major", "m": "minor", "min": "minor", "aeolian": "minor"}.get(
        mode, mode
    )
    mode = {"ionian": "major"}.get(mode, mode)
    if mode not in MODES:
        raise SegueError(f"'{text}' names no mode that is known; use one of {', '.join(MODES)}.")
    return tonic % 12, mode


def chord_pitch_classes(symbol: int, tonic: int) -> tuple[int, ...]:
    """Absolute pitch classes of a chord symbol, root first; empty for -1."""
    if symbol < 0:
        return ()
    root, quality = divmod(symbol, len(QUALITIES))
    return tuple((tonic + root + step) % 12 for step in QUALITIES[QUALITY_NAMES[quality]])


def chord_symbol(root: int, quality: str) -> int:
    """Symbol of a chord whose root is `root` semitones over the tonic."""
    return (root % 12) * len(QUALITIES) + QUALITY_NAMES.index(quality)


@dataclass(frozen=True)
class FrameScore:
    """Score of T frames of 40 ms as arrays: the renderer's conditioning.

    Attributes:
        drums: (T, 16, 4) velocity 0..1 at the 10 ms slot of each hit.
        sustain: (T, 4, 88) velocity 0..1 times the share of the frame in which the note sounds, per
            pitched part.
        onset: (T, 4, 88) 0, or slot + 1 (1..4) of the onset.
        instruments, kit: (T, 4) and (T,) indices into INSTRUMENTS and KITS.
        chroma: (T, 12) of the chord.
        beat: (T, 4) sine and cosine of the phase of the beat and of the bar.
        active: (T, 5) which parts may sound.
        tempo: (T,) beats per minute.
        density: (T,) onsets per second, smoothed over about 2 s; nan where unknown.
        brightness: (T,) log2 of the spectral centroid over 1 kHz, likewise.

    """

    drums: NDArray[np.float32]
    sustain: NDArray[np.float32]
    onset: NDArray[np.uint8]
    instruments: NDArray[np.int16]
    kit: NDArray[np.int16]
    chroma: NDArray[np.float32]
    beat: NDArray[np.float32]
    active: NDArray[np.float32]
    tempo: NDArray[np.float32]
    density: NDArray[np.float32]
    brightness: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.kit)

    def __getitem__(self, span: slice) -> FrameScore:
        return FrameScore(*(getattr(self, f.name)[span] for f in fields(self)))

    def with_(self, **changes: NDArray[np.generic]) -> FrameScore:
        """A copy with some fields replaced."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @classmethod
    def silent(cls, frames: int) -> FrameScore:
        """Empty score of `frames` frames: no notes, no instruments, tempo 120."""
        zeros = np.zeros
        return cls(
            drums=zeros((frames, len(DRUMS), SLOTS), np.float32),
            sustain=zeros((frames, len(PITCHED), PITCHES), np.float32),
            onset=zeros((frames, len(PITCHED), PITCHES), np.uint8),
            instruments=zeros((frames, len(PITCHED)), np.int16),
            kit=zeros(frames, np.int16),
            chroma=zeros((frames, 12), np.float32),
            beat=zeros((frames, 4), np.float32),
            active=zeros((frames, len(PARTS)), np.float32),
            tempo=np.full(frames, 120.0, np.float32),
            density=np.full(frames, np.nan, np.float32),
            brightness=np.full(frames, np.nan, np.float32),
        )


def rasterize(events: NDArray[np.void], start: float, frames: int) -> FrameScore:
    """Piano roll of events: fills drums, sustain, onset and active of a `FrameScore`.

    Args:
        events: dtype EVENT, in any order; notes that began before `start` appear in `sustain` only.
        start: seconds.
        frames: number of frames of 40 ms.

    """
    score = FrameScore.silent(frames)
    end = start + frames * FRAME_SECONDS
    live = events[(events["off"] > start) & (events["on"] < end)]
    for event in live:
        part = int(event["part"])
        velocity = float(event["velocity"]) / 127.0
        # The epsilon keeps an onset at a frame's edge out of the frame before.
        slot = int(np.floor((event["on"] - start) / FRAME_SECONDS * SLOTS + 1e-6))
        frame, sub = divmod(slot, SLOTS)
        if part == 0:
            if 0 <= frame < frames:
                cell = score.drums[frame, int(event["pitch"])]
                cell[sub] = max(cell[sub], velocity)
            continue
        row = int(event["pitch"]) - LOW_PITCH
        if not 0 <= row < PITCHES:
            continue
        begin = (event["on"] - start) / FRAME_SECONDS
        finish = (event["off"] - start) / FRAME_SECONDS
        first, last = max(0, int(np.floor(begin))), min(frames, int(np.ceil(finish)))
        steps = np.arange(first, last)
        share = np.minimum(steps + 1, finish) - np.maximum(steps, begin)
        row_of_note = score.sustain[first:last, part - 1, row]
        np.maximum(row_of_note, velocity * share.astype(np.float32), out=row_of_note)
        if 0 <= frame < frames:
            score.onset[frame, part - 1, row] = sub + 1
    score.active[:, 0] = score.drums.any(axis=(1, 2))
    score.active[:, 1:] = score.sustain.any(axis=2)
    return score


def beat_phase(beats: NDArray[np.float64], bars: NDArray[np.float64]) -> NDArray[np.float32]:
    """Sine and cosine of the phase of beat and bar, (T, 4), of positions in beats and bars (T,)."""
    angles = 2 * np.pi * np.stack([beats, beats, bars, bars], axis=-1)
    angles[..., 1::2] += np.pi / 2
    return np.sin(angles).astype(np.float32)
