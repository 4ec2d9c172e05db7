"""What a MIDI file is to the arranger: the score of a part, the harmony, or an example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.errors import SegueError
from models.music.arrangement.chords import chords_of
from models.music.arrangement.midi_reader import MidiNote, MidiVoice, read_midi
from models.music.general_midi import DRUM_KEYS
from models.music.hearing.sketch import (
    MAX_BEATS,
    MAX_EVENTS,
    Sketch,
    SketchChord,
    SketchHit,
    SketchNote,
)
from models.music.score import DRUMS, NOTE_NAMES, PARTS
from models.music.tonality import key_correlations

MIDI_SUFFIXES: Final = frozenset({".mid", ".midi", ".kar", ".rmi", ".smf"})
ROLES: Final = (*PARTS, "harmony", "example")
"""What a file can be: the score of one of PARTS, the harmony of all, or an example."""
SAME_TIME: Final = 1 / 16  # beats within which notes begin together
OTHER_KEYS: Final = {
    35: "kick", 40: "snare", 44: "hat", 41: "tom_low", 43: "tom_low", 47: "tom_low",
    48: "tom_high", 52: "crash", 55: "crash", 57: "crash", 53: "ride", 59: "ride", 60: "perc_high",
    61: "perc_low", 65: "perc_high", 66: "perc_low", 67: "bell", 68: "bell", 69: "shaker",
    70: "shaker", 75: "bell", 76: "bell", 77: "bell",
}  # fmt: skip
"""Keys of the percussion map that the score's drums stand for."""
_DRUM_OF: Final = {**OTHER_KEYS, **dict(zip(DRUM_KEYS, DRUMS, strict=True))}
_WORDS: Final = {
    "bass": ("bass", "bajo", "basse", "ベース"),
    "lead": ("lead", "melod", "vocal", "voice", "solo", "sing", "メロ"),
    "chords": ("chord", "piano", "guitar", "pad", "strings", "organ", "comp", "keys", "ピアノ"),
    "extra": ("arp", "counter", "riff", "synth", "harp"),
}
_LOW: Final = 52.0  # mean pitch under which a voice is a bass


