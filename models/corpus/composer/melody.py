"""Melodies: motifs, repeated and varied, over chords.

A phrase is a few bars of motifs (such as A A B A); each bar's contour starts from an arch over the
phrase, strong beats are chord tones, and the phrase ends on a stable degree (the shape of folk
tunes: Huron, "The melodic arch in Western folksongs", 1996).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.corpus.styles.base import words
from models.corpus.styles.behaviours import BEHAVIOURS, FEELS, Behaviour
from models.music.form import METRES
from models.music.harmony import MINOR_LIKE, chord_intervals, scale_of
from models.music.score import MODES
from models.music.voicing import instrument_range

ATTRACTION: Final = {0: 1.8, 7: 0.9, 3: 0.3, 4: 0.3}
"""Semitones subtracted from the distance to a degree, to establish the tonic."""
SUSTAINED: Final = words(
    """organ church_organ accordion bandoneon harmonica mellotron violin fiddle viola viola_ensemble
    cello erhu hurdy_gurdy strings flute recorder tin_whistle pan_flute oboe clarinet bass_clarinet
    bassoon woodwinds soprano_sax alto_sax tenor_sax baritone_sax trumpet muted_trumpet trombone
    french_horn tuba brass bagpipes didgeridoo choir voice_oohs supersaw synth_pad warm_pad
    dream_pad saw_lead square_lead"""
)
Note = tuple[float, float, int, int]  # step, length, pitch, velocity


def _scale(behaviour: Behaviour, mode: str, symbol: int) -> tuple[int, ...]:
    minor = mode in MINOR_LIKE
    if behaviour.scale == "tonic":
        return (0,)
    if behaviour.scale == "pentatonic" and mode not in ("phrygian_dominant", "phrygian"):
        return MODES["pentatonic_minor" if minor else "pentatonic_major"]
    if behaviour.scale == "blues":
        return (0, 3, 5, 6, 7, 10) if minor else (0, 2, 3, 4, 5, 7, 9, 10)
    return scale_of(mode, symbol)


class Melodist:
    """Player of a melody through a song; its material is stored by section index."""

    def __init__(
        self,
        rng: np.random.Generator,
        behaviour: str,
        instrument: str,
        metre: str,
        tonic: int,
        mode: str,
        bar_seconds: float,
        above: int = 0,
    ) -> None:
        """`above`: pitch that the line stays above where possible, so that chords do not mask it."""
        self.rng = rng
        self.behaviour = BEHAVIOURS[behaviour]
        self.metre, self.tonic, self.mode = metre, tonic, mode
        self.beat, self.bar = METRES[metre]
        self.low, self.high = instrument_range(instrument)
        headroom = max(self.high - self.low - self.behaviour.span, 0)
        self.floor = self.low + headroom * float(
            np.clip(self.behaviour.height + rng.normal(0, 0.15), 0, 1)
        )
        if above and self.high >= 79:
            self.floor = max(self.floor, min(above, self.high - self.behaviour.span))
        # Plucked notes decay, so that a line on its own needs more of them.
        self.min_notes = bar_seconds * (0.8 if instrument in SUSTAINED else 1.7)
        self.ceiling = min(self.high, self.floor + max(self.behaviour.span, 5))
        self.phrase = 2 if bar_seconds > 3.2 else 4 if bar_seconds > 1.1 else 8
        self.rate = self.behaviour.rate * float(np.exp(rng.normal(0, 0.15)))
        # At most about 10 notes a second can be played.
        beat_seconds = bar_seconds * self.beat / self.bar
        self.rate = min(self.rate, 10.0 * beat_seconds)
        self.material: dict[int, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
        self.plan: dict[int, str] = {}
        self.arch: dict[int, tuple[float, float, float]] = {}
        self.previous = int((self.floor + self.ceiling) / 2)

    def _step_weights(self) -> np.ndarray:
        feel = FEELS[self.behaviour.feel]
        steps = np.arange(self.bar)
        if self.behaviour.feel == "three":
            phase = int(self.rng.integers(3))
            return np.where(steps % 3 == phase, 1.0, 0.05)
        order = (0, 2, 1, 3) if self.beat == 4 else (0, 2, 1)
        within = steps % self.beat
        table = [feel[order.index(w)] for w in range(self.beat)]
        weights = np.array([table[w] for w in within])
        weights[0] *= 1.25
        return weights

    def _motif(self) -> tuple[np.ndarray, np.ndarray]:
        """Motif: priority of each step, and contour as scale steps at each step."""
        priority = np.log(self._step_weights() + 1e-3) + 0.55 * self.rng.gumbel(size=self.bar)
        moves = self.rng.choice([-1, 1], size=self.bar, p=[0.52, 0.48])
        leaps = self.rng.random(self.bar) < self.behaviour.leap
        moves = np.where(leaps, moves * self.rng.integers(2, 5, self.bar), moves)
        moves = np.where(self.rng.random(self.bar) < self.behaviour.repeated, 0, moves)
        return priority, moves

    def _prepare(self, index: int) -> None:
        motifs = {letter: self._motif() for letter in "ABCD"}
        if self.rng.random() < 0.5:  # B answers A: the same rhythm, inverted
            motifs["B"] = (motifs["A"][0], -motifs["A"][1])
        self.material[index] = motifs
        self.plan[index] = self.behaviour.plans[int(self.rng.integers(len(self.behaviour.plans)))]
        self.arch[index] = (
            float(self.rng.uniform(0.2, 0.6)),
            float(self.rng.uniform(0.5, 0.95)),
            float(self.rng.uniform(0.1, 0.5)),
        )

    def play(
        self, index: int, bar: int, level: float, chords: np.ndarray, alone: bool = False
    ) -> list[Note]:
        """Notes of bar `bar` of a section, steps from 0, over `chords` (steps_per_bar,).

        `alone`: no other part plays, so there are no rests.
        """
        rng, behaviour = self.rng, self.behaviour
        if index not in self.material:
            self._prepare(index)
        phrase_bar = bar % self.phrase
        plan = self.plan[index]
        letter = plan[(phrase_bar * len(plan) // self.phrase) % len(plan)]
        if self.phrase == 2:
            letter = plan[(bar % 4) % len(plan)]
        priority, moves = self.material[index][letter]
        if rng.random() > behaviour.repeat:
            priority = priority + 0.7 * rng.gumbel(size=self.bar)
        last = phrase_bar == self.phrase - 1
        count = self.rate * self.bar / self.beat * level**0.9
        count = max(1, int(count + rng.random()))
        if last:
            count = max(1, int(count * 0.7))
        if alone:
            count = max(count, round(self.min_notes))
        count = min(count, self.bar)
        onsets = np.sort(np.argsort(-priority)[:count])
        if behaviour.rest and not alone and rng.random() < behaviour.rest * (1.3 if last else 0.8):
            end_step = self.bar - int(self.bar * rng.uniform(0.2, 0.5))
            onsets = onsets[onsets < end_step] if (onsets < end_step).any() else onsets[:1]
        start, top, end = self.arch[index]
        x = phrase_bar / max(1, self.phrase - 1)
        target = start + (top - start) * np.sin(np.pi * x) + (end - start) * x
        centre = self.floor + (self.ceiling - self.floor) * float(np.clip(target, 0.05, 0.95))
        return self._fill(onsets, moves, centre, chords, last)

    def _fill(
        self, onsets: np.ndarray, moves: np.ndarray, centre: float, chords: np.ndarray, last: bool
    ) -> list[Note]:
        rng, behaviour = self.rng, self.behaviour
        notes: list[Note] = []
        pitch = self.previous
        arpeggio = rng.random() < behaviour.arpeggio
        chance = rng.random((len(onsets), 3))
        for order, step in enumerate(onsets.tolist()):
            symbol = int(chords[step])
            scale = _scale(behaviour, self.mode, symbol)
            tones = chord_intervals(symbol) if symbol >= 0 else (0, 7)
            strong = step % self.beat == 0
            move = int(moves[step])
            if order == 0:
                target = (centre + self.previous) / 2
                pool = tones if behaviour.scale != "tonic" else (0,)
                if behaviour.scale in ("blues", "pentatonic"):
                    pool = tuple(t for t in tones if t in scale) or scale
                pitch = self._nearest(pool, target)
            elif arpeggio and strong is False:
                pitch = self._step(pitch, move, tones)
            else:
                pitch = self._step(pitch, move, scale)
                if strong and chance[order, 0] < behaviour.chordal and behaviour.scale != "tonic":
                    pool = tuple(t for t in tones if t in scale) or tones
                    pitch = self._nearest(pool, pitch)
            pitch = self._inside(pitch)
            final = last and order == len(onsets) - 1
            if final and behaviour.scale != "tonic":
                stable = [t for t in (0, 7, 4 if self.mode not in MINOR_LIKE else 3) if t in tones]
                first = 0 if 0 in stable and rng.random() < 0.75 else -1
                pool = (0,) if first == 0 else tuple(stable) or (tones[0],)
                pitch = self._inside(self._nearest(pool, pitch))
            next_onset = onsets[order + 1] if order + 1 < len(onsets) else self.bar
            length = min(float(next_onset - step), behaviour.longest * self.beat)
            length = (
                max(0.5, length * behaviour.legato)
                if length > 1
                else length * max(0.6, behaviour.legato)
            )
            velocity = 76 + 16 * (step % self.beat == 0) + 6 * (step == 0)
            velocity += int(14 * (chance[order, 1] - 0.5)) + int(8 * (pitch - centre) / 12)
            free = step > 0 and (order == 0 or onsets[order - 1] < step - 1)
            if free and chance[order, 2] < behaviour.ornament:
                side = self._step(pitch, 1 if chance[order, 0] < 0.6 else -1, scale)
                notes.append((step - 1, 0.9, self._inside(side), int(velocity * 0.8)))
            notes.append((step, length, pitch, velocity))
        self.previous = pitch
        return notes

    def _nearest(self, classes: tuple[int, ...], target: float) -> int:
        """The pitch of `classes` nearest to `target`, with ATTRACTION."""
        centre = round(target)
        best, lowest_cost = centre, 99.0
        members = {(self.tonic + c) % 12 for c in classes}
        for pitch in range(centre - 7, centre + 8):
            if pitch % 12 in members:
                attraction = ATTRACTION.get((pitch - self.tonic) % 12, 0.0)
                cost = abs(pitch - target) - attraction
                if cost < lowest_cost:
                    best, lowest_cost = pitch, cost
        return best

    def _step(self, pitch: int, move: int, classes: tuple[int, ...]) -> int:
        """`move` scale steps from `pitch`; inverted at the ends of the line's range."""
        if pitch + move > self.ceiling if move > 0 else pitch + move < self.floor:
            move = -move
        members = {(self.tonic + c) % 12 for c in classes}
        direction = 1 if move > 0 else -1
        if move == 0:
            return pitch if pitch % 12 in members else self._nearest(classes, pitch)
        for _ in range(abs(move)):
            pitch += direction
            for _ in range(12):
                if pitch % 12 in members:
                    break
                pitch += direction
        return pitch

    def _inside(self, pitch: int) -> int:
        while pitch > self.high:
            pitch -= 12
        while pitch < self.low:
            pitch += 12
        return pitch if pitch <= self.high else self.high
