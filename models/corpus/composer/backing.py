"""Accompaniment: bass lines, comping and second voices.

The patterns are in `models.corpus.styles.patterns`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.corpus.composer.melody import Melodist, Note
from models.corpus.styles.patterns import ARPS, COMPS, LINES
from models.music.form import METRES, adapt
from models.music.harmony import MINOR_LIKE, chord_intervals, scale_of
from models.music.voicing import instrument_range, part_range

ROLES: Final = frozenset(
    {
        *ARPS, "counter", "riff", "drone", "offbeat", "answer", "pulse", "double", "long", "hook",
        "bells", "fifths", "sparks",
    }
)  # fmt: skip


def _draw_patterns(
    rng: np.random.Generator, table: tuple[str, tuple[str, ...]], metre: str
) -> list[str]:
    """Two random patterns of a table, adapted to the metre."""
    source, patterns = table
    chosen = [patterns[int(rng.integers(len(patterns)))] for _ in range(2)]
    return [adapt(text, source, metre) for text in chosen]


class Bassist:
    """Player of a bass line through a song."""

    def __init__(
        self,
        rng: np.random.Generator,
        line: str,
        instrument: str,
        metre: str,
        tonic: int,
        mode: str,
    ) -> None:
        self.rng, self.tonic, self.mode = rng, tonic, mode
        self.beat, self.bar = METRES[metre]
        self.patterns: dict[int, list[str]] = {}
        self.draw = lambda: _draw_patterns(rng, LINES[line], metre)
        self.main_pattern = self.draw()
        self.low, self.high = part_range("bass", instrument)
        self.drone = line in ("drone", "pedal")
        self.walk = "w" in "".join(self.main_pattern)
        self.base = self.low + 2
        self.previous = self.base + 5
        self.short = rng.random() < 0.35

    def play(
        self, index: int, bar: int, level: float, chords: np.ndarray, next_symbol: int
    ) -> list[Note]:
        """Notes of one bar; `next_symbol`: first chord of the next bar."""
        if index not in self.patterns:
            self.patterns[index] = self.main_pattern if self.rng.random() < 0.6 else self.draw()
        patterns = self.patterns[index]
        text = patterns[1] if bar % 4 == 3 else patterns[0]
        notes: list[Note] = []
        random = self.rng.random(self.bar)
        bar_beats = self.bar / self.beat
        for step in range(self.bar):
            token = text[step % len(text)]
            if token in ".-":
                if not notes or self.drone:
                    continue
                if token == "." and step % self.beat:
                    if random[step] < 0.35 * (level - 1.1):
                        notes.append((step, 1.0, notes[-1][2], 66))
                elif step * 2 % self.beat == 0 and random[step] < 0.5 * (level - 1.2):
                    # Split a sustained note in two.
                    start, length, pitch, velocity = notes[-1]
                    notes[-1] = (start, float(step - start), pitch, velocity)
                    end = step + 1
                    while end < self.bar and text[end % len(text)] == "-":
                        end += 1
                    notes.append((step, float(end - step), pitch, 74))
                continue
            weak = step % self.beat != 0
            if level < 0.85 and step and random[step] < (0.9 - level) * (1.2 if weak else 0.7):
                continue
            length = 1
            while step + length < self.bar and text[(step + length) % len(text)] == "-":
                length += 1
            symbol = int(chords[step])
            following = int(chords[step + length]) if step + length < self.bar else next_symbol
            pitch = self._pitch(token, symbol, following)
            velocity = 96 if step == 0 else 88 if not weak else 80
            velocity += int(10 * (random[step] - 0.5))
            if token == "x":
                notes.append((step, 0.4, pitch, 48))
                continue
            sounding = length * (0.55 if self.short and length > 1 and bar_beats > 2 else 0.95)
            notes.append((step, sounding, pitch, velocity))
            self.previous = pitch
        return notes

    def _place(self, pitch_class: int, close_to: float | None = None) -> int:
        root = self.low + (pitch_class - self.low) % 12
        options = [p for p in (root, root + 12, root + 24) if p <= self.high] or [root]
        goal = self.base + 5 if close_to is None else close_to
        return min(options, key=lambda p: abs(p - goal))

    def _pitch(self, token: str, symbol: int, following: int) -> int:
        tones = chord_intervals(symbol) if symbol >= 0 and not self.drone else (0, 7)
        root_class = self.tonic + tones[0]
        root = self._place(root_class)
        minor = 3 in {(t - tones[0]) % 12 for t in tones} or (
            len(tones) == 2 and self.mode in MINOR_LIKE and tones[0] == 0
        )
        if token in "Rx":
            return root
        if token == "8":
            return root + 12 if root + 12 <= self.high else root
        fifth = next(
            ((t - tones[0]) % 12 for t in tones[1:] if (t - tones[0]) % 12 in (6, 7, 8)), 7
        )
        scale = scale_of(self.mode, symbol)
        if token in "5b":
            up, down = root + fifth, root + fifth - 12
            first, second = (up, down) if token == "5" else (down, up)
            return (
                first if self.low <= first <= self.high else second if second >= self.low else root
            )
        if token in "3467":
            interval = {"3": 3 if minor else 4, "4": 5, "6": 9, "7": 10}[token]
            if token in "67" and (tones[0] + interval) % 12 not in scale:
                alternative = {"6": 8, "7": 11}[token]
                interval = alternative if (tones[0] + alternative) % 12 in scale else 7
            pitch = root + interval
            return pitch if pitch <= self.high else pitch - 12
        goal_class = self.tonic + (chord_intervals(following)[0] if following >= 0 else tones[0])
        goal = self._place(goal_class)
        if token == "a":
            if self.walk and self.rng.random() < 0.5:
                return (
                    goal + (1 if self.rng.random() < 0.5 else -1) if goal > self.low else goal + 1
                )
            below = goal - 1
            while (below - self.tonic) % 12 not in scale and below > goal - 3:
                below -= 1
            return below if below >= self.low else goal + 7
        # w: walk by scale or chord tones towards the next root
        direction = (
            1
            if goal > self.previous
            else -1
            if goal < self.previous
            else (1 if self.rng.random() < 0.5 else -1)
        )
        pool = scale if self.rng.random() < 0.6 else tones
        members = {(self.tonic + c) % 12 for c in pool}
        pitch = self.previous
        for _ in range(7):
            pitch += direction
            if pitch % 12 in members:
                break
        return pitch if self.low <= pitch <= self.high else root


class Accompanist:
    """Player of chords (comping): times, lengths and velocities."""

    def __init__(self, rng: np.random.Generator, comp: str, metre: str) -> None:
        self.rng = rng
        self.beat, self.bar = METRES[metre]
        self.draw = lambda: _draw_patterns(rng, COMPS[comp], metre)
        self.main_pattern = self.draw()
        self.patterns: dict[int, list[str]] = {}
        self.sustained = comp in ("pad", "whole", "drone", "swell", "harp", "power_long", "tanpura")

    def play(self, index: int, bar: int, level: float, chords: np.ndarray) -> list[Note]:
        """Strikes of one bar: (step, length, chord symbol, velocity)."""
        if index not in self.patterns:
            self.patterns[index] = self.main_pattern if self.rng.random() < 0.6 else self.draw()
        patterns = self.patterns[index]
        text = patterns[1] if bar % 4 == 3 else patterns[0]
        strikes: list[Note] = []
        random = self.rng.random(self.bar)
        for step in range(self.bar):
            token = text[step % len(text)]
            symbol = int(chords[step])
            if symbol < 0:
                continue
            changed = step > 0 and symbol != int(chords[step - 1])
            if token == "-" and not changed:
                free = step * 2 % self.beat == 0 and not self.sustained
                if free and random[step] < 0.6 * (level - 1.15):
                    strikes.append((step, 1.0, symbol, 66))
                continue
            if token == "." and not changed:
                if level > 1.2 and random[step] < 0.12 * (level - 1) and not self.sustained:
                    strikes.append((step, 0.8, symbol, 60))
                continue
            if token == "." and changed:
                continue
            weak = step % self.beat != 0
            drop_chance = (0.95 - level) * {"X": 0.5, "x": 0.9, "o": 1.3}.get(token, 0.2)
            if step and not changed and random[step] < drop_chance * (1.2 if weak else 0.9):
                continue
            velocity = {"X": 94, "x": 82, "o": 64}.get(token, 82) + int(10 * (random[step] - 0.5))
            strikes.append((step, 1.0, symbol, velocity))
        return self._hold(strikes, text, chords)

    def _hold(self, strikes: list[Note], text: str, chords: np.ndarray) -> list[Note]:
        """Set the lengths of strikes: as long as the pattern holds and the chord stays."""
        result: list[Note] = []
        for order, (step, length, symbol, velocity) in enumerate(strikes):
            next_step = int(strikes[order + 1][0]) if order + 1 < len(strikes) else self.bar
            end = int(step) + 1
            while end < next_step and text[end % len(text)] == "-" and chords[end] == symbol:
                end += 1
            sustained = end - step
            result.append(
                (step, sustained * 0.97 if sustained > 1 else min(length, 0.8), symbol, velocity)
            )
        return result


class SecondVoice:
    """Player of the extra part: arpeggio, drone, pulse, riff, counter-melody or answer."""

    def __init__(
        self,
        rng: np.random.Generator,
        role: str,
        instrument: str,
        metre: str,
        tonic: int,
        mode: str,
        bar_seconds: float,
    ) -> None:
        self.rng, self.role, self.tonic = rng, role, tonic
        self.beat, self.bar = METRES[metre]
        self.low, self.high = instrument_range(instrument)
        self.melodist: Melodist | None = None
        behaviour = {
            "counter": "lyric", "riff": "riff", "answer": "talk", "long": "long", "hook": "hook",
            "bells": "bells", "sparks": "glitch", "double": "riff",
        }.get(role)  # fmt: skip
        if behaviour:
            self.melodist = Melodist(rng, behaviour, instrument, metre, tonic, mode, bar_seconds)
        self.patterns: dict[int, str] = {}
        self.metre = metre
        middle = (self.low + self.high) / 2
        self.floor = int(
            np.clip(middle - 8 + rng.integers(-4, 5), self.low, max(self.low, self.high - 14))
        )
        self.step_limit = bar_seconds / self.bar

    def _row(self) -> str:
        texts = ARPS[self.role]
        text = adapt(texts[int(self.rng.integers(len(texts)))], "4/4", self.metre)
        if self.step_limit < 0.085:  # too fast to play: every other step
            text = "".join(c if i % 2 == 0 or self.beat == 3 else "." for i, c in enumerate(text))
        return text

    def play(
        self, index: int, bar: int, level: float, chords: np.ndarray, lead: list[Note]
    ) -> list[Note]:
        """Notes of one bar; `lead`: the lead's notes in it, to answer or to double."""
        if self.role in ARPS:
            return self._arp(index, level, chords)
        if self.role in ("drone", "fifths", "pulse", "offbeat"):
            return self._drone(level, chords)
        if self.role == "double" and lead:
            return self._double(lead, chords)
        assert self.melodist is not None
        notes = self.melodist.play(index, bar, level, chords)
        if self.role == "answer" and lead:
            lead_end = max(int(n[0] + n[1]) for n in lead)
            notes = [n for n in notes if n[0] >= min(lead_end, self.bar - 2)]
        return [(s, length, p, max(1, v - 12)) for s, length, p, v in notes]

    def _arp(self, index: int, level: float, chords: np.ndarray) -> list[Note]:
        if index not in self.patterns:
            self.patterns[index] = self._row()
        text = self.patterns[index]
        notes: list[Note] = []
        random = self.rng.random(self.bar)
        for step in range(self.bar):
            token = text[step % len(text)]
            if not token.isdigit() or chords[step] < 0:
                continue
            if level < 1 and step % self.beat and random[step] < 0.9 * (1 - level):
                continue
            classes = chord_intervals(int(chords[step]))
            pitches = sorted(self.floor + (self.tonic + c - self.floor) % 12 for c in classes[:4])
            octave, degree = divmod(int(token), len(pitches))
            pitch = pitches[degree] + 12 * octave
            while pitch > self.high:
                pitch -= 12
            length = 1.0
            while (
                step + int(length) < self.bar
                and not text[(step + int(length)) % len(text)].isdigit()
            ):
                length += 1
            velocity = 70 + 12 * (step % self.beat == 0) + int(12 * (random[step] - 0.5))
            notes.append((step, length * 0.9, pitch, velocity))
        return notes

    def _drone(self, level: float, chords: np.ndarray) -> list[Note]:
        fixed = self.role in ("drone", "fifths")
        notes: list[Note] = []
        if fixed:
            pitch = self.floor + (self.tonic - self.floor) % 12
            if self.role == "fifths" and pitch + 7 <= self.high:
                half = self.bar // 2
                return [(0, half * 0.97, pitch, 70), (half, half * 0.97, pitch + 7, 66)]
            return [(0, self.bar * 0.98, pitch, 70)]
        spacing = self.beat if level < 0.7 else max(1, self.beat // 2) if level < 1.4 else 1
        first_step = spacing if self.role == "offbeat" and spacing < self.beat else 0
        stride = self.beat if self.role == "offbeat" and spacing > 1 else spacing
        for step in range(first_step, self.bar, stride):
            if chords[step] < 0:
                continue
            root = chord_intervals(int(chords[step]))[0]
            pitch = self.floor + (self.tonic + root - self.floor) % 12
            notes.append(
                (step, max(0.6, spacing * 0.6), pitch, 76 if step % self.beat == 0 else 66)
            )
        return notes

    def _double(self, lead: list[Note], chords: np.ndarray) -> list[Note]:
        """Second voice of a duet: chord tones about a third under the lead."""
        notes: list[Note] = []
        for step, length, pitch, velocity in lead:
            symbol = int(chords[min(int(step), self.bar - 1)])
            tones = chord_intervals(symbol) if symbol >= 0 else (0, 7)
            members = {(self.tonic + c) % 12 for c in tones}
            lower = pitch - 3
            while lower % 12 not in members:
                lower -= 1
            while lower > self.high:
                lower -= 12
            while lower < self.low:
                lower += 12
            if self.low <= lower <= self.high:
                notes.append((step, length, lower, max(1, velocity - 12)))
        return notes