@dataclass(frozen=True)
class MidiArrangement:
    """A MIDI file, its beats counted from its first bar with notes.

    Attributes:
        name: of the file.
        voices: by PARTS; those that the file has not are missing.
        key: "A minor", where it has pitched notes.
        bpm: tempo.
        beats: length in whole bars.
        beats_per_bar: quarter notes in a bar.
        remarks: what must be said of it, clauses without a full stop.

    """

    name: str
    voices: dict[str, MidiVoice]
    pitched: tuple[MidiNote, ...]
    key: str
    bpm: float
    beats: float
    beats_per_bar: float
    remarks: tuple[str, ...]

    def sketches(self, role: str) -> tuple[Sketch, ...]:
        """What the arranger is given.

        Args:
            role: of ROLES, or "all" for every part that the file has, with its harmony.

        Raises:
            SegueError: the file has nothing for this role.

        """
        if role == "all":
            found = [self._part(part) for part in PARTS if part in self.voices]
            if self.pitched and "chords" not in self.voices:
                found.append(self._harmony())
            return tuple(found)
        if role == "harmony":
            if not self.pitched:
                raise SegueError(f"{self.name} has drums only, no chords: give it to the drums.")
            return (self._harmony(),)
        if role == "example":
            return (self._example(),)
        return (self._part(role),)

    def _part(self, part: str) -> Sketch:
        voice = self.voices.get(part) or self._nearest(part)
        if part == "drums":
            hits = self._hits(voice)
            return Sketch(part, self.beats, hits=hits, in_key=False, name=self.name)
        if part == "chords":
            return Sketch(
                part, self.beats, self._strikes(voice), in_key=False, name=self.name,
                chords=self._chords(), key=self.key,
            )  # fmt: skip
        return Sketch(
            part, self.beats, self._line(voice, part), in_key=False, name=self.name, key=self.key
        )

    def _nearest(self, part: str) -> MidiVoice:
        """The voice that is most like what a part plays, where none is called so."""
        if part == "drums":
            raise SegueError(f"{self.name} has no drums (channel 10): drop it on another part.")
        pitched = [voice for voice in self.voices.values() if not voice.drums]
        if not pitched:
            raise SegueError(f"{self.name} has drums only: drop it on the drums.")
        if part == "bass":
            return min(pitched, key=_mean_pitch)
        return max(pitched, key=_mean_pitch)

    def _harmony(self) -> Sketch:
        return Sketch(
            "harmony", self.beats, in_key=False, name=self.name, chords=self._chords(),
            key=self.key,
        )  # fmt: skip

    def _example(self) -> Sketch:
        notes: list[SketchNote] = []
        hits: tuple[SketchHit, ...] = ()
        for part, voice in self.voices.items():
            if part == "drums":
                hits = self._hits(voice)
                continue
            own = self._strikes(voice) if part == "chords" else self._line(voice, part)
            notes += [SketchNote(n.beat, n.length, n.pitch, n.velocity, part) for n in own]
        notes.sort(key=lambda note: note.beat)
        chords = self._chords() if self.pitched else ()
        return Sketch(
            "example", self.beats, tuple(notes[:MAX_EVENTS]), hits, loop=False, in_key=False,
            name=self.name, chords=chords, key=self.key,
        )  # fmt: skip

    def _chords(self) -> tuple[SketchChord, ...]:
        found = chords_of(self.pitched, math.ceil(self.beats), self.beats_per_bar)
        return tuple(SketchChord(*chord) for chord in found[:MAX_EVENTS])

    @staticmethod
    def _hits(voice: MidiVoice) -> tuple[SketchHit, ...]:
        hits = [
            SketchHit(note.beat, _DRUM_OF[note.pitch], note.velocity)
            for note in voice.notes
            if note.pitch in _DRUM_OF
        ]
        return tuple(hits[:MAX_EVENTS])

    @staticmethod
    def _line(voice: MidiVoice, part: str) -> tuple[SketchNote, ...]:
        """One note at a time: the highest, of a bass the lowest."""
        chosen = []
        for group in _together(voice.notes):
            pick = min if part == "bass" else max
            chosen.append(pick(group, key=lambda note: note.pitch))
        return tuple(
            SketchNote(note.beat, note.length, float(note.pitch), note.velocity)
            for note in chosen[:MAX_EVENTS]
        )

    @staticmethod
    def _strikes(voice: MidiVoice) -> tuple[SketchNote, ...]:
        groups = _together(voice.notes)
        return tuple(
            SketchNote(
                group[0].beat, max(n.length for n in group), 60.0, max(n.velocity for n in group)
            )
            for group in groups[:MAX_EVENTS]
        )


