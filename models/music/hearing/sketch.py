"""Sketch: a line or a groove that was sung, tapped or drawn, and is to be played by a part.

It is kept as it was made, in beats and fractions of a semitone; whoever plays it puts it on the
grid of its metre, and into the key where that is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.hearing.transcript import Transcript
from models.music.score import DRUMS, MODES, PITCHED, QUALITIES, parse_key

SKETCH_PARTS: Final = ("lead", "bass", "extra", "drums")
"""Parts for which one sings, taps or draws."""
ROLES: Final = (*SKETCH_PARTS, "chords", "harmony", "example")
"""What else an arrangement can be: how the chords are struck, the harmony of all parts, and music
that the arranger goes on from."""
MAX_BEATS: Final = 256.0
MAX_EVENTS: Final = 2048
BASS_BELOW: Final = 50.0  # MIDI pitch under which a sung line is for the bass
DRUM_OF_KIND: Final = {"low": "kick", "mid": "snare", "high": "hat", "pitched": "snare"}
SHORTEST: Final = 0.08
"""Seconds of a sung note; what is shorter is a slip between two."""
CLEAR: Final = 0.4
"""Length of the mean place on the grid, 0 to 1, from which a lateness is believed."""
QUIETEST_DB, LOUDEST_DB = -46.0, -12.0
"""Levels of a note that become the softest and the loudest velocity."""
SOFTEST, LOUDEST = 40, 118


@dataclass(frozen=True)
class SketchNote:
    """A note: beats from the sketch's beginning, length in beats, MIDI pitch, velocity 1..127, and
    in an example the part that plays it.
    """

    beat: float
    length: float
    pitch: float
    velocity: int = 90
    part: str = ""


@dataclass(frozen=True)
class SketchChord:
    """A chord from a beat on: its root as a pitch class, and its quality (of `QUALITIES`)."""

    beat: float
    root: int
    quality: str


@dataclass(frozen=True)
class SketchHit:
    """A hit of one of `models.music.score.DRUMS`: beats from the beginning, velocity 1..127."""

    beat: float
    drum: str
    velocity: int = 90


@dataclass(frozen=True)
class Sketch:
    """What a part is to play from the next bar on.

    Attributes:
        part: of ROLES.
        beats: its length.
        notes: of a pitched part, one at a time, in the order of their beats.
        hits: of the drums.
        loop: whether it goes round, or is played once.
        in_key: whether its pitches are moved to the nearest of the key.
        brightness: course of the brightness control, 0 to 1 in equal stretches; empty for none.
        number: tells it from another one that is the same.
        chords: the harmony while it plays, in the order of their beats; empty leaves it open.
        key: "A minor", that it is written in: it moves with the key of the music. "": it does not.
        name: of the file that it comes from.

    """

    part: str
    beats: float
    notes: tuple[SketchNote, ...] = ()
    hits: tuple[SketchHit, ...] = ()
    loop: bool = True
    in_key: bool = True
    brightness: tuple[float, ...] = ()
    number: int = 0
    chords: tuple[SketchChord, ...] = ()
    key: str = ""
    name: str = ""

    def as_json(self) -> dict[str, object]:
        """Form for files; `read_sketch` reads it."""
        return {
            "part": self.part,
            "beats": self.beats,
            "notes": [
                [n.beat, n.length, n.pitch, n.velocity, *([n.part] if n.part else [])]
                for n in self.notes
            ],
            "hits": [[h.beat, h.drum, h.velocity] for h in self.hits],
            "loop": self.loop,
            "in_key": self.in_key,
            "brightness": list(self.brightness),
            "number": self.number,
            **self._arrangement(),
        }

    def _arrangement(self) -> dict[str, object]:
        """What only arrangements have, for files; what is empty is left out."""
        chords = [[chord.beat, chord.root, chord.quality] for chord in self.chords]
        named = {"chords": chords, "key": self.key, "name": self.name}
        return {name: value for name, value in named.items() if value}


def check_sketches(value: object) -> tuple[Sketch, ...]:
    """Sketches, one a part at most; None for none.

    Raises:
        SegueError: what is no sketch, or two of one part.

    """
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise SegueError(f"sketches is {value!r}: give a list of sketches.")
    sketches = tuple(one if isinstance(one, Sketch) else read_sketch(one) for one in value)
    if len({sketch.part for sketch in sketches}) != len(sketches):
        raise SegueError("two sketches are of one part: keep one of them.")
    return sketches


def read_sketch(value: object) -> Sketch:
    """A sketch from its form for files. SegueError where it is none."""
    try:
        if not isinstance(value, Mapping):
            raise TypeError("no object")
        notes = value.get("notes", ())
        sketch = Sketch(
            str(value["part"]),
            float(value["beats"]),
            tuple(
                SketchNote(float(b), float(n), float(p), int(v), *map(str, part))
                for b, n, p, v, *part in notes
            ),
            tuple(SketchHit(float(b), str(d), int(v)) for b, d, v in value.get("hits", ())),
            bool(value.get("loop", True)),
            bool(value.get("in_key", True)),
            tuple(float(x) for x in value.get("brightness", ())),
            int(value.get("number", 0)),
            tuple(SketchChord(float(b), int(r), str(q)) for b, r, q in value.get("chords", ())),
            str(value.get("key", "")),
            str(value.get("name", ""))[:200],
        )
        if sketch.key:
            parse_key(sketch.key)
    except (KeyError, TypeError, ValueError) as error:
        raise SegueError(f"that is no sketch ({error}): draw or sing it again.") from None
    numbers = [
        sketch.beats,
        *sketch.brightness,
        *(x for n in sketch.notes for x in (n.beat, n.length, n.pitch)),
        *(h.beat for h in sketch.hits),
        *(c.beat for c in sketch.chords),
    ]
    known = (
        sketch.part in ROLES
        and all(hit.drum in DRUMS for hit in sketch.hits)
        and all(c.quality in QUALITIES and 0 <= c.root < 12 for c in sketch.chords)
        and all(note.part in ("", *PITCHED) for note in sketch.notes)
    )
    if not known or not all(map(math.isfinite, numbers)) or not 0 < sketch.beats <= MAX_BEATS:
        raise SegueError("the sketch holds what no part can play: draw or sing it again.")
    if max(map(len, (sketch.notes, sketch.hits, sketch.chords))) > MAX_EVENTS:
        raise SegueError(f"the sketch has more than {MAX_EVENTS} notes: make a shorter one.")
    return sketch


def sketch_of(
    transcript: Transcript,
    beats_at: Sequence[float],
    times: Sequence[float],
    beats_per_bar: int,
    number: int = 0,
    since: float = 0.0,
) -> Sketch | None:
    """The sketch that was sung or tapped; None where nothing was.

    Args:
        transcript: of what was played in.
        beats_at: beats of the music that was heard, a whole number on each beat and a multiple of
            `beats_per_bar` on each bar.
        times: seconds of the transcript at those beats, rising; two or more.
        beats_per_bar: of the metre.
        number: of the sketch.
        since: seconds before which nothing counts; the ears take a moment to know the room.

    Returns:
        A line for lead or bass where notes were sung, else a groove; its first bar is the one in
        which the first event lies, and it lasts one, two, four ... bars.

    """

    def beat_of(time: float) -> float:
        return _interpolated(time, times, beats_at)

    sung = [n for n in transcript.notes if n.stop - n.start > SHORTEST and n.start >= since]
    hits = [hit for hit in transcript.hits if hit.time >= since]
    tapped = [hit for hit in hits if hit.kind != "pitched"]
    if not sung and not hits:
        return None
    if len(sung) * 2 >= len(tapped) and sung:
        starts = [beat_of(note.start) for note in sung]
        late = lateness(starts)
        starts = [start - late for start in starts]
        first, beats = _bars(starts[0], max(beat_of(n.stop) for n in sung), beats_per_bar)
        notes = tuple(
            SketchNote(
                max(0.0, start - first),
                max(0.1, beat_of(note.stop) - late - start),
                note.pitch,
                velocity_of(note.level),
            )
            for note, start in zip(sung, starts, strict=True)
        )
        middle = float(np.median([note.pitch for note in sung]))
        part = "bass" if middle < BASS_BELOW else "lead"
        return Sketch(part, beats, notes=notes, number=number)
    struck = tapped or hits
    at = [beat_of(hit.time) for hit in struck]
    late = lateness(at)
    at = [beat - late for beat in at]
    first, beats = _bars(at[0], at[-1], beats_per_bar)
    groove = tuple(
        SketchHit(
            max(0.0, beat - first), DRUM_OF_KIND[hit.kind], round(60 + 58 * min(1.0, hit.strength))
        )
        for hit, beat in zip(struck, at, strict=True)
    )
    return Sketch("drums", beats, hits=groove, number=number)


def lateness(beats: Sequence[float], grid: int = 4) -> float:
    """Beats by which a player is behind the grid (or before it) all along; 0 where that is not
    clear. A voice swells, and a microphone's way is long.
    """
    turns = np.exp(2j * np.pi * grid * np.asarray(beats))
    mean = complex(turns.mean())
    if len(beats) < 4 or abs(mean) < CLEAR:
        return 0.0
    return float(np.angle(mean)) / (2 * np.pi * grid)


def velocity_of(level_db: float) -> int:
    """Velocity of a note by its level in dB of full scale."""
    share = (level_db - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)
    return round(SOFTEST + (LOUDEST - SOFTEST) * min(1.0, max(0.0, share)))


def on_grid(sketch: Sketch, steps_per_beat: int) -> Sketch:
    """The sketch with its beginnings on the nearest steps."""

    def placed(beat: float) -> float:
        return round(beat * steps_per_beat) / steps_per_beat % sketch.beats

    return replace(
        sketch,
        notes=tuple(
            sorted((replace(n, beat=placed(n.beat)) for n in sketch.notes), key=lambda n: n.beat)
        ),
        hits=tuple(replace(h, beat=placed(h.beat)) for h in sketch.hits),
    )


def pitch_in_key(pitch: float, tonic: int, mode: str) -> int:
    """The nearest MIDI note of a key; the nearer to the pitch as it was sung."""
    scale = {(tonic + step) % 12 for step in MODES[mode]}
    middle = round(pitch)
    near = [note for note in range(middle - 3, middle + 4) if note % 12 in scale]
    return min(near, key=lambda note: abs(note - pitch)) if near else middle


def brightness_course(
    sound: NDArray[np.floating], sample_rate: int, stretches: int
) -> tuple[float, ...]:
    """Brightness 0 to 1 of equal stretches of a sound (n,) or (n, 2), by its spectral centroid."""
    line = np.asarray(sound, np.float64)
    line = line.mean(axis=1) if line.ndim == 2 else line
    course, last = [], 0.5
    for part in np.array_split(line, max(1, stretches)):
        power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) if len(part) > 64 else np.zeros(2)
        if power.sum() > 1e-3 * len(part):
            hertz = np.fft.rfftfreq(len(part), 1 / sample_rate)
            centroid = float((hertz * power).sum() / power.sum())
            last = min(1.0, max(0.0, (math.log2(max(centroid, 60.0)) - 8.0) / 5.0))
        course.append(round(last, 3))
    return tuple(course)


def _bars(start: float, stop: float, beats_per_bar: int) -> tuple[float, float]:
    """First beat of the bar in which `start` lies (or is near), and the length in beats."""
    first = math.floor((start + 0.2) / beats_per_bar) * beats_per_bar
    bars = max(1, math.ceil((stop - first - 0.3) / beats_per_bar))
    power = 1 << (bars - 1).bit_length()
    return float(first), min(MAX_BEATS, float(power * beats_per_bar))


def _interpolated(time: float, times: Sequence[float], values: Sequence[float]) -> float:
    """Value at a time, linear beyond the ends as well."""
    index = int(np.clip(np.searchsorted(times, time), 1, len(times) - 1))
    left, right = index - 1, index
    slope = (values[right] - values[left]) / max(times[right] - times[left], 1e-9)
    return float(values[left] + slope * (time - times[left]))
