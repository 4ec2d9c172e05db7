"""Songs as tables of steps, the representation that the arranger reads and writes.

A step is one cell of the grid (a sixteenth, or a third of
a beat in triplet metres) and one row of WIDTH small integers. Pitches count from the tonic, so a
tune is the same row of numbers in every key. Each row can be turned into sound without knowing the
next one: a note that ends in the middle of a step says so in that step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.music.score import DRUMS, INSTRUMENTS, KITS, MODE_NAMES, PARTS, PITCHED
from models.music.song import NOTE, Song

Rows = NDArray[np.uint8]

# Columns of a row, in the order in which the arranger decides them.
DRUM_COLUMNS: Final = slice(0, len(DRUMS))  # level 0 (none) to 3 (loud)
SYMBOL: Final = len(DRUMS)  # chord symbol + 1, 0 for none
ACTION: Final = SYMBOL + 1  # what the chord part does: REST, HOLD, HOLD_HALF or STRIKE
ACTION_TOUCH: Final = ACTION + 1
NOTE_PARTS: Final = ("bass", "extra", "lead")
TOKEN: Final = {"bass": ACTION + 2, "extra": ACTION + 4, "lead": ACTION + 6}
WIDTH: Final = ACTION + 8

REST: Final = 0
HOLD: Final = 1  # sounds on until the end of the step
HOLD_HALF: Final = 2  # sounds on until the middle of the step
STRIKE: Final = 3  # chord part: strike the chord; note parts: STRIKE + pitch code
PITCH_ORIGIN: Final = 12  # the pitch, counted from the lowest tonic, of pitch code 0
PITCH_CODES: Final = 100
NOTE_CODES: Final = STRIKE + PITCH_CODES

LEVELS: Final = 4
LEVEL_VELOCITY: Final = np.array([0, 44, 80, 112], np.int16)
LEVEL_EDGES: Final = np.array([1, 62, 97])  # lowest velocity of levels 1, 2, 3
TOUCHES: Final = 6  # (level - 1) * 2 + (1 if the note ends in the middle of its first step)

METRES: Final = ((4, 16), (4, 12), (3, 12), (3, 6), (4, 14), (3, 9), (4, 8), (4, 20))
"""Known (steps per beat, steps per bar)."""
MAX_BAR: Final = 20

SECTIONS: Final = (
    "a",
    "b",
    "c",
    "intro",
    "build",
    "drop",
    "break",
    "solo",
    "outro",
    "other",
)
BPM_LOW, BPM_HIGH, BPM_BINS = 40.0, 240.0, 56
SWINGS: Final = (0.5, 0.53, 0.56, 0.59, 0.62, 0.66)


@dataclass(frozen=True)
class Setting:
    """What stays the same for many bars. Indices into METRES, KITS, INSTRUMENTS and MODE_NAMES."""

    metre: int
    kit: int
    instruments: tuple[int, int, int, int]  # in the order of PITCHED
    bpm: float
    swing: float
    mode: int

    @property
    def steps_per_beat(self) -> int:
        return METRES[self.metre][0]

    @property
    def steps_per_bar(self) -> int:
        return METRES[self.metre][1]


@dataclass(frozen=True)
class StepSong:
    """A song in rows; `rows` (T, WIDTH), the others one value a step unless said otherwise."""

    rows: Rows
    active: NDArray[np.uint8]  # parts that sound in this step's bar, a bit each in PARTS' order
    section: NDArray[np.uint8]  # index into SECTIONS
    section_bar: NDArray[np.uint8]  # bars since the section began
    returns: NDArray[np.int32]  # step of the same place in the section's previous occurrence, or -1
    density: NDArray[np.float32]  # `onset_density` around the step
    setting: Setting
    terms: tuple[tuple[str, float], ...]


def levels_of(velocity: ArrayLike) -> NDArray[np.uint8]:
    """Velocity 0..127 to level 0..3."""
    return np.searchsorted(LEVEL_EDGES, np.asarray(velocity), side="right").astype(np.uint8)


def lowest_tonic(tonic: int) -> int:
    """MIDI note from which pitch codes count, for a tonic 0..11: the one nearest C.

    Keys are folded to -5..+6 semitones, so that an instrument stays in its register in all twelve.
    """
    return PITCH_ORIGIN + (tonic if tonic <= 6 else tonic - 12)


def pitch_code(pitch: ArrayLike, tonic: int) -> NDArray[np.int64]:
    """MIDI note to pitch code 0..PITCH_CODES - 1, folded by octaves where it lies outside."""
    code = np.asarray(pitch, np.int64) - lowest_tonic(tonic)
    code = np.where(code < 0, code % 12, code)
    top = PITCH_CODES - 12
    return np.where(code >= PITCH_CODES, top + (code - top) % 12, code)


def code_pitch(code: int, tonic: int) -> int:
    """Pitch code to MIDI note."""
    return int(code) + lowest_tonic(tonic)


def metre_index(steps_per_beat: int, steps_per_bar: int) -> int:
    """Index into METRES; KeyError for a metre the arranger does not know."""
    try:
        return METRES.index((steps_per_beat, steps_per_bar))
    except ValueError:
        raise KeyError(f"unknown metre {steps_per_beat}, {steps_per_bar}") from None


def bpm_bin(bpm: ArrayLike) -> NDArray[np.int64]:
    """Index of a tempo in BPM_BINS equal ratios from BPM_LOW to BPM_HIGH."""
    place = np.log(np.asarray(bpm, np.float64) / BPM_LOW) / np.log(BPM_HIGH / BPM_LOW) * BPM_BINS
    index: NDArray[np.int64] = np.clip(np.floor(place), 0, BPM_BINS - 1).astype(np.int64)
    return index


def bpm_at(place: float) -> float:
    """Tempo at a fractional bin; the inverse of `bpm_bin` at whole numbers (a bin's lower edge)."""
    return float(BPM_LOW * (BPM_HIGH / BPM_LOW) ** (place / BPM_BINS))


def section_code(name: str) -> int:
    """Index into SECTIONS of a composer's section name ('a2', 'Verse', 'drop')."""
    word = name.strip().lower().rstrip("0123456789_' ")
    alias = {
        "verse": "a",
        "chorus": "b",
        "bridge": "c",
        "hook": "b",
        "head": "a",
        "riff": "a",
        "breakdown": "break",
        "buildup": "build",
        "build_up": "build",
        "fill": "build",
        "end": "outro",
        "coda": "outro",
        "main": "a",
        "alap": "intro",
        "theme": "a",
    }
    word = alias.get(word, word)
    return SECTIONS.index(word) if word in SECTIONS else SECTIONS.index("other")


def setting_of(song: Song) -> Setting:
    """The setting of a song."""
    instruments = [INSTRUMENTS.index(song.instruments.get(part, "none")) for part in PITCHED]
    return Setting(
        metre=metre_index(song.steps_per_beat, song.steps_per_bar),
        kit=KITS.index(song.kit),
        instruments=(instruments[0], instruments[1], instruments[2], instruments[3]),
        bpm=float(song.bpm),
        swing=float(song.swing),
        mode=MODE_NAMES.index(song.mode),
    )


def _write_line(
    notes: NDArray[np.void], codes: NDArray[np.int64], token: Rows, touch: Rows
) -> None:
    """Fill a part's token and touch columns from notes sorted by step, one at a time."""
    steps = len(token)
    for index in range(len(notes)):
        start = int(notes["step"][index])
        if not 0 <= start < steps:
            continue
        halves = max(1, round(float(notes["length"][index]) * 2))
        limit = steps if index + 1 == len(notes) else int(notes["step"][index + 1])
        halves = min(halves, 2 * max(1, limit - start))
        token[start] = STRIKE + codes[index]
        level = int(levels_of(max(1, int(notes["velocity"][index]))))
        touch[start] = (level - 1) * 2 + (halves == 1)
        full = start + halves // 2
        token[start + 1 : full] = HOLD
        if halves > 1 and halves % 2 and full < steps:
            token[full] = HOLD_HALF


def _one_at_a_time(notes: NDArray[np.void]) -> NDArray[np.void]:
    """The highest note of each step."""
    if not len(notes):
        return notes
    notes = notes[np.lexsort((-notes["pitch"].astype(np.int64), notes["step"]))]
    return notes[np.unique(notes["step"], return_index=True)[1]]


def _strikes(notes: NDArray[np.void]) -> NDArray[np.void]:
    """One note for each step in which chord notes begin: the longest length, the mean velocity."""
    if not len(notes):
        return notes
    steps, group = np.unique(notes["step"], return_inverse=True)
    strikes = np.zeros(len(steps), NOTE)
    strikes["step"] = steps
    lengths = np.zeros(len(steps), np.float32)
    np.maximum.at(lengths, group, notes["length"])
    strikes["length"] = lengths
    total = np.bincount(group, notes["velocity"].astype(np.float64))
    strikes["velocity"] = np.round(total / np.bincount(group))
    return strikes


def encode(song: Song) -> StepSong:
    """Rows of a song. KeyError for a metre that is not in METRES."""
    setting = setting_of(song)
    rows = np.zeros((song.steps, WIDTH), np.uint8)
    rows[:, DRUM_COLUMNS] = levels_of(song.drums)
    rows[:, SYMBOL] = np.asarray(song.chords, np.int64) + 1
    empty = np.zeros(0, NOTE)
    strikes = _strikes(song.notes.get("chords", empty))
    _write_line(strikes, np.zeros(len(strikes), np.int64), rows[:, ACTION], rows[:, ACTION_TOUCH])
    for part in NOTE_PARTS:
        notes = _one_at_a_time(song.notes.get(part, empty))
        column = TOKEN[part]
        _write_line(
            notes, pitch_code(notes["pitch"], song.tonic), rows[:, column], rows[:, column + 1]
        )
    names = song.section_names
    section = np.array([section_code(names[s]) if s < len(names) else 0 for s in song.sections])
    section_bar, returns = _form(np.asarray(song.sections), setting.steps_per_bar)
    return StepSong(
        rows=rows,
        active=active_bits(rows, setting.steps_per_bar),
        section=section.astype(np.uint8),
        section_bar=section_bar,
        returns=returns,
        density=onset_density(
            rows, setting.steps_per_beat * setting.bpm / 60.0, setting.steps_per_bar
        ),
        setting=setting,
        terms=tuple((str(name), float(weight)) for name, weight in song.terms),
    )


def _form(
    sections: NDArray[np.int64], steps_per_bar: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Bars since each section began, and the same step of its previous occurrence (or -1)."""
    steps = len(sections)
    bar = np.zeros(steps, np.uint8)
    returns = np.full(steps, -1, np.int32)
    edges = np.flatnonzero(np.diff(sections)) + 1
    occurrences: dict[int, tuple[int, int]] = {}
    for start, end in zip([0, *edges.tolist()], [*edges.tolist(), steps], strict=True):
        offset = np.arange(end - start)
        bar[start:end] = np.minimum(offset // steps_per_bar, 255)
        last = occurrences.get(int(sections[start]))
        if last is not None:
            inside = offset < last[1] - last[0]
            returns[start:end] = np.where(inside, last[0] + offset, -1)
        occurrences[int(sections[start])] = (start, end)
    return bar, returns


def sounding(rows: Rows) -> NDArray[np.bool_]:
    """(T, 5): whether each of PARTS has a hit or a note in each row."""
    columns = [rows[:, DRUM_COLUMNS].any(axis=1)]
    for part in PITCHED:
        columns.append(rows[:, ACTION if part == "chords" else TOKEN[part]] != REST)
    return np.stack(columns, axis=1)


def active_bits(rows: Rows, steps_per_bar: int) -> NDArray[np.uint8]:
    """(T,) parts that sound anywhere in a step's bar, bit i for PARTS[i]."""
    steps = len(rows)
    bars = -(-steps // steps_per_bar)
    padded = np.zeros((bars * steps_per_bar, len(PARTS)), bool)
    padded[:steps] = sounding(rows)
    on = padded.reshape(bars, steps_per_bar, len(PARTS)).any(axis=1)
    bits = (on * (1 << np.arange(len(PARTS)))).sum(axis=1).astype(np.uint8)
    return np.repeat(bits, steps_per_bar)[:steps]


def onsets(rows: Rows) -> NDArray[np.float32]:
    """(T,) how busy each row is: 1 if anything begins in it, and 0.2 for each thing more.

    An ear counts what begins together as one onset, but hears a fuller one as busier.
    """
    count = (rows[..., DRUM_COLUMNS] > 0).sum(axis=-1)
    for column in (ACTION, *TOKEN.values()):
        count = count + (rows[..., column] >= STRIKE)
    return np.where(count > 0, 0.8 + 0.2 * count, 0.0).astype(np.float32)


def onset_density(rows: Rows, steps_per_second: float, steps_per_bar: int) -> NDArray[np.float32]:
    """(T,) `onsets` per second, smoothed by a Hann window of two bars around the step."""
    window = np.hanning(2 * steps_per_bar + 1)
    beat = onsets(rows).astype(np.float64)
    total = (
        np.convolve(beat, window, mode="same")[: len(beat)] if len(beat) >= len(window) else None
    )
    if total is None:
        return np.full(len(beat), beat.mean() * steps_per_second, np.float32)
    weight = np.convolve(np.ones(len(beat)), window, mode="same")
    return (total / weight * steps_per_second).astype(np.float32)