def read_arrangement(path: Path) -> MidiArrangement:
    """A MIDI file as an arrangement.

    Args:
        path: of the file.

    Raises:
        SegueError: it cannot be read, or has no notes that anything could play.

    """
    file = read_midi(path)
    bar = file.beats_per_bar or 4.0
    first = min(voice.notes[0].beat for voice in file.voices)
    origin = math.floor((first + 0.05) / bar) * bar
    last = max(note.beat for voice in file.voices for note in voice.notes)
    bars = max(1, math.floor((last - origin) / bar + 1e-6) + 1)
    most = max(1, int(MAX_BEATS // bar))
    remarks = list(file.remarks)
    if bars > most:
        remarks.append(f"its first {most} bars of {bars} are taken")
    beats = min(bars, most) * bar
    voices = [_cut(voice, origin, beats) for voice in file.voices]
    voices = [voice for voice in voices if voice.notes]
    pitched = tuple(
        sorted(
            (note for voice in voices if not voice.drums for note in voice.notes),
            key=lambda note: (note.beat, note.pitch),
        )
    )
    if not pitched and not any(n.pitch in _DRUM_OF for v in voices for n in v.notes):
        raise SegueError(f"{path.name} has no notes that a part could play: give another file.")
    if not file.beats_per_bar:
        remarks.append("it names no metre, so its bars count as 4/4")
    return MidiArrangement(
        path.stem, assigned(voices), pitched, _key_of(pitched), round(file.bpm, 2), float(beats),
        bar, tuple(remarks),
    )  # fmt: skip


def assigned(voices: Sequence[MidiVoice]) -> dict[str, MidiVoice]:
    """The voices by the part that they suit: by channel, name, program and what they play."""
    found: dict[str, MidiVoice] = {}
    drums = [voice for voice in voices if voice.drums]
    if drums:
        found["drums"] = _joined(drums)
    left = [voice for voice in voices if not voice.drums]
    for part in ("bass", "chords", "lead", "extra"):
        fitting = [(score, i) for i, v in enumerate(left) if (score := _fit(v, part)) > 0.0]
        if fitting:
            _, index = max(fitting)
            found[part] = left.pop(index)
    for part in ("lead", "chords", "extra", "bass"):  # who is left plays what is free
        if left and part not in found:
            found[part] = left.pop(0)
    return found


def _fit(voice: MidiVoice, part: str) -> float:
    """How well a voice suits a pitched part; 0 for not at all."""
    name = voice.name.lower()
    named = next((p for p, words in _WORDS.items() if any(word in name for word in words)), None)
    busy = min(1.0, len(voice.notes) / 64)
    if named is not None:
        return 2.0 + busy if named == part else 0.0
    several = _voices_together(voice)
    mean = _mean_pitch(voice)
    fits = {
        "bass": (1.0 if 32 <= voice.program <= 39 or mean < _LOW else 0.0) if several < 1.6 else 0,
        "chords": min(1.0, several / 3) if several >= 1.6 else 0.0,
        "lead": 0.5 + mean / 254 if several < 1.6 and mean >= _LOW else 0.0,
        "extra": 0.3 + mean / 254 if several < 1.6 and mean >= _LOW else 0.0,
    }
    fit = fits[part]
    return fit + 0.1 * busy if fit else 0.0


def _voices_together(voice: MidiVoice) -> float:
    groups = _together(voice.notes)
    return len(voice.notes) / max(1, len(groups))


def _mean_pitch(voice: MidiVoice) -> float:
    return float(np.mean([note.pitch for note in voice.notes]))


def _together(notes: Sequence[MidiNote]) -> list[list[MidiNote]]:
    """Notes that begin together, in groups."""
    groups: list[list[MidiNote]] = []
    for note in notes:
        if groups and note.beat - groups[-1][0].beat < SAME_TIME:
            groups[-1].append(note)
        else:
            groups.append([note])
    return groups


def _joined(voices: Sequence[MidiVoice]) -> MidiVoice:
    notes = sorted((n for v in voices for n in v.notes), key=lambda n: (n.beat, n.pitch))
    return MidiVoice(voices[0].name, voices[0].channel, voices[0].program, notes)


def _cut(voice: MidiVoice, origin: float, beats: float) -> MidiVoice:
    """The voice's notes within so many beats from `origin` on."""
    notes = [
        MidiNote(max(0.0, n.beat - origin), min(n.length, beats), n.pitch, n.velocity)
        for n in voice.notes
        if -SAME_TIME <= n.beat - origin < beats - 1e-6
    ]
    return MidiVoice(voice.name, voice.channel, voice.program, notes)


def _key_of(notes: Sequence[MidiNote]) -> str:
    """The most likely key; "" without notes."""
    if not notes:
        return ""
    weights = np.zeros(12)
    for note in notes:
        weights[note.pitch % 12] += min(note.length, 4.0) + 0.1
    best = int(np.argmax(key_correlations(weights)))
    return f"{NOTE_NAMES[best % 12]} {'minor' if best >= 12 else 'major'}"
